//! Answers of other services, into which the caller's newest writes are put.

use arroba::read_after_write::{LocalWrites, patch};
use arroba_core::data::Cid;
use arroba_core::nsid;
use arroba_core::syntax::{AtUri, Datetime, Nsid, RecordPath, Tid};
use arroba_lexicons::QueryPairs;
use serde_json::Value;

use crate::repository;

const METHODS: [Nsid; 8] = [
    nsid!("app.bsky.actor.getProfile"),
    nsid!("app.bsky.actor.getProfiles"),
    nsid!("app.bsky.feed.getActorLikes"),
    nsid!("app.bsky.feed.getAuthorFeed"),
    nsid!("app.bsky.feed.getPostThread"),
    nsid!("app.bsky.feed.getPosts"),
    nsid!("app.bsky.feed.getTimeline"),
    nsid!("app.bsky.unspecced.getPostThreadV2"),
];

/// `{"answer", "params", "writes": {path: record}, "gone": [uri]}`, patched for every method: what is not changed is as it
/// was, and what is patched once needs no second patch.
pub fn target(data: &[u8]) {
    let Ok(input) = serde_json::from_slice::<Value>(data) else { return };
    let local = local(&input);
    let answer = input.get("answer").cloned().unwrap_or_default();
    for method in METHODS {
        let mut patched = answer.clone();
        if patch(&method, &mut patched, &local) {
            let once = patched.clone();
            let again = patch(&method, &mut patched, &local);
            assert!(!again && once == patched, "{method} is patched twice: {once} {patched}");
        } else {
            assert_eq!(patched, answer, "{method} changes without saying so");
        }
    }
}

fn local(input: &Value) -> LocalWrites {
    let params = input.get("params").and_then(Value::as_str).unwrap_or_default();
    let handle = input.get("handle").and_then(|handle| handle.as_str()?.parse().ok());
    let pictures = input.get("pictures").and_then(Value::as_str).map(str::to_owned);
    let mut local = LocalWrites::new(repository::owner(), Datetime::from_unix_millis(1_750_000_000_000))
        .with_handle(handle)
        .with_params(QueryPairs::parse(params).unwrap_or_default())
        .with_pictures(pictures, "https://pds.test");
    let gone = input.get("gone").and_then(Value::as_array).into_iter().flatten();
    for uri in gone.filter_map(|uri| AtUri::parse(uri.as_str()?).ok()) {
        local.delete(&uri);
    }
    let writes = input.get("writes").and_then(Value::as_object).into_iter().flatten();
    for (number, (path, record)) in (0u64..100).zip(writes) {
        let Ok(path) = RecordPath::parse(path) else { continue };
        // What is there is not gone.
        if !local.is_gone(AtUri::record(local.did(), &path).as_str()) {
            let rev = Tid::from_micros(1_749_000_000_000_000 + number, 0);
            local.write(&path, Cid::for_cbor(path.to_string().as_bytes()), rev, record.clone());
        }
    }
    local
}

/// What mutation starts from.
pub fn seeds() -> Vec<Vec<u8>> {
    let owner = repository::owner();
    let post = |uri: &str| {
        format!(
            r#"{{"uri":"{uri}","cid":"bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua","author":{{"did":"{owner}","handle":"a.test"}},"record":{{"createdAt":"2025-01-01T00:00:00Z"}},"indexedAt":"2025-01-01T00:00:00Z","likeCount":2,"viewer":{{"like":"at://{owner}/app.bsky.feed.like/gone"}}}}"#
        )
    };
    let other = "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.feed.post/1";
    let view = "app.bsky.feed.defs#threadViewPost";
    let writes = format!(
        r#""handle":"a.test","gone":["at://{owner}/app.bsky.feed.like/gone","at://{owner}/app.bsky.feed.post/gone"],"writes":{{"app.bsky.actor.profile/self":{{"displayName":"A","avatar":{{"$type":"blob","ref":{{"$link":"bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"}},"mimeType":"image/png","size":1}}}},"app.bsky.feed.post/a":{{"text":"a","createdAt":"2025-01-02T00:00:00Z","reply":{{"root":{{"uri":"{other}"}},"parent":{{"uri":"{other}"}}}},"embed":{{"$type":"app.bsky.embed.images","images":[{{"alt":"","image":{{"cid":"bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"}}}}]}}}},"app.bsky.feed.post/b":{{"text":"b","embed":{{"$type":"app.bsky.embed.recordWithMedia","record":{{"record":{{"uri":"at://{owner}/app.bsky.feed.post/a"}}}},"media":{{"$type":"app.bsky.embed.external","external":{{"uri":"u","title":"t","description":"d"}}}}}}}},"app.bsky.feed.like/c":{{"subject":{{"uri":"{other}"}}}}}}"#
    );
    let answers = [
        format!(
            r#"{{"posts":[{0}],"feed":[{{"post":{0},"reply":{{"root":{{"$type":"app.bsky.feed.defs#postView"}}}}}},{{"post":{1}}}],"cursor":"x"}}"#,
            post(other),
            post(&format!("at://{owner}/app.bsky.feed.post/gone"))
        ),
        format!(
            r#"{{"thread":{{"$type":"{view}","post":{0},"parent":{{"$type":"{view}","post":{0}}},"replies":[{{"$type":"{view}","post":{1}}}]}}}}"#,
            post(other),
            post(&format!("at://{owner}/app.bsky.feed.post/a"))
        ),
        format!(
            r#"{{"thread":[{{"value":{{"$type":"app.bsky.unspecced.defs#threadItemPost","post":{0}}}}}]}}"#,
            post(other)
        ),
        format!(r#"{{"did":"{owner}","displayName":"x","banner":"y","profiles":[{{"did":"{owner}"}}]}}"#),
    ];
    answers
        .into_iter()
        .map(|answer| {
            format!(r#"{{"params":"actor=a.test&filter=posts_no_replies","pictures":"https://c.test/%s/%s/%s@jpeg",{writes},"answer":{answer}}}"#).into_bytes()
        })
        .collect()
}
