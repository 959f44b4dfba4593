//! Identifiers and string formats, each a type that holds nothing malformed.
//!
//! Parsers are strict and never trim. Literals can be checked when compiling: [`nsid!`](crate::nsid),
//! [`did!`](crate::did), [`handle!`](crate::handle), [`record_key!`](crate::record_key).
//!
//! ```
//! use arroba_core::{nsid, syntax::{AtUri, Handle, Tid}};
//! let uri = AtUri::parse("at://did:plc:yk4dd2qkboz2yv6tpubpc6co/app.bsky.feed.post/3jzfcijpj2z2a")?;
//! assert_eq!(uri.collection(), Some(nsid!("app.bsky.feed.post")));
//! assert_eq!(Tid::parse(uri.rkey().unwrap().as_str())?.micros(), 1_688_137_381_887_007);
//! assert_eq!(Handle::parse("Alice.Example.COM")?.as_str(), "alice.example.com");
//! assert!(Handle::parse("alice").is_err());
//! # Ok::<(), arroba_core::syntax::SyntaxError>(())
//! ```

mod at_identifier;
mod at_uri;
mod cid_text;
mod datetime;
mod did;
mod did_service;
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
pub use did_service::{Audience, DidService};
pub use error::SyntaxError;
pub use handle::Handle;
pub use language::Language;
pub use nsid::Nsid;
pub use record_key::RecordKey;
pub use record_path::RecordPath;
pub use tid::Tid;
pub use uri::Uri;
