//! An account's standing: active or not, complete or not, known to the network as ours or not.

use arroba_core::crypto::Signer;
use arroba_core::mst::Loader;
use arroba_core::syntax::{Audience, Did, Nsid};
use arroba_lexicons::com_atproto::identity::get_recommended_did_credentials::Output as Credentials;
use arroba_lexicons::com_atproto::server::check_account_status::Output as AccountReport;
use arroba_lexicons::json::Secret;
use arroba_store::{RepoRow, RepoStatus};
use arroba_xrpc::{Result, XrpcError};
use serde_json::json;

use super::keys::check_document;
use super::logins::not_found;
use super::{Logins, account_failed};
use crate::service::store_failed;

impl Logins {
    /// Activates an account whose identity names this server and the key that we hold.
    pub(crate) async fn activate(&self, did: &Did) -> Result<()> {
        let repo = self.row(did).await?;
        if repo.takedown.is_some() {
            return Err(XrpcError::named("AccountNotFound", "user not found"));
        }
        self.check_identity(&repo).await?;
        self.reactivate(did).await
    }

    /// Activates an account as the operator may, whatever its identity says.
    pub(super) async fn reactivate(&self, did: &Did) -> Result<()> {
        self.0.host.set_status(did, RepoStatus::Active).await?;
        self.0.accounts.set_deactivated(did, None, None).await.map_err(account_failed)
    }

    /// Deactivates an account; `delete_after` (microseconds since 1970) is the owner's hint.
    pub(crate) async fn deactivate(&self, did: &Did, delete_after: Option<u64>) -> Result<()> {
        self.0.host.set_status(did, RepoStatus::Deactivated).await?;
        let since = Some(self.now_micros());
        self.0.accounts.set_deactivated(did, since, delete_after).await.map_err(account_failed)
    }

    /// How complete an account is.
    pub(crate) async fn report(&self, did: &Did) -> Result<AccountReport> {
        let store = self.0.host.store();
        let loaded =
            store.load(did, Loader::for_read([])).await.map_err(store_failed)?.ok_or_else(not_found)?;
        let head = loaded.head.ok_or_else(not_found)?;
        let counts = store.counts(did).await.map_err(store_failed)?.ok_or_else(not_found)?;
        Ok(AccountReport {
            activated: loaded.repo.status == RepoStatus::Active,
            valid_did: self.check_identity(&loaded.repo).await.is_ok(),
            repo_commit: head.cid,
            repo_rev: head.rev,
            repo_blocks: counts.blocks,
            indexed_records: counts.records,
            private_state_values: 0,
            expected_blobs: counts.blobs_expected,
            imported_blobs: counts.blobs_stored,
        })
    }

    /// What the identity of an account should say for this server to host it.
    pub(crate) async fn recommended_credentials(&self, did: &Did) -> Result<Credentials> {
        let repo = self.row(did).await?;
        let key = self.public_key(&repo)?.to_did_key();
        let rotation = self.0.secrets.rotation().public_key().to_did_key();
        let endpoint = self.0.host.public_url();
        Ok(Credentials {
            rotation_keys: (did.method() == "plc").then(|| vec![rotation]),
            also_known_as: repo.handle.map(|handle| vec![format!("at://{handle}")]),
            verification_methods: Some(json!({ "atproto": key })),
            services: Some(json!({
                "atproto_pds": { "type": "AtprotoPersonalDataServer", "endpoint": endpoint }
            })),
        })
    }

    /// A token by which `audience` accepts a call of `method` in the account's name, until `expires` (seconds since 1970).
    pub(crate) async fn service_token(
        &self,
        did: &Did,
        audience: &Audience,
        method: Option<&Nsid>,
        expires: u64,
    ) -> Result<Secret> {
        let token = self.0.host.service_token(did, audience, method, expires).await?;
        Ok(Secret::from(token))
    }

    /// Seconds since 1970.
    pub(crate) fn now_seconds(&self) -> u64 {
        self.0.tokens.now()
    }

    /// The DID document of an account, if it resolves.
    pub(crate) async fn document(&self, did: &Did) -> Option<serde_json::Value> {
        match self.0.resolver.resolve_did(did).await {
            Ok(document) => Some(document.json().clone()),
            Err(error) => {
                tracing::warn!(%did, %error, "the document of a hosted account does not resolve");
                None
            }
        }
    }

    /// Whether an account's identity names this server, our key and, for did:plc, our rotation key.
    async fn check_identity(&self, repo: &RepoRow) -> Result<()> {
        let did = &repo.did;
        if did.method() == "plc" {
            let state = self.0.directory.state(did).await.map_err(XrpcError::upstream_failure)?;
            let rotation = self.0.secrets.rotation().public_key().to_did_key();
            if !state.rotation_keys.contains(&rotation) {
                return Err(XrpcError::invalid_request("Server rotation key not included in PLC DID data"));
            }
        }
        self.0.resolver.purge(did);
        let document = self.0.resolver.resolve_did(did).await.map_err(|error| {
            XrpcError::invalid_request("Could not resolve the DID of the account").with_cause(error)
        })?;
        check_document(&document, self.0.host.public_url(), &self.public_key(repo)?)
    }

    async fn row(&self, did: &Did) -> Result<RepoRow> {
        self.0.host.store().repo(did).await.map_err(store_failed)?.ok_or_else(not_found)
    }
}
