//! HTTP client and DNS for targets that someone else chooses.
//!
//! A DID document, a handle, a proxy header or a client's metadata name hosts, and this crate is how they are
//! asked. [`GuardedClient`] never reaches into the network that the server stands in, and every answer has an
//! end in bytes and in time. Endpoints that the operator configures use clients of their own.

mod address;
mod client;
mod dns;
mod error;
mod progress;
mod request;
mod response;

pub use self::{
    address::{Guard, is_public},
    client::GuardedClient,
    dns::{BackupDns, Dns, DnsError, SystemDns},
    error::FetchError,
    request::{Limits, Request, RequestBody},
    response::{Body, Response},
};
pub use url::Url;
