//! Storage of repositories, blobs and accounts.
//!
//! Narrow contracts, [`RepoStore`], [`BlobIndex`] and [`RemoteBlobIndex`], with numbered rules that every backend keeps and that the public
//! conformance suite checks (feature `conformance`); bytes of blobs in any object store ([`blobs::Blobs`]); signing keys sealed under a
//! master key ([`seal`]). A store knows no protocol rules: it keeps what it is given, whole.

#[cfg(feature = "sqlite")]
pub mod accounts;
mod backlinks;
mod blob_index;
pub mod blobs;
mod change;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "datastore")]
pub mod datastore;
mod error;
mod log;
mod memory;
mod query;
mod remote_blob_index;
mod repo;
mod repo_store;
mod reservation;
pub mod seal;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use backlinks::{BacklinkPiece, Backlinks};
pub use blob_index::{BlobIndex, BlobRow, MissingBlob, NewBlob};
pub use change::{Applied, Change, ChangeKind, CommitChange};
pub use error::{ApplyError, Cause, StoreError};
pub use log::{EventPage, Retention, StoredEvent, Swept};
pub use memory::Memory;
pub use query::{Block, BlockQuery, BlockStream, Order, RecordPage, RecordQuery, RecordRange, RecordRow};
pub use remote_blob_index::{RemoteAttempt, RemoteBlob, RemoteBlobIndex, RemoteContent};
pub use repo::{Counts, Head, Loaded, RepoCursor, RepoEntry, RepoPage, RepoRow, RepoStatus, Subject};
pub use repo_store::{RepoStore, Stage, StagedRecord};
pub use reservation::{Reclaim, Reservation};
#[cfg(feature = "sqlite")]
pub use sqlite::{Sqlite, SqliteOptions, WriterFigures};
