use super::scope::is_chat;
use super::{IncludeScope, InsufficientScope, Permission, Scope, Transition, UnresolvedSet};
use crate::lexicon::PermissionSetSchema;
use std::collections::BTreeSet;

/// The scopes that a session holds, or all there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scopes(Held);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Held {
    All,
    These(Vec<Scope>),
}

impl Scopes {
    /// Every scope, also ones that are not thought of yet: for callers who are the account, or the operator.
    pub const ALL: Self = Self(Held::All);

    /// No scope.
    pub const NONE: Self = Self(Held::These(Vec::new()));

    /// Reads scope strings separated by spaces, as OAuth has them. Strings that mean nothing here are left out,
    /// and so are repetitions.
    pub fn parse(text: &str) -> Self {
        text.split(' ').filter_map(|scope| Scope::parse(scope).ok()).collect()
    }

    /// Whether these are all scopes.
    pub const fn is_all(&self) -> bool {
        matches!(self.0, Held::All)
    }

    /// The scopes, in their order; none where they are [`ALL`](Self::ALL).
    pub fn iter(&self) -> std::slice::Iter<'_, Scope> {
        self.these().iter()
    }

    /// Whether `atproto` is among them, without which there is no session.
    pub fn has_atproto(&self) -> bool {
        self.is_all() || self.these().contains(&Scope::Atproto)
    }

    /// Whether they allow this.
    pub fn allows(&self, permission: &Permission) -> bool {
        self.is_all()
            || self.these().iter().any(|scope| scope.allows(permission))
            || matches!(permission, Permission::Rpc { method: Some(method), .. } if is_chat(method))
                && [Transition::Generic, Transition::ChatBsky]
                    .iter()
                    .all(|needed| self.these().contains(&Scope::Transition(*needed)))
    }

    /// Demands that they allow this.
    ///
    /// # Errors
    /// [`InsufficientScope`], which names the scope that is missing.
    pub fn check(&self, permission: &Permission) -> Result<(), InsufficientScope> {
        if self.allows(permission) { Ok(()) } else { Err(InsufficientScope::new(permission.clone())) }
    }

    /// The same with what its permission sets hold in their place, as the given function knows them.
    ///
    /// # Errors
    /// [`UnresolvedSet`] for the first set that the function does not know: a session must not begin without
    /// what it was asked for (`invalid_scope`).
    pub fn expand<'a>(
        &self,
        mut schema: impl FnMut(&IncludeScope) -> Option<&'a PermissionSetSchema>,
    ) -> Result<Self, UnresolvedSet> {
        if self.is_all() {
            return Ok(Self::ALL);
        }
        let mut expanded = Vec::new();
        for scope in self.these() {
            match scope {
                Scope::Include(include) => {
                    let schema = schema(include).ok_or_else(|| UnresolvedSet(include.set.clone()))?;
                    expanded.extend(include.expand(schema));
                }
                scope => expanded.push(scope.clone()),
            }
        }
        Ok(expanded.into_iter().collect())
    }

    /// What they mean, in English, a line for each thing that a user would grant.
    pub fn describe(&self) -> Vec<String> {
        match &self.0 {
            Held::All => vec!["Do everything that your account can do".to_owned()],
            Held::These(scopes) => scopes.iter().flat_map(Scope::describe).collect(),
        }
    }

    fn these(&self) -> &[Scope] {
        match &self.0 {
            Held::All => &[],
            Held::These(scopes) => scopes,
        }
    }
}

impl Default for Scopes {
    fn default() -> Self {
        Self::NONE
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut seen = BTreeSet::new();
        Self(Held::These(scopes.into_iter().filter(|scope| seen.insert(scope.to_string())).collect()))
    }
}

impl<'a> IntoIterator for &'a Scopes {
    type Item = &'a Scope;
    type IntoIter = std::slice::Iter<'a, Scope>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
