//! DIDs, handles and the PLC directory.

mod clock;
mod did_document;
pub mod plc;

pub use self::{
    clock::Clock,
    did_document::{DidDocument, DocumentError, MAX_DOCUMENT_BYTES},
};
