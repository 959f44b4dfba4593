//! What scopes mean, in words for the person who grants them.

use super::{
    AccountAction, AccountAttribute, AccountScope, BlobScope, IdentityScope, IncludeScope, RepoScope,
    RpcAudience, RpcScope, Scope, Transition,
};
use crate::event::Action;
use crate::syntax::DidService;
use std::fmt;

impl Scope {
    /// What it means, in English, a line for each thing that a user would grant: each an order, without a full
    /// stop.
    pub fn describe(&self) -> Vec<String> {
        let one = |line: &str| vec![line.to_owned()];
        match self {
            Self::Atproto => one("See which account you use"),
            Self::Transition(Transition::Generic) => vec![
                format!("{} records of every kind", capital(actions(&ALL))),
                "Upload files of every type".to_owned(),
                "Call any method of any service in your name, except for direct messages".to_owned(),
            ],
            Self::Transition(Transition::ChatBsky) => one("Read and send your direct messages"),
            Self::Transition(Transition::Email) => one("See your email address"),
            Self::Repo(scope) => vec![repo(scope)],
            Self::Rpc(scope) => vec![rpc(scope)],
            Self::Blob(scope) => vec![blob(scope)],
            Self::Account(scope) => one(account(*scope)),
            Self::Identity(IdentityScope::Handle) => one("Change your handle"),
            Self::Identity(IdentityScope::All) => one("Change your handle, your keys and your host"),
            Self::Include(scope) => vec![include(scope)],
        }
    }
}

const ALL: [Action; 3] = [Action::Create, Action::Update, Action::Delete];

fn repo(scope: &RepoScope) -> String {
    let actions = capital(actions(&scope.actions().collect::<Vec<_>>()));
    match scope.collections.items() {
        None => format!("{actions} records of every kind"),
        Some(collections) => format!("{actions} records in {}", list(collections)),
    }
}

fn rpc(scope: &RpcScope) -> String {
    let methods = scope.methods().items().map_or_else(|| "any method".to_owned(), list);
    match scope.audience() {
        RpcAudience::Any => format!("Call {methods} of any service in your name"),
        RpcAudience::Service(service) => format!("Call {methods} of {} in your name", host(service)),
    }
}

fn blob(scope: &BlobScope) -> String {
    let ranges: Vec<String> = scope.accept().iter().map(|range| files(range.as_str())).collect();
    format!("Upload {}", list(&ranges))
}

fn files(range: &str) -> String {
    match range.strip_suffix("/*") {
        Some("*") => "files of every type".to_owned(),
        Some(kind) => format!("{kind} files"),
        None => format!("{range} files"),
    }
}

const fn account(scope: AccountScope) -> &'static str {
    match (scope.attribute, scope.action) {
        (AccountAttribute::Email, AccountAction::Read) => "See your email address",
        (AccountAttribute::Email, AccountAction::Manage) => "See and change your email address",
        (AccountAttribute::Repo, AccountAction::Read) => "See the state of your repository",
        (AccountAttribute::Repo, AccountAction::Manage) => "Replace your whole repository by an import",
    }
}

fn include(scope: &IncludeScope) -> String {
    match &scope.audience {
        None => format!("Everything in the permission set {}", scope.set),
        Some(service) => format!("Everything in the permission set {}, at {}", scope.set, host(service)),
    }
}

/// The part of a service's DID that tells a person something: the host of a did:web.
fn host(service: &DidService) -> String {
    let did = service.did();
    did.as_str().strip_prefix("did:web:").unwrap_or(did.as_str()).to_owned()
}

fn actions(actions: &[Action]) -> String {
    list(actions.iter().map(|action| action.as_str()))
}

fn capital(mut text: String) -> String {
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

/// `a`, `a and b`, `a, b and c`.
fn list(words: impl IntoIterator<Item = impl fmt::Display>) -> String {
    let mut words: Vec<String> = words.into_iter().map(|word| word.to_string()).collect();
    match words.pop() {
        Some(last) if !words.is_empty() => format!("{} and {last}", words.join(", ")),
        last => last.unwrap_or_default(),
    }
}
