//! Tokens by which other services are called in the name of hosted accounts.

use arroba_core::crypto::jwt::ServiceClaims;
use arroba_core::syntax::{Audience, Did, Nsid};
use arroba_store::RepoStatus;

use super::{HostError, RepoHost};

impl RepoHost {
    /// A token by which `audience` accepts a call of `method` in the name of `did`, until `expires` (seconds since 1970).
    ///
    /// Without a method the token is good for every one. Spec: <https://atproto.com/specs/xrpc#inter-service-authentication-jwt>
    ///
    /// # Errors
    ///
    /// [`HostError::RepoNotFound`], [`HostError::Key`] for a signing key that cannot be unsealed.
    pub async fn service_token(
        &self,
        did: &Did,
        audience: &Audience,
        method: Option<&Nsid>,
        expires: u64,
    ) -> Result<String, HostError> {
        let row = self.0.store.repo(did).await?;
        let row = row.filter(|row| !matches!(row.status, RepoStatus::Creating | RepoStatus::Deleted));
        let row = row.ok_or_else(|| HostError::RepoNotFound(did.clone()))?;
        let key = self.signing_key(&row)?;
        let mut jti = [0; 16];
        self.0.randomness.fill(&mut jti);
        let nonce: String = jti.iter().map(|byte| format!("{byte:02x}")).collect();
        let claims = ServiceClaims::new(did, audience, expires).issued(self.now_seconds()).nonce(nonce);
        let claims = match method {
            Some(method) => claims.method(method),
            None => claims,
        };
        claims.sign(&*key).map_err(HostError::Token)
    }

    /// Seconds since 1970.
    pub(crate) fn now_seconds(&self) -> u64 {
        self.0.clock.now_micros() / 1_000_000
    }
}
