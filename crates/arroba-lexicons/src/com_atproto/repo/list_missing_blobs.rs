//! `com.atproto.repo.listMissingBlobs`

use arroba_core::{data::Cid, syntax::AtUri};
use serde::{Deserialize, Serialize};

use crate::{
    endpoint::{NoBody, endpoint, json_body},
    query::{FromQuery, QueryError, QueryPairs, ToQuery},
};

endpoint! {
    /// Pages through the blobs that the caller's records refer to and that are not stored here.
    Query ListMissingBlobs = "com.atproto.repo.listMissingBlobs" {
        params: Params, input: NoBody, output: Output,
        errors: []
    }
}

json_body!(Output);

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// How many blobs at most: 1 to 1000, 500 unless given.
    pub limit: u32,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

impl FromQuery for Params {
    fn from_query(pairs: &QueryPairs) -> Result<Self, QueryError> {
        Ok(Self {
            limit: pairs.integer("limit", 1..=1000)?.unwrap_or(500),
            cursor: pairs.optional("cursor")?,
        })
    }
}

impl ToQuery for Params {
    fn to_query(&self) -> QueryPairs {
        QueryPairs::new().with("limit", &self.limit).with_optional("cursor", self.cursor.as_ref())
    }
}

/// The response.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Where this page ends; pass it to get the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// The missing blobs.
    pub blobs: Vec<RecordBlob>,
}

/// A missing blob and a record that refers to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordBlob {
    /// The blob's CID.
    pub cid: Cid,
    /// The record's address.
    pub record_uri: AtUri,
}
