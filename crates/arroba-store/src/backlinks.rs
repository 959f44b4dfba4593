//! Which records say something about a target.

use arroba_core::{data::Cid, syntax::RecordPath};

/// What a store knows of the records that have a backlink to a target.
///
/// What a backlink is, the store does not know: it keeps the texts that come with records and finds records by them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backlinks {
    /// The store keeps no such index: look at the records.
    NotIndexed,
    /// The repository is older than the index: the records behind `after` still have to be given to
    /// [`RepoStore::fill_backlinks`](crate::RepoStore::fill_backlinks).
    Incomplete {
        /// Up to where it is filled; nothing at the start.
        after: Option<RecordPath>,
    },
    /// The records, in the order of their paths.
    Found(Vec<RecordPath>),
}

/// The backlinks of records that were there before the index was: a piece of one repository, in the order of paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BacklinkPiece {
    /// Where the piece before ended, exclusive: what [`Backlinks::Incomplete`] said.
    pub after: Option<RecordPath>,
    /// The backlinks of the records behind `after` up to `up_to`, each with the version of the record that has it. They are not
    /// counted for a record that is another one by now, or gone.
    pub links: Vec<(RecordPath, Cid, String)>,
    /// Where this piece ends, inclusive; nothing if no record with a backlink follows.
    pub up_to: Option<RecordPath>,
}
