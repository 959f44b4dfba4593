//! `arroba.permissions` of arroba 3.1 (Python), name by name: what it answered to `e2e/python-parity` beside what
//! we answer.

use arroba_core::event::Action;
use arroba_core::scopes::{InsufficientScope, Permission, RpcAudience, Scope, Scopes};
use arroba_core::syntax::{Audience, Nsid};
use serde::Deserialize;
use std::collections::BTreeSet;

#[derive(Deserialize)]
struct Facts {
    parse: Vec<Parsed>,
    supported: Vec<String>,
    requests: Vec<Grant>,
    allows: Vec<Allowed>,
    insufficient_scope: Vec<Refused>,
}

#[derive(Deserialize)]
struct Parsed {
    scope: String,
    parses: bool,
    #[serde(default)]
    grants: Vec<Grant>,
    #[serde(default)]
    describes: Vec<Vec<String>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Grant {
    Repo { collections: BTreeSet<String>, actions: BTreeSet<String> },
    Rpc { methods: BTreeSet<String>, audience: String },
}

#[derive(Deserialize)]
struct Allowed {
    scopes: Vec<String>,
    allowed: Vec<bool>,
}

#[derive(Deserialize)]
struct Refused {
    #[serde(flatten)]
    request: Grant,
    name: String,
    status: u16,
    headers: std::collections::BTreeMap<String, String>,
}

fn facts() -> Facts {
    serde_json::from_str(include_str!("../python/permissions.json")).unwrap()
}

/// The one value of a set.
fn single(set: &BTreeSet<String>) -> &str {
    assert_eq!(set.len(), 1);
    set.first().unwrap()
}

fn request(grant: &Grant) -> Permission {
    match grant {
        Grant::Repo { collections, actions } => {
            let action = match single(actions) {
                "create" => Action::Create,
                "update" => Action::Update,
                "delete" => Action::Delete,
                other => panic!("{other}"),
            };
            Permission::repo(Nsid::parse(single(collections)).unwrap(), action)
        }
        Grant::Rpc { methods, audience } => {
            let method = single(methods);
            Permission::Rpc {
                method: (method != "*").then(|| Nsid::parse(method).unwrap()),
                audience: Audience::parse(audience).unwrap(),
            }
        }
    }
}

/// Where the specification is wider than the Python library, which refuses these.
fn wider(scope: &str) -> bool {
    let resource = scope.split([':', '?']).next().unwrap();
    ["blob", "account", "identity", "include"].contains(&resource)
        || ["transition:email", "transition:chat.bsky"].contains(&scope)
        // Empty pairs in the query, and a plus sign that is none to a reader of forms.
        || scope == "rpc:app.bsky.feed.post?aud=did:web:a.test%23x+y"
        || ["repo:app.bsky.feed.post?&", "repo:app.bsky.feed.post?action=create&"].contains(&scope)
}

/// What the Python library accepts although it is malformed, and why.
const NARROWER: &[(&str, &str)] = &[
    ("rpc?lxm=*&lxm=app.bsky.feed.post&aud=*", "every method everywhere"),
    ("rpc:app.bsky.feed.post?aud=did:web:a/b%23x", "no DID"),
    ("rpc:app.bsky.feed.post?aud=did:web:a.test%23%C3%A9", "no fragment"),
    ("rpc:app.bsky.feed.post?aud=did:web:a.test%23x%", "malformed percent-encoding"),
];

#[test]
fn parse() {
    let facts = facts();
    let (mut same, mut accepted, mut refused) = (0, 0, Vec::new());
    for case in &facts.parse {
        match (Scope::parse(&case.scope), case.parses) {
            (Ok(_), false) => {
                assert!(wider(&case.scope), "{}", case.scope);
                accepted += 1;
            }
            (Err(_), true) => refused.push(case.scope.as_str()),
            (Err(_), false) => same += 1,
            (Ok(scope), true) => {
                compare(&scope, &case.grants);
                same += 1;
            }
        }
    }
    assert_eq!(refused, NARROWER.iter().map(|(scope, _)| *scope).collect::<Vec<_>>());
    assert_eq!((same, accepted), (183, 29));
}

fn compare(scope: &Scope, grants: &[Grant]) {
    let names = |names: Option<&BTreeSet<Nsid>>| match names {
        None => BTreeSet::from(["*".to_owned()]),
        Some(names) => names.iter().map(Nsid::to_string).collect(),
    };
    match (scope, grants) {
        (Scope::Atproto, []) | (Scope::Transition(_), [_, _]) => {}
        (Scope::Repo(ours), [Grant::Repo { collections, actions }]) => {
            if ours.collections.is_all() {
                assert!(collections.contains("*"), "{scope}");
            } else {
                assert_eq!(&names(ours.collections.items()), collections, "{scope}");
            }
            assert!(
                ours.actions().map(Action::as_str).eq(["create", "update", "delete"]
                    .into_iter()
                    .filter(|action| actions.contains(*action))),
                "{scope}"
            );
        }
        (Scope::Rpc(ours), [Grant::Rpc { methods, audience }]) => {
            if ours.methods().is_all() {
                assert!(methods.contains("*"), "{scope}");
            } else {
                assert_eq!(&names(ours.methods().items()), methods, "{scope}");
            }
            match ours.audience() {
                RpcAudience::Any => assert_eq!(audience, "*"),
                RpcAudience::Service(service) => assert_eq!(service, audience.as_str()),
            }
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn supported() {
    let facts = facts();
    let ours: Vec<&str> = facts
        .parse
        .iter()
        .map(|case| case.scope.as_str())
        .filter(|scope| Scope::parse(scope).is_ok() && !wider(scope))
        .collect();
    let narrower = |scope: &str| NARROWER.iter().any(|(other, _)| *other == scope);
    let theirs: Vec<&str> =
        facts.supported.iter().map(String::as_str).filter(|scope| !narrower(scope)).collect();
    assert_eq!(ours, theirs);
}

#[test]
fn allows() {
    let facts = facts();
    let (mut same, mut different) = (0, 0);
    for case in &facts.allows {
        let scopes = Scopes::parse(&case.scopes.join(" "));
        let generic = case.scopes.iter().any(|scope| scope == "transition:generic");
        let chat = case.scopes.iter().any(|scope| scope == "transition:chat.bsky");
        assert_eq!(facts.requests.len(), case.allowed.len());
        for (grant, allowed) in facts.requests.iter().zip(&case.allowed) {
            let permission = request(grant);
            let messages =
                matches!(grant, Grant::Rpc { methods, .. } if single(methods).starts_with("chat.bsky."));
            if generic && messages {
                // Direct messages need a scope of their own.
                assert!(*allowed && scopes.allows(&permission) == chat, "{:?} {grant:?}", case.scopes);
                different += 1;
            } else {
                assert_eq!(scopes.allows(&permission), *allowed, "{:?} {grant:?}", case.scopes);
                same += 1;
            }
        }
    }
    assert_eq!((same, different), (246, 6));
}

#[test]
fn insufficient_scope() {
    for case in facts().insufficient_scope {
        let error = Scopes::NONE.check(&request(&case.request)).unwrap_err();
        assert_eq!((case.name.as_str(), case.status), (InsufficientScope::NAME, 403));
        assert_eq!(case.headers["WWW-Authenticate"], error.www_authenticate());
        assert!(Scope::parse(&error.missing().to_string()).unwrap().allows(error.permission()));
    }
}

/// Its sentences are its own; ours must say the same facts.
#[test]
fn describe() {
    let mut compared = 0;
    for case in facts().parse.iter().filter(|case| case.parses) {
        let Ok(scope) = Scope::parse(&case.scope) else { continue };
        let ours: Vec<BTreeSet<String>> = scope.describe().iter().map(|line| words(line)).collect();
        let theirs: Vec<BTreeSet<String>> =
            case.describes.iter().map(|line| line.iter().cloned().collect()).collect();
        if case.scope == "transition:generic" {
            // Blobs as well, which have a line of their own.
            assert_eq!((ours.len(), theirs.len()), (3, 2));
            assert_eq!((&ours[0], &ours[2]), (&theirs[0], &theirs[1]));
        } else {
            assert_eq!(ours, theirs, "{}", case.scope);
        }
        compared += 1;
    }
    assert!(compared >= 40, "{compared}");
}

fn words(line: &str) -> BTreeSet<String> {
    let fact = |word: &str| {
        word.contains(['.', ':']) || ["create", "update", "delete", "all", "any"].contains(&word)
    };
    let line = line.replace("of every kind", "all").replace(',', "").to_lowercase();
    line.split(' ').filter(|word| fact(word)).map(str::to_owned).collect()
}
