//! `com.atproto.identity.resolveHandle`

use arroba_core::syntax::{Did, Handle};
use serde::{Deserialize, Serialize};

use crate::{
    endpoint::{NoBody, endpoint, json_body},
    query::{FromQuery, QueryError, QueryPairs, ToQuery},
};

endpoint! {
    /// Finds the DID of a handle.
    Query ResolveHandle = "com.atproto.identity.resolveHandle" {
        params: Params, input: NoBody, output: Output,
        errors: ["HandleNotFound"]
    }
}

json_body!(Output);

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// The handle.
    pub handle: Handle,
}

impl FromQuery for Params {
    fn from_query(pairs: &QueryPairs) -> Result<Self, QueryError> {
        Ok(Self { handle: pairs.required("handle")? })
    }
}

impl ToQuery for Params {
    fn to_query(&self) -> QueryPairs {
        QueryPairs::new().with("handle", &self.handle)
    }
}

/// The response.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Its DID.
    pub did: Did,
}
