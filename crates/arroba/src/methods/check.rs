//! Calls and answers, checked by the lexicon of the method where the catalog has it.

use arroba_core::data::json;
use arroba_core::lexicon::{BodyFault, Catalog, Def, MethodSchema, Payload, ValidationError, Validator};
use arroba_core::syntax::Nsid;
use arroba_lexicons::QueryPairs;
use arroba_xrpc::{Result, XrpcError};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::Value;

use super::Reply;

const JSON: &str = "application/json";

fn schema<'c>(catalog: &'c Catalog, nsid: &Nsid) -> Option<&'c MethodSchema> {
    match catalog.main(nsid) {
        Some(Def::Query(schema) | Def::Procedure(schema)) => Some(schema),
        _ => None,
    }
}

pub(super) fn params(catalog: &Catalog, nsid: &Nsid, params: &QueryPairs) -> Result<()> {
    if schema(catalog, nsid).is_none() {
        return Ok(());
    }
    let checked = Validator::new(catalog).params(nsid, params.iter());
    checked.map_err(|error| XrpcError::invalid_request(error.to_string()).with_cause(error))
}

/// The input as JSON, or `null` where it is none.
pub(super) fn input(catalog: &Catalog, nsid: &Nsid, headers: &HeaderMap, body: &[u8]) -> Result<Value> {
    let encoding = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = encoding.split(';').next().unwrap_or_default().trim();
    let invalid = |error: json::JsonError| {
        XrpcError::invalid_request(format!("Input is not valid: {error}")).with_cause(error)
    };
    // Strictly, whatever is done with it: duplicate keys and deep nesting end here.
    let value = match !body.is_empty() && media_type.eq_ignore_ascii_case(JSON) {
        true => Some(json::from_slice(body).map_err(invalid)?),
        false => None,
    };
    if schema(catalog, nsid).is_some() {
        let payload = match &value {
            Some(value) => Payload::Json { encoding, value },
            None if body.is_empty() => Payload::Empty,
            None => Payload::Bytes { encoding },
        };
        Validator::new(catalog).request(nsid, payload).map_err(refused)?;
    }
    match value {
        Some(_) => serde_json::from_slice(body)
            .map_err(|error| XrpcError::invalid_request(format!("Input is not valid: {error}"))),
        None => Ok(Value::Null),
    }
}

/// A body that is wrong as a whole is refused in the words of the reference server, which clients know.
fn refused(error: ValidationError) -> XrpcError {
    let message = match &error {
        ValidationError::Body { fault: BodyFault::Unexpected, .. } => {
            "A request body was provided when none was expected".to_owned()
        }
        ValidationError::Body { fault: BodyFault::Missing, .. } => {
            "A request body is expected but none was provided".to_owned()
        }
        ValidationError::Body { fault: BodyFault::Encoding { .. } | BodyFault::NotJson, .. } => {
            "Wrong request encoding (Content-Type)".to_owned()
        }
        error => error.to_string(),
    };
    XrpcError::invalid_request(message).with_cause(error)
}

/// An answer that breaks the lexicon is our own mistake: 500, and the log says what is wrong.
pub(super) fn output(catalog: &Catalog, nsid: &Nsid, reply: &Reply) -> Result<()> {
    if schema(catalog, nsid).is_none() {
        return Ok(());
    }
    let validator = Validator::new(catalog);
    let checked = match reply {
        Reply::Nothing => validator.response(nsid, Payload::Empty),
        Reply::Json(answer) => {
            let value = json::from_json_value(answer).map_err(XrpcError::internal)?;
            validator.response(nsid, Payload::Json { encoding: JSON, value: &value })
        }
        Reply::Response(_) => Ok(()),
    };
    checked.map_err(XrpcError::internal)
}
