//! Google Cloud Datastore: the connection, and the Python library's own entities.
//!
//! [`Rpc`] is the service at the level of its own messages; [`Connection`] speaks to the service or to its emulator. [`Client`] is what
//! the store uses: it splits what is too large, follows what the service leaves unfinished, repeats what may be repeated, and says
//! so when nobody can know what happened. [`entity`] turns stored entities into types and back, property by property as the
//! Python library stores them.
#![cfg_attr(
    not(test),
    expect(clippy::allow_attributes, reason = "what is not used yet: the store on it is being written")
)]

#[cfg_attr(not(test), allow(dead_code, reason = "the store on it is being written"))]
mod blocks;
mod client;
mod connection;
mod counts;
mod database;
pub mod entity;
mod error;
mod event;
mod keys;
pub mod limits;
#[cfg_attr(not(test), allow(dead_code, reason = "the store on it is being written"))]
mod log;
#[cfg_attr(not(test), allow(dead_code, unused_imports, reason = "the store on it is being written"))]
mod read;
mod retry;
mod rpc;
mod select;
mod sequences;
mod size;
#[cfg(feature = "conformance")]
pub mod testing;

pub use client::{
    Batches, Begin, Client, ClientOptions, Lookup, QueryPage, Reads, Transaction, delete, insert, update,
    upsert,
};
pub use connection::{ConnectError, Connection, ConnectionOptions};
pub use counts::RpcCounts;
pub use database::{Database, key_name};
pub use error::{DatastoreError, Malformed};
pub use event::{StoredEventError, stored_event};
pub use keys::{EncryptedPropertyKeys, PemError, PropertyKeyError, private_key_from_pem, private_key_to_pem};
pub use limits::{LimitError, Limits};
pub use log::LogOptions;
pub use rpc::{Rpc, RpcKind};
pub use select::Select;
pub use sequences::{
    Fence, GivenUp, MemcachedError, MemcachedOptions, Numbering, SequenceError, SequenceOptions, Sequences,
};

/// The messages of the API (`google.datastore.v1`), as generated.
pub use gcloud_sdk::google::datastore::v1 as api;
/// A moment, as the API writes it.
pub use gcloud_sdk::prost_types::Timestamp;
/// The status that an RPC fails with.
pub use gcloud_sdk::tonic::{Code, Status};
