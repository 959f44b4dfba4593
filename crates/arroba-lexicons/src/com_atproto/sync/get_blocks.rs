//! `com.atproto.sync.getBlocks`

use arroba_core::{data::Cid, syntax::Did};

use crate::{
    endpoint::{CarBytes, NoBody, endpoint},
    query::{FromQuery, QueryError, QueryPairs, ToQuery},
};

endpoint! {
    /// Reads blocks of a repo by CID, as a CAR file.
    Query GetBlocks = "com.atproto.sync.getBlocks" {
        params: Params, input: NoBody, output: CarBytes,
        errors: ["BlockNotFound", "RepoNotFound", "RepoTakendown", "RepoSuspended", "RepoDeactivated"]
    }
}

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// The DID of the repo.
    pub did: Did,
    /// The CIDs of the blocks, at least one.
    pub cids: Vec<Cid>,
}

impl FromQuery for Params {
    fn from_query(pairs: &QueryPairs) -> Result<Self, QueryError> {
        Ok(Self { did: pairs.required("did")?, cids: pairs.required_list("cids")? })
    }
}

impl ToQuery for Params {
    fn to_query(&self) -> QueryPairs {
        QueryPairs::new().with("did", &self.did).with_list("cids", &self.cids)
    }
}
