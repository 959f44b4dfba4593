//! OAuth scopes.

use arroba_core::scopes::{Scope, ScopeText, Scopes};

use crate::fixtures;

/// What is accepted is written in one form, which reads back the same and allows what it says is missing.
pub fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(parsed) = ScopeText::parse(text) {
        assert_eq!(ScopeText::parse(&parsed.to_string()), Ok(parsed));
    }
    if let Ok(scope) = Scope::parse(text) {
        assert!(!scope.describe().is_empty());
        assert_eq!(Scope::parse(&scope.to_string()), Ok(scope));
    }
    let scopes = Scopes::parse(text);
    for scope in &scopes {
        assert!(!scope.to_string().contains(' '));
    }
    let _ = scopes.describe();
}

/// What mutation starts from.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = [
        "atproto transition:generic transition:email transition:chat.bsky",
        "repo:app.bsky.feed.post?action=create&action=delete",
        "rpc?lxm=app.bsky.feed.getTimeline&lxm=app.bsky.feed.getPosts&aud=did:web:api.bsky.app%23bsky_appview",
        "blob?accept=image/svg%2Bxml&accept=video/*",
        "account:email?action=manage identity:* include:app.example.authFull?aud=did:web:a.test#x",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    for name in ["generic_scopes_invalid", "permission_scopes_valid", "permission_scopes_invalid"] {
        seeds.extend(fixtures::lines(&format!("indigo/scopes/{name}.txt")));
    }
    seeds
}
