//! The JSON form of lexicon documents.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::{
    lexicon::error::shown,
    lexicon::{
        ArraySchema, BlobSchema, BodySchema, BooleanSchema, BytesSchema, Def, IntegerSchema, KeyKind,
        MethodSchema, ObjectSchema, ParamsSchema, Permission, PermissionSetSchema, RecordSchema, Reference,
        Schema, SchemaError, StringFormat, StringSchema, SubscriptionSchema, UnionSchema,
    },
    syntax::{Nsid, RecordKey},
};

#[derive(Deserialize)]
pub(super) struct Document {
    pub(super) lexicon: u32,
    pub(super) id: Nsid,
    pub(super) defs: BTreeMap<String, Typed>,
}

/// Everything that has a `type`, whether a definition or a part of one.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub(super) enum Typed {
    Record {
        key: String,
        record: Box<Self>,
    },
    Query {
        parameters: Option<Box<Self>>,
        output: Option<Body>,
        #[serde(default)]
        errors: Vec<DeclaredError>,
    },
    Procedure {
        parameters: Option<Box<Self>>,
        input: Option<Body>,
        output: Option<Body>,
        #[serde(default)]
        errors: Vec<DeclaredError>,
    },
    Subscription {
        parameters: Option<Box<Self>>,
        message: Option<Message>,
        #[serde(default)]
        errors: Vec<DeclaredError>,
    },
    PermissionSet {
        permissions: Vec<Self>,
    },
    Permission {
        resource: String,
        #[serde(flatten)]
        fields: serde_json::Map<String, serde_json::Value>,
    },
    Params {
        #[serde(default)]
        properties: BTreeMap<String, Self>,
        #[serde(default)]
        required: Vec<String>,
    },
    Token {},
    Boolean {
        default: Option<bool>,
        #[serde(rename = "const")]
        constant: Option<bool>,
    },
    Integer {
        minimum: Option<i64>,
        maximum: Option<i64>,
        #[serde(rename = "enum")]
        values: Option<Vec<i64>>,
        default: Option<i64>,
        #[serde(rename = "const")]
        constant: Option<i64>,
    },
    String {
        format: Option<StringFormat>,
        min_length: Option<usize>,
        max_length: Option<usize>,
        min_graphemes: Option<usize>,
        max_graphemes: Option<usize>,
        #[serde(default)]
        known_values: Vec<String>,
        #[serde(rename = "enum")]
        values: Option<Vec<String>>,
        default: Option<String>,
        #[serde(rename = "const")]
        constant: Option<String>,
    },
    Bytes {
        min_length: Option<usize>,
        max_length: Option<usize>,
    },
    CidLink {},
    Blob {
        accept: Option<Vec<String>>,
        max_size: Option<u64>,
    },
    Array {
        items: Box<Self>,
        min_length: Option<usize>,
        max_length: Option<usize>,
    },
    Object {
        #[serde(default)]
        properties: BTreeMap<String, Self>,
        #[serde(default)]
        required: Vec<String>,
        #[serde(default)]
        nullable: Vec<String>,
    },
    Ref {
        #[serde(rename = "ref")]
        reference: String,
    },
    Union {
        refs: Vec<String>,
        #[serde(default)]
        closed: bool,
    },
    Unknown {},
}

#[derive(Deserialize)]
pub(super) struct Body {
    encoding: String,
    schema: Option<Box<Typed>>,
}

#[derive(Deserialize)]
pub(super) struct Message {
    schema: Box<Typed>,
}

#[derive(Deserialize)]
pub(super) struct DeclaredError {
    name: String,
}

impl Typed {
    /// Takes this as a named definition of the document `home`.
    pub(super) fn into_def(self, home: &Nsid) -> Result<Def, SchemaError> {
        Ok(match self {
            Self::Record { key, record } => {
                let Schema::Object(record) = record.into_schema(home)? else {
                    return Err(SchemaError::Misplaced("a record that is not an object"));
                };
                Def::Record(RecordSchema { key: key_kind(&key)?, record })
            }
            Self::Query { parameters, output, errors } => {
                Def::Query(method(home, parameters, None, output, errors)?)
            }
            Self::Procedure { parameters, input, output, errors } => {
                Def::Procedure(method(home, parameters, input, output, errors)?)
            }
            Self::Subscription { parameters, message, errors } => Def::Subscription(SubscriptionSchema {
                parameters: params(home, parameters)?,
                message: message.map(|message| message.into_union(home)).transpose()?,
                errors: names(errors),
            }),
            Self::PermissionSet { permissions } => Def::PermissionSet(PermissionSetSchema {
                permissions: permissions.into_iter().map(Self::into_permission).collect::<Result<_, _>>()?,
            }),
            Self::Token {} => Def::Token,
            Self::Ref { .. } => return Err(SchemaError::Misplaced("a named reference")),
            Self::Union { .. } => return Err(SchemaError::Misplaced("a named union")),
            Self::Unknown {} => return Err(SchemaError::Misplaced("a named unknown")),
            other => Def::Data(other.into_schema(home)?),
        })
    }

    /// Takes this as a shape of data.
    fn into_schema(self, home: &Nsid) -> Result<Schema, SchemaError> {
        Ok(match self {
            Self::Boolean { default, constant } => Schema::Boolean(BooleanSchema { default, constant }),
            Self::Integer { minimum, maximum, values, default, constant } => {
                Schema::Integer(IntegerSchema { minimum, maximum, values, default, constant })
            }
            Self::String {
                format,
                min_length,
                max_length,
                min_graphemes,
                max_graphemes,
                known_values,
                values,
                default,
                constant,
            } => Schema::String(StringSchema {
                format,
                min_length,
                max_length,
                min_graphemes,
                max_graphemes,
                known_values,
                values,
                default,
                constant,
            }),
            Self::Bytes { min_length, max_length } => Schema::Bytes(BytesSchema { min_length, max_length }),
            Self::CidLink {} => Schema::CidLink,
            Self::Blob { accept, max_size } => Schema::Blob(BlobSchema { accept, max_size }),
            Self::Array { items, min_length, max_length } => Schema::Array(ArraySchema {
                items: Box::new(items.into_schema(home).map_err(|source| source.within("items"))?),
                min_length,
                max_length,
            }),
            Self::Object { properties, required, nullable } => {
                let (required, nullable) = (each_once(required), each_once(nullable));
                Schema::Object(ObjectSchema { properties: fields(home, properties)?, required, nullable })
            }
            Self::Ref { reference } => Schema::Ref(Reference::parse(&reference, home)?),
            Self::Union { refs, closed } => Schema::Union(union(home, &refs, closed)?),
            Self::Unknown {} => Schema::Unknown,
            Self::Token {} => return Err(SchemaError::Misplaced("a token as data")),
            Self::Params { .. } => return Err(SchemaError::Misplaced("parameters as data")),
            Self::Permission { .. } => return Err(SchemaError::Misplaced("a permission outside a set")),
            Self::Record { .. }
            | Self::Query { .. }
            | Self::Procedure { .. }
            | Self::Subscription { .. }
            | Self::PermissionSet { .. } => return Err(SchemaError::Misplaced("a primary type as data")),
        })
    }

    fn into_permission(self) -> Result<Permission, SchemaError> {
        match self {
            Self::Permission { resource, fields } => Ok(Permission { resource, fields }),
            _ => Err(SchemaError::Misplaced("something else than a permission in a set")),
        }
    }
}

impl Message {
    fn into_union(self, home: &Nsid) -> Result<UnionSchema, SchemaError> {
        match *self.schema {
            Typed::Union { refs, closed } => union(home, &refs, closed),
            _ => Err(SchemaError::Misplaced("messages that are not a union")),
        }
    }
}

fn method(
    home: &Nsid,
    parameters: Option<Box<Typed>>,
    input: Option<Body>,
    output: Option<Body>,
    errors: Vec<DeclaredError>,
) -> Result<MethodSchema, SchemaError> {
    let body = |body: Body| {
        let schema = body.schema.map(|schema| schema.into_schema(home)).transpose()?;
        Ok::<_, SchemaError>(BodySchema { encoding: body.encoding, schema })
    };
    Ok(MethodSchema {
        parameters: params(home, parameters)?,
        input: input.map(body).transpose().map_err(|source| source.within("input"))?,
        output: output.map(body).transpose().map_err(|source| source.within("output"))?,
        errors: names(errors),
    })
}

fn params(home: &Nsid, parameters: Option<Box<Typed>>) -> Result<ParamsSchema, SchemaError> {
    match parameters.map(|parameters| *parameters) {
        None => Ok(ParamsSchema::default()),
        Some(Typed::Params { properties, required }) => {
            Ok(ParamsSchema { properties: fields(home, properties)?, required: each_once(required) })
        }
        Some(_) => Err(SchemaError::Misplaced("parameters that are not of type params")),
    }
}

fn fields(home: &Nsid, properties: BTreeMap<String, Typed>) -> Result<BTreeMap<String, Schema>, SchemaError> {
    properties
        .into_iter()
        .map(|(name, field)| match field.into_schema(home) {
            Ok(schema) => Ok((name, schema)),
            Err(source) => Err(source.within(&name)),
        })
        .collect()
}

fn union(home: &Nsid, refs: &[String], closed: bool) -> Result<UnionSchema, SchemaError> {
    let refs = refs.iter().map(|text| Reference::parse(text, home)).collect::<Result<_, _>>()?;
    Ok(UnionSchema { refs, closed })
}

/// A name that is listed a thousand times costs no more than one, whenever data is checked.
fn each_once(mut names: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

fn names(errors: Vec<DeclaredError>) -> Vec<String> {
    errors.into_iter().map(|error| error.name).collect()
}

fn key_kind(text: &str) -> Result<KeyKind, SchemaError> {
    match text {
        "tid" => Ok(KeyKind::Tid),
        "nsid" => Ok(KeyKind::Nsid),
        "any" => Ok(KeyKind::Any),
        other => other
            .strip_prefix("literal:")
            .and_then(|key| RecordKey::parse(key).ok())
            .map(KeyKind::Literal)
            .ok_or_else(|| SchemaError::KeyKind(shown(other))),
    }
}
