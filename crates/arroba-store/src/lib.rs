//! Storage of repositories, blobs and accounts.
//!
//! Two narrow contracts, [`RepoStore`] and [`BlobIndex`], with numbered rules that every backend keeps and that the public
//! conformance suite checks (feature `conformance`); bytes of blobs in any object store ([`blobs::Blobs`]); signing keys sealed under a
//! master key ([`seal`]). A store knows no protocol rules: it keeps what it is given, whole.

#[cfg(feature = "sqlite")]
pub mod accounts;
mod blob_index;
pub mod blobs;
mod error;
mod query;
mod repo;
pub mod seal;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use blob_index::{BlobIndex, BlobRow, MissingBlob, NewBlob};
pub use error::{ApplyError, Cause, StoreError};
pub use query::{Block, BlockQuery, BlockStream, Order, RecordPage, RecordQuery, RecordRange, RecordRow};
pub use repo::{Counts, Head, Loaded, RepoEntry, RepoPage, RepoRow, RepoStatus, Subject};
#[cfg(feature = "sqlite")]
pub use sqlite::{Sqlite, SqliteOptions};
