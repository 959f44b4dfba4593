//! `com.atproto.repo.listRecords`

use arroba_core::{
    data::Cid,
    syntax::{AtIdentifier, AtUri, Nsid},
};
use serde::{Deserialize, Serialize};

use crate::{
    endpoint::{NoBody, endpoint, json_body},
    json::RawJson,
    query::{FromQuery, QueryError, QueryPairs, ToQuery},
};

endpoint! {
    /// Pages through the records of one collection.
    Query ListRecords = "com.atproto.repo.listRecords" {
        params: Params, input: NoBody, output: Output,
        errors: []
    }
}

json_body!(Output);

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// The handle or DID of the repo.
    pub repo: AtIdentifier,
    /// The NSID of the record type.
    pub collection: Nsid,
    /// How many records at most: 1 to 100, 50 unless given.
    pub limit: u32,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// `true`: ascending record keys; otherwise descending.
    pub reverse: Option<bool>,
}

impl FromQuery for Params {
    fn from_query(pairs: &QueryPairs) -> Result<Self, QueryError> {
        Ok(Self {
            repo: pairs.required("repo")?,
            collection: pairs.required("collection")?,
            limit: pairs.integer("limit", 1..=100)?.unwrap_or(50),
            cursor: pairs.optional("cursor")?,
            reverse: pairs.boolean("reverse")?,
        })
    }
}

impl ToQuery for Params {
    fn to_query(&self) -> QueryPairs {
        QueryPairs::new()
            .with("repo", &self.repo)
            .with("collection", &self.collection)
            .with("limit", &self.limit)
            .with_optional("cursor", self.cursor.as_ref())
            .with_optional("reverse", self.reverse)
    }
}

/// The response.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Where this page ends; pass it to get the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// The records.
    pub records: Vec<Record>,
}

/// One record of a page.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Its address, by DID.
    pub uri: AtUri,
    /// Its CID.
    pub cid: Cid,
    /// The record itself.
    pub value: RawJson,
}
