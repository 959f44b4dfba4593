//! DIDs, handles, the PLC directory, and the lexicons that others publish.
//!
//! An identity from its first operation to its last, in a directory of this process
//! ([`DirectoryClient`](plc::DirectoryClient) is one elsewhere):
//!
//! ```
//! use arroba_core::crypto::{Curve, PrivateKey, Signer as _};
//! use arroba_core::handle;
//! use arroba_identity::{Clock, DidDocument, plc::{self, PlcDirectory as _}};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let directory = plc::Directory::new(Clock::system());
//! let rotation = PrivateKey::from_seed(Curve::K256, 1)?; // never so outside of tests
//! let signing = PrivateKey::from_seed(Curve::K256, 2)?;
//!
//! let state = plc::State::account(
//!     [rotation.public_key()],
//!     &signing.public_key(),
//!     &handle!("alice.test"),
//!     "https://pds.test",
//! );
//! let did = plc::create(&directory, state, &rotation).await?.did;
//! plc::update(&directory, &did, &rotation, |state| state.with_handle(&handle!("bob.test"))).await?;
//! plc::roll_back(&directory, &did, 1, &rotation).await?;
//!
//! let document = DidDocument::from_json(&did, directory.document(&did).await?)?;
//! assert_eq!(document.handle(), Some(handle!("alice.test")));
//! assert_eq!(document.signing_key(), Some(signing.public_key()));
//! plc::tombstone(&directory, &did, &rotation).await?;
//! # Ok(())
//! # }
//! ```

mod cache;
mod cache_settings;
mod clock;
mod did_document;
mod did_web;
mod error;
mod handle;
pub mod lexicon;
mod local;
pub mod plc;
mod resolver;

pub use self::{
    cache_settings::CacheSettings,
    clock::Clock,
    did_document::{DidDocument, DocumentError, MAX_DOCUMENT_BYTES},
    error::ResolveError,
    handle::HandleResolver,
    lexicon::{LexiconError, LexiconResolver},
    local::{Local, LocalIdentities},
    resolver::{HandleStatus, Identity, Resolver, ResolverBuilder},
};
