//! What an XRPC method is: its name, its verb, and the types of what goes in and out.

use crate::query::{FromQuery, QueryError, QueryPairs, ToQuery};

/// The three kinds of XRPC method.
///
/// Spec: <https://atproto.com/specs/xrpc#lexicon-http-endpoints>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Reads; served on `GET`.
    Query,
    /// Acts; served on `POST`.
    Procedure,
    /// Streams events; a WebSocket opened by `GET`.
    Subscription,
}

/// The body of a request or response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// There is no body.
    None,
    /// `application/json`, the serde form of the type.
    Json,
    /// Bytes of this media type; `*/*` stands for any. The bytes are not part of the type: they are streamed.
    Raw(&'static str),
}

/// A type that stands for the body of a request or response.
pub trait Body: Send + 'static {
    /// How the body is encoded.
    const ENCODING: Encoding;
}

/// One XRPC method.
///
/// # Contract
///
/// 1. `PATH` is `/xrpc/` followed by `NSID`.
/// 2. Where a body's encoding is [`Encoding::Json`], the type implements serde's traits in the form of the lexicon:
///    camelCase names, absent fields left out, `null` only where the lexicon says nullable.
/// 3. A query and a subscription have `Input = NoBody`; a subscription has `Output = NoBody`.
pub trait Endpoint: Send + Sync + 'static {
    /// The method's name, for example `com.atproto.repo.createRecord`.
    const NSID: &'static str;
    /// The path that serves it: `/xrpc/` and the name.
    const PATH: &'static str;
    /// Which verb it answers.
    const KIND: Kind;
    /// The error names that its lexicon declares, beside those every method may use.
    const ERRORS: &'static [&'static str];
    /// The parameters in the query string.
    type Params: FromQuery + Send + 'static;
    /// The body of the request.
    type Input: Body;
    /// The body of the response.
    type Output: Body;
}

/// The parameters of a method that takes none. Parameters that are sent anyway are ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoParams;

impl FromQuery for NoParams {
    fn from_query(_: &QueryPairs) -> Result<Self, QueryError> {
        Ok(Self)
    }
}

impl ToQuery for NoParams {
    fn to_query(&self) -> QueryPairs {
        QueryPairs::new()
    }
}

/// No body at all. Where a client's code is the same for all methods its serde form is `null`, which is never sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NoBody;

impl Body for NoBody {
    const ENCODING: Encoding = Encoding::None;
}

/// A streamed body of any media type (`*/*`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AnyBytes;

impl Body for AnyBytes {
    const ENCODING: Encoding = Encoding::Raw("*/*");
}

/// A streamed CAR file (`application/vnd.ipld.car`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CarBytes;

impl Body for CarBytes {
    const ENCODING: Encoding = Encoding::Raw("application/vnd.ipld.car");
}

/// Declares the marker type of one method and its [`Endpoint`].
macro_rules! endpoint {
    (
        $(#[$meta:meta])*
        $kind:ident $name:ident = $nsid:literal {
            params: $params:ty, input: $input:ty, output: $output:ty, errors: [$($error:literal),* $(,)?] $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $name;

        impl $crate::endpoint::Endpoint for $name {
            const NSID: &'static str = $nsid;
            const PATH: &'static str = concat!("/xrpc/", $nsid);
            const KIND: $crate::endpoint::Kind = $crate::endpoint::Kind::$kind;
            const ERRORS: &'static [&'static str] = &[$($error),*];
            type Params = $params;
            type Input = $input;
            type Output = $output;
        }
    };
}

/// Marks types as JSON bodies.
macro_rules! json_body {
    ($($body:ty),+ $(,)?) => {
        $(impl $crate::endpoint::Body for $body {
            const ENCODING: $crate::endpoint::Encoding = $crate::endpoint::Encoding::Json;
        })+
    };
}

pub(crate) use endpoint;
pub(crate) use json_body;
