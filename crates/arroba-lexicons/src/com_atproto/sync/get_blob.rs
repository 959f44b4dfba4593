//! `com.atproto.sync.getBlob`

use arroba_core::{data::Cid, syntax::Did};

use crate::{
    endpoint::{AnyBytes, NoBody, endpoint},
    query::{FromQuery, QueryError, QueryPairs, ToQuery},
};

endpoint! {
    /// Reads a blob.
    Query GetBlob = "com.atproto.sync.getBlob" {
        params: Params, input: NoBody, output: AnyBytes,
        errors: ["BlobNotFound", "RepoNotFound", "RepoTakendown", "RepoSuspended", "RepoDeactivated"]
    }
}

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// The DID of the account.
    pub did: Did,
    /// The CID of the blob.
    pub cid: Cid,
}

impl FromQuery for Params {
    fn from_query(pairs: &QueryPairs) -> Result<Self, QueryError> {
        Ok(Self { did: pairs.required("did")?, cid: pairs.required("cid")? })
    }
}

impl ToQuery for Params {
    fn to_query(&self) -> QueryPairs {
        QueryPairs::new().with("did", &self.did).with("cid", &self.cid)
    }
}
