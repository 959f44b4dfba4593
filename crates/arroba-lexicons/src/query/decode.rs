//! From the text of a query string to pairs, and back.

use std::fmt::{self, Display, Write as _};

use super::{QueryError, QueryPairs};

impl QueryPairs {
    /// Decodes a query string, without its `?`, as `application/x-www-form-urlencoded`.
    ///
    /// A `%` that starts no escape stands for itself, as in the URL standard.
    ///
    /// # Errors
    /// [`QueryError::NotUtf8`] if a decoded name or value is not UTF-8.
    pub fn parse(query: &str) -> Result<Self, QueryError> {
        let mut pairs = Vec::new();
        for piece in query.split('&').filter(|piece| !piece.is_empty()) {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            pairs.push((decode(name)?, decode(value)?));
        }
        Ok(Self(pairs))
    }
}

/// The query string, without a `?`.
impl Display for QueryPairs {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.iter().enumerate() {
            if index > 0 {
                out.write_char('&')?;
            }
            encode(name, out)?;
            out.write_char('=')?;
            encode(value, out)?;
        }
        Ok(())
    }
}

fn decode(text: &str) -> Result<String, QueryError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        bytes.push(match (byte, after) {
            (b'+', _) => b' ',
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    rest = after;
                    high << 4 | low
                }
                _ => b'%',
            },
            _ => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| QueryError::NotUtf8)
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn encode(text: &str, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                out.write_char(char::from(byte))?;
            }
            other => write!(out, "%{other:02X}")?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(query: &str) -> Vec<(String, String)> {
        QueryPairs::parse(query).unwrap().0
    }

    #[test]
    fn pairs_keep_their_order_and_lose_their_escapes() {
        assert_eq!(decoded(""), []);
        assert_eq!(decoded("&&"), []);
        assert_eq!(decoded("a=1&b=2&a=3").len(), 3);
        assert_eq!(decoded("a+b=c%20d%2b"), [("a b".to_owned(), "c d+".to_owned())]);
        assert_eq!(decoded("flag"), [("flag".to_owned(), String::new())]);
        assert_eq!(decoded("a=b=c"), [("a".to_owned(), "b=c".to_owned())]);
    }

    #[test]
    fn a_percent_sign_that_escapes_nothing_stands_for_itself() {
        assert_eq!(decoded("a=100%")[0].1, "100%");
        assert_eq!(decoded("a=%zz%4")[0].1, "%zz%4");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused() {
        assert!(matches!(QueryPairs::parse("a=%ff"), Err(QueryError::NotUtf8)));
    }

    #[test]
    fn what_is_written_reads_back() {
        let pairs: QueryPairs =
            [("a[]", "x&y=z"), ("did", "did:web:a%3A1"), ("é", " +%\u{1F600}")].into_iter().collect();
        assert_eq!(QueryPairs::parse(&pairs.to_string()).unwrap(), pairs);
        assert!(pairs.to_string().contains("did=did:web:a%253A1"));
    }
}
