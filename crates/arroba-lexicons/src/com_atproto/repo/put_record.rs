//! `com.atproto.repo.putRecord`

use arroba_core::{
    data::Cid,
    syntax::{AtIdentifier, AtUri, Nsid, RecordKey},
};
use serde::{Deserialize, Serialize};

use crate::{
    com_atproto::repo::CommitMeta,
    endpoint::{NoParams, endpoint, json_body},
    json::{RawJson, SwapRecord, ValidationStatus, present},
};

endpoint! {
    /// Writes a record, whether it exists or not.
    Procedure PutRecord = "com.atproto.repo.putRecord" {
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
    /// `true`: the schema must be known and kept; `false`: not checked; absent: checked if known.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub validate: Option<bool>,
    /// The record itself.
    pub record: RawJson,
    /// What the record must be before.
    #[serde(default, skip_serializing_if = "SwapRecord::is_any")]
    pub swap_record: SwapRecord,
    /// Only write if this is the repo's current commit.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub swap_commit: Option<Cid>,
}

/// The response.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// The record's address, by DID.
    pub uri: AtUri,
    /// The record's CID.
    pub cid: Cid,
    /// The commit that the write made; absent if nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitMeta>,
    /// Whether the record was checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_status: Option<ValidationStatus>,
}
