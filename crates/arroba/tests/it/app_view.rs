//! An app view on loopback that answers what a test tells it to, and remembers what it was asked.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use arroba::core::crypto::jwt::{ServiceClaims, Token};
use arroba::core::syntax::Did;
use arroba::identity::plc::PlcDirectory;
use arroba::proxy::ProxyService;
use arroba_net::{Dns, DnsError};
use async_trait::async_trait;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::server::Server;

/// Knows this machine, and nobody else.
#[derive(Debug)]
pub(super) struct Localhost;

#[async_trait]
impl Dns for Localhost {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DnsError> {
        match host {
            "localhost" => Ok(vec![Ipv4Addr::LOCALHOST.into()]),
            _ => Err(DnsError::NotFound),
        }
    }

    async fn txt(&self, _: &str) -> Result<Vec<String>, DnsError> {
        Err(DnsError::NotFound)
    }
}

/// A request that the app view has seen.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) verb: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

#[derive(Clone, Debug)]
struct Told {
    status: u16,
    rev: Option<String>,
    json: Value,
}

#[derive(Clone, Debug)]
pub(super) struct AppView {
    pub(super) address: SocketAddr,
    pub(super) did: Did,
    told: Arc<Mutex<HashMap<String, Told>>>,
    seen: Arc<Mutex<HashMap<String, Vec<Seen>>>>,
}

impl AppView {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let did = Did::parse(&format!("did:web:localhost%3A{}", address.port())).unwrap();
        let view = Self { address, did, told: Arc::default(), seen: Arc::default() };
        let router = Router::new()
            .route("/xrpc/{method}", any(answer))
            .route("/.well-known/did.json", get(document))
            .with_state(view.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        view
    }

    /// The app view as the operator names it.
    pub(super) fn service(&self) -> ProxyService {
        let url = format!("http://{}", self.address).parse().unwrap();
        ProxyService::app_view(url, &self.did)
    }

    /// What is answered to a method from now on, with the revision that is claimed to be known.
    pub(super) fn tell(&self, method: &str, status: u16, rev: Option<&str>, json: Value) {
        let told = Told { status, rev: rev.map(str::to_owned), json };
        self.told.lock().unwrap().insert(method.to_owned(), told);
    }

    /// The requests for a method, in order.
    pub(super) fn seen(&self, method: &str) -> Vec<Seen> {
        self.seen.lock().unwrap().get(method).cloned().unwrap_or_default()
    }

    /// The claims of the newest request's token, which the account's own key has signed.
    pub(super) async fn claims(&self, server: &Server, method: &str, did: &str) -> ServiceClaims {
        let seen = self.seen(method).pop().expect("a request");
        let bearer =
            seen.headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap().to_owned();
        let token = Token::decode(&bearer).unwrap();
        assert_eq!(token.header().typ.as_deref(), Some("JWT"));
        let state = server.directory.state(&Did::parse(did).unwrap()).await.unwrap();
        token.verify(&state.signing_key().unwrap()).unwrap();
        token.claims().unwrap()
    }
}

async fn answer(State(view): State<AppView>, Path(method): Path<String>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let seen = Seen {
        verb: parts.method.to_string(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: axum::body::to_bytes(body, 1 << 20).await.unwrap(),
    };
    view.seen.lock().unwrap().entry(method.clone()).or_default().push(seen);
    let told = view.told.lock().unwrap().get(&method).cloned();
    let Some(Told { status, rev, json }) = told else {
        let json = json!({"error": "MethodNotImplemented", "message": "Method Not Implemented"});
        return (StatusCode::NOT_IMPLEMENTED, axum::Json(json)).into_response();
    };
    let mut response = (StatusCode::from_u16(status).unwrap(), axum::Json(json)).into_response();
    if let Some(rev) = rev {
        response.headers_mut().insert("atproto-repo-rev", rev.parse().unwrap());
    }
    response
}

async fn document(State(view): State<AppView>) -> axum::Json<Value> {
    let service = |id: &str, endpoint: String| json!({"id": id, "type": "X", "serviceEndpoint": endpoint});
    axum::Json(json!({
        "id": view.did.as_str(),
        "service": [
            service("#other", format!("http://localhost:{}", view.address.port())),
            service("#bsky_notif", format!("http://localhost:{}", view.address.port())),
            service("#private", "http://10.0.0.1:8080".to_owned()),
            service("#path", "http://localhost/path".to_owned()),
        ],
    }))
}
