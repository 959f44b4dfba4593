//! Threads: the caller's new replies, and threads that the service does not know at all.

use std::collections::HashSet;

use arroba_core::nsid;
use arroba_core::syntax::Nsid;
use serde_json::{Value, json};

use super::local::{LocalRecord, LocalWrites, POST};
use super::viewer::{each, in_field, is};
use super::views;
use crate::proxy::Call;

pub(super) const METHOD: &str = "app.bsky.feed.getPostThread";
const GET_POST_THREAD: Nsid = nsid!("app.bsky.feed.getPostThread");
const VIEW: &str = "app.bsky.feed.defs#threadViewPost";

/// `app.bsky.feed.getPostThread`
pub(super) fn replies(answer: &mut Value, local: &LocalWrites) -> bool {
    let Some(thread) = answer.get_mut("thread").filter(|thread| is(thread, VIEW)) else { return false };
    let changed = add_replies(thread, local, local.records(&POST).iter());
    mark(thread, local) | changed
}

/// Own likes and reposts, in the whole thread.
fn mark(thread: &mut Value, local: &LocalWrites) -> bool {
    if !is(thread, VIEW) {
        return false;
    }
    let mut changed = in_field(thread, "post", local);
    changed |= thread.get_mut("parent").is_some_and(|parent| mark(parent, local));
    each(thread.get_mut("replies"), |reply| mark(reply, local)) | changed
}

/// Puts replies to the thread into it, the oldest first, since later ones may reply to them; takes deleted ones out.
fn add_replies<'a>(
    thread: &mut Value,
    local: &LocalWrites,
    posts: impl DoubleEndedIterator<Item = &'a LocalRecord>,
) -> bool {
    let mut changed = prune(thread, local);
    let Some(root) = root(thread).map(str::to_owned) else { return changed };
    let mut there = HashSet::new();
    addresses(thread, &mut there);
    for post in posts.rev() {
        let reply = |name| post.value.pointer(name).and_then(Value::as_str);
        let (Some(parent), Some(own_root)) = (reply("/reply/parent/uri"), reply("/reply/root/uri")) else {
            continue;
        };
        if own_root == root && !there.contains(post.uri.as_str()) && place(thread, parent, post, local) {
            there.insert(post.uri.to_string());
            changed = true;
        }
    }
    changed
}

/// The post that a thread hangs on.
fn root(thread: &Value) -> Option<&str> {
    let root = thread.pointer("/post/record/reply/root/uri").and_then(Value::as_str);
    root.or_else(|| thread.pointer("/post/uri")?.as_str())
}

fn addresses(thread: &Value, found: &mut HashSet<String>) {
    found.extend(thread.pointer("/post/uri").and_then(Value::as_str).map(str::to_owned));
    if let Some(parent) = thread.get("parent") {
        addresses(parent, found);
    }
    for reply in thread.get("replies").and_then(Value::as_array).into_iter().flatten() {
        addresses(reply, found);
    }
}

fn place(thread: &mut Value, parent: &str, post: &LocalRecord, local: &LocalWrites) -> bool {
    if !is(thread, VIEW) {
        return false;
    }
    if thread.pointer("/post/uri").and_then(Value::as_str) != Some(parent) {
        let replies = thread.get_mut("replies").and_then(Value::as_array_mut);
        return replies.into_iter().flatten().any(|reply| place(reply, parent, post, local));
    }
    let Some(thread) = thread.as_object_mut() else { return false };
    let replies = thread.entry("replies").or_insert_with(|| json!([]));
    let Some(replies) = replies.as_array_mut() else { return false };
    replies.insert(0, view(local, post));
    true
}

fn prune(thread: &mut Value, local: &LocalWrites) -> bool {
    let Some(replies) = thread.get_mut("replies").and_then(Value::as_array_mut) else { return false };
    let before = replies.len();
    let gone = |reply: &Value| {
        reply.pointer("/post/uri").and_then(Value::as_str).is_some_and(|uri| local.is_gone(uri))
    };
    replies.retain(|reply| !gone(reply));
    let changed = replies.len() != before;
    replies.iter_mut().fold(changed, |changed, reply| prune(reply, local) | changed)
}

fn view(local: &LocalWrites, post: &LocalRecord) -> Value {
    json!({ "$type": VIEW, "post": views::post(local, post) })
}

/// The thread of a new post of the caller's that the service says it does not know, with what comes above it from the
/// service.
pub(super) async fn unknown(call: &Call<'_>, error: &Value, local: &LocalWrites) -> Option<Value> {
    if error.get("error").and_then(Value::as_str) != Some("NotFound") {
        return None;
    }
    let asked = own_address(local)?;
    let found = local.records(&POST).iter().find(|post| post.uri.as_str() == asked)?;
    let mut thread = view(local, found);
    add_replies(&mut thread, local, local.records(&POST).iter());
    if let Some(parent) = found.value.pointer("/reply/parent/uri").and_then(Value::as_str) {
        let height = local.param("parentHeight").unwrap_or("80");
        let params = [("uri", parent), ("parentHeight", height), ("depth", "0")].into_iter().collect();
        match call.ask(&GET_POST_THREAD, &params).await {
            Ok(mut above) => {
                if let Some(above) = above.get_mut("thread") {
                    thread["parent"] = above.take();
                }
            }
            Err(error) => tracing::debug!(%error, "a new post is shown without what it replies to"),
        }
    }
    mark(&mut thread, local);
    Some(json!({ "thread": thread }))
}

/// The address that was asked for, by DID, if it is in the caller's own repo.
fn own_address(local: &LocalWrites) -> Option<String> {
    let (authority, path) = local.param("uri")?.strip_prefix("at://")?.split_once('/')?;
    let own = authority == local.did().as_str()
        || local.handle().is_some_and(|handle| authority.eq_ignore_ascii_case(handle.as_str()));
    own.then(|| format!("at://{}/{path}", local.did()))
}
