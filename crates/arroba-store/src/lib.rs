//! Storage of repositories, blobs and accounts.

pub mod error;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use error::StoreError;
#[cfg(feature = "sqlite")]
pub use sqlite::{Sqlite, SqliteOptions};
