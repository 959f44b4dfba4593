//! What the caller has just written, in answers of an app view that has not seen it.

use std::sync::Arc;

use arroba::core::nsid;
use serde_json::{Value, json};

use super::app_view::{AppView, Localhost};
use super::server::{Account, Answer, Server};

const TIMELINE: &str = "app.bsky.feed.getTimeline";
const AUTHOR_FEED: &str = "app.bsky.feed.getAuthorFeed";
const THREAD: &str = "app.bsky.feed.getPostThread";
const PROFILE: &str = "app.bsky.actor.getProfile";
const OTHER: &str = "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.feed.post/3jzfcijpj2z2a";
const CID: &str = "bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua";

struct World {
    server: Server,
    view: AppView,
    alice: Account,
    /// What the app view knows of.
    known: String,
}

/// A record's address and CID.
#[derive(Clone)]
struct Made {
    uri: String,
    cid: String,
}

impl World {
    async fn start() -> Self {
        Self::with(|service| service).await
    }

    async fn with(change: impl FnOnce(arroba::proxy::ProxyService) -> arroba::proxy::ProxyService) -> Self {
        let view = AppView::start().await;
        let service = change(view.service());
        let server = Server::with(|builder| {
            builder.dns(Arc::new(Localhost)).proxy("app.bsky", service).read_after_write(
                nsid!("com.example.mine"),
                |answer, local| {
                    let notes = local.records(&nsid!("com.example.note"));
                    answer["notes"] = notes.iter().map(|note| note.value["text"].clone()).collect();
                    !notes.is_empty()
                },
            )
        })
        .await;
        let alice = server.create("alice").await;
        let first = server.post(&alice.access, "com.atproto.repo.createRecord", alice.post("old")).await.ok();
        let known = first["commit"]["rev"].as_str().unwrap().to_owned();
        server.clock.advance(5_000_000);
        Self { server, view, alice, known }
    }

    async fn write(&self, collection: &str, rkey: Option<&str>, mut record: Value) -> Made {
        record["$type"] = json!(collection);
        let mut input = json!({"repo": self.alice.did, "collection": collection, "record": record});
        if let Some(rkey) = rkey {
            input["rkey"] = json!(rkey);
        }
        let method =
            if rkey.is_some() { "com.atproto.repo.putRecord" } else { "com.atproto.repo.createRecord" };
        let made = self.server.post(&self.alice.access, method, input).await.ok();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Made { uri: text("uri"), cid: text("cid") }
    }

    async fn post(&self, record: Value) -> Made {
        self.write("app.bsky.feed.post", None, record).await
    }

    async fn delete(&self, made: &Made) {
        let mut parts = made.uri.rsplit('/');
        let (rkey, collection) = (parts.next().unwrap(), parts.next().unwrap());
        let input = json!({"repo": self.alice.did, "collection": collection, "rkey": rkey});
        self.server.post(&self.alice.access, "com.atproto.repo.deleteRecord", input).await.ok();
    }

    async fn ask(&self, method: &str, params: &[(&str, &str)], upstream: Value) -> Answer {
        self.view.tell(method, 200, Some(&self.known), upstream);
        self.server.get(&self.alice.access, method, params).await
    }

    async fn stop(self) {
        self.server.stop().await;
    }
}

fn text(text: &str) -> Value {
    json!({"text": text, "createdAt": "2025-06-15T15:06:00.000Z"})
}

fn subject(uri: &str) -> Value {
    json!({"subject": {"uri": uri, "cid": CID}, "createdAt": "2025-06-15T15:06:00.000Z"})
}

fn post_view(uri: &str, at: &str) -> Value {
    json!({
        "uri": uri, "cid": CID, "author": {"did": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", "handle": "x.test"},
        "record": {"$type": "app.bsky.feed.post", "text": "x", "createdAt": at}, "indexedAt": at,
        "likeCount": 3, "repostCount": 1, "replyCount": 0, "quoteCount": 0, "viewer": {},
    })
}

#[tokio::test]
async fn an_app_view_that_knows_everything_is_believed() {
    let world = World::start().await;
    let made = world.post(text("new")).await;
    let newest =
        world.server.get("", "com.atproto.sync.getLatestCommit", &[("did", &world.alice.did)]).await.ok();
    for rev in [newest["rev"].as_str(), Some("nonsense"), None] {
        world.view.tell(TIMELINE, 200, rev, json!({"feed": []}));
        let answer = world.server.get(&world.alice.access, TIMELINE, &[]).await;
        assert_eq!(answer.headers.get("atproto-repo-rev").and_then(|rev| rev.to_str().ok()), rev);
        assert!(!answer.headers.contains_key("atproto-upstream-lag"));
        assert_eq!(answer.ok(), json!({"feed": []}));
    }
    let answer = world.ask(TIMELINE, &[], json!({"feed": []})).await;
    assert!(!answer.headers.contains_key("atproto-repo-rev"));
    assert_eq!(answer.headers["atproto-upstream-lag"], "0");
    assert_eq!(answer.ok()["feed"][0]["post"]["uri"], made.uri.as_str());
    world.stop().await;
}

#[tokio::test]
async fn a_timeline_has_the_newest_posts_where_they_belong() {
    let world = World::start().await;
    let later = world.post(json!({"text": "b", "createdAt": "2025-06-15T15:06:30.000Z"})).await;
    let sooner = world.post(json!({"text": "a", "createdAt": "2025-06-15T15:00:00.000Z"})).await;
    let backdated = world.post(json!({"text": "c", "createdAt": "2020-01-01T00:00:00.000Z"})).await;
    let future = world.post(json!({"text": "d", "createdAt": "2999-01-01T00:00:00.000Z"})).await;
    let repost = json!({"post": post_view(OTHER, "2020-01-01T00:00:00.000Z"), "reason": {"indexedAt": "2025-06-15T15:04:00.000Z"}});
    let old = json!({"post": post_view(&format!("{OTHER}2"), "2025-06-01T00:00:00.000Z")});
    let upstream = json!({"feed": [repost, old], "cursor": "next"});
    let answer = world.ask(TIMELINE, &[], upstream.clone()).await.ok();
    let order = |answer: &Value| -> Vec<String> {
        let feed = answer["feed"].as_array().unwrap();
        feed.iter().map(|item| item["post"]["uri"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(order(&answer), [&future.uri, &later.uri, OTHER, &sooner.uri, &format!("{OTHER}2")]);
    // Without more pages there is room for the old one too.
    let last = json!({"feed": upstream["feed"]});
    assert_eq!(order(&world.ask(TIMELINE, &[], last).await.ok()).last(), Some(&backdated.uri));
    // A later page is not the place for what is new.
    let second = world.ask(TIMELINE, &[("cursor", "next")], upstream.clone()).await;
    assert_eq!(second.headers["atproto-repo-rev"], world.known.as_str());
    assert_eq!(second.ok(), upstream);
    // What is there already is not put in twice.
    let there = json!({"feed": [{"post": post_view(&later.uri, "2025-06-15T15:06:30.000Z")}], "cursor": "x"});
    assert_eq!(order(&world.ask(TIMELINE, &[], there).await.ok()), [future.uri, later.uri]);
    world.stop().await;
}

#[tokio::test]
async fn a_new_posts_view_is_that_of_an_app_view() {
    let world = World::with(|service| service.pictures("https://cdn.test/img/%s/plain/%s/%s@jpeg")).await;
    let upload = world.server.request(reqwest::Method::POST, "/xrpc/com.atproto.repo.uploadBlob");
    let upload = upload
        .bearer_auth(&world.alice.access)
        .header("content-type", "image/png")
        .body("\u{89}PNG not really");
    let blob = world.server.raw(upload).await.ok()["blob"].clone();
    let cid = blob["ref"]["$link"].as_str().unwrap().to_owned();
    let address =
        |preset: &str| format!("https://cdn.test/img/{preset}/plain/{}/{cid}@jpeg", world.alice.did);
    world
        .write("app.bsky.actor.profile", Some("self"), json!({"displayName": "Alice", "avatar": blob}))
        .await;
    let image = json!({"image": blob, "alt": "a cat", "aspectRatio": {"width": 2, "height": 1}});
    let external = json!({"$type": "app.bsky.embed.external", "external": {"uri": "https://a.test", "title": "t", "description": "d", "thumb": blob}});
    let embeds = [
        json!({"$type": "app.bsky.embed.images", "images": [image]}),
        external.clone(),
        json!({"$type": "app.bsky.embed.record", "record": {"uri": OTHER, "cid": CID}}),
        json!({"$type": "app.bsky.embed.recordWithMedia", "record": {"$type": "app.bsky.embed.record", "record": {"uri": format!("{OTHER}2"), "cid": CID}}, "media": external}),
    ];
    let mut made = Vec::new();
    for embed in embeds {
        let mut post = text("look");
        post["embed"] = embed;
        post["facets"] = json!([{"index": {"byteStart": 0, "byteEnd": 4}, "features": [{"$type": "app.bsky.richtext.facet#tag", "tag": "cats"}]}]);
        made.push((world.post(post.clone()).await, post));
    }
    let quoting = json!({"text": "q", "createdAt": "2025-06-15T15:06:00.000Z", "embed": {"$type": "app.bsky.embed.record", "record": {"uri": made[1].0.uri, "cid": made[1].0.cid}}});
    let quoting = world.post(quoting).await;
    world.view.tell(
        "app.bsky.feed.getPosts",
        200,
        None,
        json!({"posts": [post_view(OTHER, "2025-01-01T00:00:00Z")]}),
    );
    let answer = world.ask(TIMELINE, &[], json!({"feed": []})).await.ok();
    let find = |uri: &str| {
        let mut feed = answer["feed"].as_array().unwrap().iter();
        feed.find(|item| item["post"]["uri"] == uri).unwrap()["post"].clone()
    };
    let first = find(&made[0].0.uri);
    assert_eq!(first["cid"], made[0].0.cid.as_str());
    let author = json!({"did": world.alice.did, "handle": "alice.test", "displayName": "Alice", "avatar": address("avatar")});
    assert_eq!(first["author"], author);
    assert_eq!(
        (&first["record"]["text"], &first["record"]["facets"]),
        (&made[0].1["text"], &made[0].1["facets"])
    );
    assert_eq!(first["indexedAt"], "2025-06-15T15:06:45.000Z");
    assert_eq!((&first["likeCount"], &first["quoteCount"]), (&json!(0), &json!(0)));
    assert_eq!(
        first["embed"],
        json!({"$type": "app.bsky.embed.images#view", "images": [{
            "thumb": address("feed_thumbnail"), "fullsize": address("feed_fullsize"), "alt": "a cat",
            "aspectRatio": {"width": 2, "height": 1},
        }]})
    );
    let external = json!({"$type": "app.bsky.embed.external#view", "external": {"uri": "https://a.test", "title": "t", "description": "d", "thumb": address("feed_thumbnail")}});
    assert_eq!(find(&made[1].0.uri)["embed"], external);
    let quoted = &find(&made[2].0.uri)["embed"];
    assert_eq!(
        (&quoted["$type"], &quoted["record"]["$type"]),
        (&json!("app.bsky.embed.record#view"), &json!("app.bsky.embed.record#viewRecord"))
    );
    assert_eq!((&quoted["record"]["uri"], &quoted["record"]["value"]["text"]), (&json!(OTHER), &json!("x")));
    let both = &find(&made[3].0.uri)["embed"];
    assert_eq!((&both["$type"], &both["media"]), (&json!("app.bsky.embed.recordWithMedia#view"), &external));
    assert_eq!(both["record"]["record"]["$type"], "app.bsky.embed.record#viewNotFound");
    let own = &find(&quoting.uri)["embed"]["record"];
    assert_eq!((&own["uri"], &own["embeds"][0]), (&json!(made[1].0.uri), &external));
    let asked = world.view.seen("app.bsky.feed.getPosts").remove(0);
    assert!(asked.query.contains("3jzfcijpj2z2a2") && !asked.query.contains(&made[1].0.uri));
    let claims = world.view.claims(&world.server, "app.bsky.feed.getPosts", &world.alice.did).await;
    assert_eq!(claims.lxm.as_deref(), Some("app.bsky.feed.getPosts"));
    world.stop().await;
}

#[tokio::test]
async fn likes_and_reposts_show_at_once_and_are_undone_at_once() {
    let world = World::start().await;
    let old_like = world.write("app.bsky.feed.like", None, subject(&format!("{OTHER}2"))).await;
    let like = world.write("app.bsky.feed.like", None, subject(OTHER)).await;
    let repost = world.write("app.bsky.feed.repost", None, subject(OTHER)).await;
    world.delete(&old_like).await;
    let mut liked = post_view(&format!("{OTHER}2"), "2025-01-01T00:00:00Z");
    liked["viewer"] = json!({"like": old_like.uri, "muted": false});
    let plain = || post_view(OTHER, "2025-01-01T00:00:00Z");
    let check = |one: &Value, two: &Value| {
        assert_eq!(one["viewer"], json!({"like": like.uri, "repost": repost.uri}));
        assert_eq!((&one["likeCount"], &one["repostCount"]), (&json!(4), &json!(2)));
        assert_eq!((&two["viewer"], &two["likeCount"]), (&json!({"muted": false}), &json!(2)));
    };
    let posts = world.ask("app.bsky.feed.getPosts", &[], json!({"posts": [plain(), liked]})).await.ok();
    check(&posts["posts"][0], &posts["posts"][1]);

    let reply = json!({"root": {"$type": "app.bsky.feed.defs#postView"}, "parent": liked});
    let mut item = json!({"post": plain(), "reply": reply});
    item["reply"]["parent"]["$type"] = json!("app.bsky.feed.defs#postView");
    for method in [TIMELINE, AUTHOR_FEED, "app.bsky.feed.getActorLikes"] {
        let feed = world.ask(method, &[("actor", "x.test")], json!({"feed": [item]})).await.ok();
        check(&feed["feed"][0]["post"], &feed["feed"][0]["reply"]["parent"]);
    }

    let view = "app.bsky.feed.defs#threadViewPost";
    let thread = json!({"$type": view, "post": plain(), "replies": [{"$type": view, "post": liked}, {"$type": "app.bsky.feed.defs#blockedPost"}]});
    let answer = world.ask(THREAD, &[], json!({"thread": thread})).await.ok();
    check(&answer["thread"]["post"], &answer["thread"]["replies"][0]["post"]);

    let value = |post: Value| json!({"uri": "x", "value": {"$type": "app.bsky.unspecced.defs#threadItemPost", "post": post}});
    let flat = json!({"thread": [value(plain()), value(liked)], "hasOtherReplies": false});
    let answer = world.ask("app.bsky.unspecced.getPostThreadV2", &[], flat).await.ok();
    check(&answer["thread"][0]["value"]["post"], &answer["thread"][1]["value"]["post"]);
    world.stop().await;
}

#[tokio::test]
async fn deleted_posts_are_gone_from_feeds() {
    let world = World::start().await;
    let (gone, kept) = (world.post(text("gone")).await, world.post(text("kept")).await);
    world.delete(&gone).await;
    let item = |made: &Made| json!({"post": post_view(&made.uri, "2025-06-15T15:06:00Z")});
    let upstream = json!({"feed": [item(&gone), item(&kept)]});
    for (method, params) in
        [(TIMELINE, vec![]), (AUTHOR_FEED, vec![("actor", "Alice.test"), ("cursor", "x")])]
    {
        let answer = world.ask(method, &params, upstream.clone()).await.ok();
        assert_eq!(answer["feed"].as_array().unwrap().len(), 1, "{method}");
        assert_eq!(answer["feed"][0]["post"]["uri"], kept.uri.as_str());
    }
    world.stop().await;
}

#[tokio::test]
async fn an_author_feed_shows_new_posts_by_its_filter() {
    let world = World::start().await;
    let plain = world.post(text("plain")).await;
    let reply = |root: &str| {
        let mut post = text("reply");
        post["reply"] = json!({"root": {"uri": root, "cid": CID}, "parent": {"uri": root, "cid": CID}});
        post
    };
    let foreign = world.post(reply(OTHER)).await;
    let own = world.post(reply(&plain.uri)).await;
    let profile = world.write("app.bsky.actor.profile", Some("self"), json!({"displayName": "New"})).await;
    assert!(profile.uri.ends_with("/self"));
    let ask = async |actor: &str, filter: &str| -> Vec<String> {
        let params = [("actor", actor), ("filter", filter)];
        let feed = world.ask(AUTHOR_FEED, &params, json!({"feed": []})).await.ok();
        feed["feed"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["post"]["uri"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ask(&world.alice.did, "posts_with_replies").await.len(), 3);
    assert_eq!(ask("alice.test", "posts_no_replies").await, std::slice::from_ref(&plain.uri));
    let threads = ask("alice.test", "posts_and_author_threads").await;
    assert!(threads.contains(&own.uri) && threads.contains(&plain.uri) && !threads.contains(&foreign.uri));
    assert!(ask("alice.test", "posts_with_media").await.is_empty());
    assert!(ask("alice.test", "nonsense").await.is_empty());
    assert!(ask("someone.test", "posts_with_replies").await.is_empty());
    // A pinned post stays first, and its author has the new name.
    let mut pinned = json!({"post": post_view(OTHER, "2020-01-01T00:00:00Z"), "reason": {"$type": "app.bsky.feed.defs#reasonPin"}});
    pinned["post"]["author"] = json!({"did": world.alice.did, "handle": "alice.test", "displayName": "Old", "avatar": "https://x.test"});
    let feed = world.ask(AUTHOR_FEED, &[("actor", "alice.test")], json!({"feed": [pinned]})).await.ok();
    assert_eq!(feed["feed"][0]["post"]["uri"], OTHER);
    assert_eq!(
        feed["feed"][0]["post"]["author"],
        json!({"did": world.alice.did, "handle": "alice.test", "displayName": "New"})
    );
    world.stop().await;
}

#[tokio::test]
async fn a_new_profile_shows_at_once() {
    let world = World::start().await;
    let avatar = json!({"$type": "blob", "ref": {"$link": "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"}, "mimeType": "image/png", "size": 5});
    let upstream = |did: &str| json!({"did": did, "handle": "alice.test", "displayName": "Old", "description": "old", "banner": "https://x.test", "postsCount": 7});
    let unchanged = world.ask(PROFILE, &[], upstream(&world.alice.did)).await;
    assert_eq!(unchanged.headers["atproto-repo-rev"], world.known.as_str());
    let blob = world.server.request(reqwest::Method::POST, "/xrpc/com.atproto.repo.uploadBlob");
    let blob = blob.bearer_auth(&world.alice.access).header("content-type", "image/png").body("\u{89}PNG");
    let blob = world.server.raw(blob).await.ok()["blob"].clone();
    assert_ne!(blob, avatar);
    world.write("app.bsky.actor.profile", Some("self"), json!({"displayName": "New", "avatar": blob})).await;
    let cid = blob["ref"]["$link"].as_str().unwrap();
    let host = world.server.host.public_url();
    let expected = json!({
        "did": world.alice.did, "handle": "alice.test", "displayName": "New", "postsCount": 7,
        "avatar": format!("{host}/xrpc/com.atproto.sync.getBlob?did={}&cid={cid}", world.alice.did),
    });
    let answer = world.ask(PROFILE, &[], upstream(&world.alice.did)).await;
    assert_eq!(answer.headers["atproto-upstream-lag"], "0");
    assert_eq!(answer.ok(), expected);
    let other = upstream("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa");
    assert_eq!(world.ask(PROFILE, &[], other.clone()).await.ok(), other);
    let many = json!({"profiles": [other, upstream(&world.alice.did)]});
    let answer = world.ask("app.bsky.actor.getProfiles", &[], many).await.ok();
    assert_eq!(answer, json!({"profiles": [other, expected]}));
    world.stop().await;
}

#[tokio::test]
async fn a_thread_has_the_newest_replies() {
    let world = World::start().await;
    let to = |parent: &str| {
        let mut post = text("reply");
        post["reply"] = json!({"root": {"uri": OTHER, "cid": CID}, "parent": {"uri": parent, "cid": CID}});
        post
    };
    let first = world.post(to(OTHER)).await;
    let second = world.post(to(&first.uri)).await;
    world.post(to("at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.feed.post/elsewhere")).await;
    let view = "app.bsky.feed.defs#threadViewPost";
    let thread = json!({"$type": view, "post": post_view(OTHER, "2025-01-01T00:00:00Z"), "replies": [{"$type": "app.bsky.feed.defs#notFoundPost"}]});
    let answer = world.ask(THREAD, &[("uri", OTHER)], json!({"thread": thread})).await.ok();
    let replies = answer["thread"]["replies"].as_array().unwrap();
    assert_eq!((replies.len(), &replies[0]["post"]["uri"]), (2, &json!(first.uri)));
    assert_eq!(replies[0]["replies"][0]["post"]["uri"], second.uri.as_str());
    assert_eq!(replies[0]["replies"].as_array().unwrap().len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_thread_that_only_this_server_knows_is_made_here() {
    let world = World::start().await;
    let mut post = text("reply");
    post["reply"] = json!({"root": {"uri": OTHER, "cid": CID}, "parent": {"uri": OTHER, "cid": CID}});
    let made = world.post(post).await;
    let not_found = || json!({"error": "NotFound", "message": "Post not found"});
    world.view.tell(THREAD, 400, Some(&world.known), not_found());
    let by_handle = made.uri.replace(&world.alice.did, "alice.test");
    let answer = world.server.get(&world.alice.access, THREAD, &[("uri", &by_handle)]).await;
    assert_eq!(answer.headers["atproto-upstream-lag"], "0");
    let thread = answer.ok();
    assert_eq!(thread["thread"]["post"]["uri"], made.uri.as_str());
    assert!(thread["thread"].get("parent").is_none(), "the app view knows nothing above it either");
    assert_eq!(world.view.seen(THREAD).len(), 2);
    for uri in [OTHER, "at://alice.test/app.bsky.feed.post/none", "nonsense", ""] {
        let answer = world.server.get(&world.alice.access, THREAD, &[("uri", uri)]).await;
        answer.refused(400, "NotFound", "Post not found");
    }
    world.view.tell(THREAD, 400, Some(&world.known), json!({"error": "BlockedActor", "message": "no"}));
    let answer = world.server.get(&world.alice.access, THREAD, &[("uri", &made.uri)]).await;
    answer.refused(400, "BlockedActor", "no");
    world.stop().await;
}

#[tokio::test]
async fn builders_patch_their_own_methods() {
    let world = World::start().await;
    world.write("com.example.note", None, json!({"text": "one"})).await;
    world.write("com.example.note", None, json!({"text": "two"})).await;
    world.view.tell("com.example.mine", 200, Some(&world.known), json!({"a": 1.5}));
    let request =
        world.server.request(reqwest::Method::GET, "/xrpc/com.example.mine").bearer_auth(&world.alice.access);
    let proxy = format!("{}#other", world.view.did);
    let answer = world.server.raw(request.header("atproto-proxy", proxy)).await.ok();
    assert_eq!(answer, json!({"a": 1.5, "notes": ["two", "one"]}));
    world.stop().await;
}

#[tokio::test]
async fn unknown_shapes_pass_as_they_came() {
    let world = World::start().await;
    world.post(text("new")).await;
    world.write("app.bsky.feed.like", None, subject(OTHER)).await;
    world.write("app.bsky.actor.profile", Some("self"), json!({"displayName": "New"})).await;
    let methods = [
        TIMELINE,
        AUTHOR_FEED,
        THREAD,
        PROFILE,
        "app.bsky.actor.getProfiles",
        "app.bsky.feed.getActorLikes",
        "app.bsky.feed.getPosts",
        "app.bsky.unspecced.getPostThreadV2",
    ];
    for method in methods {
        for upstream in [
            json!(null),
            json!([]),
            json!("x"),
            json!({}),
            json!({"feed": 1, "posts": {}, "thread": [], "profiles": "x"}),
            json!({"posts": [1, null, {"uri": 5}, {"uri": OTHER, "viewer": []}], "thread": [{}, {"value": 1}], "profiles": [[]]}),
            json!({"thread": {"$type": "app.bsky.feed.defs#threadViewPost", "post": 5, "replies": {}}}),
        ] {
            let answer = world.ask(method, &[("actor", "alice.test")], upstream.clone()).await;
            assert_eq!(answer.headers["atproto-repo-rev"], world.known.as_str(), "{method} {upstream}");
            assert_eq!(answer.ok(), upstream, "{method}");
        }
    }
    let large = json!({"feed": [], "padding": "x".repeat(arroba::read_after_write::MAX_BYTES)});
    assert_eq!(world.ask(TIMELINE, &[], large.clone()).await.ok(), large);
    world.stop().await;
}

#[tokio::test]
async fn at_most_a_hundred_records_are_put_in() {
    let world = World::start().await;
    for _ in 0..2 {
        let writes: Vec<Value> = (0..75)
            .map(|n| json!({"$type": "com.atproto.repo.applyWrites#create", "collection": "app.bsky.feed.post", "value": {"$type": "app.bsky.feed.post", "text": n.to_string(), "createdAt": "2025-06-15T15:06:00.000Z"}}))
            .collect();
        let input = json!({"repo": world.alice.did, "writes": writes});
        world.server.post(&world.alice.access, "com.atproto.repo.applyWrites", input).await.ok();
    }
    let answer = world.ask(TIMELINE, &[], json!({"feed": []})).await.ok();
    assert_eq!(answer["feed"].as_array().unwrap().len(), 100);
    world.stop().await;
}
