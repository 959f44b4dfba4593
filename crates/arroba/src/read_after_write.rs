//! What the caller has just written, in the answers of services that have not seen it yet.
//!
//! A service says with an answer how far it knows the caller's repo (`Atproto-Repo-Rev`). If the repo is further, its
//! newer records are put into the answer, the ones that are gone are taken out, and `Atproto-Upstream-Lag` says how far
//! behind the service is, in milliseconds. An answer that is not JSON, larger than [`MAX_BYTES`], or of an unknown shape
//! passes as it came.
//!
//! | method of `app.bsky` | what is patched |
//! |---|---|
//! | `actor.getProfile`, `getProfiles` | the caller's own name, description and pictures |
//! | `feed.getTimeline`, `getAuthorFeed` | own new posts, deleted ones, likes and reposts; in `getAuthorFeed` the author too |
//! | `feed.getActorLikes` | the caller as author, likes and reposts |
//! | `feed.getPosts`, `unspecced.getPostThreadV2` | likes and reposts |
//! | `feed.getPostThread` | own new replies, likes and reposts; a thread that only this server knows is made here |
//!
//! `unspecced.getPostThreadV2` gets no new replies, as neither the reference server nor the Python library puts any there: its thread is
//! flat, and what stands where, under how many others and behind which fold, is the service's own choice, which it announces as subject
//! to change. Who wants them there patches the method with [`ProxyBuilder::read_after_write`](crate::proxy::ProxyBuilder::read_after_write).
//!
//! Guide: <https://atproto.com/guides/writing-data#read-after-write>

mod apply;
mod embedded;
mod feed;
mod load;
mod local;
mod profile;
mod thread;
mod viewer;
mod views;

use std::sync::Arc;

use arroba_core::syntax::Nsid;
use serde_json::Value;

pub(crate) use self::apply::apply;
pub use self::local::{LocalRecord, LocalWrites};

/// The largest answer that is looked into, in bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// The most records that are put into an answer, and the most that are looked for because an answer names them.
pub const MAX_RECORDS: usize = 100;

/// A change of an answer, given what was written; it says whether it changed anything.
type Change = Arc<dyn Fn(&mut Value, &LocalWrites) -> bool + Send + Sync>;

/// How the answers of one method are changed.
#[derive(Clone)]
pub(crate) struct Patch {
    change: Change,
    /// A builder's own, which may want records of any collection.
    own: bool,
    /// Whether posts are put in, whose embedded records must be known.
    posts: bool,
}

impl Patch {
    pub(crate) fn own(change: impl Fn(&mut Value, &LocalWrites) -> bool + Send + Sync + 'static) -> Self {
        Self { change: Arc::new(change), own: true, posts: false }
    }
}

/// Changes an answer of `method` as the server does by itself, and says whether it changed anything.
pub fn patch(method: &Nsid, answer: &mut Value, local: &LocalWrites) -> bool {
    built_in(method).is_some_and(|patch| (patch.change)(answer, local))
}

/// What is done for a method of `app.bsky`.
pub(crate) fn built_in(method: &Nsid) -> Option<Patch> {
    let (change, posts): (fn(&mut Value, &LocalWrites) -> bool, bool) = match method.as_str() {
        "app.bsky.actor.getProfile" => (profile::one, false),
        "app.bsky.actor.getProfiles" => (profile::many, false),
        "app.bsky.feed.getActorLikes" => (feed::actor_likes, false),
        "app.bsky.feed.getAuthorFeed" => (feed::author_feed, true),
        "app.bsky.feed.getPostThread" => (thread::replies, true),
        "app.bsky.feed.getPosts" => (viewer::posts, false),
        "app.bsky.feed.getTimeline" => (feed::timeline, true),
        "app.bsky.unspecced.getPostThreadV2" => (viewer::flat_thread, false),
        _ => return None,
    };
    Some(Patch { change: Arc::new(change), own: false, posts })
}
