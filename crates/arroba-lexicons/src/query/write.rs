//! Writing parameters, for clients.

use super::QueryPairs;

impl QueryPairs {
    /// Adds one pair.
    #[must_use]
    pub fn with(mut self, name: &str, value: &impl ToString) -> Self {
        self.0.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds a pair if there is a value.
    #[must_use]
    pub fn with_optional(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, &value),
            None => self,
        }
    }

    /// Adds a pair for each value.
    #[must_use]
    pub fn with_list<T: ToString>(self, name: &str, values: impl IntoIterator<Item = T>) -> Self {
        values.into_iter().fold(self, |pairs, value| pairs.with(name, &value))
    }
}
