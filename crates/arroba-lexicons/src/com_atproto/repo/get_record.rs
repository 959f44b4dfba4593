//! `com.atproto.repo.getRecord`

use arroba_core::{
    data::Cid,
    syntax::{AtIdentifier, AtUri, Nsid, RecordKey},
};
use serde::{Deserialize, Serialize};

use crate::{
    endpoint::{NoBody, endpoint, json_body},
    json::RawJson,
    query::{FromQuery, QueryError, QueryPairs, ToQuery},
};

endpoint! {
    /// Reads one record.
    Query GetRecord = "com.atproto.repo.getRecord" {
        params: Params, input: NoBody, output: Output,
        errors: ["RecordNotFound"]
    }
}

json_body!(Output);

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// The handle or DID of the repo.
    pub repo: AtIdentifier,
    /// The NSID of the record's type.
    pub collection: Nsid,
    /// The record key.
    pub rkey: RecordKey,
    /// The version wanted; the current one if absent.
    pub cid: Option<Cid>,
}

impl FromQuery for Params {
    fn from_query(pairs: &QueryPairs) -> Result<Self, QueryError> {
        Ok(Self {
            repo: pairs.required("repo")?,
            collection: pairs.required("collection")?,
            rkey: pairs.required("rkey")?,
            cid: pairs.optional("cid")?,
        })
    }
}

impl ToQuery for Params {
    fn to_query(&self) -> QueryPairs {
        QueryPairs::new()
            .with("repo", &self.repo)
            .with("collection", &self.collection)
            .with("rkey", &self.rkey)
            .with_optional("cid", self.cid.as_ref())
    }
}

/// The response.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// The record's address, by DID.
    pub uri: AtUri,
    /// The record's CID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cid: Option<Cid>,
    /// The record itself.
    pub value: RawJson,
}
