//! Signing keys: those of hosted accounts, and those of the issuers of service tokens.

use arroba_core::crypto::{PrivateKey, PublicKey, Signer};
use arroba_core::syntax::Did;
use arroba_identity::{DidDocument, ResolveError, Resolver};
use arroba_store::RepoRow;
use arroba_xrpc::{Result, SigningKeys, XrpcError};
use async_trait::async_trait;

use super::Logins;

impl Logins {
    /// The key that signs for a hosted account.
    pub(super) fn signing_key(&self, repo: &RepoRow) -> Result<PrivateKey> {
        self.0.secrets.master().open(&repo.did, &repo.keys.signing).map_err(XrpcError::internal)
    }

    /// Its public half.
    pub(super) fn public_key(&self, repo: &RepoRow) -> Result<PublicKey> {
        Ok(self.signing_key(repo)?.public_key())
    }
}

/// The keys of issuers, by the resolver.
#[derive(Debug)]
pub(crate) struct ResolverKeys(pub(crate) Resolver);

#[async_trait]
impl SigningKeys for ResolverKeys {
    async fn signing_key(&self, did: &Did, fresh: bool) -> Result<PublicKey> {
        let document = match fresh {
            false => self.0.resolve_did(did).await,
            true => match self.0.refresh_did(did).await {
                Ok(Some(document)) => Ok(document),
                Ok(None) => self.0.resolve_did(did).await,
                Err(error) => Err(error),
            },
        };
        let key = document.map_err(unresolved)?.signing_key();
        key.ok_or_else(|| XrpcError::unauthorized("BadJwtIss", "the issuer has no signing key"))
    }
}

/// An issuer who cannot be found is refused, a directory that does not answer is an upstream failure.
fn unresolved(error: ResolveError) -> XrpcError {
    if error.is_definite() {
        XrpcError::unauthorized("BadJwtIss", "could not resolve the issuer").with_cause(error)
    } else {
        XrpcError::upstream_failure(error)
    }
}

/// Whether a document names this server and this key, and if not, what is wrong.
pub(super) fn check_document(document: &DidDocument, public_url: &str, key: &PublicKey) -> Result<()> {
    let endpoint = document.pds();
    let ours = url::Url::parse(public_url).ok();
    if endpoint.is_none() || endpoint != ours {
        return Err(XrpcError::invalid_request(
            "DID document atproto_pds service endpoint does not match PDS public url",
        ));
    }
    if document.signing_key().as_ref() != Some(key) {
        return Err(XrpcError::invalid_request(
            "DID document verification method does not match expected signing key",
        ));
    }
    Ok(())
}
