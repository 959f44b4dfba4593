//! Blobs: what was uploaded, and which records refer to it.
//!
//! | kind | named by | says |
//! |---|---|---|
//! | `ArrobaBlob` | DID and CID | the upload, and how many records refer to it |
//! | `ArrobaBlobRef` | DID and path | to which blobs a record refers |
//! | `ArrobaBlobEpoch` | DID | which life of the repository counts |
//! | `ArrobaObject` | object | an upload on its way, or garbage |
//! | `ArrobaImport` | DID, import and number | references of an import that are not where they belong yet: [`import`] |
//!
//! All of it changes with the commit, in its transaction ([`BlobChange`]). The Python library writes none of it: a record that it
//! deletes keeps its references here until the path is written from here again.
//!
//! Blobs that live elsewhere are in the Python library's own kind: [`remote`].

mod change;
mod import;
mod read;
pub(super) mod remote;
mod sweep;
#[cfg(all(test, feature = "conformance"))]
mod tests;
mod transact;
mod upload;

pub(super) use change::{BlobChange, forget, is_unswept};
pub(super) use import::{StagedRefs, announce, carry_out, is_pending, stage, unstage};
pub(super) use read::{blob, counts, list, missing, references, temporary_bytes};
pub(super) use sweep::sweep;
pub(super) use upload::{abandon_upload, begin_upload, collected, garbage, put_temporary};
