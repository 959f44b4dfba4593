//! Routes outside of XRPC.

mod atproto_did;
mod did_json;
mod health;
mod root;
mod tls_check;

use arroba_core::syntax::Handle;
use http::HeaderMap;
use http::header::HOST;

pub(crate) use self::atproto_did::atproto_did;
pub(crate) use self::did_json::{did_json, service_document};
pub(crate) use self::health::health;
pub(crate) use self::root::{robots, root};
pub(crate) use self::tls_check::tls_check;

/// The name by which a client reached the server, without a port: what a proxy in a private range says, else `Host`.
fn requested_host(headers: &HeaderMap, behind_proxy: bool) -> Option<String> {
    let forwarded = headers.get("x-forwarded-host").filter(|_| behind_proxy);
    let host = forwarded.or_else(|| headers.get(HOST))?.to_str().ok()?;
    let first = host.split(',').next()?.trim();
    Some(first.split(':').next()?.to_ascii_lowercase())
}

/// The handle behind a host name.
pub(super) fn requested_handle(headers: &HeaderMap, behind_proxy: bool) -> Option<Handle> {
    Handle::parse(&requested_host(headers, behind_proxy)?).ok()
}
