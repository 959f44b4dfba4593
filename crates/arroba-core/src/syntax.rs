//! Identifiers and string formats, each a type that holds nothing malformed.
//!
//! Parsers are strict and never trim. Literals can be checked when compiling: [`nsid!`](crate::nsid),
//! [`did!`](crate::did), [`handle!`](crate::handle), [`record_key!`](crate::record_key).

mod at_identifier;
mod at_uri;
mod cid_text;
mod datetime;
mod did;
mod error;
mod handle;
mod language;
mod nsid;
mod record_key;
mod record_path;
mod text;
mod tid;
mod uri;

pub use at_identifier::AtIdentifier;
pub use at_uri::AtUri;
pub use cid_text::CidText;
pub use datetime::Datetime;
pub use did::Did;
pub use error::SyntaxError;
pub use handle::Handle;
pub use language::Language;
pub use nsid::Nsid;
pub use record_key::RecordKey;
pub use record_path::RecordPath;
pub use tid::Tid;
pub use uri::Uri;
