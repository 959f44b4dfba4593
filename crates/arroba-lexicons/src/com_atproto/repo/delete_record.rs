//! `com.atproto.repo.deleteRecord`

use arroba_core::{
    data::Cid,
    syntax::{AtIdentifier, Nsid, RecordKey},
};
use serde::{Deserialize, Serialize};

use crate::{
    com_atproto::repo::CommitMeta,
    endpoint::{NoParams, endpoint, json_body},
    json::present,
};

endpoint! {
    /// Deletes a record, or makes sure that there is none.
    Procedure DeleteRecord = "com.atproto.repo.deleteRecord" {
        params: NoParams, input: Input, output: Output,
        errors: ["InvalidSwap"]
    }
}

json_body!(Input, Output);

/// The request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The handle or DID of the repo; must be the caller's own.
    pub repo: AtIdentifier,
    /// The NSID of the record's type.
    pub collection: Nsid,
    /// The record key.
    pub rkey: RecordKey,
    /// Only delete if the record has this CID.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub swap_record: Option<Cid>,
    /// Only write if this is the repo's current commit.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub swap_commit: Option<Cid>,
}

/// The response.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// The commit that the write made; absent if nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitMeta>,
}
