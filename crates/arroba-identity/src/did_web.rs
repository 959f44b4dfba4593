//! did:web: the document lies on the host that the DID names.
//!
//! Spec: <https://atproto.com/specs/did#blessed-did-methods>

use crate::{DidDocument, MAX_DOCUMENT_BYTES, ResolveError, handle::is_allowed};
use arroba_core::syntax::{Did, Handle};
use arroba_net::{Guard, GuardedClient, Limits, Request, Url};
use http::StatusCode;
use thiserror::Error;

#[derive(Debug, Error)]
#[error("status {0}")]
struct StatusError(StatusCode);

/// The document's URL: of a host name and nothing else. In development `localhost` too, with a port and `http`.
pub(crate) fn document_url(did: &Did, guard: Guard) -> Result<Url, ResolveError> {
    let host = did.identifier();
    if guard == Guard::AllowLoopback {
        let (name, port) = host.split_once("%3A").unwrap_or((host, "80"));
        if name == "localhost" {
            let port: u16 = port.parse().map_err(|_| ResolveError::UnsupportedDid)?;
            return url(&format!("http://localhost:{port}/.well-known/did.json"));
        }
    }
    // The same syntax and the same domains as for handles: no ports, no paths, no addresses.
    let host = Handle::parse(host).map_err(|_| ResolveError::UnsupportedDid)?;
    if !is_allowed(&host, guard) {
        return Err(ResolveError::Disallowed);
    }
    url(&format!("https://{host}/.well-known/did.json"))
}

fn url(text: &str) -> Result<Url, ResolveError> {
    Url::parse(text).map_err(|_| ResolveError::UnsupportedDid)
}

pub(crate) async fn document(client: &GuardedClient, did: &Did) -> Result<DidDocument, ResolveError> {
    let url = document_url(did, client.guard())?;
    let limits = Limits::default().redirects(0).body_bytes(MAX_DOCUMENT_BYTES);
    let response = client.send(Request::get(url).limits(limits)).await?;
    match response.status {
        StatusCode::OK => Ok(DidDocument::parse(did, &response.bytes().await?)?),
        StatusCode::NOT_FOUND | StatusCode::GONE => Err(ResolveError::NotFound),
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            Err(ResolveError::unavailable(StatusError(status)))
        }
        status => Err(ResolveError::malformed(StatusError(status))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url_of(did: &str, guard: Guard) -> Option<String> {
        document_url(&Did::parse(did).unwrap(), guard).ok().map(String::from)
    }

    #[test]
    fn hosts_only() {
        let url = url_of("did:web:example.com", Guard::Public);
        assert_eq!(url.as_deref(), Some("https://example.com/.well-known/did.json"));
        for did in [
            "did:web:example.com:user",
            "did:web:example.com%3A8443",
            "did:web:example.com%2Fpath",
            "did:web:user%40example.com",
            "did:web:localhost",
            "did:web:localhost%3A3000",
            "did:web:127.0.0.1",
            "did:web:2130706433",
            "did:web:com",
            "did:web:example.com.",
            "did:web:host.internal",
            "did:web:host.local",
            "did:web:host.onion",
            "did:web:host.test",
        ] {
            assert_eq!(url_of(did, Guard::Public), None, "{did}");
        }
    }

    #[test]
    fn development() {
        let guard = Guard::AllowLoopback;
        let url = url_of("did:web:localhost%3A3000", guard);
        assert_eq!(url.as_deref(), Some("http://localhost:3000/.well-known/did.json"));
        for did in [
            "did:web:localhost%3A",
            "did:web:localhost%3Ax",
            "did:web:localhost%3A70000",
            "did:web:localhost%3A1%3A2",
            "did:web:localhost:user",
            "did:web:127.0.0.1",
        ] {
            assert_eq!(url_of(did, guard), None, "{did}");
        }
        assert!(url_of("did:web:host.test", guard).is_some());
    }
}
