//! Google Cloud Datastore: repositories as the Python library stores them.
//!
//! [`Datastore`] is the store. [`Rpc`] is the service at the level of its own messages; [`Connection`] speaks to the service or to its emulator. [`Client`] is what
//! the store uses: it splits what is too large, follows what the service leaves unfinished, repeats what may be repeated, and says
//! so when nobody can know what happened. [`entity`] turns stored entities into types and back, property by property as the
//! Python library stores them.

mod apply;
mod blob_index;
mod blobs;
mod blocks;
mod client;
mod connection;
mod counts;
mod database;
mod decide;
pub mod entity;
mod error;
mod event;
mod handles;
mod keys;
pub mod limits;
mod listing;
mod log;
mod plan;
mod read;
mod remote_blob_index;
mod retry;
mod rows;
mod rpc;
mod select;
mod sequences;
mod size;
mod stage;
mod store;
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
pub use store::{Datastore, DatastoreOptions};

/// The messages of the API (`google.datastore.v1`), as generated.
pub use gcloud_sdk::google::datastore::v1 as api;
/// A moment, as the API writes it.
pub use gcloud_sdk::prost_types::Timestamp;
/// The status that an RPC fails with.
pub use gcloud_sdk::tonic::{Code, Status};
