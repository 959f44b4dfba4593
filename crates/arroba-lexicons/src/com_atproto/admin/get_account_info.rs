//! `com.atproto.admin.getAccountInfo`

use arroba_core::syntax::Did;

use crate::{
    com_atproto::admin::AccountView,
    endpoint::{NoBody, endpoint},
    query::{FromQuery, QueryError, QueryPairs, ToQuery},
};

endpoint! {
    /// Shows an account to an administrator.
    Query GetAccountInfo = "com.atproto.admin.getAccountInfo" {
        params: Params, input: NoBody, output: AccountView,
        errors: []
    }
}

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// The account's DID.
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
