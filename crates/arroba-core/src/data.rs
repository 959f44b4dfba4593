//! The data model: one [`Value`] type, CIDs, strict DAG-CBOR in and out, JSON in and out.
//!
//! ```
//! use arroba_core::data::{Cid, cbor, json};
//! let record = json::from_str(r#"{"$type": "com.example.note", "text": "hi", "b": {"$bytes": "AQI"}}"#)?;
//! let block = cbor::encode(&record);
//! assert_eq!(cbor::decode(&block)?, record);
//! assert!(Cid::for_cbor(&block).matches(&block));
//! let mut text = Vec::new();
//! json::from_cbor(&block, &mut text)?;
//! assert_eq!(text, br#"{"b":{"$bytes":"AQI"},"text":"hi","$type":"com.example.note"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Spec: <https://atproto.com/specs/data-model>

pub mod base32;
pub mod blob_ref;
pub mod cbor;
pub mod cid;
pub mod json;
pub mod record;
pub mod value;

pub use blob_ref::{BlobRef, FoundBlob};
pub use cid::{Cid, CidError, Codec, Link};
pub use value::{Map, Value};

/// The deepest nesting of lists and maps that is decoded: a scalar inside one map has depth one.
pub const MAX_DEPTH: usize = 32;

/// The largest record, in bytes of DAG-CBOR, that may be written (it must fit a firehose event).
pub const MAX_RECORD_BYTES: usize = 1_000_000;

/// The largest record, in bytes of DAG-CBOR, that is accepted from elsewhere (1 MiB).
pub const MAX_FOREIGN_RECORD_BYTES: usize = 1 << 20;

/// The longest map key, in bytes.
pub const MAX_KEY_BYTES: usize = 8192;

/// The most elements in one list, or entries in one map.
pub const MAX_CONTAINER_ELEMENTS: usize = 131_072;
