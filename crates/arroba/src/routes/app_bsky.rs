//! `app.bsky.*`, as far as a PDS serves it.

pub(super) mod actor;
