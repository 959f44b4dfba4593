//! Whether a caller may call a method of another service in its own name.

use arroba_core::syntax::Nsid;
use arroba_xrpc::{Result, XrpcError};

use crate::auth::AnyAccountAuth;
use crate::auth::delegated::{is_privileged, is_protected};
use crate::auth::not_taken_down;
use crate::session::{Access, invalid};

/// A taken-down account may still complain.
const CREATE_REPORT: &str = "com.atproto.moderation.createReport";

/// Checks the one rule after the other; `service` is `did#id`, as scopes name it.
///
/// Deactivated accounts pass, as they do at the reference server: reading is no writing.
pub(super) fn check(auth: &AnyAccountAuth, method: &Nsid, service: &str) -> Result<()> {
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
    scopes(auth, method, service)
}

/// Logins with a password have no scopes: what they may do is said by their access alone.
fn scopes(_: &AnyAccountAuth, _: &Nsid, _: &str) -> Result<()> {
    Ok(())
}
