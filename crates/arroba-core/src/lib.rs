//! The AT Protocol without IO: identifiers, data model, repositories, Merkle search trees, verification.
//!
//! Nothing here performs IO, reads a clock, draws randomness or spawns anything: the same input gives the
//! same bytes.

pub mod syntax;

pub mod data;

pub mod car;

pub mod crypto;

pub mod mst;

pub mod repo;

pub mod signed;

pub mod event;

pub mod lexicon;

pub mod scopes;
