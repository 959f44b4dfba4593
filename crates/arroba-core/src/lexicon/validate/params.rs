//! Parameters in a query string.

use super::{
    Violation,
    walk::{Fault, Walk},
};
use crate::{
    data::{Map, Value},
    lexicon::{ParamsSchema, Schema},
};

impl Walk<'_> {
    /// Checks all parameters and puts what they say into `read`.
    pub(super) fn params<'p>(
        &self,
        schema: &ParamsSchema,
        pairs: &[(&'p str, &'p str)],
        read: &mut Map<'p>,
    ) -> Result<(), Fault> {
        for (name, property) in &schema.properties {
            self.step(pairs.len() + schema.required.len())?;
            let required = schema.required.contains(name);
            match self.param(name, property, required, pairs).map_err(|fault| fault.at(name))? {
                Some(value) => read.insert(name.clone(), value),
                None => default(property).and_then(|value| read.insert(name.clone(), value)),
            };
        }
        Ok(())
    }

    fn param<'p>(
        &self,
        name: &str,
        schema: &Schema,
        required: bool,
        pairs: &[(&'p str, &'p str)],
    ) -> Result<Option<Value<'p>>, Fault> {
        let value = if let Schema::Array(array) = schema {
            let texts = pairs.iter().filter(|(found, _)| found.strip_suffix("[]").unwrap_or(found) == name);
            let items = texts
                .enumerate()
                .map(|(index, (_, text))| single(&array.items, text).map_err(|fault| fault.at(&index)));
            let items = items.collect::<Result<Vec<_>, _>>()?;
            (!items.is_empty()).then_some(Value::List(items))
        } else {
            let mut texts = pairs.iter().filter(|(found, _)| *found == name).map(|(_, text)| text);
            let first = texts.next();
            if texts.next().is_some() {
                return Err(Fault::new(Violation::Repeated));
            }
            first.map(|text| single(schema, text)).transpose()?
        };
        match &value {
            Some(value) => self.value(schema, value, 0)?,
            None if required => return Err(Fault::new(Violation::Missing)),
            None => {}
        }
        Ok(value)
    }
}

/// What a parameter says that was not given.
fn default(schema: &Schema) -> Option<Value<'static>> {
    match schema {
        Schema::Boolean(boolean) => boolean.default.map(Value::Bool),
        Schema::Integer(integer) => integer.default.map(Value::Int),
        Schema::String(string) => string.default.clone().map(|text| Value::Text(text.into())),
        _ => None,
    }
}

/// Reads one text as the schema has it; nothing but a boolean or an integer is anything else than text.
fn single<'t>(schema: &Schema, text: &'t str) -> Result<Value<'t>, Fault> {
    let mistyped = |expected| Fault::new(Violation::Type { expected, found: "string" });
    match schema {
        Schema::Boolean(_) => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(mistyped("boolean")),
        },
        Schema::Integer(_) => {
            let number: i64 = text.parse().map_err(|_| mistyped("integer"))?;
            // The parser also takes a plus sign and leading zeros; a number has one spelling here.
            if number.to_string() == text { Ok(Value::Int(number)) } else { Err(mistyped("integer")) }
        }
        _ => Ok(Value::Text(text.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        lexicon::{Catalog, Document, Validator},
        syntax::Nsid,
    };

    fn read(pairs: &[(&'static str, &'static str)]) -> Result<Map<'static>, String> {
        let mut catalog = Catalog::new();
        let document = br#"{"lexicon": 1, "id": "com.example.find", "defs": {"main": {"type": "query",
            "parameters": {"type": "params", "required": ["who"], "properties": {
                "who": {"type": "array", "items": {"type": "string", "format": "did"}, "maxLength": 2},
                "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 50},
                "all": {"type": "boolean"}}}}}}"#;
        catalog.add(Document::from_slice(document).unwrap()).unwrap();
        let method = Nsid::parse("com.example.find").unwrap();
        let result = Validator::new(&catalog).read_params(&method, pairs.iter().copied());
        result.map_err(|error| error.to_string())
    }

    fn error(pairs: &[(&'static str, &'static str)]) -> Option<String> {
        read(pairs).err()
    }

    #[test]
    fn what_they_say_is_typed_and_has_defaults() {
        let read = |pairs| Value::Map(read(pairs).unwrap());
        let mut expected = Map::new();
        expected.insert("who", Value::List(vec![Value::from("did:web:a.test")]));
        expected.insert("limit", 50);
        assert_eq!(read(&[("who", "did:web:a.test"), ("other", "x")]), Value::Map(expected.clone()));
        expected.insert("limit", 7);
        expected.insert("all", Value::Bool(true));
        let pairs = [("all", "true"), ("who[]", "did:web:a.test"), ("limit", "7")];
        assert_eq!(read(&pairs), Value::Map(expected));
    }

    #[test]
    fn pairs_are_checked_by_name() {
        let who = ("who", "did:web:a.test");
        assert_eq!(error(&[who, ("limit", "100"), ("all", "false"), ("other", "x")]), None);
        assert_eq!(error(&[who, ("who[]", "did:web:b.test")]), None);
        assert_eq!(error(&[]).unwrap(), "Params/who must be there");
        assert_eq!(error(&[who, ("who", "b")]).unwrap(), "Params/who/1 must be a valid did");
        assert_eq!(error(&[who, who, who]).unwrap(), "Params/who must not have more than 2 items");
        assert_eq!(error(&[who, ("limit", "0")]).unwrap(), "Params/limit must not be less than 1");
        for limit in ["", "+1", "01", "1.0", "a"] {
            assert!(error(&[who, ("limit", limit)]).unwrap().contains("must be integer"), "{limit:?}");
        }
        assert!(error(&[who, ("all", "1")]).unwrap().contains("must be boolean"));
        assert!(error(&[who, ("all", "true"), ("all", "true")]).unwrap().contains("given once"));
    }
}
