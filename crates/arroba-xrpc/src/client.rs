//! A small client: the methods of a server as calls, typed by their endpoints.

use arroba_lexicons::{Body, Encoding, Endpoint, Kind, QueryPairs, ToQuery};
use arroba_net::{FetchError, GuardedClient, Limits, Request, RequestBody, Response};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::XrpcError;
use crate::proxy::{bearer, is_name, upstream_error};

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The server refused, or failed, and said how.
    #[error("{error}: {message}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// The error's name, such as `RecordNotFound`; empty if the answer names none.
        error: String,
        /// A sentence for people, by the server.
        message: String,
    },
    /// There was no whole answer.
    #[error("failed to call the server")]
    Fetch(#[source] FetchError),
    /// The answer is not what the method answers with.
    #[error("malformed answer")]
    Answer(#[source] serde_json::Error),
    /// The input cannot be written as JSON.
    #[error("malformed input")]
    Input(#[source] serde_json::Error),
    /// The server's address takes no paths, or a token no header.
    #[error("address or token is not usable")]
    Address,
}

impl CallError {
    /// Whether the server refused with the error of this name.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        matches!(self, Self::Refused { error, .. } if error == name)
    }
}

impl From<CallError> for XrpcError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Fetch(error) => upstream_error(error),
            CallError::Refused { status, error, message } if status.is_client_error() && is_name(&error) => {
                Self::new(status, error, message)
            }
            error => Self::upstream_failure(error),
        }
    }
}

/// Calls the methods of one server.
///
/// Every answer ends within the client's [`Limits`]; the limit of the body is meant for JSON, and
/// [`Client::download`] takes another. Redirects are not followed: they would take a token with them.
///
/// ```no_run
/// use arroba_lexicons::NoParams;
/// use arroba_lexicons::com_atproto::server::describe_server::DescribeServer;
/// # async fn example(http: arroba_net::GuardedClient) -> Result<(), Box<dyn std::error::Error>> {
/// let client = arroba_xrpc::Client::new(http, "https://pds.example.com".parse()?);
/// let server = client.query::<DescribeServer>(&NoParams).await?;
/// println!("{}", server.did);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    http: GuardedClient,
    server: Url,
    headers: HeaderMap,
    limits: Limits,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: String,
    #[serde(default)]
    message: String,
}

/// How much of an error's body is read, in bytes.
const MAX_ERROR_BYTES: usize = 64 * 1024;

impl Client {
    /// Calls the server at an address, as nobody, with the default [`Limits`].
    #[must_use]
    pub fn new(http: GuardedClient, server: Url) -> Self {
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json, */*"))]);
        Self { http, server, headers, limits: Limits::default().redirects(0) }
    }

    /// Shows a token: an access token, or one for services.
    ///
    /// # Errors
    /// [`CallError::Address`] for a token with characters that no header takes.
    pub fn bearer(mut self, token: &str) -> Result<Self, CallError> {
        self.headers.insert(AUTHORIZATION, bearer(token).map_err(|_| CallError::Address)?);
        Ok(self)
    }

    /// Sends a header with every call, such as `atproto-proxy`.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// What one call may cost.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits.redirects(0);
        self
    }

    /// Calls a query that answers JSON.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn query<E: Endpoint>(&self, params: &E::Params) -> Result<E::Output, CallError>
    where
        E::Params: ToQuery,
        E::Output: DeserializeOwned,
    {
        const { assert!(matches!(E::KIND, Kind::Query), "queries only") };
        let request = self.request(Method::GET, E::NSID, &params.to_query())?;
        read::<E>(self.send(request).await?).await
    }

    /// Calls a procedure whose input is JSON or nothing, and whose answer is too.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn procedure<E: Endpoint>(&self, input: &E::Input) -> Result<E::Output, CallError>
    where
        E::Input: Serialize,
        E::Output: DeserializeOwned,
    {
        const { assert!(matches!(E::KIND, Kind::Procedure), "procedures only") };
        let mut request = self.request(Method::POST, E::NSID, &QueryPairs::new())?;
        if E::Input::ENCODING == Encoding::Json {
            let json = serde_json::to_vec(input).map_err(CallError::Input)?;
            request = request
                .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .body(RequestBody::Bytes(Bytes::from(json)));
        }
        read::<E>(self.send(request).await?).await
    }

    /// Calls a query whose answer is no JSON but bytes, of which at most `max_bytes` arrive.
    ///
    /// # Errors
    /// [`CallError`]; in the body [`FetchError`].
    pub async fn download<E: Endpoint>(
        &self,
        params: &E::Params,
        max_bytes: u64,
    ) -> Result<arroba_net::Body, CallError>
    where
        E::Params: ToQuery,
    {
        let mut request = self.request(Method::GET, E::NSID, &params.to_query())?;
        request.limits = request.limits.body_bytes(max_bytes);
        Ok(self.send(request).await?.body)
    }

    /// Calls a query that has no endpoint here, and gives its JSON as it is.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn query_json(&self, nsid: &str, params: &QueryPairs) -> Result<serde_json::Value, CallError> {
        let request = self.request(Method::GET, nsid, params)?;
        let bytes = self.send(request).await?.bytes().await.map_err(CallError::Fetch)?;
        serde_json::from_slice(&bytes).map_err(CallError::Answer)
    }

    fn request(&self, method: Method, nsid: &str, params: &QueryPairs) -> Result<Request, CallError> {
        let mut url = self.server.join(&format!("/xrpc/{nsid}")).map_err(|_| CallError::Address)?;
        if !params.is_empty() {
            url.set_query(Some(&params.to_string()));
        }
        let mut request = Request::new(method, url).limits(self.limits);
        request.headers = self.headers.clone();
        Ok(request)
    }

    async fn send(&self, request: Request) -> Result<Response, CallError> {
        let response = self.http.send(request).await.map_err(CallError::Fetch)?;
        match response.status.is_success() {
            true => Ok(response),
            false => Err(refused(response).await),
        }
    }
}

async fn read<E: Endpoint>(response: Response) -> Result<E::Output, CallError>
where
    E::Output: DeserializeOwned,
{
    if E::Output::ENCODING == Encoding::None {
        return serde_json::from_slice(b"null").map_err(CallError::Answer);
    }
    let bytes = response.bytes().await.map_err(CallError::Fetch)?;
    serde_json::from_slice(&bytes).map_err(CallError::Answer)
}

async fn refused(response: Response) -> CallError {
    let status = response.status;
    let bytes = response.bytes().await.unwrap_or_default();
    let said = bytes.get(..bytes.len().min(MAX_ERROR_BYTES)).unwrap_or_default();
    let ErrorBody { error, message } = serde_json::from_slice(said).unwrap_or_else(|_| ErrorBody {
        error: String::new(),
        message: format!("the server answered {status}"),
    });
    CallError::Refused { status, error, message }
}
