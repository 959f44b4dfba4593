//! The caller's own profile.

use serde_json::Value;

use super::viewer::each;
use super::{LocalWrites, views};

/// `app.bsky.actor.getProfile`
pub(super) fn one(answer: &mut Value, local: &LocalWrites) -> bool {
    patch(answer, local, &["displayName", "description"], &["avatar", "banner"])
}

/// `app.bsky.actor.getProfiles`
pub(super) fn many(answer: &mut Value, local: &LocalWrites) -> bool {
    each(answer.get_mut("profiles"), |profile| one(profile, local))
}

/// The caller as the author of a post.
pub(super) fn author(view: &mut Value, local: &LocalWrites) -> bool {
    view.get_mut("author").is_some_and(|author| patch(author, local, &["displayName"], &["avatar"]))
}

/// Sets the fields of a view that is the caller's to those of a profile that the service does not know.
fn patch(view: &mut Value, local: &LocalWrites, texts: &[&str], pictures: &[&str]) -> bool {
    if view.get("did").and_then(Value::as_str) != Some(local.did().as_str()) {
        return false;
    }
    let (Some(profile), Some(view)) = (local.new_profile(), view.as_object_mut()) else { return false };
    let mut changed = false;
    let texts = texts.iter().map(|field| {
        let text = profile.value.get(*field).and_then(Value::as_str).filter(|text| !text.is_empty());
        (*field, text.map(str::to_owned))
    });
    let pictures = pictures
        .iter()
        .map(|field| (*field, profile.value.get(*field).and_then(|blob| views::picture(local, blob, field))));
    for (field, value) in texts.chain(pictures) {
        let before = match value {
            Some(text) => view.insert(field.to_owned(), Value::from(text)),
            None => view.shift_remove(field),
        };
        changed |= before.as_ref() != view.get(field);
    }
    changed
}
