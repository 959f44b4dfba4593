//! `com.atproto.sync.listRepos`

use arroba_core::{
    data::Cid,
    syntax::{Did, Tid},
};
use serde::{Deserialize, Serialize};

use crate::{
    endpoint::{NoBody, endpoint, json_body},
    json::AccountStatus,
    query::{FromQuery, QueryError, QueryPairs, ToQuery},
};

endpoint! {
    /// Pages through all repos on this host, the inactive ones too.
    Query ListRepos = "com.atproto.sync.listRepos" {
        params: Params, input: NoBody, output: Output,
        errors: []
    }
}

json_body!(Output);

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// How many repos at most: 1 to 1000, 500 unless given.
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
    /// The repos.
    pub repos: Vec<Repo>,
}

/// One repo of a page.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Repo {
    /// Its DID.
    pub did: Did,
    /// Its current commit.
    pub head: Cid,
    /// Its current revision.
    pub rev: Tid,
    /// Whether it is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// Why not, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<AccountStatus>,
}
