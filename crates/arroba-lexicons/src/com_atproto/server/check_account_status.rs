//! `com.atproto.server.checkAccountStatus`

use arroba_core::{data::Cid, syntax::Tid};
use serde::{Deserialize, Serialize};

use crate::endpoint::{NoBody, NoParams, endpoint, json_body};

endpoint! {
    /// Tells how complete the caller's account is; used while moving it.
    Query CheckAccountStatus = "com.atproto.server.checkAccountStatus" {
        params: NoParams, input: NoBody, output: Output,
        errors: []
    }
}

json_body!(Output);

/// The response.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Whether the account is active.
    pub activated: bool,
    /// Whether its DID document names this server and our key.
    pub valid_did: bool,
    /// Its current commit.
    pub repo_commit: Cid,
    /// Its current revision.
    pub repo_rev: Tid,
    /// Blocks of the repo: commit, tree nodes and records.
    pub repo_blocks: u64,
    /// Records of the repo.
    pub indexed_records: u64,
    /// Legacy; always 0.
    pub private_state_values: u64,
    /// Distinct blobs that its records refer to.
    pub expected_blobs: u64,
    /// How many of its blobs are stored here.
    pub imported_blobs: u64,
}
