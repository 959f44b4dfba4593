//! Views of the caller's own posts, as a service that knows them would give them.

use arroba_core::data::Cid;
use arroba_core::syntax::Datetime;
use serde_json::{Map, Value, json};

use super::LocalWrites;
use super::local::{LocalRecord, POST};
use super::viewer::is;

/// Posts embed posts embed posts; so far down they are shown.
const MAX_DEPTH: usize = 2;

/// The view of a post.
pub(super) fn post(local: &LocalWrites, record: &LocalRecord) -> Value {
    let mut view = json!({
        "uri": record.uri.as_str(),
        "cid": record.cid.to_string(),
        "author": author(local),
        "record": record.value,
    });
    if let Some(embed) = embed(local, record.value.get("embed"), 0) {
        view["embed"] = embed;
    }
    for count in ["replyCount", "repostCount", "likeCount", "quoteCount"] {
        view[count] = Value::from(0);
    }
    view["indexedAt"] = Value::from(indexed(local, record));
    view
}

fn indexed(local: &LocalWrites, record: &LocalRecord) -> String {
    let micros = u64::try_from(local.written(record)).unwrap_or_default();
    Datetime::from_unix_micros(micros).to_string()
}

/// The caller, as an author.
fn author(local: &LocalWrites) -> Value {
    let handle = local.handle().map_or("handle.invalid", |handle| handle.as_str());
    let mut author = json!({ "did": local.did().as_str(), "handle": handle });
    let profile = local.new_profile().or_else(|| local.profile());
    let Some(profile) = profile.map(|profile| &profile.value) else { return author };
    if let Some(name) = profile.get("displayName").and_then(Value::as_str).filter(|name| !name.is_empty()) {
        author["displayName"] = Value::from(name);
    }
    if let Some(avatar) = profile.get("avatar").and_then(|avatar| picture(local, avatar, "avatar")) {
        author["avatar"] = Value::from(avatar);
    }
    author
}

/// The address of a picture of the caller's.
pub(super) fn picture(local: &LocalWrites, blob: &Value, preset: &str) -> Option<String> {
    // Records from before 2023 have the CID itself.
    let cid = blob.pointer("/ref/$link").or_else(|| blob.get("cid"))?.as_str()?;
    let cid: Cid = cid.parse().ok()?;
    let did = local.did().as_str();
    let Some(pattern) = &local.pictures else {
        let server = local.server.trim_end_matches('/');
        return Some(format!("{server}/xrpc/com.atproto.sync.getBlob?did={did}&cid={cid}"));
    };
    let mut parts = pattern.splitn(4, "%s");
    let mut url = parts.next()?.to_owned();
    for (value, part) in [preset, did, &cid.to_string()].into_iter().zip(parts) {
        url.push_str(value);
        url.push_str(part);
    }
    Some(url)
}

/// The view of what a post embeds. A video has none: only the service has its stream.
fn embed(local: &LocalWrites, embed: Option<&Value>, depth: usize) -> Option<Value> {
    let embed = embed?;
    match embed.get("$type")?.as_str()? {
        "app.bsky.embed.images" => images(local, embed),
        "app.bsky.embed.external" => external(local, embed),
        "app.bsky.embed.record" => Some(quoted(local, embed.get("record")?, depth)),
        "app.bsky.embed.recordWithMedia" => {
            let media = embed.get("media")?;
            let media = match is(media, "app.bsky.embed.images") {
                true => images(local, media),
                false => external(local, media),
            };
            let mut record = quoted(local, embed.pointer("/record/record")?, depth);
            record.as_object_mut()?.shift_remove("$type");
            Some(json!({
                "$type": "app.bsky.embed.recordWithMedia#view",
                "record": record,
                "media": media?,
            }))
        }
        _ => None,
    }
}

fn images(local: &LocalWrites, embed: &Value) -> Option<Value> {
    let images = embed.get("images")?.as_array()?.iter().map(|image| {
        let blob = image.get("image")?;
        let mut view = json!({
            "thumb": picture(local, blob, "feed_thumbnail")?,
            "fullsize": picture(local, blob, "feed_fullsize")?,
            "alt": image.get("alt").and_then(Value::as_str).unwrap_or_default(),
        });
        if let Some(ratio) = image.get("aspectRatio") {
            view["aspectRatio"] = ratio.clone();
        }
        Some(view)
    });
    let images: Option<Vec<Value>> = images.collect();
    Some(json!({ "$type": "app.bsky.embed.images#view", "images": images? }))
}

fn external(local: &LocalWrites, embed: &Value) -> Option<Value> {
    if !is(embed, "app.bsky.embed.external") {
        return None;
    }
    let external = embed.get("external")?;
    let mut view = Map::new();
    for field in ["uri", "title", "description"] {
        view.insert(field.to_owned(), Value::from(external.get(field)?.as_str()?));
    }
    if let Some(thumb) = external.get("thumb").and_then(|thumb| picture(local, thumb, "feed_thumbnail")) {
        view.insert("thumb".to_owned(), Value::from(thumb));
    }
    Some(json!({ "$type": "app.bsky.embed.external#view", "external": view }))
}

/// The view of a quoted record: what the service said of it, or the caller's own new post, or that it is not found.
fn quoted(local: &LocalWrites, reference: &Value, depth: usize) -> Value {
    let uri = reference.get("uri").and_then(Value::as_str).unwrap_or_default();
    let own = || local.records(&POST).iter().find(|post| post.uri.as_str() == uri);
    let record = match (local.embedded.get(uri), own()) {
        (Some(view), _) => view.clone(),
        (None, Some(post)) if depth < MAX_DEPTH => view_record(local, post, depth + 1),
        _ => json!({ "$type": "app.bsky.embed.record#viewNotFound", "uri": uri, "notFound": true }),
    };
    json!({ "$type": "app.bsky.embed.record#view", "record": record })
}

fn view_record(local: &LocalWrites, post: &LocalRecord, depth: usize) -> Value {
    let mut view = json!({
        "$type": "app.bsky.embed.record#viewRecord",
        "uri": post.uri.as_str(),
        "cid": post.cid.to_string(),
        "author": author(local),
        "value": post.value,
    });
    if let Some(embed) = embed(local, post.value.get("embed"), depth) {
        view["embeds"] = json!([embed]);
    }
    view["indexedAt"] = Value::from(indexed(local, post));
    view
}
