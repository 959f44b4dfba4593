//! One lexicon by the whole way, and the caches over it.

use super::{
    publisher::{Answer, DOMAIN, Repo, World, note, nsid, schema},
    support::key,
};
use arroba_core::{
    crypto::Signer as _,
    lexicon::{Def, SchemaError},
    repo::verify::VerifyError,
};
use arroba_identity::{LexiconError, lexicon::Lexicon};
use arroba_net::FetchError;
use axum::http::StatusCode;
use bytes::Bytes;
use serde_json::json;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

const NOTE: &str = "com.example.note";

async fn note_world() -> World {
    World::new(&[note(NOTE, "text"), note("com.example.other", "a"), note("com.example.third", "b")]).await
}

async fn resolve(world: &World) -> Result<Arc<Lexicon>, LexiconError> {
    world.lexicons.resolve(&nsid(NOTE)).await
}

fn has_field(lexicon: &Lexicon, field: &str) -> bool {
    matches!(lexicon.document.def("main"), Some(Def::Record(record)) if record.record.properties.contains_key(field))
}

#[tokio::test]
async fn a_lexicon_is_found_with_proof() {
    let world = note_world().await;
    let lexicon = resolve(&world).await.unwrap();
    assert_eq!((lexicon.nsid(), &lexicon.authority), (&nsid(NOTE), &world.did));
    assert!(has_field(&lexicon, "text"));
    assert!(lexicon.cid.matches(&lexicon.record));
    assert_eq!(lexicon.uri().to_string(), format!("at://{}/com.atproto.lexicon.schema/{NOTE}", world.did));
}

#[tokio::test]
async fn a_stampede_asks_once_and_the_answer_is_kept() {
    let world = note_world().await;
    let answers = futures::future::join_all((0..50).map(|_| resolve(&world))).await;
    assert!(answers.iter().all(Result::is_ok));
    world.hands.advance(Duration::from_secs(5 * 60 - 1));
    resolve(&world).await.unwrap();
    assert_eq!((world.requests(), world.dns.lookups.load(Ordering::SeqCst)), (1, 1));
}

#[tokio::test]
async fn an_old_answer_serves_while_a_new_one_is_fetched() {
    let world = note_world().await;
    resolve(&world).await.unwrap();
    world.publish(&key(9), &[note(NOTE, "words")]);
    world.hands.advance(Duration::from_secs(5 * 60));
    assert!(has_field(&resolve(&world).await.unwrap(), "text"));
    while !has_field(&resolve(&world).await.unwrap(), "words") {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.requests(), 2);
}

#[tokio::test]
async fn an_outage_is_bridged_for_a_day() {
    let world = note_world().await;
    resolve(&world).await.unwrap();
    world.answer(Answer::Status(StatusCode::SERVICE_UNAVAILABLE));
    world.hands.advance(Duration::from_secs(23 * 3600));
    resolve(&world).await.unwrap();
    while world.requests() < 2 {
        tokio::task::yield_now().await;
    }
    resolve(&world).await.unwrap();
    world.hands.advance(Duration::from_secs(3600));
    let error = resolve(&world).await.unwrap_err();
    assert!(matches!(error, LexiconError::Status(StatusCode::SERVICE_UNAVAILABLE)) && !error.is_definite());
}

#[tokio::test]
async fn a_failure_is_remembered_for_half_a_minute() {
    let world = note_world().await;
    world.answer(Answer::Status(StatusCode::BAD_GATEWAY));
    for _ in 0..3 {
        resolve(&world).await.unwrap_err();
    }
    assert_eq!(world.requests(), 1);
    world.answer(Answer::Proof);
    world.hands.advance(Duration::from_secs(29));
    resolve(&world).await.unwrap_err();
    world.hands.advance(Duration::from_secs(1));
    resolve(&world).await.unwrap();
}

#[tokio::test]
async fn a_domain_that_names_nobody_is_remembered() {
    let world = note_world().await;
    let set = |texts: &[String]| {
        world.dns.txt.lock().unwrap().insert(DOMAIN.to_owned(), texts.to_vec());
    };
    world.dns.txt.lock().unwrap().clear();
    for _ in 0..3 {
        assert!(matches!(resolve(&world).await, Err(LexiconError::NoAuthority)));
    }
    assert_eq!((world.requests(), world.dns.lookups.load(Ordering::SeqCst)), (0, 1));
    set(&[format!("did={}", world.did)]);
    world.hands.advance(Duration::from_secs(119));
    assert!(matches!(resolve(&world).await, Err(LexiconError::NoAuthority)));
    world.hands.advance(Duration::from_secs(1));
    resolve(&world).await.unwrap();
    for texts in [vec![], vec!["did=".to_owned(), format!("DID={}", world.did), world.did.to_string()]] {
        set(&texts);
        world.lexicons.purge(&nsid(NOTE));
        assert!(matches!(resolve(&world).await, Err(LexiconError::NoAuthority)));
    }
    set(&[format!("did={}", world.did), "did=did:web:other.test".to_owned()]);
    world.lexicons.purge(&nsid(NOTE));
    assert!(matches!(resolve(&world).await, Err(LexiconError::Ambiguous)));
    world.dns.down.store(true, Ordering::SeqCst);
    world.lexicons.purge(&nsid(NOTE));
    let error = resolve(&world).await.unwrap_err();
    assert!(matches!(error, LexiconError::Dns(_)) && !error.is_definite());
}

/// A name is answered for by its own domain alone.
#[tokio::test]
async fn no_domain_above_or_below_is_asked() {
    let world = note_world().await;
    for name in ["com.example.deep.note", "com.exampl.note", "net.example.note"] {
        assert!(
            matches!(world.lexicons.resolve(&nsid(name)).await, Err(LexiconError::NoAuthority)),
            "{name}"
        );
    }
    let [long, rest] = ["a".repeat(62), "b".repeat(55)];
    let error = world.lexicons.resolve(&nsid(&format!("com.{long}.{long}.{long}.{rest}.note"))).await;
    assert!(matches!(error, Err(LexiconError::Domain)));
}

#[tokio::test]
async fn an_authority_may_be_set() {
    let world = note_world().await;
    let did = world.did.clone();
    let records = [note("org.example.note", "text")];
    let other = World::with(&records, None, |builder| builder.authority(did)).await;
    // The other world's directory does not know the account.
    assert!(matches!(other.lexicons.resolve(&nsid("org.example.note")).await, Err(LexiconError::Did(_))));
    assert_eq!(other.dns.lookups.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn absence_is_proven_and_remembered() {
    let world = note_world().await;
    let gone = nsid("com.example.gone");
    for _ in 0..3 {
        assert!(matches!(world.lexicons.resolve(&gone).await, Err(LexiconError::NotFound)));
    }
    assert_eq!(world.requests(), 1);
    // A lexicon that is taken back is gone, however long it was known.
    resolve(&world).await.unwrap();
    world.publish(&key(9), &[note("com.example.other", "a")]);
    world.hands.advance(Duration::from_secs(5 * 60));
    while resolve(&world).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(matches!(resolve(&world).await, Err(LexiconError::NotFound)));
}

#[tokio::test]
async fn what_is_not_proven_is_not_believed() {
    let world = note_world().await;
    let records = [note(NOTE, "forged")];
    let forged = Repo::new(&world.did, &key(7), &records).proof(NOTE);
    let elsewhere = Repo::new(&"did:web:other.test".parse().unwrap(), &key(9), &records).proof(NOTE);
    let honest = world.served.repo.lock().unwrap().proof(NOTE);
    let mut damaged = honest.clone();
    *damaged.last_mut().unwrap() ^= 1;
    // The way to another record, which proves nothing of this one.
    let other = world.served.repo.lock().unwrap().proof("com.example.absent");
    type Check = fn(&VerifyError) -> bool;
    let cases: [(Vec<u8>, Check); 6] = [
        (forged, |error| matches!(error, VerifyError::Signature(_))),
        (elsewhere, |error| matches!(error, VerifyError::Owner(_))),
        (damaged, |error| matches!(error, VerifyError::Car(_) | VerifyError::MissingBlock(_))),
        (other, |error| matches!(error, VerifyError::MissingBlock(_))),
        (honest[..honest.len() - 1].to_vec(), |error| matches!(error, VerifyError::Car(_))),
        (Vec::new(), |error| matches!(error, VerifyError::Car(_))),
    ];
    for (index, (bytes, expected)) in cases.into_iter().enumerate() {
        world.answer(Answer::Bytes(Bytes::from(bytes)));
        world.lexicons.purge(&nsid(NOTE));
        match resolve(&world).await {
            Err(LexiconError::Proof(error)) if expected(&error) => {}
            other => panic!("case {index}: {other:?}"),
        }
    }
    // That holds like any "no".
    let requests = world.requests();
    resolve(&world).await.unwrap_err();
    assert_eq!(world.requests(), requests);
}

#[tokio::test]
async fn a_new_key_and_a_new_host_are_found() {
    let world = note_world().await;
    resolve(&world).await.unwrap();
    world.publish(&key(7), &[note(NOTE, "text")]);
    world.update(|state| state.with_signing_key(&key(7).public_key())).await;
    world.lexicons.purge(&nsid(NOTE));
    world.hands.advance(Duration::from_secs(60));
    resolve(&world).await.unwrap();
}

#[tokio::test]
async fn records_that_are_no_such_lexicon() {
    let other = schema("com.example.other", &json!({"main": {"type": "token"}}));
    let mut wrong_type = note("com.example.third", "a");
    wrong_type["$type"] = "com.example.third".into();
    let deep = (0..31).fold(json!({"type": "integer"}), |items, _| json!({"type": "array", "items": items}));
    let records = [
        schema("com.example.broken", &json!({"main": {"type": "object", "required": ["nothing"]}})),
        schema("com.example.long", &json!({"main": {"type": "string", "default": "x".repeat(300_000)}})),
        wrong_type,
        other,
    ];
    let world = World::new(&records).await;
    let error = async |name: &str| match world.lexicons.resolve(&nsid(name)).await {
        Err(LexiconError::Document(error)) => error,
        other => panic!("{name}: {other:?}"),
    };
    assert!(matches!(error("com.example.broken").await, SchemaError::Within { .. }));
    assert!(matches!(error("com.example.long").await, SchemaError::TooLarge));
    assert!(matches!(error("com.example.third").await, SchemaError::RecordType));
    // Too deep for a record already: nobody can have written it by the rules.
    let nested = schema("com.example.deep", &json!({"main": deep}));
    assert!(arroba_core::data::json::from_json_value(&nested).is_err());
}

#[tokio::test]
async fn hosts_that_refuse_or_lead_elsewhere() {
    let world = note_world().await;
    for (answer, definite) in [
        (Answer::Status(StatusCode::NOT_FOUND), true),
        (Answer::Status(StatusCode::BAD_REQUEST), true),
        (Answer::Status(StatusCode::TOO_MANY_REQUESTS), false),
    ] {
        world.answer(answer);
        world.lexicons.purge(&nsid(NOTE));
        let error = resolve(&world).await.unwrap_err();
        assert!(matches!(error, LexiconError::Status(_)) && error.is_definite() == definite, "{error:?}");
    }
    for target in ["http://10.0.0.1/", "http://169.254.169.254/latest/meta-data", "file:///etc/passwd"] {
        world.answer(Answer::Redirect(target));
        world.lexicons.purge(&nsid(NOTE));
        match resolve(&world).await {
            Err(LexiconError::Fetch(error)) if error.is_refusal() => {}
            other => panic!("{target}: {other:?}"),
        }
    }
    world.answer(Answer::Endless);
    world.lexicons.purge(&nsid(NOTE));
    match resolve(&world).await {
        Err(LexiconError::Fetch(error)) if matches!(*error, FetchError::TooLarge(_)) => {}
        other => panic!("{other:?}"),
    }
    let local = World::with(&[], Some("http://192.168.0.1:3000".to_owned()), |builder| builder).await;
    match resolve(&local).await {
        Err(LexiconError::Fetch(error)) if matches!(*error, FetchError::Forbidden(_)) => {}
        other => panic!("{other:?}"),
    }
}

/// A host that answers each request with these bytes and hangs up, or with nothing and waits.
async fn raw_host(answer: Option<&'static [u8]>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut waiting = Vec::new();
        loop {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            match answer {
                Some(answer) => {
                    let _ = stream.write_all(answer).await;
                    let _ = stream.shutdown().await;
                }
                None => waiting.push(stream),
            }
        }
    });
    host
}

#[tokio::test]
async fn a_host_that_announces_more_than_it_sends() {
    let host = raw_host(Some(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nabc")).await;
    let world = World::with(&[], Some(host), |builder| builder).await;
    match resolve(&world).await {
        Err(error @ LexiconError::Fetch(_)) if !error.is_definite() => {}
        other => panic!("{other:?}"),
    }
    let host = raw_host(Some(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\nabc")).await;
    let world = World::with(&[], Some(host), |builder| builder).await;
    match resolve(&world).await {
        Err(LexiconError::Fetch(error)) if matches!(*error, FetchError::TooLarge(_)) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_host_that_stalls() {
    let host = raw_host(None).await;
    let world = World::with(&[], Some(host), |builder| builder.timeout(Duration::from_millis(50))).await;
    let error = resolve(&world).await.unwrap_err();
    assert!(matches!(error, LexiconError::Timeout) && !error.is_definite());
}

#[tokio::test]
async fn an_account_without_a_host_or_a_key() {
    let world = note_world().await;
    world
        .update(|mut state| {
            state.services.clear();
            state
        })
        .await;
    assert!(matches!(resolve(&world).await, Err(LexiconError::NoHost)));
    let world = note_world().await;
    world
        .update(|mut state| {
            state.verification_methods.clear();
            state
        })
        .await;
    assert!(matches!(resolve(&world).await, Err(LexiconError::NoKey)));
}
