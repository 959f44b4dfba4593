//! `com.atproto.sync.getRepo`

use arroba_core::syntax::{Did, Tid};

use crate::{
    endpoint::{CarBytes, NoBody, endpoint},
    query::{FromQuery, QueryError, QueryPairs, ToQuery},
};

endpoint! {
    /// Exports a repo as a CAR file.
    Query GetRepo = "com.atproto.sync.getRepo" {
        params: Params, input: NoBody, output: CarBytes,
        errors: ["RepoNotFound", "RepoTakendown", "RepoSuspended", "RepoDeactivated"]
    }
}

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// The DID of the repo.
    pub did: Did,
    /// Only what changed after this revision.
    pub since: Option<Tid>,
}

impl FromQuery for Params {
    fn from_query(pairs: &QueryPairs) -> Result<Self, QueryError> {
        Ok(Self { did: pairs.required("did")?, since: pairs.optional("since")? })
    }
}

impl ToQuery for Params {
    fn to_query(&self) -> QueryPairs {
        QueryPairs::new().with("did", &self.did).with_optional("since", self.since.as_ref())
    }
}
