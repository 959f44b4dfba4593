//! Shapes that the JSON bodies of several methods share.

mod blob;
mod known;
mod optional;
mod secret;
mod swap;

pub use blob::Blob;

pub use known::{AccountStatus, ValidationStatus};
pub(crate) use optional::present;
pub use secret::Secret;
pub use swap::SwapRecord;

/// JSON text kept as it was written: the value of a record, a preference.
///
/// On the way in it is turned into the data model once, by the code that needs it; on the way out it was
/// produced from stored bytes and is not parsed again.
pub type RawJson = Box<serde_json::value::RawValue>;
