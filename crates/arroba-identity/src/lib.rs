//! DIDs, handles and the PLC directory.

mod cache;
mod clock;
mod did_document;
mod did_web;
mod error;
mod handle;
mod local;
pub mod plc;
mod resolver;

pub use self::{
    clock::Clock,
    did_document::{DidDocument, DocumentError, MAX_DOCUMENT_BYTES},
    error::ResolveError,
    handle::HandleResolver,
    local::{Local, LocalIdentities},
    resolver::{HandleStatus, Identity, Resolver, ResolverBuilder},
};
