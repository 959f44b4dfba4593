//! One call of a method.

use std::fmt;

use arroba_core::syntax::Nsid;
use arroba_lexicons::{FromQuery, QueryPairs};
use arroba_xrpc::{Result, XrpcError};
use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::auth::{Authority, Caller, WriteAuth};

/// One call of a method: its parameters and input, checked as far as the lexicon is known, and who made it.
pub struct Call {
    pub(super) method: Nsid,
    pub(super) parts: Parts,
    pub(super) params: QueryPairs,
    pub(super) body: Bytes,
    pub(super) json: serde_json::Value,
    pub(super) authority: Authority,
}

impl Call {
    /// The method called.
    #[must_use]
    pub const fn method(&self) -> &Nsid {
        &self.method
    }

    /// The request's headers.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// The parameters as they were given.
    #[must_use]
    pub const fn params(&self) -> &QueryPairs {
        &self.params
    }

    /// The parameters as a type.
    ///
    /// # Errors
    /// 400 with the first parameter that is missing or wrong.
    pub fn typed_params<P: FromQuery>(&self) -> Result<P> {
        P::from_query(&self.params).map_err(|error| XrpcError::invalid_request(error.to_string()))
    }

    /// The input as JSON; `null` if there is none, or none that is JSON.
    #[must_use]
    pub const fn json(&self) -> &serde_json::Value {
        &self.json
    }

    /// The input as a type.
    ///
    /// # Errors
    /// 400 with what is missing or wrong.
    pub fn input<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(&self.json)
            .map_err(|error| XrpcError::invalid_request(format!("Input is not valid: {error}")))
    }

    /// The input's bytes.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// Who called: as the routes of the library see it, which write records.
    ///
    /// # Errors
    /// 401 if the request proves nobody; 501 if nobody can be proven here.
    pub async fn caller(&self) -> Result<Caller> {
        self.write_auth().await.map(|auth| auth.caller().clone())
    }

    /// The proof of who called, which [`Service::commit`](crate::Service::commit) demands.
    ///
    /// # Errors
    /// As [`caller`](Self::caller).
    pub async fn write_auth(&self) -> Result<WriteAuth> {
        self.authority.write(&self.parts).await
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers hold tokens.
        out.debug_struct("Call").field("method", &self.method).finish_non_exhaustive()
    }
}
