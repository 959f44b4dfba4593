use std::collections::BTreeSet;

/// Everything, or some things by name: never nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection<T>(Option<BTreeSet<T>>);

impl<T: Ord> Selection<T> {
    /// Everything.
    pub const ALL: Self = Self(None);

    /// One thing.
    pub fn one(item: T) -> Self {
        Self(Some(BTreeSet::from([item])))
    }

    /// These things; `None` if there are none.
    pub fn only(items: impl IntoIterator<Item = T>) -> Option<Self> {
        let items: BTreeSet<T> = items.into_iter().collect();
        (!items.is_empty()).then_some(Self(Some(items)))
    }

    /// The things, unless it is everything.
    pub const fn items(&self) -> Option<&BTreeSet<T>> {
        self.0.as_ref()
    }

    /// Whether it is everything.
    pub const fn is_all(&self) -> bool {
        self.0.is_none()
    }

    /// Whether this is among them.
    pub fn contains(&self, item: &T) -> bool {
        self.0.as_ref().is_none_or(|items| items.contains(item))
    }
}
