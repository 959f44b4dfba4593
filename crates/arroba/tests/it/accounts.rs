//! Accounts and sessions over HTTP.

use std::sync::Arc;

use arroba::core::crypto::{Curve, PrivateKey, Signer, jwt};
use arroba::core::syntax::{Did, Handle};
use arroba::environment::SystemRandomness;
use arroba::identity::plc::{PlcDirectory, State, Unsigned, did_from_genesis};
use arroba::session::{Access, SessionTokens};
use arroba::store::accounts::{Accounts, NewAccount};
use serde_json::{Value, json};

use super::server::{Account, START_MICROS, Server};

const CREATE: &str = "com.atproto.server.createAccount";
const SESSION: &str = "com.atproto.server.createSession";
const REFRESH: &str = "com.atproto.server.refreshSession";
const GET_SESSION: &str = "com.atproto.server.getSession";
const RECORD: &str = "com.atproto.repo.createRecord";

fn input(name: &str) -> Value {
    json!({"handle": format!("{name}.test"), "email": format!("{name}@mail.test"), "password": "hunter2"})
}

fn with(mut value: Value, name: &str, new: Value) -> Value {
    value[name] = new;
    value
}

#[tokio::test]
async fn an_account_is_created_with_its_identity_and_four_events() {
    let server = Server::start().await;
    let made = server.post("", CREATE, with(input("alice"), "handle", json!("Alice.TEST"))).await.ok();
    let did = made["did"].as_str().unwrap();
    assert_eq!(made["handle"], "alice.test");
    assert_eq!(made["didDoc"]["alsoKnownAs"], json!(["at://alice.test"]));
    let state = server.directory.state(&Did::parse(did).unwrap()).await.unwrap();
    let rotation = server.secrets.rotation().public_key().to_did_key();
    assert_eq!(state.rotation_keys.as_slice(), std::slice::from_ref(&rotation));
    let wanted = server.get(
        made["accessJwt"].as_str().unwrap(),
        "com.atproto.identity.getRecommendedDidCredentials",
        &[],
    );
    let wanted = wanted.await.ok();
    assert_eq!(wanted["rotationKeys"], json!([rotation]));
    assert_eq!(wanted["verificationMethods"]["atproto"], state.signing_key().unwrap().to_did_key());
    let events = server.host.store().events(0, 10).await.unwrap().events;
    let kinds: Vec<String> = events.iter().map(|event| format!("{:?}", event.kind)).collect();
    assert_eq!(kinds, ["Identity", "Account", "Commit", "Sync"]);
    let resolved =
        server.get("", "com.atproto.identity.resolveHandle", &[("handle", "alice.test")]).await.ok();
    assert_eq!(resolved["did"], did);
    server.stop().await;
}

#[tokio::test]
async fn refusals_of_new_accounts_have_names() {
    let server = Server::start().await;
    server.create("taken").await;
    for (name, value, status, error, message) in [
        ("handle", json!("taken.test"), 400, "InvalidRequest", "Handle already taken: taken.test"),
        ("email", json!("TAKEN@mail.test"), 400, "InvalidRequest", "Email already taken: taken@mail.test"),
        ("email", Value::Null, 400, "InvalidRequest", ""),
        ("email", json!("nonsense"), 400, "InvalidRequest", "not supported"),
        ("handle", json!("ab.test"), 400, "InvalidHandle", "too short"),
        ("handle", json!("a.b.test"), 400, "InvalidHandle", "Invalid characters"),
        ("handle", json!("somebody.invalid"), 400, "InvalidHandle", "TLD"),
        ("handle", json!("somebody.example.com"), 400, "UnsupportedDomain", "Not a supported handle domain"),
        ("handle", json!("admin.test"), 400, "HandleNotAvailable", "Reserved handle"),
        ("handle", json!("not a handle"), 400, "InvalidRequest", ""),
        ("password", json!("x".repeat(257)), 400, "InvalidRequest", "Password too long"),
        ("plcOp", json!({}), 400, "InvalidRequest", "plcOp"),
        ("recoveryKey", json!("did:key:nonsense"), 400, "InvalidRequest", "recovery key"),
        ("did", json!("did:plc:ewvi7nxzyoun6zhxrhs64oiz"), 401, "AuthenticationRequired", "Missing auth"),
    ] {
        let answer = server.post("", CREATE, with(input("fresh"), name, value)).await;
        answer.refused(status, error, message);
    }
    let mut no_email = input("fresh");
    no_email.as_object_mut().unwrap().remove("email");
    server.post("", CREATE, no_email).await.refused(400, "InvalidRequest", "Email is required");
    assert_eq!(server.host.store().events(0, 100).await.unwrap().events.len(), 4, "nothing was emitted");
    server.post("", CREATE, input("fresh")).await.ok();
    server.stop().await;
}

#[tokio::test]
async fn of_many_who_want_one_handle_one_gets_it() {
    let server = Server::start().await;
    let tries = (0..6).map(|n| {
        let input = with(input("wanted"), "email", json!(format!("{n}@mail.test")));
        server.post("", CREATE, input)
    });
    let answers = futures::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.refused(400, "InvalidRequest", "Handle already taken");
    }
    server.stop().await;
}

#[tokio::test]
async fn logins_by_handle_did_and_email() {
    let server = Server::start().await;
    let alice = server.create("alice").await;
    for identifier in ["Alice.Test", &alice.did, "ALICE@mail.test"] {
        let made =
            server.post("", SESSION, json!({"identifier": identifier, "password": "hunter2"})).await.ok();
        assert_eq!((&made["did"], &made["email"]), (&json!(alice.did), &json!("alice@mail.test")));
        assert_eq!((&made["active"], &made["emailConfirmed"]), (&json!(true), &json!(false)));
    }
    for (identifier, password) in
        [("alice.test", "hunter3"), ("nobody.test", "hunter2"), ("x@mail.test", "hunter2"), ("?", "")]
    {
        let answer = server.post("", SESSION, json!({"identifier": identifier, "password": password})).await;
        answer.refused(401, "AuthenticationRequired", "Invalid identifier or password");
    }
    let shown = server.get(&alice.access, GET_SESSION, &[]).await.ok();
    assert_eq!((&shown["handle"], &shown["did"]), (&json!("alice.test"), &json!(alice.did)));
    server.stop().await;
}

#[tokio::test]
async fn the_authorization_header_decides_the_error() {
    let server = Server::start().await;
    let alice = server.create("alice").await;
    server.get("", GET_SESSION, &[]).await.refused(401, "AuthMissing", "");
    server.get("garbage", GET_SESSION, &[]).await.refused(400, "InvalidToken", "");
    server.get(&alice.refresh, GET_SESSION, &[]).await.refused(400, "InvalidToken", "");
    server.post(&alice.access, REFRESH, Value::Null).await.refused(400, "InvalidToken", "");
    let request = server.request(reqwest::Method::GET, &format!("/xrpc/{GET_SESSION}"));
    let wrong = server.raw(request.header("authorization", "Wrong x")).await;
    wrong.refused(400, "InvalidToken", "authorization type");
    server.clock.set(START_MICROS + 7_200_000_000);
    server.get(&alice.access, GET_SESSION, &[]).await.refused(400, "ExpiredToken", "Token has expired");
    server.post(&alice.access, RECORD, alice.post("late")).await.refused(400, "ExpiredToken", "");
    server.stop().await;
}

#[tokio::test]
async fn refresh_tokens_rotate_with_a_grace() {
    let server = Server::start().await;
    let alice = server.create("alice").await;
    let first = server.post(&alice.refresh, REFRESH, Value::Null).await.ok();
    let again = server.post(&alice.refresh, REFRESH, Value::Null).await.ok();
    assert_ne!(first["refreshJwt"], json!(alice.refresh));
    assert_eq!(
        first["refreshJwt"], again["refreshJwt"],
        "the clock stands still, so the same id is the same token"
    );
    server.clock.set(START_MICROS + 7_200_000_000);
    server.post(&alice.refresh, REFRESH, Value::Null).await.refused(
        400,
        "ExpiredToken",
        "Token has been revoked",
    );
    let second = first["refreshJwt"].as_str().unwrap();
    server.post(second, REFRESH, Value::Null).await.ok();
    server.post(second, "com.atproto.server.deleteSession", Value::Null).await.ok();
    server.post(second, REFRESH, Value::Null).await.refused(400, "ExpiredToken", "Token has been revoked");
    server.clock.set(START_MICROS + 91 * 24 * 3_600_000_000);
    server.post(second, REFRESH, Value::Null).await.refused(400, "ExpiredToken", "Token has expired");
    server.post(second, "com.atproto.server.deleteSession", Value::Null).await.ok();
    server.stop().await;
}

#[tokio::test]
async fn deactivated_accounts_log_in_and_do_not_write() {
    let server = Server::start().await;
    let alice = server.create("alice").await;
    server.post(&alice.access, RECORD, alice.post("before")).await.ok();
    server.post(&alice.access, "com.atproto.server.deactivateAccount", json!({})).await.ok();
    server.post(&alice.access, RECORD, alice.post("no")).await.refused(401, "AccountDeactivated", "");
    let resolved = server.get("", "com.atproto.identity.resolveHandle", &[("handle", "alice.test")]).await;
    resolved.refused(400, "HandleNotFound", "Unable to resolve handle");
    let session =
        server.post("", SESSION, json!({"identifier": alice.did, "password": "hunter2"})).await.ok();
    assert_eq!((&session["active"], &session["status"]), (&json!(false), &json!("deactivated")));
    let status = server.get(&alice.access, "com.atproto.server.checkAccountStatus", &[]).await.ok();
    assert_eq!(
        (&status["activated"], &status["validDid"], &status["indexedRecords"]),
        (&json!(false), &json!(true), &json!(1))
    );
    server.post(&alice.access, "com.atproto.server.activateAccount", Value::Null).await.ok();
    server.post(&alice.access, RECORD, alice.post("after")).await.ok();
    server.stop().await;
}

#[tokio::test]
async fn the_operator_takes_down_and_deletes() {
    let server = Server::start().await;
    let alice = server.create("alice").await;
    let subject = json!({"$type": "com.atproto.admin.defs#repoRef", "did": alice.did});
    let update = "com.atproto.admin.updateSubjectStatus";
    let down = json!({"subject": subject, "takedown": {"applied": true, "ref": "r"}});
    server.post(&alice.access, update, down.clone()).await.refused(401, "AuthenticationRequired", "");
    assert_eq!(server.admin(update, down).await.ok()["takedown"], json!({"applied": true, "ref": "r"}));
    let seen =
        server.admin_get("com.atproto.admin.getSubjectStatus", &format!("did={}", alice.did)).await.ok();
    assert_eq!(seen["takedown"], json!({"applied": true, "ref": "r"}));
    server.post(&alice.access, RECORD, alice.post("no")).await.refused(401, "AccountTakedown", "");
    server.post(&alice.refresh, REFRESH, Value::Null).await.refused(401, "AccountTakedown", "");
    let login = json!({"identifier": alice.did, "password": "hunter2"});
    server.post("", SESSION, login.clone()).await.refused(401, "AccountTakedown", "");
    let limited = server.post("", SESSION, with(login, "allowTakendown", json!(true))).await.ok();
    let limited = limited["accessJwt"].as_str().unwrap();
    server.get(limited, GET_SESSION, &[]).await.refused(400, "InvalidToken", "Bad token scope");
    assert_eq!(server.get(limited, "com.atproto.sync.getRepo", &[("did", &alice.did)]).await.status, 200);
    server.admin(update, json!({"subject": subject, "takedown": {"applied": false}})).await.ok();
    server.post(&alice.access, RECORD, alice.post("yes")).await.ok();

    let info = server.admin_get("com.atproto.admin.getAccountInfo", &format!("did={}", alice.did)).await.ok();
    assert_eq!((&info["handle"], &info["email"]), (&json!("alice.test"), &json!("alice@mail.test")));
    server.admin("com.atproto.admin.deleteAccount", json!({"did": alice.did})).await.ok();
    server.post(&alice.access, RECORD, alice.post("ghost")).await.refused(403, "AccountNotFound", "");
    server.create("alice").await;
    server.stop().await;
}

#[tokio::test]
async fn invites_are_asked_for_and_spent_once() {
    let server = Server::with(|builder| builder.invite_required(true)).await;
    server.post("", CREATE, input("alice")).await.refused(
        400,
        "InvalidInviteCode",
        "No invite code provided",
    );
    let made = server.admin("com.atproto.server.createInviteCode", json!({"useCount": 1})).await.ok();
    let code = made["code"].as_str().unwrap();
    assert!(code.starts_with("localhost-") && code.len() >= 21, "{code}");
    let tries = ["alice", "bob", "carol"]
        .map(|name| server.post("", CREATE, with(input(name), "inviteCode", json!(code))));
    let answers = futures::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.refused(400, "InvalidInviteCode", "Provided invite code not available");
    }
    for bad in [json!({"useCount": 0}), json!({"useCount": -1}), json!({"useCount": 1e9 as i64})] {
        server.admin("com.atproto.server.createInviteCode", bad).await.refused(400, "InvalidRequest", "");
    }
    let many = json!({"useCount": 1, "codeCount": 100_000_000});
    server.admin("com.atproto.server.createInviteCodes", many).await.refused(400, "InvalidRequest", "");
    server.stop().await;
}

/// An account of another host: its DID in the directory, under keys of its own.
async fn stranger(server: &Server, name: &str) -> (Did, PrivateKey) {
    let key = PrivateKey::from_bytes(Curve::K256, &[name.len() as u8; 32]).unwrap();
    let handle = Handle::parse(&format!("{name}.test")).unwrap();
    let state = State::account(vec![key.public_key()], &key.public_key(), &handle, "http://localhost:1");
    let genesis = Unsigned::genesis(state).sign(&key).unwrap();
    let did = did_from_genesis(&genesis);
    server.directory.submit(&did, &genesis).await.unwrap();
    (did, key)
}

fn token(did: &Did, key: &PrivateKey, change: impl FnOnce(&mut Value)) -> String {
    let now = START_MICROS / 1_000_000;
    let mut claims =
        json!({"iss": did, "aud": "did:web:localhost", "lxm": CREATE, "iat": now, "exp": now + 60});
    change(&mut claims);
    jwt::encode("JWT", None, &claims, key).unwrap()
}

#[tokio::test]
async fn an_existing_did_moves_here_by_its_own_token() {
    let server = Server::start().await;
    let (did, key) = stranger(&server, "mover").await;
    let (other, other_key) = stranger(&server, "other-one").await;
    let wanted = with(input("mover"), "did", json!(did));
    for (token, error) in [
        (token(&other, &other_key, |_| {}), "AuthenticationRequired"),
        (token(&did, &other_key, |_| {}), "BadJwtSignature"),
        (token(&did, &key, |claims| claims["aud"] = json!("did:web:elsewhere.test")), "BadJwtAudience"),
        (token(&did, &key, |claims| claims["lxm"] = json!(GET_SESSION)), "BadJwtLexiconMethod"),
        (token(&did, &key, |claims| claims["exp"] = json!(1)), "JwtExpired"),
    ] {
        server.post(&token, CREATE, wanted.clone()).await.refused(401, error, "");
    }
    let made = server.post(&token(&did, &key, |_| {}), CREATE, wanted.clone()).await.ok();
    let access = made["accessJwt"].as_str().unwrap();
    assert_eq!(made["did"], json!(did));
    let status = server.get(access, "com.atproto.server.checkAccountStatus", &[]).await.ok();
    assert_eq!((&status["activated"], &status["validDid"]), (&json!(false), &json!(false)));
    assert!(server.host.store().events(0, 9).await.unwrap().events.is_empty(), "nothing is announced yet");
    let early = server.post(access, "com.atproto.server.activateAccount", Value::Null).await;
    early.refused(400, "InvalidRequest", "rotation key");

    let wanted = server.get(access, "com.atproto.identity.getRecommendedDidCredentials", &[]).await.ok();
    let last = server.directory.last_operation(&did).await.unwrap();
    let mut state = last.state().unwrap().clone();
    state.rotation_keys.push(wanted["rotationKeys"][0].as_str().unwrap().to_owned());
    let signing = wanted["verificationMethods"]["atproto"].as_str().unwrap();
    let signing = arroba::core::crypto::PublicKey::from_did_key(signing).unwrap();
    let state = state.with_signing_key(&signing).with_pds(server.host.public_url());
    let update = Unsigned::update(last.cid(), state).sign(&key).unwrap();
    server.directory.submit(&did, &update).await.unwrap();
    server.post(access, "com.atproto.server.activateAccount", Value::Null).await.ok();
    let events = server.host.store().events(0, 9).await.unwrap().events;
    let kinds: Vec<String> = events.iter().map(|event| format!("{:?}", event.kind)).collect();
    assert_eq!(kinds, ["Account", "Identity", "Sync"]);
    server.stop().await;
}

#[tokio::test]
async fn service_tokens_are_issued_and_taken() {
    let server = Server::start().await;
    let alice = server.create("alice").await;
    let ask = async |params: &[(&str, &str)]| {
        server.get(&alice.access, "com.atproto.server.getServiceAuth", params).await
    };
    let upload = "com.atproto.repo.uploadBlob";
    let made = ask(&[("aud", "did:web:localhost"), ("lxm", upload)]).await.ok();
    let token = made["token"].as_str().unwrap();
    let send = |token: String| {
        let request = server.request(reqwest::Method::POST, &format!("/xrpc/{upload}"));
        server.raw(request.header("content-type", "text/plain").body("bytes").bearer_auth(token))
    };
    send(token.to_owned()).await.ok();
    send(token.to_owned()).await.refused(401, "BadJwt", "used before");
    let other = ask(&[("aud", "did:web:localhost"), ("lxm", RECORD)]).await.ok();
    send(other["token"].as_str().unwrap().to_owned()).await.refused(401, "BadJwtLexiconMethod", "");
    ask(&[("aud", "did:web:x.test#svc"), ("lxm", "app.bsky.feed.getFeedSkeleton")]).await.ok();
    ask(&[("aud", "did:web:x.test"), ("exp", "1")]).await.refused(400, "BadExpiration", "");
    ask(&[("aud", "did:web:x.test"), ("lxm", GET_SESSION)]).await.refused(
        400,
        "InvalidRequest",
        "protected method",
    );
    server.stop().await;
}

#[tokio::test]
async fn handles_change_here_and_in_the_directory() {
    let server = Server::start().await;
    let (alice, bob) = (server.create("alice").await, server.create("bob").await);
    let update = async |handle: &str| {
        server.post(&alice.access, "com.atproto.identity.updateHandle", json!({"handle": handle})).await
    };
    update(&bob.handle).await.refused(400, "HandleNotAvailable", "Handle already taken: bob.test");
    update("somebody.example.com").await.refused(
        400,
        "InvalidRequest",
        "External handle did not resolve to DID",
    );
    update("Renamed.Test").await.ok();
    let state = server.directory.state(&Did::parse(&alice.did).unwrap()).await.unwrap();
    assert_eq!(state.also_known_as, ["at://renamed.test"]);
    assert_eq!(server.get(&alice.access, GET_SESSION, &[]).await.ok()["handle"], "renamed.test");
    let described = server.get("", "com.atproto.repo.describeRepo", &[("repo", "renamed.test")]).await.ok();
    assert_eq!(described["handleIsCorrect"], true);
    server.stop().await;
}

#[tokio::test]
async fn preferences_stay_in_their_namespace() {
    let server = Server::start().await;
    let alice = server.create("alice").await;
    let (get, put) = ("app.bsky.actor.getPreferences", "app.bsky.actor.putPreferences");
    assert_eq!(server.get(&alice.access, get, &[]).await.ok(), json!({"preferences": []}));
    let unknown = json!({"$type": "app.bsky.actor.defs#futurePref", "x": [1, {"y": null}]});
    server.post(&alice.access, put, json!({"preferences": [unknown]})).await.ok();
    assert_eq!(server.get(&alice.access, get, &[]).await.ok(), json!({"preferences": [unknown]}));
    for bad in [
        json!([{"$type": "com.example.pref"}]),
        json!([{"x": 1}]),
        json!([5]),
        json!([{"$type": "app.bskyx.y"}]),
    ] {
        server.post(&alice.access, put, json!({"preferences": bad})).await.refused(400, "InvalidRequest", "");
    }
    let details =
        json!({"$type": "app.bsky.actor.defs#personalDetailsPref", "birthDate": "1990-01-01T00:00:00.000Z"});
    server.post(&alice.access, put, json!({"preferences": [details]})).await.ok();
    let shown = server.get(&alice.access, get, &[]).await.ok();
    assert_eq!(shown["preferences"][1]["isOverAge18"], true);
    server.stop().await;
}

#[tokio::test]
async fn what_a_crash_left_is_finished_or_taken_back() {
    let server = Server::start().await;
    let alice = server.create("alice").await;
    let accounts = Accounts::new(server.store.clone());
    let ghost = Did::parse("did:web:ghost.test").unwrap();
    let new = NewAccount {
        did: ghost.clone(),
        email: Some("ghost@mail.test".into()),
        password: None,
        invite: None,
        now: 1,
    };
    accounts.reserve(new).await.unwrap();
    let bob = server.create("bob").await;
    server.host.delete(&Did::parse(&bob.did).unwrap()).await.unwrap();
    let (store, directory, secrets) =
        (server.store.clone(), server.directory.clone(), server.secrets.clone());
    let again = Server::over(store, directory, secrets, |builder| builder).await;
    assert!(accounts.unfinished().await.unwrap().is_empty());
    assert!(
        accounts.account(&Did::parse(&bob.did).unwrap()).await.unwrap().is_none(),
        "a half deletion is finished"
    );
    assert!(accounts.account(&Did::parse(&alice.did).unwrap()).await.unwrap().is_some());
    again.post("", CREATE, with(input("fresh"), "email", json!("ghost@mail.test"))).await.ok();
    let kept: &Account = &alice;
    again.get(&kept.access, GET_SESSION, &[]).await.ok();
    again.stop().await;
}

#[tokio::test]
async fn an_access_token_that_was_voided_opens_nothing() {
    let server = Server::start().await;
    let (alice, bob) = (server.create("alice").await, server.create("bob").await);
    server.get(&alice.access, GET_SESSION, &[]).await.ok();
    let accounts = Accounts::new(server.store.clone());
    let did = Did::parse(&alice.did).unwrap();
    accounts.void_tokens(&did, START_MICROS / 1_000_000 + 1).await.unwrap();
    server.get(&alice.access, GET_SESSION, &[]).await.refused(400, "ExpiredToken", "Token has been revoked");
    server.post(&alice.access, RECORD, alice.post("no")).await.refused(400, "ExpiredToken", "revoked");
    let repo = [("did", alice.did.as_str())];
    let answer = server.get(&alice.access, "com.atproto.sync.getRepo", &repo).await;
    answer.refused(400, "ExpiredToken", "revoked");
    server.get(&bob.access, GET_SESSION, &[]).await.ok();
    server.clock.advance(2_000_000);
    let again = server.post("", SESSION, json!({"identifier": alice.did, "password": "hunter2"})).await.ok();
    server.get(again["accessJwt"].as_str().unwrap(), GET_SESSION, &[]).await.ok();
    server.stop().await;
}

#[tokio::test]
async fn what_an_app_password_does_not_open() {
    let server = Server::start().await;
    let alice = server.create("alice").await;
    let (get, put) = ("app.bsky.actor.getPreferences", "app.bsky.actor.putPreferences");
    let born = json!({"$type": "app.bsky.actor.defs#personalDetailsPref", "birthDate": "1990-01-01"});
    server.post(&alice.access, put, json!({"preferences": [born]})).await.ok();
    let service = Did::parse("did:web:localhost").unwrap();
    let clock = Arc::clone(&server.clock);
    let tokens =
        SessionTokens::new(server.secrets.session(), service, clock, Arc::new(SystemRandomness)).unwrap();
    for access in [Access::AppPass, Access::AppPassPrivileged] {
        let token = tokens.access(&Did::parse(&alice.did).unwrap(), access).unwrap().expose().to_owned();
        server.post(&token, RECORD, alice.post("by an app")).await.ok();
        for (method, input) in [
            ("com.atproto.server.deactivateAccount", json!({})),
            ("com.atproto.server.activateAccount", Value::Null),
        ] {
            server.post(&token, method, input).await.refused(400, "InvalidToken", "Bad token scope");
        }
        let import = server.request(reqwest::Method::POST, "/xrpc/com.atproto.repo.importRepo");
        let import = import.header("content-type", "application/vnd.ipld.car").body("x").bearer_auth(&token);
        server.raw(import).await.refused(400, "InvalidToken", "Bad token scope");
        let shown = server.get(&token, get, &[]).await.ok();
        assert!(!shown.to_string().contains("1990"), "{shown}");
        let changed = json!({"preferences": [{"$type": born["$type"], "birthDate": "2020-01-01"}]});
        server.post(&token, put, changed).await.refused(400, "InvalidRequest", "authorization");
        server.post(&token, put, json!({"preferences": []})).await.ok();
        let chat = [("aud", "did:web:x.test"), ("lxm", "chat.bsky.convo.getLog")];
        let asked = server.get(&token, "com.atproto.server.getServiceAuth", &chat).await;
        assert_eq!(asked.status == 200, access == Access::AppPassPrivileged, "{}", asked.text);
    }
    let shown = server.get(&alice.access, get, &[]).await.ok();
    assert_eq!(shown["preferences"][0], born, "what an app does not see it does not take away");
    // A token for services is no session, and neither is the operator's password in the address.
    let asked = [("aud", "did:web:localhost"), ("lxm", "com.atproto.repo.uploadBlob")];
    let made = server.get(&alice.access, "com.atproto.server.getServiceAuth", &asked).await.ok();
    let made = made["token"].as_str().unwrap();
    for method in [GET_SESSION, "com.atproto.server.checkAccountStatus"] {
        server.get(made, method, &[]).await.refused(400, "InvalidToken", "");
    }
    let params =
        [("did", alice.did.as_str()), ("admin", super::server::ADMIN), ("password", super::server::ADMIN)];
    let asked = server.get("", "com.atproto.admin.getAccountInfo", &params).await;
    assert_eq!(asked.status, 401, "{}", asked.text);
    server.stop().await;
}
