//! Values of the data model.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::cid::{Cid, Link};

/// Any value of the data model, borrowing text and bytes from what it was decoded from where it can.
///
/// Spec: <https://atproto.com/specs/data-model#data-types>. The enum is complete: there are no floats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// `null`: not the same as absent.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A signed 64-bit integer.
    Int(i64),
    /// Unicode text.
    Text(Cow<'a, str>),
    /// Bytes: `{"$bytes": ..}` in JSON.
    Bytes(Cow<'a, [u8]>),
    /// A link: `{"$link": ..}` in JSON.
    Link(Link),
    /// A list.
    List(Vec<Self>),
    /// A map.
    Map(Map<'a>),
}

impl<'a> Value<'a> {
    /// The same value, borrowing nothing.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Int(value) => Value::Int(value),
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Self::Bytes(bytes) => Value::Bytes(Cow::Owned(bytes.into_owned())),
            Self::Link(link) => Value::Link(link),
            Self::List(list) => Value::List(list.into_iter().map(Value::into_owned).collect()),
            Self::Map(map) => Value::Map(map.into_owned()),
        }
    }

    /// The text, if it is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, if it is one.
    pub const fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The bytes, if it is bytes.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The link, if it is one.
    pub const fn as_link(&self) -> Option<&Link> {
        match self {
            Self::Link(link) => Some(link),
            _ => None,
        }
    }

    /// The list, if it is one.
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// The map, if it is one.
    pub const fn as_map(&self) -> Option<&Map<'a>> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The value under `key`, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key)
    }

    /// What kind of value it is, for messages: `null`, `boolean`, `integer`, `string`, `bytes`, `cid-link`,
    /// `array`, `object` (the names of Lexicon).
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Int(_) => "integer",
            Self::Text(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::Link(_) => "cid-link",
            Self::List(_) => "array",
            Self::Map(_) => "object",
        }
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<Cid> for Value<'_> {
    fn from(cid: Cid) -> Self {
        Self::Link(Link::Cid(cid))
    }
}

impl<'a> From<Vec<Self>> for Value<'a> {
    fn from(list: Vec<Self>) -> Self {
        Self::List(list)
    }
}

impl<'a> From<Map<'a>> for Value<'a> {
    fn from(map: Map<'a>) -> Self {
        Self::Map(map)
    }
}

/// The canonical order of map keys: shorter first, then by bytes.
pub(crate) fn key_order(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.as_bytes().cmp(b.as_bytes()))
}

/// A map from text to values, its entries in canonical order (shorter keys first, then by bytes), no key twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Map<'a> {
    entries: Vec<(Cow<'a, str>, Value<'a>)>,
}

impl<'a> Map<'a> {
    /// An empty map.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// An empty map with room for `capacity` entries.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { entries: Vec::with_capacity(capacity) }
    }

    /// Appends an entry that the caller knows to be last in canonical order.
    pub(crate) fn push_last(&mut self, key: Cow<'a, str>, value: Value<'a>) {
        debug_assert!(self.entries.last().is_none_or(|(last, _)| key_order(last, &key).is_lt()));
        self.entries.push((key, value));
    }

    /// The map with these entries, or the key that came twice.
    ///
    /// # Errors
    /// Gives back a duplicate key.
    pub fn from_entries(mut entries: Vec<(Cow<'a, str>, Value<'a>)>) -> Result<Self, String> {
        entries.sort_unstable_by(|(a, _), (b, _)| key_order(a, b));
        for pair in entries.windows(2) {
            if pair[0].0 == pair[1].0 {
                return Err(pair[0].0.to_string());
            }
        }
        Ok(Self { entries })
    }

    fn position(&self, key: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|(other, _)| key_order(other, key))
    }

    /// The value under `key`.
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        self.position(key).ok().map(|i| &self.entries[i].1)
    }

    /// The value under `key`, to change.
    pub fn value_mut(&mut self, key: &str) -> Option<&mut Value<'a>> {
        self.position(key).ok().map(|i| &mut self.entries[i].1)
    }

    /// Whether there is an entry `key`.
    pub fn contains_key(&self, key: &str) -> bool {
        self.position(key).is_ok()
    }

    /// Sets the value under `key`, and gives back the one that was there.
    pub fn insert(&mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Value<'a>>) -> Option<Value<'a>> {
        let (key, value) = (key.into(), value.into());
        match self.position(&key) {
            Ok(i) => Some(std::mem::replace(&mut self.entries[i].1, value)),
            Err(i) => {
                self.entries.insert(i, (key, value));
                None
            }
        }
    }

    /// Removes the entry `key`, and gives back its value.
    pub fn remove(&mut self, key: &str) -> Option<Value<'a>> {
        self.position(key).ok().map(|i| self.entries.remove(i).1)
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries in canonical order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value<'a>)> + Clone {
        self.entries.iter().map(|(key, value)| (&**key, value))
    }

    /// The same map, borrowing nothing.
    pub fn into_owned(self) -> Map<'static> {
        let own =
            |(key, value): (Cow<'_, str>, Value<'_>)| (Cow::Owned(key.into_owned()), value.into_owned());
        Map { entries: self.entries.into_iter().map(own).collect() }
    }
}

impl<'a> IntoIterator for Map<'a> {
    type Item = (Cow<'a, str>, Value<'a>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

/// The last of several values under one key wins.
impl<'a, K: Into<Cow<'a, str>>, V: Into<Value<'a>>> FromIterator<(K, V)> for Map<'a> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(iter: I) -> Self {
        let mut map = Self::new();
        for (key, value) in iter {
            map.insert(key, value);
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_stand_in_canonical_order() {
        let map: Map<'_> =
            [("bb", 1), ("c", 2), ("a", 3), ("bb", 4)].into_iter().map(|(k, v)| (k, v as i64)).collect();
        assert_eq!(map.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["a", "c", "bb"]);
        assert_eq!(map.get("bb"), Some(&Value::Int(4)));
        assert_eq!(map.get("d"), None);
    }

    #[test]
    fn duplicate_entries_are_named() {
        let entries = vec![("a".into(), Value::Null), ("b".into(), Value::Null), ("a".into(), Value::Null)];
        assert_eq!(Map::from_entries(entries), Err("a".to_owned()));
    }
}
