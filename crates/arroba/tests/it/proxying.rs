//! Calls that go on to other services, and those that do not.

use std::sync::Arc;

use arroba::core::syntax::Did;
use arroba::environment::SystemRandomness;
use arroba::session::{Access, SessionTokens};
use serde_json::{Value, json};

use super::app_view::{AppView, Localhost};
use super::server::{Account, Server};

const TIMELINE: &str = "app.bsky.feed.getTimeline";
const SEARCH: &str = "app.bsky.actor.searchActors";

async fn start() -> (Server, AppView) {
    let view = AppView::start().await;
    let service = view.service();
    let server = Server::with(|builder| builder.dns(Arc::new(Localhost)).proxy("app.bsky", service)).await;
    (server, view)
}

async fn named(server: &Server, account: &Account, method: &str, proxy: &str) -> super::server::Answer {
    let request = server.request(reqwest::Method::GET, &format!("/xrpc/{method}"));
    server.raw(request.bearer_auth(&account.access).header("atproto-proxy", proxy)).await
}

#[tokio::test]
async fn a_call_goes_to_the_service_of_its_prefix_with_a_token_of_the_caller() {
    let (server, view) = start().await;
    let alice = server.create("alice").await;
    view.tell(SEARCH, 200, None, json!({"actors": []}));
    let answer = server.get(&alice.access, SEARCH, &[("q", "a"), ("q", "b")]).await;
    assert_eq!(answer.headers["cache-control"], "private");
    assert_eq!(answer.ok(), json!({"actors": []}));
    let seen = view.seen(SEARCH);
    assert_eq!((seen.len(), seen[0].verb.as_str(), seen[0].query.as_str()), (1, "GET", "q=a&q=b"));
    let claims = view.claims(&server, SEARCH, &alice.did).await;
    assert_eq!((claims.iss.as_str(), claims.aud.as_str()), (alice.did.as_str(), view.did.as_str()));
    assert_eq!(claims.lxm.as_deref(), Some(SEARCH));
    let now = super::server::START_MICROS / 1_000_000;
    assert_eq!((claims.iat, claims.exp), (Some(now), now + 60));
    assert_eq!(claims.jti.unwrap().len(), 32);

    view.tell("app.bsky.notification.updateSeen", 200, None, json!({}));
    let input = json!({"seenAt": "2025-01-01T00:00:00Z"});
    server.post(&alice.access, "app.bsky.notification.updateSeen", input.clone()).await.ok();
    let seen = view.seen("app.bsky.notification.updateSeen").remove(0);
    assert_eq!(seen.verb, "POST");
    assert_eq!(serde_json::from_slice::<Value>(&seen.body).unwrap(), input);
    server.stop().await;
}

#[tokio::test]
async fn the_header_names_another_service() {
    let (server, view) = start().await;
    let alice = server.create("alice").await;
    view.tell("com.example.ask", 200, None, json!({"a": 1}));
    for id in ["other", "bsky_appview"] {
        let proxy = format!("{}#{id}", view.did);
        assert_eq!(named(&server, &alice, "com.example.ask", &proxy).await.ok(), json!({"a": 1}));
        let claims = view.claims(&server, "com.example.ask", &alice.did).await;
        assert_eq!(
            (claims.aud.as_str(), claims.lxm.as_deref()),
            (view.did.as_str(), Some("com.example.ask"))
        );
    }
    for (proxy, message) in [
        (format!("{}#nothing", view.did), "could not resolve proxy did service url"),
        (format!("{}#path", view.did), "could not resolve proxy did service url"),
        (format!("{}#private", view.did), "the service's address is not allowed"),
        ("did:web:localhost%3A1#x".to_owned(), ""),
        ("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa#x".to_owned(), "could not resolve proxy did"),
        ("did:foo:bar#x".to_owned(), "could not resolve proxy did"),
        (view.did.to_string(), "no service id specified in proxy header"),
        ("did:web:a.test #x".to_owned(), "proxy header cannot contain spaces"),
        // The server itself, by the document of an account of its own.
        (format!("{}#atproto_pds", alice.did), "cannot proxy to this server itself"),
    ] {
        let answer = named(&server, &alice, "com.example.ask", &proxy).await;
        match message {
            "" => answer.refused(502, "UpstreamFailure", ""),
            message => answer.refused(400, "InvalidRequest", message),
        }
    }
    assert_eq!(view.seen("com.example.ask").len(), 2);
    server.stop().await;
}

#[tokio::test]
async fn who_may_not_call() {
    let (server, view) = start().await;
    let alice = server.create("alice").await;
    view.tell(TIMELINE, 200, None, json!({"feed": []}));
    server.get("", TIMELINE, &[]).await.refused(401, "AuthMissing", "Authentication Required");
    server.get("nonsense", TIMELINE, &[]).await.refused(400, "InvalidToken", "");
    let basic = server.request(reqwest::Method::GET, &format!("/xrpc/{TIMELINE}"));
    server.raw(basic.basic_auth("admin", Some(super::server::ADMIN))).await.refused(400, "InvalidToken", "");
    // Nobody serves these, whoever calls.
    for method in ["com.example.unknown", "com.atproto.server.unknown", "com.atproto.sync.unknown"] {
        server.get("", method, &[]).await.refused(501, "MethodNotImplemented", "");
        server.get(&alice.access, method, &[]).await.refused(501, "MethodNotImplemented", "");
    }
    let proxy = format!("{}#other", view.did);
    named(&server, &alice, "com.atproto.server.unknown", &proxy).await.refused(
        501,
        "MethodNotImplemented",
        "",
    );
    server.get(&alice.access, "nonsense", &[]).await.refused(400, "InvalidRequest", "invalid xrpc path");
    for method in ["com.atproto.identity.signPlcOperation", "com.atproto.admin.SendEmail"] {
        let refused = named(&server, &alice, method, &proxy).await;
        refused.refused(400, "InvalidRequest", "method cannot be proxied");
    }
    let put = server.request(reqwest::Method::PUT, &format!("/xrpc/{TIMELINE}")).bearer_auth(&alice.access);
    server.raw(put).await.refused(400, "InvalidRequest", "XRPC requests are GET or POST");

    let service = Did::parse("did:web:localhost").unwrap();
    let clock = Arc::clone(&server.clock);
    let tokens =
        SessionTokens::new(server.secrets.session(), service, clock, Arc::new(SystemRandomness)).unwrap();
    let with = |access| {
        let did = Did::parse(&alice.did).unwrap();
        let token = tokens.access(&did, access).unwrap().expose().to_owned();
        Account { did: alice.did.clone(), handle: String::new(), access: token, refresh: String::new() }
    };
    view.tell("chat.bsky.convo.acceptConvo", 200, None, json!({}));
    view.tell("com.atproto.moderation.createReport", 200, None, json!({}));
    let chat = async |access| named(&server, &with(access), "chat.bsky.convo.acceptConvo", &proxy).await;
    chat(Access::AppPass).await.refused(400, "InvalidToken", "Bad token method");
    chat(Access::Takendown).await.refused(400, "InvalidToken", "Bad token scope");
    chat(Access::AppPassPrivileged).await.ok();
    server.get(&with(Access::AppPass).access, TIMELINE, &[]).await.ok();

    let subject = json!({"$type": "com.atproto.admin.defs#repoRef", "did": alice.did});
    let takedown = json!({"subject": subject, "takedown": {"applied": true, "ref": "x"}});
    server.admin("com.atproto.admin.updateSubjectStatus", takedown).await.ok();
    server.clock.advance(1_000_000);
    named(&server, &with(Access::Full), TIMELINE, &proxy).await.refused(401, "AccountTakedown", "");
    named(&server, &with(Access::Takendown), "com.atproto.moderation.createReport", &proxy).await.ok();
    server.stop().await;
}

#[tokio::test]
async fn a_compressed_request_goes_on_as_what_it_says() {
    /// `{"a":1}`
    const ZIPPED: &[u8] =
        &[31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 74, 84, 178, 50, 172, 5, 0, 175, 172, 27, 86, 7, 0, 0, 0];
    let (server, view) = start().await;
    let alice = server.create("alice").await;
    view.tell("app.bsky.any.thing", 200, None, json!({}));
    let request =
        server.request(reqwest::Method::POST, "/xrpc/app.bsky.any.thing").bearer_auth(&alice.access);
    let request = request.header("content-encoding", "gzip").header("content-type", "application/json");
    server.raw(request.body(ZIPPED)).await.ok();
    let seen = view.seen("app.bsky.any.thing").remove(0);
    assert_eq!((&seen.body[..], seen.headers.get("content-encoding")), (&b"{\"a\":1}"[..], None));
    assert_eq!(seen.headers["content-type"], "application/json");
    server.stop().await;
}

#[tokio::test]
async fn records_of_other_repos_come_from_the_app_view() {
    let (server, view) = start().await;
    let alice = server.create("alice").await;
    let foreign = json!({"uri": "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/a.b.c/self", "value": {"a": 1}});
    view.tell("com.atproto.repo.getRecord", 200, None, foreign.clone());
    let ask = async |repo: &str| {
        let params = [("repo", repo), ("collection", "a.b.c"), ("rkey", "self")];
        server.get("", "com.atproto.repo.getRecord", &params).await
    };
    for repo in ["did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", "someone.example.com"] {
        assert_eq!(ask(repo).await.ok(), foreign);
    }
    let seen = view.seen("com.atproto.repo.getRecord");
    assert_eq!((seen.len(), seen[0].headers.get("authorization")), (2, None));
    assert!(seen[1].query.contains("someone.example.com"));
    for own in [&alice.did, &alice.handle] {
        ask(own).await.refused(400, "RecordNotFound", "");
    }
    ask("nonsense").await.refused(400, "InvalidRequest", "");
    assert_eq!(view.seen("com.atproto.repo.getRecord").len(), 2);
    view.tell("com.atproto.repo.getRecord", 400, None, json!({"error": "RecordNotFound", "message": "no"}));
    ask("someone.example.com").await.refused(400, "RecordNotFound", "no");
    server.stop().await;
}

#[tokio::test]
async fn own_methods_are_never_forwarded() {
    let (server, view) = start().await;
    let alice = server.create("alice").await;
    let proxy = format!("{}#other", view.did);
    let preferences = named(&server, &alice, "app.bsky.actor.getPreferences", &proxy).await.ok();
    assert_eq!(preferences, json!({"preferences": []}));
    assert!(view.seen("app.bsky.actor.getPreferences").is_empty());
    server.stop().await;
}

#[tokio::test]
async fn the_longest_prefix_decides_and_errors_keep_their_names() {
    let (view, other) = (AppView::start().await, AppView::start().await);
    let (one, two) = (view.service(), other.service());
    let server = Server::with(|builder| builder.proxy("", one).proxy("app.bsky.feed", two)).await;
    let alice = server.create("alice").await;
    view.tell(SEARCH, 400, None, json!({"error": "BadQuery", "message": "no"}));
    other.tell(TIMELINE, 500, None, json!({"error": "InternalServerError", "message": "stack"}));
    server.get(&alice.access, SEARCH, &[]).await.refused(400, "BadQuery", "no");
    server.get(&alice.access, TIMELINE, &[]).await.refused(502, "UpstreamFailure", "Bad Gateway");
    server.get(&alice.access, "com.example.any", &[]).await.refused(501, "MethodNotImplemented", "");
    assert_eq!((view.seen(SEARCH).len(), other.seen(TIMELINE).len()), (1, 1));
    server.stop().await;
}

#[tokio::test]
async fn the_token_of_a_feed_is_for_the_feeds_own_service() {
    let (server, view) = start().await;
    let alice = server.create("alice").await;
    let feed = "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.feed.generator/cats";
    view.tell("app.bsky.feed.getFeedGenerator", 200, None, json!({"view": {"did": "did:web:feeds.test"}}));
    view.tell("app.bsky.feed.getFeed", 200, None, json!({"feed": []}));
    for _ in 0..2 {
        server.get(&alice.access, "app.bsky.feed.getFeed", &[("feed", feed)]).await.ok();
        let claims = view.claims(&server, "app.bsky.feed.getFeed", &alice.did).await;
        let skeleton = Some("app.bsky.feed.getFeedSkeleton");
        assert_eq!((claims.aud.as_str(), claims.lxm.as_deref()), ("did:web:feeds.test", skeleton));
    }
    assert_eq!(view.seen("app.bsky.feed.getFeedGenerator").len(), 1, "what was found out is remembered");
    let claims = view.claims(&server, "app.bsky.feed.getFeedGenerator", &alice.did).await;
    assert_eq!(claims.aud, view.did.as_str());
    view.tell(
        "app.bsky.feed.getFeedGenerator",
        400,
        None,
        json!({"error": "NotFound", "message": "no feed"}),
    );
    let other = [("feed", "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.feed.generator/dogs")];
    server.get(&alice.access, "app.bsky.feed.getFeed", &other).await.refused(400, "NotFound", "no feed");
    server.get(&alice.access, "app.bsky.feed.getFeed", &[]).await.refused(400, "InvalidRequest", "feed");
    server.stop().await;
}

#[tokio::test]
async fn the_service_of_push_notifications_is_named_in_the_call() {
    let (server, view) = start().await;
    let alice = server.create("alice").await;
    let other = AppView::start().await;
    for method in ["app.bsky.notification.registerPush", "app.bsky.notification.unregisterPush"] {
        for service in [&view, &other] {
            service.tell(method, 200, None, json!({}));
            let input = json!({"serviceDid": service.did, "token": "t", "platform": "web", "appId": "a"});
            server.post(&alice.access, method, input.clone()).await.ok();
            let seen = service.seen(method).remove(0);
            assert_eq!(serde_json::from_slice::<Value>(&seen.body).unwrap(), input);
            assert_eq!(service.claims(&server, method, &alice.did).await.aud, service.did.as_str());
        }
        server.post(&alice.access, method, json!({"token": "t"})).await.refused(
            400,
            "InvalidRequest",
            "serviceDid",
        );
    }
    server.stop().await;
}
