//! `com.atproto.sync.getLatestCommit`

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
    /// Names the current commit of a repo.
    Query GetLatestCommit = "com.atproto.sync.getLatestCommit" {
        params: Params, input: NoBody, output: Output,
        errors: ["RepoNotFound", "RepoTakendown", "RepoSuspended", "RepoDeactivated"]
    }
}

json_body!(Output);

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// The DID of the repo.
    pub did: Did,
}

impl FromQuery for Params {
    fn from_query(pairs: &QueryPairs) -> Result<Self, QueryError> {
        Ok(Self { did: pairs.required("did")? })
    }
}

impl ToQuery for Params {
    fn to_query(&self) -> QueryPairs {
        QueryPairs::new().with("did", &self.did)
    }
}

/// The response.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// The commit's CID.
    pub cid: Cid,
    /// The commit's revision.
    pub rev: Tid,
}
