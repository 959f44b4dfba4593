//! A block or an event: kind `AtpBlock`, named by the CID.

use std::collections::HashMap;

use arroba_core::{
    data::{Cid, Codec},
    event::RepoOp,
    syntax::Did,
};
use bytes::Bytes;
use gcloud_sdk::google::datastore::v1::{Entity, Key, value::ValueType};

use super::{
    super::Database,
    EntityError, EntityProblem, ops,
    properties::{KEY, Properties, cid},
    values::{indexed, integer, or_null, repo, time, unindexed},
};

/// A record, a tree node, a commit, or an event that is no commit. Repositories share blocks with the same content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtpBlock {
    /// The CID of `encoded`.
    pub cid: Cid,
    /// The repository that stored it first; others may use it too.
    pub repo: Option<Did>,
    /// The block's DAG-CBOR.
    pub encoded: Bytes,
    /// The seq of the commit or event that stored it first; 0 for an import by the Python library.
    pub seq: u64,
    /// What the commit did, if it is one and did something.
    pub ops: Vec<RepoOp>,
    /// When it was stored, in microseconds since 1970; for a commit its time.
    pub created: Option<u64>,
}

impl AtpBlock {
    /// The kind.
    pub const KIND: &'static str = "AtpBlock";

    /// The key of a block.
    pub fn key(database: &Database, cid: &Cid) -> Key {
        database.key(Self::KIND, &cid.to_string())
    }

    /// Reads the entity. Whether the bytes have the CID is left to the caller: hashing costs more than all the rest
    /// ([`AtpBlock::is_intact`]).
    ///
    /// # Errors
    /// [`EntityError`]. Repository, operations and time may be missing.
    pub fn from_entity(entity: Entity) -> Result<Self, EntityError> {
        let mut from = Properties::open(entity, Self::KIND)?;
        let cid = cid(from.name(), Codec::DagCbor).map_err(|problem| from.error(KEY, problem))?;
        let encoded = from.blob(ENCODED)?;
        let seq = from.number(SEQ)?;
        Ok(Self {
            cid,
            repo: from.repo(REPO)?,
            encoded: from.required(ENCODED, encoded)?.into(),
            seq: from.required(SEQ, seq)?,
            ops: ops::take(&mut from)?,
            created: from.time(CREATED)?,
        })
    }

    /// Writes the entity.
    ///
    /// # Errors
    /// [`EntityError`] for a seq or a time that is out of range.
    pub fn to_entity(&self, database: &Database) -> Result<Entity, EntityError> {
        let error = |property| {
            move |problem: EntityProblem| EntityError {
                kind: Self::KIND,
                key: self.cid.to_string(),
                property,
                problem,
            }
        };
        let created = self.created.map(time).transpose().map_err(error(CREATED))?;
        let mut properties = HashMap::from([
            (REPO.to_owned(), indexed(or_null(self.repo.as_ref().map(|did| repo(database, did))))),
            (ENCODED.to_owned(), unindexed(ValueType::BlobValue(self.encoded.to_vec()))),
            (SEQ.to_owned(), indexed(integer(self.seq).map_err(error(SEQ))?)),
            (CREATED.to_owned(), indexed(or_null(created))),
        ]);
        properties.extend(ops::values(&self.ops));
        Ok(Entity { key: Some(Self::key(database, &self.cid)), properties })
    }

    /// Whether the bytes have the CID.
    pub fn is_intact(&self) -> bool {
        self.cid.matches(&self.encoded)
    }
}

const REPO: &str = "repo";
const ENCODED: &str = "encoded";
const SEQ: &str = "seq";
const CREATED: &str = "created";
