use super::repo::action;
use super::{RepoScope, RpcAudience, RpcScope, Scope, ScopeError, ScopeText, Selection, text::read};
use crate::lexicon::{Permission, PermissionSetSchema};
use crate::syntax::{DidService, Nsid};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt;

/// A permission set, published as a lexicon: `include:app.example.authFull?aud=did:web:api.example.com%23svc`.
///
/// By itself it allows nothing: [`expand`](Self::expand) says what the set holds.
///
/// Spec: <https://atproto.com/specs/permission#permission-sets>
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IncludeScope {
    /// Which set.
    pub set: Nsid,
    /// The service for those of its permissions that leave it open.
    pub audience: Option<DidService>,
}

impl IncludeScope {
    pub(super) const RESOURCE: &str = "include";

    pub(super) fn from_text(text: &ScopeText) -> Result<Self, ScopeError> {
        text.only(&["nsid", "aud"])?;
        let set = read("nsid", text.main_value("nsid")?, Nsid::parse)?;
        let audience = text.value("aud")?.map(|aud| read("aud", aud, DidService::parse)).transpose()?;
        Ok(Self { set, audience })
    }

    /// What the set allows, given its schema.
    ///
    /// Only `repo` and `rpc` entries count. An entry with an unknown field or value, with a `*`, with an audience of
    /// its own other than `*`, or that names anything outside of the set's own group is passed over: a set
    /// cannot hand out what its publisher does not own.
    pub fn expand(&self, schema: &PermissionSetSchema) -> Vec<Scope> {
        schema.permissions.iter().filter_map(|entry| self.entry(entry)).collect()
    }

    fn entry(&self, entry: &Permission) -> Option<Scope> {
        match entry.resource.as_str() {
            RepoScope::RESOURCE => self.repo(&entry.fields).map(Scope::Repo),
            RpcScope::RESOURCE => self.rpc(&entry.fields).map(Scope::Rpc),
            _ => None,
        }
    }

    fn repo(&self, fields: &Map<String, Value>) -> Option<RepoScope> {
        only(fields, &["collection", "action"])?;
        let collections = Selection::only(self.own_names(fields.get("collection")?)?)?;
        let actions = match fields.get("action") {
            None => Selection::ALL,
            Some(names) => {
                let actions = names.as_array()?.iter().map(|name| action(name.as_str()?));
                Selection::only(actions.collect::<Option<Vec<_>>>()?)?
            }
        };
        Some(RepoScope { collections, actions })
    }

    fn rpc(&self, fields: &Map<String, Value>) -> Option<RpcScope> {
        only(fields, &["lxm", "aud", "inheritAud"])?;
        let methods = Selection::only(self.own_names(fields.get("lxm")?)?)?;
        let audience = match (fields.get("aud"), fields.get("inheritAud")) {
            (Some(Value::String(aud)), None | Some(Value::Bool(false))) if aud == "*" => RpcAudience::Any,
            (None, Some(Value::Bool(true))) => RpcAudience::Service(self.audience.clone()?),
            _ => return None,
        };
        RpcScope::new(methods, audience)
    }

    /// The NSIDs of a list, if every one is in the set's group, or deeper.
    fn own_names(&self, list: &Value) -> Option<BTreeSet<Nsid>> {
        let set = self.set.normalized();
        let own = |name: &Value| {
            let name = Nsid::parse(name.as_str()?).ok()?;
            let inside = name.normalized().as_str().strip_prefix(set.authority())?.starts_with('.');
            inside.then_some(name)
        };
        list.as_array()?.iter().map(own).collect()
    }
}

/// The fields that every entry may have are not passed on by the schema's reader, except for a description.
fn only(fields: &Map<String, Value>, known: &[&str]) -> Option<()> {
    fields.keys().all(|name| known.contains(&name.as_str()) || name == "description").then_some(())
}

impl fmt::Display for IncludeScope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = ScopeText::of(Self::RESOURCE).main("nsid", [&self.set]);
        match &self.audience {
            None => text.fmt(out),
            Some(service) => text.param("aud", service).fmt(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn expand(include: &str, permissions: &Value) -> Vec<String> {
        let permissions = permissions.as_array().unwrap().iter().map(|entry| {
            let mut fields = entry.as_object().unwrap().clone();
            let resource = fields.remove("resource").unwrap().as_str().unwrap().to_owned();
            Permission { resource, fields }
        });
        let schema = PermissionSetSchema { permissions: permissions.collect() };
        let Ok(Scope::Include(include)) = Scope::parse(include) else { panic!("{include}") };
        include.expand(&schema).iter().map(Scope::to_string).collect()
    }

    const SET: &str = "include:com.example.calendar.auth?aud=did:web:api.example.com%23cal";

    #[test]
    fn what_a_set_may_hold() {
        let scopes = expand(
            SET,
            &json!([
                { "resource": "repo", "collection": ["com.example.calendar.event", "com.example.calendar.rsvp.x"] },
                { "resource": "repo", "collection": ["com.example.calendar.event"], "action": ["delete"] },
                { "resource": "rpc", "lxm": ["com.example.calendar.list"], "aud": "*", "inheritAud": false },
                { "resource": "rpc", "lxm": ["com.example.calendar.list"], "inheritAud": true },
            ]),
        );
        assert_eq!(
            scopes,
            [
                "repo?collection=com.example.calendar.event&collection=com.example.calendar.rsvp.x",
                "repo:com.example.calendar.event?action=delete",
                "rpc:com.example.calendar.list?aud=*",
                "rpc:com.example.calendar.list?aud=did:web:api.example.com%23cal",
            ]
        );
        let inherited =
            json!([{ "resource": "rpc", "lxm": ["com.example.calendar.list"], "inheritAud": true }]);
        assert!(expand("include:com.example.calendar.auth", &inherited).is_empty());
    }

    #[test]
    fn what_is_passed_over() {
        let event = "com.example.calendar.event";
        for entry in [
            json!({ "resource": "repo", "collection": ["*"] }),
            json!({ "resource": "repo", "collection": [] }),
            json!({ "resource": "repo", "collection": event }),
            json!({ "resource": "repo" }),
            json!({ "resource": "repo", "collection": [event, "com.example.other"] }),
            json!({ "resource": "repo", "collection": [event, "com.example.calendarevil.x"] }),
            json!({ "resource": "repo", "collection": [event, "com.evil.calendar.x"] }),
            json!({ "resource": "repo", "collection": [event, 1] }),
            json!({ "resource": "repo", "collection": [event], "action": [] }),
            json!({ "resource": "repo", "collection": [event], "action": ["read"] }),
            json!({ "resource": "repo", "collection": [event], "action": "create" }),
            json!({ "resource": "repo", "collection": [event], "rkey": ["self"] }),
            json!({ "resource": "rpc", "lxm": ["*"], "aud": "*" }),
            json!({ "resource": "rpc", "lxm": [event] }),
            json!({ "resource": "rpc", "lxm": [event], "aud": "did:web:api.example.com#cal" }),
            json!({ "resource": "rpc", "lxm": [event], "aud": "*", "inheritAud": true }),
            json!({ "resource": "rpc", "lxm": [event], "inheritAud": false }),
            json!({ "resource": "rpc", "lxm": ["com.example.other"], "aud": "*" }),
            json!({ "resource": "blob", "accept": ["*/*"] }),
            json!({ "resource": "account", "attr": "email" }),
            json!({ "resource": "identity", "attr": "*" }),
            json!({ "resource": "include", "nsid": "com.example.calendar.other" }),
        ] {
            let good = json!({ "resource": "repo", "collection": [event], "description": "x" });
            let expected = ["repo:com.example.calendar.event"];
            assert_eq!(expand(SET, &json!([entry.clone(), good])), expected, "{entry}");
        }
    }
}
