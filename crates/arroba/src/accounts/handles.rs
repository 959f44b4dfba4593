//! Handles: which are given out, and to whom.

use arroba_core::syntax::{Did, Handle};
use arroba_store::RepoStatus;
use arroba_xrpc::{Result, XrpcError};

use super::reserved::is_reserved;
use super::{Logins, logins};
use crate::service::store_failed;

const SHORTEST: usize = 3;
const LONGEST: usize = 18;

impl Logins {
    /// Whether a handle is under one of the server's own domains.
    pub(crate) fn is_service_handle(&self, handle: &Handle) -> bool {
        self.front(handle).is_some()
    }

    /// The part of a handle before the service domain, which is the longest that fits.
    fn front<'h>(&self, handle: &'h Handle) -> Option<&'h str> {
        let domains = self.0.offer.handle_domains.iter();
        domains
            .filter_map(|domain| handle.as_str().strip_suffix(domain.as_str()))
            .min_by_key(|front| front.len())
    }

    /// Checks that `did` may have `handle`: the form of a service handle, the resolution of any other.
    ///
    /// An account whose DID is not known yet can only have a service handle.
    pub(super) async fn check_handle(&self, handle: &Handle, did: Option<&Did>) -> Result<()> {
        if handle.is_disallowed_domain() {
            return Err(invalid("Handle TLD is invalid or disallowed"));
        }
        if let Some(front) = self.front(handle) {
            return check_front(front);
        }
        let Some(did) = did else {
            return Err(XrpcError::named("UnsupportedDomain", "Not a supported handle domain"));
        };
        match self.0.resolver.resolve_handle_within(handle, std::time::Duration::ZERO).await {
            Ok(resolved) if resolved == *did => Ok(()),
            Ok(_) => Err(XrpcError::invalid_request("External handle did not resolve to DID")),
            Err(error) => {
                Err(XrpcError::invalid_request("External handle did not resolve to DID").with_cause(error))
            }
        }
    }

    /// The active account that has a handle here.
    pub(crate) async fn active_handle(&self, handle: &Handle) -> Result<Option<Did>> {
        let row = self.0.host.store().by_handle(handle).await.map_err(store_failed)?;
        Ok(row.filter(|row| row.status == RepoStatus::Active).map(|row| row.did))
    }

    /// Finds the DID of any handle of the network: here, or by its domain.
    pub(crate) async fn resolve_handle(&self, handle: &Handle) -> Result<Did> {
        let unknown = || XrpcError::named("HandleNotFound", "Unable to resolve handle");
        if let Some(did) = self.active_handle(handle).await? {
            return Ok(did);
        }
        if self.is_service_handle(handle) {
            return Err(unknown());
        }
        self.0.resolver.resolve_handle(handle).await.map_err(|error| unknown().with_cause(error))
    }

    /// Gives an account another handle, in its identity too.
    pub(crate) async fn update_handle(&self, did: &Did, handle: &Handle) -> Result<()> {
        self.check_handle(handle, Some(did)).await?;
        let row = self.0.host.store().by_handle(handle).await.map_err(store_failed)?;
        if row.is_some_and(|row| row.did != *did) {
            return Err(XrpcError::named("HandleNotAvailable", format!("Handle already taken: {handle}")));
        }
        if did.method() != "plc" {
            // Nobody but the owner can change the document, so it has to say the handle before we do.
            self.0.resolver.purge(did);
            let document = self.0.resolver.resolve_did(did).await;
            if document.ok().and_then(|document| document.handle()).as_ref() != Some(handle) {
                return Err(XrpcError::invalid_request("DID is not properly configured for handle"));
            }
        }
        self.0.host.update_handle(did, handle).await?;
        self.0.resolver.purge(did);
        Ok(())
    }

    /// The handle of an account as its session shows it.
    pub(super) fn shown_handle(handle: Option<Handle>) -> Result<Handle> {
        handle.ok_or_else(logins::not_found)
    }
}

fn check_front(front: &str) -> Result<()> {
    if front.contains('.') {
        return Err(invalid("Invalid characters in handle"));
    }
    if front.len() < SHORTEST {
        return Err(invalid("Handle too short"));
    }
    if front.len() > LONGEST {
        return Err(invalid("Handle too long"));
    }
    if is_reserved(front) {
        return Err(XrpcError::named("HandleNotAvailable", "Reserved handle"));
    }
    Ok(())
}

fn invalid(message: &'static str) -> XrpcError {
    XrpcError::named("InvalidHandle", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_a_service_handle() {
        let outcome = |front: &str| match check_front(front) {
            Ok(()) => "ok".to_owned(),
            Err(error) => format!("{}: {}", error.error(), error.message()),
        };
        assert_eq!(outcome("abc"), "ok");
        assert_eq!(outcome(&"a".repeat(18)), "ok");
        assert_eq!(outcome("ab"), "InvalidHandle: Handle too short");
        assert_eq!(outcome(&"a".repeat(19)), "InvalidHandle: Handle too long");
        assert_eq!(outcome("a.b.c"), "InvalidHandle: Invalid characters in handle");
        assert_eq!(outcome("admin"), "HandleNotAvailable: Reserved handle");
    }
}
