//! `com.atproto.sync.getRepoStatus`

use arroba_core::syntax::{Did, Tid};
use serde::{Deserialize, Serialize};

use crate::{
    endpoint::{NoBody, endpoint, json_body},
    json::AccountStatus,
    query::{FromQuery, QueryError, QueryPairs, ToQuery},
};

endpoint! {
    /// Tells whether a repo is active here.
    Query GetRepoStatus = "com.atproto.sync.getRepoStatus" {
        params: Params, input: NoBody, output: Output,
        errors: ["RepoNotFound"]
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
    /// The DID.
    pub did: Did,
    /// Whether the repo is served.
    pub active: bool,
    /// Why not, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<AccountStatus>,
    /// The current revision, if it is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<Tid>,
}
