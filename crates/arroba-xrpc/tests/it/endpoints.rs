//! Endpoints for the tests.

use arroba_lexicons::{
    AnyBytes, Body, Encoding, Endpoint, FromQuery, Kind, NoBody, NoParams, QueryError, QueryPairs, ToQuery,
};
use serde::{Deserialize, Serialize};

macro_rules! endpoint {
    ($name:ident, $nsid:literal, $kind:ident, $params:ty, $input:ty, $output:ty) => {
        #[derive(Debug)]
        pub(super) struct $name;

        impl Endpoint for $name {
            const NSID: &'static str = $nsid;
            const PATH: &'static str = concat!("/xrpc/", $nsid);
            const KIND: Kind = Kind::$kind;
            const ERRORS: &'static [&'static str] = &[];
            type Params = $params;
            type Input = $input;
            type Output = $output;
        }
    };
}

endpoint!(Get, "test.it.get", Query, GetParams, NoBody, Text);
endpoint!(Post, "test.it.post", Procedure, NoParams, Text, Text);
endpoint!(Large, "test.it.large", Procedure, NoParams, Text, Text);
endpoint!(Act, "test.it.act", Procedure, NoParams, NoBody, NoBody);
endpoint!(Upload, "test.it.upload", Procedure, NoParams, AnyBytes, Text);
endpoint!(Panics, "test.it.panics", Query, NoParams, NoBody, NoBody);
endpoint!(Limited, "test.it.limited", Query, NoParams, NoBody, NoBody);
endpoint!(Subscribe, "test.it.subscribe", Subscription, NoParams, NoBody, NoBody);

#[derive(Debug)]
pub(super) struct GetParams {
    pub(super) limit: u32,
    pub(super) tags: Vec<String>,
}

impl FromQuery for GetParams {
    fn from_query(pairs: &QueryPairs) -> Result<Self, QueryError> {
        Ok(Self { limit: pairs.integer("limit", 1..=100)?.unwrap_or(50), tags: pairs.list("tag")? })
    }
}

impl ToQuery for GetParams {
    fn to_query(&self) -> QueryPairs {
        let tags = self.tags.iter().map(|tag| ("tag".to_owned(), tag.clone()));
        [("limit".to_owned(), self.limit.to_string())].into_iter().chain(tags).collect()
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Text {
    pub(super) text: String,
}

impl Body for Text {
    const ENCODING: Encoding = Encoding::Json;
}
