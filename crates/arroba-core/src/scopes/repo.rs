use super::{ScopeError, ScopeText, Selection, text::read};
use crate::{event::Action, syntax::Nsid};
use std::fmt;

/// Writing records: `repo:app.bsky.feed.post?action=create`.
///
/// Spec: <https://atproto.com/specs/permission#repo>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoScope {
    /// In which collections.
    pub collections: Selection<Nsid>,
    /// What may be done there.
    pub actions: Selection<Action>,
}

const ACTIONS: [Action; 3] = [Action::Create, Action::Update, Action::Delete];

impl RepoScope {
    pub(super) const RESOURCE: &str = "repo";

    pub(super) fn from_text(text: &ScopeText) -> Result<Self, ScopeError> {
        text.only(&["collection", "action"])?;
        let collections = names("collection", text.main_values("collection"))?;
        let mut actions = Vec::new();
        for value in text.values("action") {
            actions.push(read("action", value, |value| action(value).ok_or(()))?);
        }
        let actions = Selection::only(actions).unwrap_or(Selection::ALL);
        let all = ACTIONS.iter().all(|action| actions.contains(action));
        Ok(Self { collections, actions: if all { Selection::ALL } else { actions } })
    }

    /// Whether it allows this action in this collection.
    pub fn allows(&self, collection: &Nsid, action: Action) -> bool {
        self.collections.contains(collection) && self.actions.contains(&action)
    }

    /// The actions that it allows, in the order create, update, delete.
    pub fn actions(&self) -> impl Iterator<Item = Action> {
        ACTIONS.into_iter().filter(|action| self.actions.contains(action))
    }

    fn to_text(&self) -> ScopeText {
        let text = main_names(ScopeText::of(Self::RESOURCE), "collection", &self.collections);
        if self.actions().count() == ACTIONS.len() {
            return text;
        }
        self.actions().fold(text, |text, action| text.param("action", action.as_str()))
    }
}

impl fmt::Display for RepoScope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_text().fmt(out)
    }
}

pub(super) fn action(name: &str) -> Option<Action> {
    ACTIONS.into_iter().find(|action| action.as_str() == name)
}

/// Reads NSIDs, or `*` for all.
pub(super) fn names<'a>(
    name: &'static str,
    values: impl Iterator<Item = &'a str>,
) -> Result<Selection<Nsid>, ScopeError> {
    let (mut names, mut all) = (Vec::new(), false);
    for value in values {
        if value == "*" {
            all = true;
        } else {
            names.push(read(name, value, Nsid::parse)?);
        }
    }
    if all { Ok(Selection::ALL) } else { Selection::only(names).ok_or(ScopeError::Missing(name)) }
}

/// Writes NSIDs as the main parameter.
pub(super) fn main_names(text: ScopeText, name: &str, names: &Selection<Nsid>) -> ScopeText {
    match names.items() {
        None => text.main(name, ["*"]),
        Some(names) => text.main(name, names),
    }
}
