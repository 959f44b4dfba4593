//! The scope vectors, and what scopes allow.

use arroba_core::event::Action;
use arroba_core::lexicon::{Permission as SetEntry, PermissionSetSchema};
use arroba_core::nsid;
use arroba_core::scopes::{
    AccountAction, AccountAttribute, IdentityScope, MediaType, Permission, Scope, ScopeError, ScopeText,
    Scopes,
};
use arroba_core::syntax::{Audience, Nsid};
use proptest::prelude::*;

use super::fixtures;

#[test]
fn generic_vectors() {
    let Some(vectors) = fixtures::json("indigo/scopes/generic_scopes_valid.json") else { return };
    let mut assertions = 0;
    for vector in vectors.as_array().unwrap() {
        let text = vector["scope"].as_str().unwrap();
        let parsed = ScopeText::parse(text).unwrap();
        let expected = &vector["generic"];
        assert_eq!(parsed.resource(), expected["resource"].as_str().unwrap(), "{text}");
        assert_eq!(
            parsed.positional().unwrap_or_default(),
            expected["positional"].as_str().unwrap(),
            "{text}"
        );
        let params = expected["params"].as_object().unwrap();
        let mut count = 0;
        for (name, values) in params {
            let ours: Vec<&str> = parsed
                .params()
                .iter()
                .filter(|(other, _)| other == name)
                .map(|(_, value)| value.as_str())
                .collect();
            assert_eq!(serde_json::json!(ours), *values, "{text}");
            count += ours.len();
        }
        assert_eq!(parsed.params().len(), count, "{text}");
        assert_eq!(ScopeText::parse(&parsed.to_string()), Ok(parsed), "{text}");
        assertions += 1;
    }
    let Some(invalid) = fixtures::text("indigo/scopes/generic_scopes_invalid.txt") else { return };
    for line in lines(&invalid) {
        assert_eq!(ScopeText::parse(line), Err(ScopeError::Characters), "{line}");
        assertions += 1;
    }
    assert_eq!(assertions, 20);
    println!("vectors: scopes, generic: {assertions} assertions");
}

#[test]
fn permission_vectors() {
    for (kind, valid, expected) in [("valid", true, 51), ("invalid", false, 90)] {
        let Some(text) = fixtures::text(&format!("indigo/scopes/permission_scopes_{kind}.txt")) else {
            return;
        };
        let mut assertions = 0;
        for line in lines(&text) {
            let parsed = Scope::parse(line);
            assert_eq!(parsed.is_ok(), valid, "{line}: {parsed:?}");
            if let Ok(scope) = parsed {
                assert_eq!(Scope::parse(&scope.to_string()), Ok(scope), "{line}");
            }
            assertions += 1;
        }
        assert_eq!(assertions, expected, "{kind}");
        println!("vectors: scopes, {kind}: {assertions} assertions");
    }
}

/// The lines of a vector file: neither comments nor empty.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[test]
fn canonical_forms() {
    for (text, canonical) in [
        ("repo?collection=com.example.foo", "repo:com.example.foo"),
        (
            "repo?action=update&action=create&collection=b.b.b&collection=a.a.a",
            "repo?collection=a.a.a&collection=b.b.b&action=create&action=update",
        ),
        ("repo:a.b.c?action=create&action=delete&action=update", "repo:a.b.c"),
        ("repo?collection=a.b.c&collection=*", "repo:*"),
        ("repo:%2A?", "repo:*"),
        ("rpc:a.b.c?aud=did:web:a.test#x", "rpc:a.b.c?aud=did:web:a.test%23x"),
        ("rpc?aud=did%3Aweb%3Aa.test%23x&lxm=*&lxm=a.b.c", "rpc:*?aud=did:web:a.test%23x"),
        ("blob?accept=Image/SVG%2Bxml", "blob:image/svg+xml"),
        ("blob?accept=image/svg+xml&accept=text/*", "blob?accept=image/svg%2Bxml&accept=text/*"),
        ("account?attr=email&action=read", "account:email"),
        ("account?action=manage&attr=repo", "account:repo?action=manage"),
        ("identity?attr=%2A", "identity:*"),
        ("include?nsid=a.b.c&aud=did:web:a.test#x", "include:a.b.c?aud=did:web:a.test%23x"),
        ("atproto", "atproto"),
        ("transition:generic", "transition:generic"),
        ("transition:chat.bsky", "transition:chat.bsky"),
        ("transition:email", "transition:email"),
    ] {
        let scope = Scope::parse(text).unwrap();
        assert_eq!(scope.to_string(), canonical, "{text}");
        assert_eq!(canonical.parse::<Scope>(), Ok(scope.clone()));
        let json = serde_json::to_string(&scope).unwrap();
        assert_eq!(serde_json::from_str::<Scope>(&json).unwrap(), scope);
    }
}

#[test]
fn errors_name_the_culprit() {
    use ScopeError::{Characters, EveryMethodEverywhere, Missing, Parameter, Repeated, Resource, TooLong};
    let value = |name, value: &str| ScopeError::Value { name, value: value.to_owned() };
    for (text, error) in [
        ("", Characters),
        ("repo:a b", Characters),
        (&format!("repo:{}", "a".repeat(9000)), TooLong),
        ("repo:%", ScopeError::Encoding),
        ("Repo:*", Resource("Repo".to_owned())),
        ("repo", Missing("collection")),
        ("repo:", value("collection", "")),
        ("repo:*?action=*", value("action", "*")),
        ("repo:*?Action=create", Parameter("Action".to_owned())),
        ("repo:*?collection=a.b.c", Repeated("collection")),
        ("rpc:a.b.c", Missing("aud")),
        ("rpc:*?aud=*", EveryMethodEverywhere),
        ("rpc?lxm=*&lxm=a.b.c&aud=*", EveryMethodEverywhere),
        ("rpc:a.b.c?aud=*&aud=*", Repeated("aud")),
        ("rpc:a.b.c?aud=did:web:a.test", value("aud", "did:web:a.test")),
        ("blob?", Missing("accept")),
        ("blob:*/png", value("accept", "*/png")),
        ("account:status", value("attr", "status")),
        ("account:email?action=read&action=read", Repeated("action")),
        ("identity?attr=handle&attr=*", Repeated("attr")),
        ("include:com.example", value("nsid", "com.example")),
        ("include:a.b.c?aud=*", value("aud", "*")),
    ] {
        assert_eq!(Scope::parse(text), Err(error), "{text}");
    }
}

fn rpc(method: Option<Nsid>, audience: &str) -> Permission {
    Permission::Rpc { method, audience: Audience::parse(audience).unwrap() }
}

fn blob(media_type: &str) -> Permission {
    Permission::blob(MediaType::parse(media_type).unwrap())
}

const APPVIEW: &str = "did:web:api.bsky.app#bsky_appview";

#[test]
fn what_scopes_allow() {
    use AccountAction::{Manage, Read};
    let post = |action| Permission::repo(nsid!("app.bsky.feed.post"), action);
    let timeline = |audience| rpc(Some(nsid!("app.bsky.feed.getTimeline")), audience);
    let chat = |audience| rpc(Some(nsid!("chat.bsky.convo.getLog")), audience);
    let email = |action| Permission::account(AccountAttribute::Email, action);
    let import = || Permission::account(AccountAttribute::Repo, Manage);
    for (scopes, allowed, refused) in [
        ("", vec![], vec![post(Action::Create), blob("image/png"), email(Read)]),
        (
            "atproto",
            vec![],
            vec![post(Action::Create), email(Read), Permission::Identity(IdentityScope::Handle)],
        ),
        ("repo:app.bsky.feed.post?action=create", vec![post(Action::Create)], vec![post(Action::Update)]),
        ("repo:*?action=delete", vec![post(Action::Delete)], vec![post(Action::Create), blob("image/png")]),
        ("repo:app.bsky.feed.postgate", vec![], vec![post(Action::Create)]),
        (
            "rpc:app.bsky.feed.getTimeline?aud=did:web:api.bsky.app%23bsky_appview",
            vec![timeline(APPVIEW)],
            vec![
                timeline("did:web:api.bsky.app"),
                timeline("did:web:api.bsky.app#bsky_fg"),
                timeline("did:web:evil.test#bsky_appview"),
                chat(APPVIEW),
                rpc(None, APPVIEW),
            ],
        ),
        (
            "rpc:app.bsky.feed.getTimeline?aud=*",
            vec![timeline(APPVIEW), timeline("did:web:any.test")],
            vec![rpc(None, APPVIEW)],
        ),
        (
            "rpc:*?aud=did:web:api.bsky.app%23bsky_appview",
            vec![rpc(None, APPVIEW), timeline(APPVIEW)],
            vec![rpc(None, "did:web:api.bsky.app"), timeline("did:web:api.bsky.app")],
        ),
        ("blob:image/*", vec![blob("image/png"), blob("Image/PNG;q=1")], vec![blob("video/mp4")]),
        ("blob:*/*", vec![blob("video/mp4")], vec![post(Action::Create)]),
        ("account:email", vec![email(Read)], vec![email(Manage), import()]),
        ("account:email?action=manage", vec![email(Read), email(Manage)], vec![import()]),
        ("account:repo?action=manage", vec![import()], vec![email(Read)]),
        (
            "identity:handle",
            vec![Permission::Identity(IdentityScope::Handle)],
            vec![Permission::Identity(IdentityScope::All)],
        ),
        (
            "identity:*",
            vec![Permission::Identity(IdentityScope::Handle), Permission::Identity(IdentityScope::All)],
            vec![email(Read)],
        ),
        ("include:app.bsky.authFull", vec![], vec![post(Action::Create)]),
        (
            "transition:generic",
            vec![
                post(Action::Delete),
                blob("video/mp4"),
                timeline(APPVIEW),
                timeline("did:web:any.test"),
                rpc(None, APPVIEW),
            ],
            vec![
                chat(APPVIEW),
                rpc(Some(nsid!("Chat.Bsky.convo.getLog")), APPVIEW),
                email(Read),
                import(),
                Permission::Identity(IdentityScope::Handle),
            ],
        ),
        ("transition:chat.bsky", vec![], vec![chat(APPVIEW), timeline(APPVIEW)]),
        (
            "transition:chat.bsky transition:generic",
            vec![chat(APPVIEW), timeline(APPVIEW)],
            vec![email(Read)],
        ),
        ("transition:email", vec![email(Read)], vec![email(Manage), post(Action::Create)]),
        ("repo:malformed unknown:x  repo:app.bsky.feed.post", vec![post(Action::Create)], vec![]),
    ] {
        let scopes = Scopes::parse(scopes);
        for permission in allowed {
            assert_eq!(scopes.check(&permission), Ok(()), "{scopes:?}");
            assert!(Scopes::ALL.allows(&permission) && !Scopes::NONE.allows(&permission));
        }
        for permission in refused {
            let error = scopes.check(&permission).unwrap_err();
            assert_eq!(error.permission(), &permission);
            assert!(Scopes::ALL.allows(&permission));
        }
    }
}

#[test]
fn the_missing_scope_allows_what_was_refused_and_nothing_beside_it() {
    let all = [
        Permission::repo(nsid!("app.bsky.feed.post"), Action::Create),
        Permission::repo(nsid!("app.bsky.feed.post"), Action::Delete),
        Permission::repo(nsid!("app.bsky.feed.like"), Action::Create),
        rpc(Some(nsid!("app.bsky.feed.getTimeline")), APPVIEW),
        rpc(Some(nsid!("app.bsky.feed.getTimeline")), "did:web:a.test#x"),
        rpc(Some(nsid!("chat.bsky.convo.getLog")), "did:web:a.test#x"),
        rpc(None, "did:web:b.test#x"),
        blob("image/svg+xml"),
        blob("image/png"),
        Permission::account(AccountAttribute::Email, AccountAction::Read),
        Permission::account(AccountAttribute::Repo, AccountAction::Manage),
        Permission::Identity(IdentityScope::Handle),
    ];
    for (index, needed) in all.iter().enumerate() {
        let missing = Scopes::NONE.check(needed).unwrap_err().missing();
        let scopes = Scopes::parse(&missing.to_string());
        for (other_index, other) in all.iter().enumerate() {
            assert_eq!(scopes.allows(other), index == other_index, "{missing} {other:?}");
        }
    }
    // No scope is so narrow.
    for (permission, scope) in [
        (rpc(Some(nsid!("a.b.c")), "did:web:a.test"), "rpc:a.b.c?aud=*"),
        (rpc(None, "did:web:a.test"), "transition:generic"),
    ] {
        assert_eq!(permission.scope().to_string(), scope);
        assert!(permission.scope().allows(&permission));
    }
}

#[test]
fn sets_of_scopes() {
    let scopes = Scopes::parse("atproto  repo:* repo:%2A nothing:here rpc:*?aud=*");
    let texts: Vec<String> = scopes.iter().map(Scope::to_string).collect();
    assert_eq!(texts, ["atproto", "repo:*"]);
    assert!(scopes.has_atproto() && !Scopes::parse("repo:*").has_atproto() && Scopes::ALL.has_atproto());
    assert_eq!(Scopes::default(), Scopes::parse(""));
    assert!(Scopes::ALL.is_all() && !scopes.is_all() && Scopes::ALL.iter().next().is_none());
    assert_eq!(texts.iter().map(|text| Scope::parse(text).unwrap()).collect::<Scopes>(), scopes);
}

#[test]
fn permission_sets_are_expanded_or_the_session_fails() {
    let entry = |resource: &str, fields: serde_json::Value| SetEntry {
        resource: resource.to_owned(),
        fields: fields.as_object().unwrap().clone(),
    };
    let schema = PermissionSetSchema {
        permissions: vec![
            entry("repo", serde_json::json!({ "collection": ["app.example.post"] })),
            entry("rpc", serde_json::json!({ "lxm": ["app.example.list"], "inheritAud": true })),
        ],
    };
    let scopes = Scopes::parse(
        "atproto include:app.example.authFull?aud=did:web:api.test%23svc repo:app.example.post",
    );
    let post = Permission::repo(nsid!("app.example.post"), Action::Create);
    let list = rpc(Some(nsid!("app.example.list")), "did:web:api.test#svc");
    assert!(!scopes.allows(&list));
    let expanded =
        scopes.expand(|include| (include.set == "app.example.authFull").then_some(&schema)).unwrap();
    assert!(expanded.allows(&post) && expanded.allows(&list));
    let texts: Vec<String> = expanded.iter().map(Scope::to_string).collect();
    let service = "rpc:app.example.list?aud=did:web:api.test%23svc";
    assert_eq!(texts, ["atproto", "repo:app.example.post", service]);
    let error = scopes.expand(|_| None).unwrap_err();
    assert_eq!(error.to_string(), "permission set app.example.authFull is not resolved");
    assert_eq!(Scopes::ALL.expand(|_| None), Ok(Scopes::ALL));
    assert_eq!(expanded.expand(|_| None), Ok(expanded));
}

#[test]
fn descriptions() {
    for (scope, lines) in [
        ("atproto", vec!["See which account you use"]),
        ("repo:*", vec!["Create, update and delete records of every kind"]),
        ("repo:a.b.c?action=update", vec!["Update records in a.b.c"]),
        (
            "repo?collection=a.b.c&collection=b.b.c&action=create&action=delete",
            vec!["Create and delete records in a.b.c and b.b.c"],
        ),
        ("rpc:a.b.c?aud=*", vec!["Call a.b.c of any service in your name"]),
        ("rpc:*?aud=did:web:api.test%23x", vec!["Call any method of api.test in your name"]),
        (
            "rpc:a.b.c?aud=did:plc:ewvi7nxzyoun6zhxrhs64oiz%23x",
            vec!["Call a.b.c of did:plc:ewvi7nxzyoun6zhxrhs64oiz in your name"],
        ),
        ("blob:*/*", vec!["Upload files of every type"]),
        ("blob?accept=image/*&accept=text/html", vec!["Upload image files and text/html files"]),
        ("account:email", vec!["See your email address"]),
        ("account:email?action=manage", vec!["See and change your email address"]),
        ("account:repo", vec!["See the state of your repository"]),
        ("account:repo?action=manage", vec!["Replace your whole repository by an import"]),
        ("identity:handle", vec!["Change your handle"]),
        ("identity:*", vec!["Change your handle, your keys and your host"]),
        ("include:a.b.c", vec!["Everything in the permission set a.b.c"]),
        (
            "include:a.b.c?aud=did:web:api.test%23x",
            vec!["Everything in the permission set a.b.c, at api.test"],
        ),
        ("transition:email", vec!["See your email address"]),
        ("transition:chat.bsky", vec!["Read and send your direct messages"]),
        (
            "transition:generic",
            vec![
                "Create, update and delete records of every kind",
                "Upload files of every type",
                "Call any method of any service in your name, except for direct messages",
            ],
        ),
    ] {
        assert_eq!(Scope::parse(scope).unwrap().describe(), lines, "{scope}");
    }
    let both = Scopes::parse("atproto identity:handle");
    assert_eq!(both.describe(), ["See which account you use", "Change your handle"]);
    assert_eq!(Scopes::ALL.describe(), ["Do everything that your account can do"]);
    assert!(Scopes::NONE.describe().is_empty());
}

proptest! {
    #![proptest_config(fixtures::cases(2000))]

    #[test]
    fn text_that_parses_is_written_and_read_again(
        resource in "repo|rpc|blob|account|identity|include|x",
        rest in "[:?&=%*#a-z./+2357A-Fr-u]{0,40}",
    ) {
        let text = format!("{resource}{rest}");
        if let Ok(parsed) = ScopeText::parse(&text) {
            prop_assert_eq!(ScopeText::parse(&parsed.to_string()), Ok(parsed));
        }
        if let Ok(scope) = Scope::parse(&text) {
            prop_assert!(!scope.describe().is_empty());
            prop_assert_eq!(Scope::parse(&scope.to_string()), Ok(scope));
        }
    }
}
