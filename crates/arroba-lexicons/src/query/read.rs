//! Reading one parameter at a time.

use std::{error::Error, ops::RangeInclusive, str::FromStr};

use super::{QueryError, QueryPairs};

/// What a parser's error must be, so that it can be kept as the source of a [`QueryError`].
type Source = Box<dyn Error + Send + Sync>;

impl QueryPairs {
    /// A parameter that must be there, once.
    ///
    /// # Errors
    /// If it is absent, repeated or malformed.
    pub fn required<T: FromStr<Err: Into<Source>>>(&self, name: &'static str) -> Result<T, QueryError> {
        self.optional(name)?.ok_or(QueryError::Missing { name })
    }

    /// A parameter that may be absent.
    ///
    /// # Errors
    /// If it is repeated or malformed.
    pub fn optional<T: FromStr<Err: Into<Source>>>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, QueryError> {
        self.single(name)?.map(|text| parse(name, text)).transpose()
    }

    /// A text that must be there and has at most `maximum` bytes.
    ///
    /// # Errors
    /// If it is absent, repeated or too long.
    pub fn text(&self, name: &'static str, maximum: usize) -> Result<String, QueryError> {
        let text = self.single(name)?.ok_or(QueryError::Missing { name })?;
        if text.len() > maximum {
            return Err(QueryError::TooLong { name, maximum });
        }
        Ok(text.to_owned())
    }

    /// An integer that may be absent: decimal digits with an optional `-`, no `+`, spaces or leading zeros.
    ///
    /// # Errors
    /// If it is repeated, not an integer, out of bounds, or does not fit into `T`.
    pub fn integer<T: TryFrom<i64>>(
        &self,
        name: &'static str,
        bounds: RangeInclusive<i64>,
    ) -> Result<Option<T>, QueryError> {
        let Some(text) = self.single(name)? else { return Ok(None) };
        if !is_decimal(text) {
            return Err(QueryError::NotInteger { name });
        }
        let out_of_bounds =
            || QueryError::OutOfBounds { name, minimum: *bounds.start(), maximum: *bounds.end() };
        // Only a number too large for 64 bits fails to parse here.
        let number = text.parse().map_err(|_| out_of_bounds())?;
        if !bounds.contains(&number) {
            return Err(out_of_bounds());
        }
        T::try_from(number).map(Some).map_err(|_| out_of_bounds())
    }

    /// `true` or `false`; may be absent.
    ///
    /// # Errors
    /// If it is repeated or anything else.
    pub fn boolean(&self, name: &'static str) -> Result<Option<bool>, QueryError> {
        match self.single(name)? {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(QueryError::NotBoolean { name }),
        }
    }

    /// Every value given under `name` or `name[]`, in order; empty if there is none.
    ///
    /// # Errors
    /// If one of them is malformed.
    pub fn list<T: FromStr<Err: Into<Source>>>(&self, name: &'static str) -> Result<Vec<T>, QueryError> {
        self.iter()
            .filter(|(found, _)| found.strip_suffix("[]").unwrap_or(found) == name)
            .map(|(_, text)| parse(name, text))
            .collect()
    }

    /// Like [`list`](Self::list), with at least one value.
    ///
    /// # Errors
    /// If there is none, or one of them is malformed.
    pub fn required_list<T: FromStr<Err: Into<Source>>>(
        &self,
        name: &'static str,
    ) -> Result<Vec<T>, QueryError> {
        let list = self.list(name)?;
        if list.is_empty() { Err(QueryError::Missing { name }) } else { Ok(list) }
    }

    fn single(&self, name: &'static str) -> Result<Option<&str>, QueryError> {
        let mut found = self.iter().filter(|(found, _)| *found == name).map(|(_, value)| value);
        match (found.next(), found.next()) {
            (first, None) => Ok(first),
            (_, Some(_)) => Err(QueryError::Repeated { name }),
        }
    }
}

fn parse<T: FromStr<Err: Into<Source>>>(name: &'static str, text: &str) -> Result<T, QueryError> {
    text.parse().map_err(|source: T::Err| QueryError::Invalid { name, source: source.into() })
}

fn is_decimal(text: &str) -> bool {
    match text.strip_prefix('-').unwrap_or(text).as_bytes() {
        [b'0'] => !text.starts_with('-'),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(query: &str) -> QueryPairs {
        QueryPairs::parse(query).unwrap()
    }

    #[test]
    fn integers_are_strict() {
        for good in ["0", "7", "-7", "50", "9223372036854775807"] {
            let read = pairs(&format!("n={good}")).integer::<i64>("n", i64::MIN..=i64::MAX).unwrap();
            assert_eq!(read, Some(good.parse().unwrap()));
        }
        for bad in ["", "-", "+1", "01", "-0", "1.0", "1e3", " 1", "0x10", "1_0", "٣"] {
            let query: QueryPairs = [("n", bad)].into_iter().collect();
            let read = query.integer::<i64>("n", i64::MIN..=i64::MAX);
            assert!(matches!(read, Err(QueryError::NotInteger { name: "n" })), "{bad:?}");
        }
    }

    #[test]
    fn bounds_are_named() {
        for bad in ["0", "101", "-1", "99999999999999999999"] {
            let error = pairs(&format!("limit={bad}")).integer::<u32>("limit", 1..=100).unwrap_err();
            assert_eq!(error.to_string(), "parameter limit must be between 1 and 100");
        }
        assert_eq!(pairs("limit=1").integer::<u32>("limit", 1..=100).unwrap(), Some(1));
        assert_eq!(pairs("limit=100").integer::<u32>("limit", 1..=100).unwrap(), Some(100));
        assert_eq!(pairs("").integer::<u32>("limit", 1..=100).unwrap(), None);
    }

    #[test]
    fn booleans_are_two_words() {
        assert_eq!(pairs("b=true").boolean("b").unwrap(), Some(true));
        assert_eq!(pairs("b=false").boolean("b").unwrap(), Some(false));
        for bad in ["b=1", "b=", "b=TRUE", "b"] {
            assert!(matches!(pairs(bad).boolean("b"), Err(QueryError::NotBoolean { .. })), "{bad}");
        }
    }

    #[test]
    fn single_values_come_once() {
        assert!(matches!(pairs("").required::<String>("a"), Err(QueryError::Missing { name: "a" })));
        assert!(matches!(pairs("a=1&a=1").required::<String>("a"), Err(QueryError::Repeated { name: "a" })));
        assert_eq!(pairs("a=").optional::<String>("a").unwrap().as_deref(), Some(""));
    }

    #[test]
    fn lists_take_both_spellings() {
        let list = pairs("c[]=1&c=2&cc=9&c%5B%5D=3&c[0]=8").list::<String>("c").unwrap();
        assert_eq!(list, ["1", "2", "3"]);
        assert!(matches!(pairs("d=1").required_list::<String>("c"), Err(QueryError::Missing { .. })));
        let many = (0..150).map(|index| format!("c={index}")).collect::<Vec<_>>().join("&");
        assert_eq!(pairs(&many).list::<String>("c").unwrap().len(), 150);
    }

    #[test]
    fn texts_have_a_limit_in_bytes() {
        assert!(pairs("t=%C3%A9").text("t", 2).is_ok());
        assert!(matches!(pairs("t=%C3%A9x").text("t", 2), Err(QueryError::TooLong { maximum: 2, .. })));
    }
}
