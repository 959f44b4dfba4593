//! `com.atproto.*`

pub(super) mod repo;
pub(super) mod sync;
