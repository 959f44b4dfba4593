//! Calls and answers, checked by the lexicon of the method where the catalog has it.

use arroba_core::data::json;
use arroba_core::lexicon::{BodySchema, Catalog, Def, MethodSchema, Validator};
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
    let declared = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = declared.map(|text| text.split(';').next().unwrap_or_default().trim());
    let is_json = media_type.is_some_and(|media_type| media_type.eq_ignore_ascii_case(JSON));
    let expected = schema(catalog, nsid).map(|schema| schema.input.as_ref());
    match expected {
        Some(None) if !body.is_empty() => {
            return Err(XrpcError::invalid_request("A request body was provided when none was expected"));
        }
        Some(Some(BodySchema { encoding, .. })) if encoding == JSON && body.is_empty() => {
            return Err(XrpcError::invalid_request("A request body is expected but none was provided"));
        }
        Some(Some(BodySchema { encoding, .. })) if encoding == JSON && !is_json => {
            return Err(XrpcError::invalid_request("Wrong request encoding (Content-Type)"));
        }
        _ => {}
    }
    if body.is_empty() || !is_json {
        return Ok(Value::Null);
    }
    let invalid = |error: json::JsonError| {
        XrpcError::invalid_request(format!("Input is not valid: {error}")).with_cause(error)
    };
    // Strictly, whatever is done with it: duplicate keys and deep nesting end here.
    let value = json::from_slice(body).map_err(invalid)?;
    if expected.is_some() {
        let checked = Validator::new(catalog).input(nsid, &value);
        checked.map_err(|error| XrpcError::invalid_request(error.to_string()).with_cause(error))?;
    }
    serde_json::from_slice(body)
        .map_err(|error| XrpcError::invalid_request(format!("Input is not valid: {error}")))
}

/// An answer that breaks the lexicon is our own mistake: 500, and the log says what is wrong.
pub(super) fn output(catalog: &Catalog, nsid: &Nsid, reply: &Reply) -> Result<()> {
    let (Some(schema), Reply::Json(answer)) = (schema(catalog, nsid), reply) else { return Ok(()) };
    if schema.output.is_none() {
        return Ok(());
    }
    let value = json::from_json_value(answer).map_err(XrpcError::internal)?;
    Validator::new(catalog).output(nsid, &value).map_err(XrpcError::internal)
}
