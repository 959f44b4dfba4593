//! Lexicons that others publish: from a name to its schema, with proof.
//!
//! The domain of a name's authority names a DID in DNS; the DID's account keeps the schema as a record; the record comes with
//! a proof that the account has signed. Every step has a limit in time and size, and an error of its own.
//!
//! Spec: <https://atproto.com/specs/lexicon#lexicon-publication-and-resolution>

mod error;
mod fetch;
mod gather;
mod resolver;

pub use self::{
    error::LexiconError,
    fetch::Lexicon,
    gather::{Gathered, MAX_GATHERED, MAX_GATHERED_BYTES},
    resolver::{LexiconResolver, LexiconResolverBuilder},
};
