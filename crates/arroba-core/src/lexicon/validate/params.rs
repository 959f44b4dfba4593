//! Parameters in a query string.

use super::{Fault, Validator, Violation, unknown};
use crate::{
    data::Value,
    lexicon::{Def, ParamsSchema, Schema, ValidationError},
    syntax::Nsid,
};

impl Validator<'_> {
    /// Checks the decoded pairs of a query string. A repeated name, or one that ends in `[]`, is an array; names
    /// that the schema does not have are ignored.
    ///
    /// # Errors
    /// If the method is not known or a parameter breaks a rule.
    pub fn params<'p>(
        &self,
        method: &Nsid,
        pairs: impl IntoIterator<Item = (&'p str, &'p str)>,
    ) -> Result<(), ValidationError> {
        let schema = match self.catalog.main(method) {
            Some(Def::Query(found) | Def::Procedure(found)) => &found.parameters,
            Some(Def::Subscription(found)) => &found.parameters,
            _ => return Err(unknown("parameters", method)),
        };
        let pairs: Vec<_> = pairs.into_iter().collect();
        self.all_params(schema, &pairs).map_err(|fault| fault.under("Params"))
    }

    fn all_params(&self, schema: &ParamsSchema, pairs: &[(&str, &str)]) -> Result<(), Fault> {
        schema.properties.iter().try_for_each(|(name, property)| {
            let required = schema.required.contains(name);
            self.param(name, property, required, pairs).map_err(|fault| fault.at(name))
        })
    }

    fn param(
        &self,
        name: &str,
        schema: &Schema,
        required: bool,
        pairs: &[(&str, &str)],
    ) -> Result<(), Fault> {
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
        match value {
            Some(value) => self.value(schema, &value, 0),
            None if required => Err(Fault::new(Violation::Missing)),
            None => Ok(()),
        }
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
    use crate::lexicon::{Catalog, Document};

    fn error(pairs: &[(&str, &str)]) -> Option<String> {
        let mut catalog = Catalog::new();
        let document = br#"{"lexicon": 1, "id": "com.example.find", "defs": {"main": {"type": "query",
            "parameters": {"type": "params", "required": ["who"], "properties": {
                "who": {"type": "array", "items": {"type": "string", "format": "did"}, "maxLength": 2},
                "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 50},
                "all": {"type": "boolean"}}}}}}"#;
        catalog.add(Document::from_slice(document).unwrap()).unwrap();
        let method = Nsid::parse("com.example.find").unwrap();
        let result = Validator::new(&catalog).params(&method, pairs.iter().copied());
        result.err().map(|error| error.to_string())
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
