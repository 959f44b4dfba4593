use super::{LogEntry, Operation, PlcDirectory, PlcError, State};
use crate::did_document::MAX_DOCUMENT_BYTES;
use arroba_core::syntax::Did;
use async_trait::async_trait;
use http::{Method, StatusCode, header};
use serde_json::Value;
use std::{fmt, time::Duration};
use thiserror::Error;
use url::Url;

/// The public directory.
pub const PUBLIC_DIRECTORY: &str = "https://plc.directory";

const MAX_LOG_BYTES: u64 = 16 * 1024 * 1024;
const MAX_MESSAGE_BYTES: u64 = 16 * 1024;

/// A client of a directory at a URL that the operator has configured. (It may be a private address.)
#[derive(Clone)]
pub struct DirectoryClient {
    base: Url,
    http: reqwest::Client,
}

/// What may be wrong with a directory's URL.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DirectoryUrlError {
    /// It is no `http` or `https` URL with a host.
    #[error("directory URL is not an http or https URL")]
    Url,
    /// TLS cannot be set up.
    #[error("cannot set up the HTTP client")]
    Client(#[source] reqwest::Error),
}

#[derive(Debug, Error)]
enum AnswerError {
    #[error("answer is longer than {0} bytes")]
    TooLong(u64),
    #[error("answer of status {0}")]
    Status(StatusCode),
    #[error("answer is about another DID")]
    OtherDid,
}

impl DirectoryClient {
    /// A client of the directory at a URL such as [`PUBLIC_DIRECTORY`].
    ///
    /// # Errors
    /// [`DirectoryUrlError`].
    pub fn new(url: &str) -> Result<Self, DirectoryUrlError> {
        let mut base = Url::parse(url).map_err(|_| DirectoryUrlError::Url)?;
        if !matches!(base.scheme(), "http" | "https") || base.cannot_be_a_base() {
            return Err(DirectoryUrlError::Url);
        }
        base.set_query(None);
        base.set_fragment(None);
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(15))
            .user_agent(concat!("arroba/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(DirectoryUrlError::Client)?;
        Ok(Self { base, http })
    }

    /// The directory's URL.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.base
    }

    async fn ask(
        &self,
        method: Method,
        did: &Did,
        path: &[&str],
        body: Option<Vec<u8>>,
        limit: u64,
    ) -> Result<Vec<u8>, PlcError> {
        let mut url = self.base.clone();
        url.path_segments_mut().expect("checked to be a base").pop_if_empty().push(did.as_str()).extend(path);
        let mut request = self.http.request(method, url);
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        }
        let response = request.send().await.map_err(unavailable)?;
        let status = response.status();
        if status.is_success() {
            return read(response, limit).await;
        }
        // Its words are of use, but not needed.
        let message = read(response, MAX_MESSAGE_BYTES).await.map(|body| message(&body)).unwrap_or_default();
        Err(refusal(status, message))
    }

    async fn document_bytes(&self, did: &Did) -> Result<Vec<u8>, PlcError> {
        self.ask(Method::GET, did, &[], None, MAX_DOCUMENT_BYTES).await
    }
}

async fn read(mut response: reqwest::Response, limit: u64) -> Result<Vec<u8>, PlcError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unavailable)? {
        if (body.len() + chunk.len()) as u64 > limit {
            return Err(malformed(AnswerError::TooLong(limit)));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn message(body: &[u8]) -> String {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let message = json.as_ref().and_then(|json| json.get("message")).and_then(Value::as_str);
    message.unwrap_or_default().chars().filter(|character| !character.is_control()).take(1000).collect()
}

fn refusal(status: StatusCode, message: String) -> PlcError {
    match status {
        StatusCode::GONE => PlcError::Tombstoned,
        StatusCode::NOT_FOUND if message.starts_with("DID not available") => PlcError::Tombstoned,
        StatusCode::NOT_FOUND => PlcError::NotFound,
        StatusCode::CONFLICT => PlcError::Conflict,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
            unavailable(AnswerError::Status(status))
        }
        status if status.is_client_error() => PlcError::Rejected { status, message },
        status if status.is_server_error() => unavailable(AnswerError::Status(status)),
        status => malformed(AnswerError::Status(status)),
    }
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> PlcError {
    PlcError::Unavailable(Box::new(error))
}

fn malformed(error: impl std::error::Error + Send + Sync + 'static) -> PlcError {
    PlcError::Malformed(Box::new(error))
}

impl fmt::Debug for DirectoryClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DirectoryClient").field("url", &self.base.as_str()).finish_non_exhaustive()
    }
}

#[async_trait]
impl PlcDirectory for DirectoryClient {
    async fn document(&self, did: &Did) -> Result<Value, PlcError> {
        serde_json::from_slice(&self.document_bytes(did).await?).map_err(malformed)
    }

    async fn state(&self, did: &Did) -> Result<State, PlcError> {
        let body = self.ask(Method::GET, did, &["data"], None, MAX_DOCUMENT_BYTES).await?;
        let json: Value = serde_json::from_slice(&body).map_err(malformed)?;
        if json.get("did").and_then(Value::as_str) != Some(did.as_str()) {
            return Err(malformed(AnswerError::OtherDid));
        }
        serde_json::from_value(json).map_err(malformed)
    }

    async fn audit_log(&self, did: &Did) -> Result<Vec<LogEntry>, PlcError> {
        let body = self.ask(Method::GET, did, &["log", "audit"], None, MAX_LOG_BYTES).await?;
        LogEntry::list_from_json(&body).map_err(malformed)
    }

    async fn last_operation(&self, did: &Did) -> Result<Operation, PlcError> {
        let body = self.ask(Method::GET, did, &["log", "last"], None, MAX_DOCUMENT_BYTES).await?;
        Operation::from_json(&body).map_err(malformed)
    }

    async fn submit(&self, did: &Did, operation: &Operation) -> Result<(), PlcError> {
        let body = operation.to_json().to_string().into_bytes();
        self.ask(Method::POST, did, &[], Some(body), MAX_MESSAGE_BYTES).await.map(drop)
    }
}
