//! `com.atproto.sync.getRecord`

use arroba_core::syntax::{Did, Nsid, RecordKey};

use crate::{
    endpoint::{CarBytes, NoBody, endpoint},
    query::{FromQuery, QueryError, QueryPairs, ToQuery},
};

endpoint! {
    /// Proves that a record is in a repo, or that it is not, as a CAR file.
    Query GetRecord = "com.atproto.sync.getRecord" {
        params: Params, input: NoBody, output: CarBytes,
        errors: ["RecordNotFound", "RepoNotFound", "RepoTakendown", "RepoSuspended", "RepoDeactivated"]
    }
}

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// The DID of the repo.
    pub did: Did,
    /// The NSID of the record's type.
    pub collection: Nsid,
    /// The record key.
    pub rkey: RecordKey,
}

impl FromQuery for Params {
    fn from_query(pairs: &QueryPairs) -> Result<Self, QueryError> {
        Ok(Self {
            did: pairs.required("did")?,
            collection: pairs.required("collection")?,
            rkey: pairs.required("rkey")?,
        })
    }
}

impl ToQuery for Params {
    fn to_query(&self) -> QueryPairs {
        QueryPairs::new().with("did", &self.did).with("collection", &self.collection).with("rkey", &self.rkey)
    }
}
