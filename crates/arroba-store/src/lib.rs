//! Storage of repositories, blobs and accounts.
