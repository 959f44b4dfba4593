//! What a method answers.

use arroba_xrpc::{Result, XrpcError};
use axum::Json;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// What a method answers. Where its lexicon is known it is checked: an answer that breaks it is a 500, and the log says why.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reply {
    /// 200 without a body.
    Nothing,
    /// 200 with JSON.
    Json(serde_json::Value),
    /// Anything else; it is not checked.
    Response(Response),
}

impl Reply {
    /// JSON of a type.
    ///
    /// # Errors
    /// 500 if it cannot be written as JSON.
    pub fn json(output: &impl Serialize) -> Result<Self> {
        serde_json::to_value(output).map(Self::Json).map_err(XrpcError::internal)
    }
}

impl From<()> for Reply {
    fn from((): ()) -> Self {
        Self::Nothing
    }
}

impl From<serde_json::Value> for Reply {
    fn from(json: serde_json::Value) -> Self {
        Self::Json(json)
    }
}

impl From<Response> for Reply {
    fn from(response: Response) -> Self {
        Self::Response(response)
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        match self {
            Self::Nothing => Response::default(),
            Self::Json(json) => Json(json).into_response(),
            Self::Response(response) => response,
        }
    }
}
