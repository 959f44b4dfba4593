//! The records that the caller's new posts quote, as the service shows them.

use std::collections::BTreeSet;

use arroba_core::nsid;
use arroba_core::syntax::{AtUri, Nsid};
use arroba_lexicons::QueryPairs;
use serde_json::{Value, json};

use super::LocalWrites;
use super::local::{LocalRecord, POST};
use crate::proxy::Call;

const GET_POSTS: Nsid = nsid!("app.bsky.feed.getPosts");
const GET_FEED_GENERATORS: Nsid = nsid!("app.bsky.feed.getFeedGenerators");
const GET_LIST: Nsid = nsid!("app.bsky.graph.getList");

/// What one question may ask for.
const MAX_PER_QUESTION: usize = 25;
/// Lists are asked for one by one.
const MAX_LISTS: usize = 5;

/// Asks the service for what new posts quote. What it does not say is shown as not found.
pub(super) async fn fill_in(call: &Call<'_>, local: &mut LocalWrites) {
    let own: BTreeSet<&str> = local.records(&POST).iter().map(|post| post.uri.as_str()).collect();
    let quoted = local.records(&POST).iter().filter_map(quoted).filter(|uri| !own.contains(uri));
    let (mut posts, mut feeds, mut lists) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for uri in quoted {
        let collection = AtUri::parse(uri).ok().and_then(|uri| uri.collection());
        match collection.as_ref().map(Nsid::as_str) {
            Some("app.bsky.feed.post") => posts.insert(uri.to_owned()),
            Some("app.bsky.feed.generator") => feeds.insert(uri.to_owned()),
            Some("app.bsky.graph.list") => lists.insert(uri.to_owned()),
            _ => false,
        };
    }
    let posts = async {
        let params = || QueryPairs::new().with_list("uris", posts.iter().take(MAX_PER_QUESTION));
        many(call, &GET_POSTS, "posts", &posts, params, of_post).await
    };
    let feeds = async {
        let params = || QueryPairs::new().with_list("feeds", feeds.iter().take(MAX_PER_QUESTION));
        many(call, &GET_FEED_GENERATORS, "feeds", &feeds, params, |view| {
            with_type(view, "app.bsky.feed.defs#generatorView")
        })
        .await
    };
    let lists = futures::future::join_all(lists.iter().take(MAX_LISTS).map(|uri| list(call, uri)));
    let (posts, feeds, lists) = tokio::join!(posts, feeds, lists);
    local.embedded.extend(posts.into_iter().chain(feeds).chain(lists.into_iter().flatten()));
}

/// The address of what a post quotes.
fn quoted(post: &LocalRecord) -> Option<&str> {
    let embed = post.value.get("embed")?;
    match embed.get("$type")?.as_str()? {
        "app.bsky.embed.record" => embed.pointer("/record/uri")?.as_str(),
        "app.bsky.embed.recordWithMedia" => embed.pointer("/record/record/uri")?.as_str(),
        _ => None,
    }
}

async fn many(
    call: &Call<'_>,
    method: &Nsid,
    field: &str,
    wanted: &BTreeSet<String>,
    params: impl Fn() -> QueryPairs,
    view: impl Fn(Value) -> Option<Value>,
) -> Vec<(String, Value)> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let Some(mut answer) = ask(call, method, &params()).await else { return Vec::new() };
    let views = answer.get_mut(field).and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
    let keyed = views.into_iter().filter_map(|given| {
        let uri = given.get("uri")?.as_str()?.to_owned();
        Some((uri, view(given)?))
    });
    keyed.filter(|(uri, _)| wanted.contains(uri)).collect()
}

async fn list(call: &Call<'_>, uri: &str) -> Option<(String, Value)> {
    let params = [("list", uri), ("limit", "1")].into_iter().collect();
    let mut answer = ask(call, &GET_LIST, &params).await?;
    let view = with_type(answer.get_mut("list")?.take(), "app.bsky.graph.defs#listView")?;
    Some((uri.to_owned(), view))
}

async fn ask(call: &Call<'_>, method: &Nsid, params: &QueryPairs) -> Option<Value> {
    match call.ask(method, params).await {
        Ok(answer) => Some(answer),
        Err(error) => {
            tracing::debug!(%error, %method, "new posts are shown without what they quote");
            None
        }
    }
}

/// A post's view as that of a quoted record.
fn of_post(mut post: Value) -> Option<Value> {
    let fields = post.as_object_mut()?;
    let mut take = |name: &str| fields.shift_remove(name).unwrap_or(Value::Null);
    let mut view = json!({
        "$type": "app.bsky.embed.record#viewRecord",
        "uri": take("uri"),
        "cid": take("cid"),
        "author": take("author"),
        "value": take("record"),
        "indexedAt": take("indexedAt"),
    });
    let (labels, embed) = (take("labels"), take("embed"));
    if !labels.is_null() {
        view["labels"] = labels;
    }
    if !embed.is_null() {
        view["embeds"] = json!([embed]);
    }
    Some(view)
}

fn with_type(mut view: Value, kind: &str) -> Option<Value> {
    view.as_object_mut()?.insert("$type".to_owned(), Value::from(kind));
    Some(view)
}
