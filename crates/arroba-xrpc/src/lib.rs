//! XRPC endpoints, extractors, errors and subscriptions on axum.
//!
//! XRPC is HTTP with a fixed path shape, typed by lexicons. This crate turns an
//! [`Endpoint`](arroba_lexicons::Endpoint) and a handler into a route; it knows no storage and no accounts.
//!
//! - [`RouterExt::endpoint`] registers a handler; [`Query`], [`Input`] and [`RawBody`] are its typed input,
//!   [`Output`] its typed output and [`XrpcError`] its failure.
//! - [`Layers`] surround all routes: request ids, [`ClientIp`], CORS, decompression, panics, rate limits.
//! - [`Subscriptions`] serves frames over WebSockets from a [`FrameSource`].
//! - [`Forwarder`] sends requests on to other services, streamed both ways; [`Client`] calls methods itself.
//! - [`ServiceAuth`] verifies the tokens by which services speak for accounts.

mod body;
mod client;
mod client_ip;
mod error;
mod extract;
mod layers;
mod method;
mod proxy;
mod rate_limit;
mod service_auth;
mod subscription;

pub use body::{BodyLimit, RawBody};
pub use client::{CallError, Client};
pub use client_ip::{BehindProxy, ClientIp, ForwardedHttps};
pub use error::{Result, XrpcError};
pub use extract::{Input, Output, Query};
pub use layers::{Layers, Observed, Observer};
pub use method::RouterExt;
pub use proxy::{Answer, Destination, Forwarder, ProxyLimits, ReadAnswer, upstream_error};
pub use rate_limit::{RateLimit, RateLimits, RateStatus, RequestLimits, UnixClock};
pub use service_auth::{ServiceAuth, ServiceCaller, SigningKeys, bearer};
pub use subscription::{Batch, FrameSource, SubscriptionOptions, Subscriptions, Upgrade};
