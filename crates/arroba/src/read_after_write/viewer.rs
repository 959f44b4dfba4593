//! The caller's own likes and reposts in the views of posts.

use arroba_core::syntax::Nsid;
use serde_json::{Map, Value, json};

use super::LocalWrites;
use super::local::{LIKE, REPOST};

/// `app.bsky.feed.getPosts`
pub(super) fn posts(answer: &mut Value, local: &LocalWrites) -> bool {
    each(answer.get_mut("posts"), |view| post(view, local))
}

/// `app.bsky.unspecced.getPostThreadV2`
pub(super) fn flat_thread(answer: &mut Value, local: &LocalWrites) -> bool {
    each(answer.get_mut("thread"), |item| match item.get_mut("value") {
        Some(value) if is(value, "app.bsky.unspecced.defs#threadItemPost") => in_field(value, "post", local),
        _ => false,
    })
}

/// The posts of a feed, with what they reply to.
pub(super) fn feed(answer: &mut Value, local: &LocalWrites) -> bool {
    each(answer.get_mut("feed"), |item| {
        let mut changed = in_field(item, "post", local);
        for field in ["root", "parent"] {
            if let Some(view) = item.get_mut("reply").and_then(|reply| reply.get_mut(field))
                && is(view, "app.bsky.feed.defs#postView")
            {
                changed |= post(view, local);
            }
        }
        changed
    })
}

/// A post in a field of something.
pub(super) fn in_field(holder: &mut Value, field: &str, local: &LocalWrites) -> bool {
    holder.get_mut(field).is_some_and(|view| post(view, local))
}

/// One post's view.
fn post(view: &mut Value, local: &LocalWrites) -> bool {
    let Some(view) = view.as_object_mut() else { return false };
    let Some(uri) = view.get("uri").and_then(Value::as_str).map(str::to_owned) else { return false };
    let liked = mark(view, &uri, &LIKE, "like", "likeCount", local);
    mark(view, &uri, &REPOST, "repost", "repostCount", local) | liked
}

fn mark(
    view: &mut Map<String, Value>,
    uri: &str,
    collection: &Nsid,
    field: &str,
    count: &str,
    local: &LocalWrites,
) -> bool {
    let viewer = view.get("viewer").unwrap_or(&Value::Null);
    if !(viewer.is_object() || viewer.is_null()) {
        return false;
    }
    let current = viewer.get(field).and_then(Value::as_str);
    let undone = current.is_some_and(|own| local.is_gone(own));
    let done = local
        .records(collection)
        .iter()
        .find(|record| record.value.pointer("/subject/uri").and_then(Value::as_str) == Some(uri));
    let (own, change) = match (current, undone, done) {
        // Undone and done again: another record, the same count.
        (Some(_), true, Some(record)) => (Some(record), 0),
        (Some(_), true, None) => (None, -1),
        (None, _, Some(record)) => (Some(record), 1),
        _ => return false,
    };
    let viewer = view.entry("viewer").or_insert(Value::Null);
    if viewer.is_null() {
        *viewer = json!({});
    }
    if let Some(viewer) = viewer.as_object_mut() {
        match own {
            Some(record) => viewer.insert(field.to_owned(), Value::from(record.uri.as_str())),
            None => viewer.remove(field),
        };
    }
    if change != 0 {
        let counted = view.get(count).and_then(Value::as_i64).unwrap_or(0);
        view.insert(count.to_owned(), Value::from(counted.saturating_add(change).max(0)));
    }
    true
}

/// Whether a value is of a type.
pub(super) fn is(value: &Value, kind: &str) -> bool {
    value.get("$type").and_then(Value::as_str) == Some(kind)
}

/// Does something to every item of a list; says whether it did anything to any.
pub(super) fn each(list: Option<&mut Value>, mut change: impl FnMut(&mut Value) -> bool) -> bool {
    let items = list.and_then(Value::as_array_mut).into_iter().flatten();
    items.fold(false, |changed, item| change(item) | changed)
}
