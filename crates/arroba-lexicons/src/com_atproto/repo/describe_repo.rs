//! `com.atproto.repo.describeRepo`

use arroba_core::syntax::{AtIdentifier, Did, Handle, Nsid};
use serde::{Deserialize, Serialize};

use crate::{
    endpoint::{NoBody, endpoint, json_body},
    query::{FromQuery, QueryError, QueryPairs, ToQuery},
};

endpoint! {
    /// Describes an account and its repo.
    Query DescribeRepo = "com.atproto.repo.describeRepo" {
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
}

impl FromQuery for Params {
    fn from_query(pairs: &QueryPairs) -> Result<Self, QueryError> {
        Ok(Self { repo: pairs.required("repo")? })
    }
}

impl ToQuery for Params {
    fn to_query(&self) -> QueryPairs {
        QueryPairs::new().with("repo", &self.repo)
    }
}

/// The response.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// The handle; `handle.invalid` if it does not resolve back.
    pub handle: Handle,
    /// The DID.
    pub did: Did,
    /// The DID document.
    pub did_doc: serde_json::Value,
    /// The record types that the repo has records of.
    pub collections: Vec<Nsid>,
    /// Whether handle and DID name each other.
    pub handle_is_correct: bool,
}
