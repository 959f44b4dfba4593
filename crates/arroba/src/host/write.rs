//! What a commit is made of, and what came of it.

use arroba_core::data::{Cid, Value};
use arroba_core::syntax::{AtUri, Nsid, RecordKey, Tid};
use arroba_lexicons::json::{RawJson, SwapRecord, ValidationStatus};

use crate::records::Validate;

/// The content of a record: the data model itself, or JSON that stands for it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Content {
    /// A value of the data model.
    Value(Value<'static>),
    /// JSON, with `$link` and `$bytes` where the data model has links and bytes.
    Json(serde_json::Value),
    /// JSON that was not parsed yet.
    RawJson(RawJson),
}

impl From<Value<'static>> for Content {
    fn from(value: Value<'static>) -> Self {
        Self::Value(value)
    }
}

impl From<serde_json::Value> for Content {
    fn from(json: serde_json::Value) -> Self {
        Self::Json(json)
    }
}

impl From<RawJson> for Content {
    fn from(json: RawJson) -> Self {
        Self::RawJson(json)
    }
}

/// One write to one record.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Write {
    /// Adds a record; fails if one exists at the key.
    Create {
        /// The collection.
        collection: Nsid,
        /// The key; a fresh TID if none is given.
        rkey: Option<RecordKey>,
        /// The record.
        content: Content,
    },
    /// Replaces a record; fails if there is none.
    Update {
        /// The collection.
        collection: Nsid,
        /// The key.
        rkey: RecordKey,
        /// The record.
        content: Content,
    },
    /// Adds or replaces a record.
    Put {
        /// The collection.
        collection: Nsid,
        /// The key.
        rkey: RecordKey,
        /// The record.
        content: Content,
        /// What must be there before.
        swap: SwapRecord,
    },
    /// Removes a record; does nothing if there is none.
    Delete {
        /// The collection.
        collection: Nsid,
        /// The key.
        rkey: RecordKey,
        /// What must be there before.
        swap: SwapRecord,
    },
}

impl Write {
    /// Adds a record under a fresh key.
    pub fn create(collection: Nsid, content: impl Into<Content>) -> Self {
        Self::Create { collection, rkey: None, content: content.into() }
    }

    /// Adds a record under `rkey`.
    pub fn create_at(collection: Nsid, rkey: RecordKey, content: impl Into<Content>) -> Self {
        Self::Create { collection, rkey: Some(rkey), content: content.into() }
    }

    /// Replaces the record at `rkey`.
    pub fn update(collection: Nsid, rkey: RecordKey, content: impl Into<Content>) -> Self {
        Self::Update { collection, rkey, content: content.into() }
    }

    /// Adds or replaces the record at `rkey`.
    pub fn put(collection: Nsid, rkey: RecordKey, content: impl Into<Content>) -> Self {
        Self::Put { collection, rkey, content: content.into(), swap: SwapRecord::Any }
    }

    /// Removes the record at `rkey`, if there is one.
    #[must_use]
    pub const fn delete(collection: Nsid, rkey: RecordKey) -> Self {
        Self::Delete { collection, rkey, swap: SwapRecord::Any }
    }

    /// The collection written to.
    #[must_use]
    pub const fn collection(&self) -> &Nsid {
        match self {
            Self::Create { collection, .. }
            | Self::Update { collection, .. }
            | Self::Put { collection, .. }
            | Self::Delete { collection, .. } => collection,
        }
    }
}

/// How a commit is to be made.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CommitOptions {
    /// Which records are checked against their lexicon.
    pub validate: Validate,
    /// The commit that must be the newest one before.
    pub swap_commit: Option<Cid>,
    /// Whether a created like, repost, follow or block takes the place of those with the same subject.
    pub replace_duplicates: bool,
}

impl CommitOptions {
    /// Checks records as `validate` says.
    #[must_use]
    pub const fn validate(mut self, validate: Validate) -> Self {
        self.validate = validate;
        self
    }

    /// Goes ahead only if `commit` is the newest one.
    #[must_use]
    pub const fn swap_commit(mut self, commit: Option<Cid>) -> Self {
        self.swap_commit = commit;
        self
    }

    /// Lets a created like, repost, follow or block take the place of those with the same subject.
    #[must_use]
    pub const fn replace_duplicates(mut self, replace: bool) -> Self {
        self.replace_duplicates = replace;
        self
    }
}

/// What became of a batch of writes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommitOutcome {
    /// The commit, or `None` if the repo already was as the writes wanted it.
    pub commit: Option<CommitMeta>,
    /// One result for each write, in the order given.
    pub results: Vec<WriteResult>,
}

/// Names a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommitMeta {
    /// The commit block.
    pub cid: Cid,
    /// Its revision.
    pub rev: Tid,
    /// The sequence number of its event, if it has one: an import into a repo that is not active is not announced.
    pub seq: Option<u64>,
}

impl CommitMeta {
    pub(crate) const fn new(cid: Cid, rev: Tid, seq: Option<u64>) -> Self {
        Self { cid, rev, seq }
    }
}

/// What became of one write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteResult {
    /// The record was added.
    Created(Written),
    /// The record was replaced, or already was as it was to be.
    Updated(Written),
    /// The record is not there any more, if it ever was.
    Deleted(AtUri),
}

/// A record as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// Where it is.
    pub uri: AtUri,
    /// Its CID.
    pub cid: Cid,
    /// What the check against its lexicon said; `None` if nobody looked.
    pub validation: Option<ValidationStatus>,
}
