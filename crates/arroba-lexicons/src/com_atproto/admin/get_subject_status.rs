//! `com.atproto.admin.getSubjectStatus`

use arroba_core::{
    data::Cid,
    syntax::{AtUri, Did},
};
use serde::{Deserialize, Serialize};

use crate::{
    com_atproto::admin::{StatusAttr, Subject},
    endpoint::{NoBody, endpoint, json_body},
    query::{FromQuery, QueryError, QueryPairs, ToQuery},
};

endpoint! {
    /// Tells whether an account, a record or a blob was taken down.
    Query GetSubjectStatus = "com.atproto.admin.getSubjectStatus" {
        params: Params, input: NoBody, output: Output,
        errors: []
    }
}

json_body!(Output);

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// An account, or the account of `blob`.
    pub did: Option<Did>,
    /// A record.
    pub uri: Option<AtUri>,
    /// A blob of the account `did`.
    pub blob: Option<Cid>,
}

impl FromQuery for Params {
    fn from_query(pairs: &QueryPairs) -> Result<Self, QueryError> {
        Ok(Self { did: pairs.optional("did")?, uri: pairs.optional("uri")?, blob: pairs.optional("blob")? })
    }
}

impl ToQuery for Params {
    fn to_query(&self) -> QueryPairs {
        QueryPairs::new()
            .with_optional("did", self.did.as_ref())
            .with_optional("uri", self.uri.as_ref())
            .with_optional("blob", self.blob.as_ref())
    }
}

/// The response.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// What the answer is about.
    pub subject: Subject,
    /// Whether it was taken down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takedown: Option<StatusAttr>,
    /// Whether it is deactivated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deactivated: Option<StatusAttr>,
}
