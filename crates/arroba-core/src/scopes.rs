//! OAuth permission scopes: what a scope string says, whether it allows a request, what it means in English.
//!
//! A [`Scope`] is one scope string, parsed; [`Scopes`] is what a session holds, or "all"; a [`Permission`] is
//! what one request needs. Permission sets (`include:`) are expanded by their schema, which the caller has
//! resolved: nothing here asks the network.
//!
//! A string that is malformed, or of a resource, parameter or value that is not known, grants nothing and harms
//! nothing: a request for several scopes goes on without it.
//!
//! ```
//! use arroba_core::event::Action;
//! use arroba_core::nsid;
//! use arroba_core::scopes::{Permission, Scopes};
//!
//! let scopes = Scopes::parse("atproto repo:app.bsky.feed.post?action=create future:thing");
//! let post = |action| Permission::repo(nsid!("app.bsky.feed.post"), action);
//! assert!(scopes.allows(&post(Action::Create)));
//! let refused = scopes.check(&post(Action::Delete)).unwrap_err();
//! assert_eq!(refused.to_string(), "missing scope repo:app.bsky.feed.post?action=delete");
//! assert!(Scopes::ALL.allows(&post(Action::Delete)));
//! ```
//!
//! # Beyond the Python library
//!
//! arroba 3.1 in Python knows `repo`, `rpc`, `atproto` and `transition:generic`. Here there are also `blob`,
//! `account`, `identity`, `include` and the other transitional scopes, as the specification has them. Where
//! the two disagree, the specification holds:
//!
//! - `transition:generic` also allows blobs, and does not reach `chat.bsky.*` methods, which
//!   `transition:chat.bsky` adds to it;
//! - `rpc` with `*` both among its methods and for its audience is malformed, also if other methods stand
//!   beside the `*`;
//! - a `+` in a parameter is a plus sign, never a space, and percent-encoding is strict; empty pairs between
//!   `&` are skipped, and a `?` may stand before nothing;
//! - an audience is a valid DID with a valid fragment;
//! - methods, collections and actions are sets: descriptions name each once, in order.
//!
//! Spec: <https://atproto.com/specs/permission>

mod account;
mod blob;
mod describe;
mod error;
mod include;
mod permission;
mod repo;
mod rpc;
mod scope;
mod selection;
mod set;
mod text;

pub use account::{AccountAction, AccountAttribute, AccountScope, IdentityScope};
pub use blob::{BlobScope, MediaRange, MediaType};
pub use error::{InsufficientScope, ScopeError, UnresolvedSet};
pub use include::IncludeScope;
pub use permission::Permission;
pub use repo::RepoScope;
pub use rpc::{RpcAudience, RpcScope};
pub use scope::{Scope, Transition};
pub use selection::Selection;
pub use set::Scopes;
pub use text::ScopeText;
