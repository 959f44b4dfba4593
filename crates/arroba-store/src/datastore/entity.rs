//! The entities that the Python library stores, as types; exactly as it reads and writes them.
//!
//! Reading takes what the Python library takes: properties that are missing where it has a default, properties that it does not know,
//! both forms of a commit's operations. Everything else is an [`EntityError`] that names kind, key and property. Writing gives the
//! one form that it writes: a missing single value as an explicit null, times as whole microseconds, keys and big texts without an
//! index. Whatever else an entity held is dropped by the next write, there and here; [`AtpRemoteBlob::onto`] keeps it.
//!
//! What the Python library has no place for is in kinds of our own, whose names begin with `Arroba`. It never reads them.

mod arroba_blob;
mod arroba_blob_epoch;
mod arroba_blob_ref;
mod arroba_handle;
mod arroba_hidden;
mod arroba_import;
mod arroba_object;
mod arroba_repo;
mod arroba_reservation;
mod block;
mod error;
mod ops;
mod properties;
mod remote_blob;
mod repo;
mod sequence;
mod values;

pub(in crate::datastore) use arroba_blob::blob_name;
pub use arroba_blob::{ArrobaBlob, Upload};
pub use arroba_blob_epoch::{ArrobaBlobEpoch, PendingImport};
pub use arroba_blob_ref::ArrobaBlobRef;
pub use arroba_handle::ArrobaHandle;
pub use arroba_hidden::ArrobaHidden;
pub use arroba_import::ArrobaImport;
pub use arroba_object::ArrobaObject;
pub use arroba_repo::{ArrobaRepo, Creating, Tip};
pub use arroba_reservation::ArrobaReservation;
pub use block::AtpBlock;
pub use error::{EntityError, EntityProblem};
pub use remote_blob::AtpRemoteBlob;
pub use repo::{AtpRepo, StoredStatus};
pub use sequence::AtpSequence;
