//! `com.atproto.server.getServiceAuth`

use arroba_core::syntax::Nsid;
use serde::{Deserialize, Serialize};

use crate::{
    endpoint::{NoBody, endpoint, json_body},
    json::Secret,
    query::{FromQuery, QueryError, QueryPairs, ToQuery},
};

endpoint! {
    /// Issues a token that another service accepts in the caller's name.
    Query GetServiceAuth = "com.atproto.server.getServiceAuth" {
        params: Params, input: NoBody, output: Output,
        errors: ["BadExpiration"]
    }
}

json_body!(Output);

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// The DID of the service, possibly with the fragment of one of its entries.
    pub aud: String,
    /// When the token expires, in seconds since 1970.
    pub exp: Option<i64>,
    /// The only method that the token is good for.
    pub lxm: Option<Nsid>,
}

impl FromQuery for Params {
    fn from_query(pairs: &QueryPairs) -> Result<Self, QueryError> {
        Ok(Self {
            aud: pairs.text("aud", 2048)?,
            exp: pairs.integer("exp", i64::MIN..=i64::MAX)?,
            lxm: pairs.optional("lxm")?,
        })
    }
}

impl ToQuery for Params {
    fn to_query(&self) -> QueryPairs {
        QueryPairs::new()
            .with("aud", &self.aud)
            .with_optional("exp", self.exp)
            .with_optional("lxm", self.lxm.as_ref())
    }
}

/// The response.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// The token.
    pub token: Secret,
}
