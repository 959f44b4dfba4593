//! Whether a caller may call a method of another service in its own name.

use arroba_core::scopes::Permission;
use arroba_core::syntax::{DidService, Nsid};
use arroba_xrpc::{Result, XrpcError};

use crate::auth::ProxyAuth;
use crate::auth::delegated::{is_privileged, is_protected};
use crate::auth::not_taken_down;
use crate::session::{Access, invalid};

/// A taken-down account may still complain.
const CREATE_REPORT: &str = "com.atproto.moderation.createReport";

/// Checks one rule after the other.
///
/// Deactivated accounts pass, as they do at the reference server: reading is no writing.
pub(super) fn check(auth: &ProxyAuth, method: &Nsid, service: &DidService) -> Result<()> {
    if is_protected(method) {
        return Err(XrpcError::invalid_request(format!("method cannot be proxied: {method}")));
    }
    if !method.as_str().eq_ignore_ascii_case(CREATE_REPORT) {
        match auth.access() {
            Access::Takendown => return Err(invalid("Bad token scope")),
            Access::AppPass if is_privileged(method) => return Err(invalid("Bad token method")),
            _ => {}
        }
        not_taken_down(auth.status())?;
    }
    auth.demand(&Permission::rpc(method.clone(), service.clone()))
}
