//! Bodies as a whole: whether there is one, and of which media type.

use thiserror::Error;

use super::{Validator, blob::admits};
use crate::{
    data::Value,
    lexicon::{BodySchema, ValidationError, error::shown},
};

/// A body as it was sent.
#[derive(Debug, Clone, Copy)]
pub enum Payload<'p> {
    /// Nothing.
    Empty,
    /// Bytes that are not looked into.
    Bytes {
        /// Their media type, as in `Content-Type`.
        encoding: &'p str,
    },
    /// JSON that was parsed.
    Json {
        /// Its media type, as in `Content-Type`; parameters such as a character set count for nothing.
        encoding: &'p str,
        /// The value.
        value: &'p Value<'p>,
    },
}

/// What is wrong with a body as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BodyFault {
    /// The method has no such body, and there is one.
    #[error("must be empty")]
    Unexpected,
    /// The method has such a body, and there is none.
    #[error("must be there")]
    Missing,
    /// Its media type is not the method's.
    #[error("must be of type {expected}, not {found}")]
    Encoding {
        /// The type that the schema names; it may be a pattern such as `image/*`.
        expected: String,
        /// The type that it has.
        found: String,
    },
    /// The schema describes its shape, and it was not parsed.
    #[error("must be JSON")]
    NotJson,
}

impl Validator<'_> {
    pub(super) fn payload(
        &self,
        schema: Option<&BodySchema>,
        payload: Payload<'_>,
        side: &'static str,
    ) -> Result<(), ValidationError> {
        let refuse = |fault| Err(ValidationError::Body { side, fault });
        let Some(schema) = schema else {
            return match payload {
                Payload::Empty => Ok(()),
                Payload::Bytes { .. } | Payload::Json { .. } => refuse(BodyFault::Unexpected),
            };
        };
        let (encoding, value) = match payload {
            Payload::Empty => return refuse(BodyFault::Missing),
            Payload::Bytes { encoding } => (encoding, None),
            Payload::Json { encoding, value } => (encoding, Some(value)),
        };
        // Media types on the wire, unlike those of blobs, are compared without regard to case: RFC 9110, section 8.3.1.
        let found = encoding.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if found.is_empty() || !admits(&schema.encoding.to_ascii_lowercase(), &found) {
            let (expected, found) = (shown(&schema.encoding), shown(&found));
            return refuse(BodyFault::Encoding { expected, found });
        }
        match (&schema.schema, value) {
            (None, _) => Ok(()),
            (Some(_), None) => refuse(BodyFault::NotJson),
            (Some(shape), Some(value)) => self.body(Some(shape), value, side),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::json,
        lexicon::{Catalog, Document},
        syntax::Nsid,
    };

    fn catalog() -> Catalog {
        let mut catalog = Catalog::new();
        for document in [
            r#"{"lexicon": 1, "id": "com.example.send", "defs": {"main": {"type": "procedure",
                "input": {"encoding": "application/json", "schema": {"type": "object", "required": ["to"],
                    "properties": {"to": {"type": "string"}}}},
                "output": {"encoding": "image/*"}, "errors": [{"name": "Gone"}]}}}"#,
            r#"{"lexicon": 1, "id": "com.example.look", "defs": {"main": {"type": "query",
                "output": {"encoding": "*/*"}}}}"#,
        ] {
            catalog.add(Document::from_slice(document.as_bytes()).unwrap()).unwrap();
        }
        catalog
    }

    #[test]
    fn bodies_are_there_and_of_their_type() {
        let (catalog, send) = (catalog(), Nsid::parse("com.example.send").unwrap());
        let check = |encoding, text| {
            let value = json::from_str(text).unwrap();
            let result = Validator::new(&catalog).request(&send, Payload::Json { encoding, value: &value });
            result.map_err(|error| error.to_string())
        };
        assert_eq!(check("Application/JSON; charset=utf-8", r#"{"to": "a"}"#), Ok(()));
        assert_eq!(check("application/json", "{}"), Err("Input/to must be there".to_owned()));
        for encoding in ["text/plain", "application/jsonx", "", ";application/json"] {
            let error = check(encoding, r#"{"to": "a"}"#).unwrap_err();
            assert!(error.starts_with("Input must be of type application/json, not"), "{encoding}: {error}");
        }
        let request = |payload| Validator::new(&catalog).request(&send, payload).unwrap_err().to_string();
        assert_eq!(request(Payload::Empty), "Input must be there");
        assert_eq!(request(Payload::Bytes { encoding: "application/json" }), "Input must be JSON");
    }

    #[test]
    fn answers_are_checked_against_patterns() {
        let catalog = catalog();
        let [send, look] = ["com.example.send", "com.example.look"].map(|name| Nsid::parse(name).unwrap());
        let validator = Validator::new(&catalog);
        let answer =
            |method: &Nsid, encoding| validator.response(method, Payload::Bytes { encoding }).is_ok();
        assert!(answer(&send, "image/png") && answer(&look, "image/png"));
        assert!(!answer(&send, "text/plain") && !answer(&look, ""));
        let error = validator.request(&look, Payload::Bytes { encoding: "a/b" }).unwrap_err();
        assert_eq!(error.to_string(), "Input must be empty");
        assert!(validator.request(&look, Payload::Empty).is_ok());
    }

    #[test]
    fn errors_are_declared() {
        let (catalog, send) = (catalog(), Nsid::parse("com.example.send").unwrap());
        let validator = Validator::new(&catalog);
        for name in ["Gone", "InvalidRequest", "RateLimitExceeded"] {
            assert_eq!(validator.error(&send, name), Ok(()));
        }
        let error = validator.error(&send, "NotDeclared").unwrap_err().to_string();
        assert_eq!(error, "com.example.send declares no error NotDeclared");
        assert!(validator.error(&Nsid::parse("com.example.none").unwrap(), "Gone").is_err());
    }
}
