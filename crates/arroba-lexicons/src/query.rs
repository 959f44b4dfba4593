//! Query strings: decoded once into pairs, then read field by field with named errors.
//!
//! Spec: <https://atproto.com/specs/xrpc#parameters>

mod decode;
mod error;
mod read;
mod write;

pub use error::QueryError;

/// The decoded `name=value` pairs of a query string, in their order.
///
/// A repeated name is an array. Names that nobody asks for are ignored.
///
/// ```
/// use arroba_lexicons::QueryPairs;
/// let pairs = QueryPairs::parse("cids=a&cids%5B%5D=b&limit=5&other=x")?;
/// assert_eq!(pairs.list::<String>("cids")?, ["a", "b"]);
/// assert_eq!(pairs.integer::<u32>("limit", 1..=100)?, Some(5));
/// # Ok::<(), arroba_lexicons::QueryError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryPairs(Vec<(String, String)>);

/// Parameters that can be read from a query string.
pub trait FromQuery: Sized {
    /// Reads the parameters: defaults are filled in, bounds are checked, unknown names are ignored.
    ///
    /// # Errors
    /// The first parameter that is missing, repeated, malformed or out of its bounds.
    fn from_query(pairs: &QueryPairs) -> Result<Self, QueryError>;
}

/// Parameters that can be written as a query string; what a client needs.
pub trait ToQuery {
    /// The pairs that [`FromQuery`] reads back. Values equal to a default are written too: caches key on the URL.
    fn to_query(&self) -> QueryPairs;
}

impl QueryPairs {
    /// No pairs.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The pairs in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there are no pairs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for QueryPairs {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}
