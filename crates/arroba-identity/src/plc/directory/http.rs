use super::{Directory, Sequenced, stream};
use crate::plc::{Operation, PlcError};
use arroba_core::syntax::{Datetime, Did};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tower_http::cors::CorsLayer;

const MAX_BODY_BYTES: usize = 100 * 1024;
const MAX_EXPORT: usize = 1000;

pub(super) fn router(directory: Directory) -> Router {
    Router::new()
        .route("/_health", get(health))
        .route("/export", get(export))
        .route("/export/stream", get(stream::subscribe))
        .route("/{did}", get(document).post(submit))
        .route("/{did}/data", get(data))
        .route("/{did}/log", get(log))
        .route("/{did}/log/audit", get(audit_log))
        .route("/{did}/log/last", get(last))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(CorsLayer::permissive())
        .with_state(directory)
}

/// An answer that is a status and a message.
#[derive(Debug)]
pub(super) struct Refusal(StatusCode, String);

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self(status, message.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "message": self.1 }))).into_response()
    }
}

fn refusal(did: &Did, error: PlcError) -> Refusal {
    match error {
        PlcError::NotFound => Refusal(StatusCode::NOT_FOUND, format!("DID not registered: {did}")),
        PlcError::Tombstoned => Refusal(StatusCode::NOT_FOUND, format!("DID not available: {did}")),
        PlcError::Rejected { status, message } => Refusal(status, message),
        PlcError::Conflict => Refusal(StatusCode::CONFLICT, "another operation came first".to_owned()),
        PlcError::Unavailable(_) | PlcError::Malformed(_) => {
            Refusal(StatusCode::INTERNAL_SERVER_ERROR, "internal error".to_owned())
        }
    }
}

fn parse(did: &str) -> Result<Did, Refusal> {
    Did::parse(did).map_err(|_| Refusal(StatusCode::BAD_REQUEST, "malformed DID".to_owned()))
}

async fn health() -> Json<Value> {
    Json(json!({ "version": env!("CARGO_PKG_VERSION") }))
}

async fn document(State(directory): State<Directory>, Path(did): Path<String>) -> Result<Response, Refusal> {
    let did = parse(&did)?;
    let state = directory.current(&did).map_err(|error| refusal(&did, error))?;
    let document = state.to_document(&did).to_string();
    Ok(([(header::CONTENT_TYPE, "application/did+ld+json")], document).into_response())
}

async fn data(State(directory): State<Directory>, Path(did): Path<String>) -> Result<Json<Value>, Refusal> {
    let did = parse(&did)?;
    let state = directory.current(&did).map_err(|error| refusal(&did, error))?;
    Ok(Json(json!({
        "did": did.as_str(),
        "rotationKeys": state.rotation_keys,
        "verificationMethods": state.verification_methods,
        "alsoKnownAs": state.also_known_as,
        "services": state.services,
    })))
}

async fn log(
    State(directory): State<Directory>,
    Path(did): Path<String>,
) -> Result<Json<Vec<Value>>, Refusal> {
    let did = parse(&did)?;
    let log = directory.log(&did).map_err(|error| refusal(&did, error))?;
    Ok(Json(log.valid().map(|entry| entry.operation.to_json()).collect()))
}

async fn audit_log(
    State(directory): State<Directory>,
    Path(did): Path<String>,
) -> Result<Json<Vec<Value>>, Refusal> {
    let did = parse(&did)?;
    let log = directory.log(&did).map_err(|error| refusal(&did, error))?;
    Ok(Json(log.entries().iter().map(super::LogEntry::to_json).collect()))
}

async fn last(State(directory): State<Directory>, Path(did): Path<String>) -> Result<Json<Value>, Refusal> {
    let did = parse(&did)?;
    let last = directory.with_log(&did, |log| log.last().cloned().ok_or(PlcError::NotFound));
    Ok(Json(last.map_err(|error| refusal(&did, error))?.operation.to_json()))
}

async fn submit(
    State(directory): State<Directory>,
    Path(did): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Refusal> {
    let did = parse(&did)?;
    let operation = Operation::from_json(&body)
        .map_err(|error| Refusal(StatusCode::BAD_REQUEST, format!("not a valid operation: {error}")))?;
    directory.accept(&did, operation).map_err(|error| refusal(&did, error))?;
    Ok(StatusCode::OK)
}

#[derive(Deserialize)]
struct ExportQuery {
    count: Option<usize>,
    after: Option<String>,
}

pub(super) fn sequenced_json(operation: &Sequenced) -> Value {
    json!({
        "type": "sequenced_op",
        "operation": operation.entry.operation.to_json(),
        "did": operation.entry.did.as_str(),
        "cid": operation.entry.cid.to_string(),
        "createdAt": operation.entry.created_at.as_str(),
        "seq": operation.seq,
    })
}

async fn export(
    State(directory): State<Directory>,
    Query(query): Query<ExportQuery>,
) -> Result<Response, Refusal> {
    let count = query.count.unwrap_or(MAX_EXPORT);
    if !(1..=MAX_EXPORT).contains(&count) {
        return Err(Refusal(StatusCode::BAD_REQUEST, "count is not from 1 to 1000".to_owned()));
    }
    let malformed = |_| Refusal(StatusCode::BAD_REQUEST, "after is neither a number nor a time".to_owned());
    let lines: Vec<Value> = match query.after.as_deref() {
        Some(after) if !after.is_empty() && after.bytes().all(|byte| byte.is_ascii_digit()) => {
            // More digits than fit lie behind every operation.
            let after = after.parse().unwrap_or(u64::MAX);
            directory.export(after, count).iter().map(sequenced_json).collect()
        }
        Some(after) => {
            let after = Datetime::parse(after).map_err(malformed)?;
            directory.export_since(&after, count).iter().map(|operation| operation.entry.to_json()).collect()
        }
        None => directory.export(0, count).iter().map(|operation| operation.entry.to_json()).collect(),
    };
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    Ok(([(header::CONTENT_TYPE, "application/jsonlines")], body).into_response())
}
