//! `com.atproto.sync.subscribeRepos`

use crate::{
    endpoint::{NoBody, endpoint},
    query::{FromQuery, QueryError, QueryPairs, ToQuery},
};

endpoint! {
    /// The firehose: every change of every repo on this host.
    Subscription SubscribeRepos = "com.atproto.sync.subscribeRepos" {
        params: Params, input: NoBody, output: NoBody,
        errors: ["FutureCursor", "ConsumerTooSlow"]
    }
}

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// The last sequence number seen; events after it are sent. Absent: from now on.
    pub cursor: Option<i64>,
}

impl FromQuery for Params {
    fn from_query(pairs: &QueryPairs) -> Result<Self, QueryError> {
        Ok(Self { cursor: pairs.integer("cursor", i64::MIN..=i64::MAX)? })
    }
}

impl ToQuery for Params {
    fn to_query(&self) -> QueryPairs {
        QueryPairs::new().with_optional("cursor", self.cursor)
    }
}
