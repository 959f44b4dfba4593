//! The rules of the lexicon language that the shape of the JSON does not imply.
//!
//! Spec: <https://atproto.com/specs/lexicon>

use std::collections::BTreeMap;

use super::{
    ArraySchema, BlobSchema, BodySchema, Def, IntegerSchema, MethodSchema, ObjectSchema, ParamsSchema,
    Reference, Schema, SchemaError, StringSchema, UnionSchema, error::shown, reference::is_def_name,
};
use crate::syntax::Nsid;

/// Checks a definition on its own.
pub(super) fn def(name: &str, def: &Def) -> Result<(), SchemaError> {
    if !is_def_name(name) {
        return Err(SchemaError::Name(shown(name)));
    }
    let primary = !matches!(def, Def::Token | Def::Data(_));
    if primary && name != "main" {
        return Err(SchemaError::Misplaced("a primary type that is not main"));
    }
    match def {
        Def::Record(record) => object(&record.record),
        Def::Query(found) | Def::Procedure(found) => method(found),
        Def::Subscription(found) => {
            params(&found.parameters)?;
            found.message.as_ref().map_or(Ok(()), union)?;
            errors(&found.errors)
        }
        Def::PermissionSet(_) | Def::Token => Ok(()),
        Def::Data(found) => schema(found),
    }
}

/// Checks that references to neighbours have a target that can be referred to.
pub(super) fn neighbours(home: &Nsid, defs: &BTreeMap<String, Def>) -> Result<(), SchemaError> {
    let names: BTreeMap<Reference, &Def> =
        defs.iter().map(|(name, def)| (Reference::new(home, name), def)).collect();
    for reference in references(defs.values()) {
        let document = reference.as_str().split_once('#').map_or(reference.as_str(), |(nsid, _)| nsid);
        if document != home.as_str() {
            continue;
        }
        match names.get(&reference) {
            Some(Def::Data(_) | Def::Record(_)) => {}
            _ => return Err(SchemaError::Target(shown(reference.as_str()))),
        }
    }
    Ok(())
}

/// All references in definitions.
pub(super) fn references<'a>(defs: impl Iterator<Item = &'a Def>) -> Vec<Reference> {
    let mut todo: Vec<&Schema> = Vec::new();
    let mut found = Vec::new();
    for def in defs {
        match def {
            Def::Record(record) => todo.extend(record.record.properties.values()),
            Def::Query(method) | Def::Procedure(method) => {
                let bodies = method.input.iter().chain(&method.output);
                todo.extend(bodies.filter_map(|body| body.schema.as_ref()));
            }
            Def::Subscription(stream) => {
                found.extend(stream.message.iter().flat_map(|message| message.refs.iter().cloned()));
            }
            Def::Data(schema) => todo.push(schema),
            Def::PermissionSet(_) | Def::Token => {}
        }
    }
    while let Some(schema) = todo.pop() {
        match schema {
            Schema::Array(array) => todo.push(&array.items),
            Schema::Object(object) => todo.extend(object.properties.values()),
            Schema::Ref(reference) => found.push(reference.clone()),
            Schema::Union(union) => found.extend(union.refs.iter().cloned()),
            _ => {}
        }
    }
    found
}

fn schema(schema: &Schema) -> Result<(), SchemaError> {
    match schema {
        Schema::Boolean(boolean) => exclusive(boolean.default.is_some(), boolean.constant.is_some()),
        Schema::Integer(found) => integer(found),
        Schema::String(found) => string(found),
        Schema::Bytes(bytes) => ordered("lengths", bytes.min_length, bytes.max_length),
        Schema::Blob(found) => blob(found),
        Schema::Array(found) => array(found),
        Schema::Object(found) => object(found),
        Schema::Union(found) => union(found),
        Schema::CidLink | Schema::Ref(_) | Schema::Unknown => Ok(()),
    }
}

fn method(method: &MethodSchema) -> Result<(), SchemaError> {
    params(&method.parameters)?;
    for (name, found) in [("input", &method.input), ("output", &method.output)] {
        found.as_ref().map_or(Ok(()), body).map_err(|source| source.within(name))?;
    }
    errors(&method.errors)
}

fn body(body: &BodySchema) -> Result<(), SchemaError> {
    if body.encoding.is_empty() {
        return Err(SchemaError::Misplaced("an empty encoding"));
    }
    match &body.schema {
        None => Ok(()),
        Some(found @ (Schema::Object(_) | Schema::Ref(_) | Schema::Union(_))) => schema(found),
        Some(_) => Err(SchemaError::Misplaced("a body that is neither an object, a reference nor a union")),
    }
}

fn errors(names: &[String]) -> Result<(), SchemaError> {
    match names.iter().find(|name| name.is_empty() || name.contains(char::is_whitespace)) {
        Some(name) => Err(SchemaError::Name(shown(name))),
        None => Ok(()),
    }
}

fn params(params: &ParamsSchema) -> Result<(), SchemaError> {
    for (name, found) in &params.properties {
        let single = match found {
            Schema::Array(array) => &*array.items,
            other => other,
        };
        let fits = matches!(single, Schema::Boolean(_) | Schema::Integer(_) | Schema::String(_));
        if !fits {
            return Err(SchemaError::Misplaced("a parameter of this type").within(name));
        }
        schema(found).map_err(|source| source.within(name))?;
    }
    declared(&params.required, &params.properties)
}

fn object(object: &ObjectSchema) -> Result<(), SchemaError> {
    for (name, field) in &object.properties {
        schema(field).map_err(|source| source.within(name))?;
    }
    declared(&object.required, &object.properties)?;
    declared(&object.nullable, &object.properties)
}

fn declared(names: &[String], properties: &BTreeMap<String, Schema>) -> Result<(), SchemaError> {
    match names.iter().find(|name| !properties.contains_key(*name)) {
        Some(name) => Err(SchemaError::Undeclared(shown(name))),
        None => Ok(()),
    }
}

fn integer(integer: &IntegerSchema) -> Result<(), SchemaError> {
    exclusive(integer.default.is_some(), integer.constant.is_some())?;
    ordered("bounds", integer.minimum, integer.maximum)
}

fn string(string: &StringSchema) -> Result<(), SchemaError> {
    exclusive(string.default.is_some(), string.constant.is_some())?;
    ordered("lengths", string.min_length, string.max_length)?;
    ordered("grapheme lengths", string.min_graphemes, string.max_graphemes)
}

fn array(array: &ArraySchema) -> Result<(), SchemaError> {
    ordered("lengths", array.min_length, array.max_length)?;
    schema(&array.items).map_err(|source| source.within("items"))
}

fn union(union: &UnionSchema) -> Result<(), SchemaError> {
    if union.refs.is_empty() && union.closed {
        return Err(SchemaError::Misplaced("a closed union of nothing"));
    }
    Ok(())
}

fn blob(blob: &BlobSchema) -> Result<(), SchemaError> {
    let whole = |pattern: &str| {
        let (kind, subtype) = pattern.split_once('/').unwrap_or((pattern, ""));
        let named = |part: &str| {
            !part.is_empty() && !part.contains(['*', '/']) && !part.contains(char::is_whitespace)
        };
        (kind, subtype) == ("*", "*") || named(kind) && (subtype == "*" || named(subtype))
    };
    match blob.accept.iter().flatten().find(|pattern| !whole(pattern)) {
        Some(pattern) => Err(SchemaError::MediaType(shown(pattern))),
        None => Ok(()),
    }
}

fn exclusive(default: bool, constant: bool) -> Result<(), SchemaError> {
    if default && constant { Err(SchemaError::Contradiction("default and const")) } else { Ok(()) }
}

fn ordered<T: PartialOrd>(
    what: &'static str,
    minimum: Option<T>,
    maximum: Option<T>,
) -> Result<(), SchemaError> {
    match (minimum, maximum) {
        (Some(minimum), Some(maximum)) if minimum > maximum => Err(SchemaError::Contradiction(what)),
        _ => Ok(()),
    }
}
