//! What callers ask for, and what becomes of it.

use bytes::Bytes;

use crate::data::{Cid, Link};
use crate::syntax::RecordPath;

/// A write to one record. `value` is the record's block, and `cid` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Makes a record that must not exist.
    Create {
        /// Where.
        path: RecordPath,
        /// The record as DAG-CBOR.
        value: Bytes,
        /// The CID of `value`.
        cid: Cid,
    },
    /// Replaces a record that must exist.
    Update {
        /// Where.
        path: RecordPath,
        /// The record as DAG-CBOR.
        value: Bytes,
        /// The CID of `value`.
        cid: Cid,
    },
    /// Makes or replaces a record.
    Put {
        /// Where.
        path: RecordPath,
        /// The record as DAG-CBOR.
        value: Bytes,
        /// The CID of `value`.
        cid: Cid,
    },
    /// Deletes a record that must exist.
    Delete {
        /// Where.
        path: RecordPath,
    },
}

impl Write {
    /// A [`Write::Create`] of this block.
    pub fn create(path: RecordPath, value: Bytes) -> Self {
        let cid = Cid::for_cbor(&value);
        Self::Create { path, value, cid }
    }

    /// A [`Write::Update`] to this block.
    pub fn update(path: RecordPath, value: Bytes) -> Self {
        let cid = Cid::for_cbor(&value);
        Self::Update { path, value, cid }
    }

    /// A [`Write::Put`] of this block.
    pub fn put(path: RecordPath, value: Bytes) -> Self {
        let cid = Cid::for_cbor(&value);
        Self::Put { path, value, cid }
    }

    /// A [`Write::Delete`].
    pub const fn delete(path: RecordPath) -> Self {
        Self::Delete { path }
    }

    /// The record it is about.
    pub const fn path(&self) -> &RecordPath {
        match self {
            Self::Create { path, .. } | Self::Update { path, .. } | Self::Put { path, .. } => path,
            Self::Delete { path } => path,
        }
    }
}

/// What a commit does to a row of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordChange {
    /// The record is made or replaced.
    Put {
        /// Which.
        path: RecordPath,
        /// The CID of `bytes`.
        cid: Cid,
        /// The record's block.
        bytes: Bytes,
    },
    /// The record is deleted.
    Delete {
        /// Which.
        path: RecordPath,
        /// What it was.
        prev: Link,
    },
}

impl RecordChange {
    /// The record it is about.
    pub const fn path(&self) -> &RecordPath {
        match self {
            Self::Put { path, .. } | Self::Delete { path, .. } => path,
        }
    }
}
