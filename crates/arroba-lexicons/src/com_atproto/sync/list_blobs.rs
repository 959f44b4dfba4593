//! `com.atproto.sync.listBlobs`

use arroba_core::{
    data::Cid,
    syntax::{Did, Tid},
};
use serde::{Deserialize, Serialize};

use crate::{
    endpoint::{NoBody, endpoint, json_body},
    query::{FromQuery, QueryError, QueryPairs, ToQuery},
};

endpoint! {
    /// Pages through the CIDs of an account's blobs.
    Query ListBlobs = "com.atproto.sync.listBlobs" {
        params: Params, input: NoBody, output: Output,
        errors: ["RepoNotFound", "RepoTakendown", "RepoSuspended", "RepoDeactivated"]
    }
}

json_body!(Output);

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// The DID of the account.
    pub did: Did,
    /// Only blobs of records written after this revision.
    pub since: Option<Tid>,
    /// How many CIDs at most: 1 to 1000, 500 unless given.
    pub limit: u32,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

impl FromQuery for Params {
    fn from_query(pairs: &QueryPairs) -> Result<Self, QueryError> {
        Ok(Self {
            did: pairs.required("did")?,
            since: pairs.optional("since")?,
            limit: pairs.integer("limit", 1..=1000)?.unwrap_or(500),
            cursor: pairs.optional("cursor")?,
        })
    }
}

impl ToQuery for Params {
    fn to_query(&self) -> QueryPairs {
        QueryPairs::new()
            .with("did", &self.did)
            .with_optional("since", self.since.as_ref())
            .with("limit", &self.limit)
            .with_optional("cursor", self.cursor.as_ref())
    }
}

/// The response.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Where this page ends; pass it to get the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// The CIDs.
    pub cids: Vec<Cid>,
}
