//! Shapes that methods of this group share.

use arroba_core::{
    data::Cid,
    syntax::{AtUri, Tid},
};
use serde::{Deserialize, Serialize};

/// A commit, by CID and revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitMeta {
    /// The commit's CID.
    pub cid: Cid,
    /// The commit's revision.
    pub rev: Tid,
}

/// A record, by address and content (`com.atproto.repo.strongRef`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrongRef {
    /// The record's address.
    pub uri: AtUri,
    /// The record's CID.
    pub cid: Cid,
}
