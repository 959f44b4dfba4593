//! `com.atproto.sync.getCheckout`

use arroba_core::syntax::Did;

use crate::{
    endpoint::{CarBytes, NoBody, endpoint},
    query::{FromQuery, QueryError, QueryPairs, ToQuery},
};

endpoint! {
    /// Exports a repo as a CAR file. Deprecated: `getRepo` does the same.
    Query GetCheckout = "com.atproto.sync.getCheckout" {
        params: Params, input: NoBody, output: CarBytes,
        errors: []
    }
}

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
