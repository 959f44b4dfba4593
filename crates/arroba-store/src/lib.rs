//! Storage of repositories, blobs and accounts.

#[cfg(feature = "sqlite")]
pub mod accounts;
pub mod error;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use error::StoreError;
#[cfg(feature = "sqlite")]
pub use sqlite::{Sqlite, SqliteOptions};
