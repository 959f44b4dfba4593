//! Typed input and output: text from the network becomes the endpoint's types here, or is refused here.

use arroba_lexicons::{Endpoint, FromQuery, QueryPairs};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{RawBody, Result, XrpcError};

/// The parameters of `E`, from the query string. Unknown ones are ignored.
#[derive(Debug)]
pub struct Query<E: Endpoint>(pub E::Params);

impl<E: Endpoint, S: Sync> FromRequestParts<S> for Query<E> {
    type Rejection = XrpcError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        QueryPairs::parse(parts.uri.query().unwrap_or_default())
            .and_then(|pairs| E::Params::from_query(&pairs))
            .map(Query)
            .map_err(|error| XrpcError::invalid_request(error.to_string()))
    }
}

/// The JSON body of `E`.
///
/// The content type must be `application/json`; the size is bounded by the method's
/// [`BodyLimit`](crate::BodyLimit), after decompression.
#[derive(Debug)]
pub struct Input<E: Endpoint>(pub E::Input);

impl<E, S> FromRequest<S> for Input<E>
where
    E: Endpoint,
    E::Input: DeserializeOwned,
    S: Sync,
{
    type Rejection = XrpcError;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        let body = RawBody::from_request(request, state).await?;
        if let Err(error) = check_content_type(body.content_type(), "application/json") {
            return Err(if body.blank().await { no_body() } else { error });
        }
        let bytes = body.bytes().await?;
        if bytes.is_empty() {
            return Err(no_body());
        }
        serde_json::from_slice(&bytes)
            .map(Input)
            .map_err(|error| XrpcError::invalid_request(format!("Input is not valid: {error}")))
    }
}

/// Whether a media type is the expected one, whatever its parameters and letter case.
pub(crate) fn check_content_type(given: Option<&str>, expected: &str) -> Result<()> {
    match given {
        None => Err(XrpcError::invalid_request("Request encoding (Content-Type) required but not provided")),
        Some(given) if !is(given, expected) => {
            let shown: String = given.chars().filter(|c| !c.is_control()).take(100).collect();
            Err(XrpcError::invalid_request(format!("Wrong request encoding (Content-Type): {shown}")))
        }
        Some(_) => Ok(()),
    }
}

fn no_body() -> XrpcError {
    XrpcError::invalid_request("A request body is expected but none was provided")
}

fn is(content_type: &str, expected: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(expected)
}

/// The JSON output of `E`, with status 200.
#[derive(Debug)]
pub struct Output<E: Endpoint>(pub E::Output);

impl<E> IntoResponse for Output<E>
where
    E: Endpoint,
    E::Output: Serialize,
{
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => {
                let json = HeaderValue::from_static("application/json; charset=utf-8");
                (StatusCode::OK, [(CONTENT_TYPE, json)], bytes).into_response()
            }
            Err(error) => XrpcError::internal(error).into_response(),
        }
    }
}
