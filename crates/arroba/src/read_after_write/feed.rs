//! Feeds: the caller's new posts in, the deleted ones out.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::local::{LocalRecord, LocalWrites, POST, created, time};
use super::viewer::{each, is};
use super::{profile, viewer, views};

/// `app.bsky.feed.getTimeline`
pub(super) fn timeline(answer: &mut Value, local: &LocalWrites) -> bool {
    let changed = posts(answer, local, |_| true);
    viewer::feed(answer, local) | changed
}

/// `app.bsky.feed.getAuthorFeed`: posts only in the caller's own.
pub(super) fn author_feed(answer: &mut Value, local: &LocalWrites) -> bool {
    let actor = local.param("actor").unwrap_or_default();
    let own = actor == local.did().as_str()
        || local.handle().is_some_and(|handle| actor.eq_ignore_ascii_case(handle.as_str()));
    let mut changed = each(answer.get_mut("feed"), |item| {
        item.get_mut("post").is_some_and(|post| profile::author(post, local))
    });
    if own {
        let filter = local.param("filter").unwrap_or("posts_with_replies");
        changed |= posts(answer, local, |post| passes(post, filter, local));
    }
    viewer::feed(answer, local) | changed
}

/// `app.bsky.feed.getActorLikes`
pub(super) fn actor_likes(answer: &mut Value, local: &LocalWrites) -> bool {
    let changed = each(answer.get_mut("feed"), |item| {
        item.get_mut("post").is_some_and(|post| profile::author(post, local))
    });
    viewer::feed(answer, local) | changed
}

/// Whether a post is one that a filter of `getAuthorFeed` lets through.
fn passes(post: &Value, filter: &str, local: &LocalWrites) -> bool {
    let reply = post.get("reply").filter(|reply| !reply.is_null());
    let mut embed = post.get("embed").unwrap_or(&Value::Null);
    if is(embed, "app.bsky.embed.recordWithMedia") {
        embed = embed.get("media").unwrap_or(&Value::Null);
    }
    match filter {
        "posts_with_replies" => true,
        "posts_no_replies" => reply.is_none(),
        "posts_with_media" => is(embed, "app.bsky.embed.images") || is(embed, "app.bsky.embed.gallery"),
        "posts_with_video" => is(embed, "app.bsky.embed.video"),
        "posts_and_author_threads" => reply.is_none_or(|reply| {
            let root = reply["root"]["uri"].as_str().unwrap_or_default();
            let own = format!("at://{}/", local.did());
            root.starts_with(&own)
        }),
        _ => false,
    }
}

/// Takes deleted posts out, and puts new ones into the first page.
fn posts(answer: &mut Value, local: &LocalWrites, wanted: impl Fn(&Value) -> bool) -> bool {
    let more = answer.get("cursor").is_some_and(Value::is_string);
    let Some(feed) = answer.get_mut("feed").and_then(Value::as_array_mut) else { return false };
    let before = feed.len();
    feed.retain(|item| !address(item).is_some_and(|uri| local.is_gone(uri)));
    let mut changed = feed.len() != before;
    if local.param("cursor").is_some_and(|cursor| !cursor.is_empty()) {
        return changed;
    }
    // What is older than the end of this page belongs on a later one.
    let oldest = feed.last().filter(|item| more && !pinned(item)).and_then(shown);
    let there: HashSet<String> = feed.iter().filter_map(address).map(str::to_owned).collect();
    let new = local.records(&POST).iter().filter(|post| {
        !there.contains(post.uri.as_str())
            && wanted(&post.value)
            && oldest.is_none_or(|oldest| place(local, post) >= oldest)
    });
    for post in new {
        let at = place(local, post);
        let index = feed.iter().position(|item| !pinned(item) && shown(item).is_some_and(|time| time <= at));
        feed.insert(index.unwrap_or(feed.len()), json!({ "post": views::post(local, post) }));
        changed = true;
    }
    changed
}

/// A pinned post stands first, whatever its age.
fn pinned(item: &Value) -> bool {
    item.get("reason").is_some_and(|reason| is(reason, "app.bsky.feed.defs#reasonPin"))
}

fn address(item: &Value) -> Option<&str> {
    item.pointer("/post/uri")?.as_str()
}

/// Where a post of the caller's belongs: at the time that it claims, unless it claims the future.
fn place(local: &LocalWrites, post: &LocalRecord) -> i64 {
    let now = local.now().unix_micros();
    created(&post.value).unwrap_or_else(|| local.written(post)).min(now)
}

/// The time by which an item stands in its feed: that of the repost, or the earlier one of what the post claims and when
/// it was seen.
fn shown(item: &Value) -> Option<i64> {
    if let Some(reposted) = time(item.pointer("/reason/indexedAt")) {
        return Some(reposted);
    }
    let post = item.get("post")?;
    let (claimed, seen) = (created(post.get("record")?), time(post.get("indexedAt")));
    match (claimed, seen) {
        (Some(claimed), Some(seen)) => Some(claimed.min(seen)),
        (claimed, seen) => claimed.or(seen),
    }
}
