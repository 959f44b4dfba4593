//! `app.bsky.feed.getFeed`: an app view passes the caller's token on to the feed's own service, so it must be made out
//! to that.

use arroba_core::nsid;
use arroba_core::syntax::{Did, Nsid};
use arroba_lexicons::QueryPairs;
use arroba_xrpc::{Result, XrpcError};
use moka::sync::Cache;

use super::call::Call;

const GET_FEED: Nsid = nsid!("app.bsky.feed.getFeed");
const GET_FEED_GENERATOR: Nsid = nsid!("app.bsky.feed.getFeedGenerator");
const GET_FEED_SKELETON: Nsid = nsid!("app.bsky.feed.getFeedSkeleton");

pub(super) fn is_get_feed(method: &Nsid) -> bool {
    *method == GET_FEED
}

/// For whom and for what the token of a `getFeed` is; that it is for an app view, its own answer says.
pub(super) async fn token_of(
    call: &Call<'_>,
    feeds: &Cache<String, Did>,
    query: Option<&str>,
) -> Result<(Did, Nsid)> {
    let pairs = QueryPairs::parse(query.unwrap_or_default());
    let feed = pairs.and_then(|pairs| pairs.required::<String>("feed"));
    let feed = feed.map_err(|error| XrpcError::invalid_request(error.to_string()))?;
    // What one service says about a feed holds for that service alone.
    let known = format!("{} {feed}", call.service());
    if let Some(did) = feeds.get(&known) {
        return Ok((did, GET_FEED_SKELETON));
    }
    let params = [("feed", feed.as_str())].into_iter().collect();
    let answer = call.ask(&GET_FEED_GENERATOR, &params).await?;
    let did = answer.pointer("/view/did").and_then(|did| Did::parse(did.as_str()?).ok());
    let did = did.ok_or_else(|| XrpcError::upstream_failure("a feed without the DID of its service"))?;
    feeds.insert(known, did.clone());
    Ok((did, GET_FEED_SKELETON))
}
