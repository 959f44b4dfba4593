//! Integration tests of the stores.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "it/conformance.rs"]
mod conformance;
#[cfg(feature = "datastore")]
#[path = "it/datastore.rs"]
mod datastore;
#[path = "it/faults.rs"]
mod faults;
#[path = "it/files.rs"]
mod files;
#[path = "it/hot.rs"]
mod hot;
#[path = "it/old_files.rs"]
mod old_files;
