//! The methods and record schemas of the AT Protocol, as Rust types and as facts.
//!
//! - [`Endpoint`] describes one XRPC method; every method that a PDS serves has a file of its own, for example
//!   [`com_atproto::repo::create_record`].
//! - [`query`] reads and writes the parameters of a method.
//! - [`catalog()`] holds the schemas of these methods and of the record types of Bluesky, to check data against.
//! - [`backlinks`] knows which records of Bluesky say the same thing twice.
//!
//! The types here are wire types: they hold what a lexicon says and nothing more. Every field is public, since
//! any value that its type admits is legal on the wire.

pub mod endpoint;

pub mod query;

pub mod json;

pub mod com_atproto;

pub mod app_bsky;

pub mod schemas;

pub mod backlinks;

pub use endpoint::{AnyBytes, Body, CarBytes, Encoding, Endpoint, Kind, NoBody, NoParams};
pub use json::RawJson;
pub use query::{FromQuery, QueryError, QueryPairs, ToQuery};
pub use schemas::catalog;
