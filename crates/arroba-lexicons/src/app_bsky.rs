//! The methods `app.bsky.*` that a PDS serves itself.

pub mod actor;
