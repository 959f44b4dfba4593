//! The syntax that every scope has, whatever its resource.

use super::ScopeError;
use std::fmt::{self, Write as _};

/// A scope string taken apart and decoded: `resource[:positional][?name=value&...]`.
///
/// Nothing is known about the resource yet. The positional part is the value of the resource's main parameter.
/// A `+` is a plus sign; a parameter without `=` has the empty value; empty pairs are skipped.
///
/// Its text form (`Display`) is canonical: percent-encoded where a reader could be misled, and nowhere else.
/// Spec: <https://atproto.com/specs/permission#scope-string-syntax>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeText {
    resource: String,
    positional: Option<String>,
    params: Vec<(String, String)>,
}

impl ScopeText {
    /// The longest scope string that is read.
    pub const MAX_LENGTH: usize = 8192;

    /// Takes a scope string apart.
    ///
    /// # Errors
    /// [`ScopeError::TooLong`], [`ScopeError::Characters`] or [`ScopeError::Encoding`]; [`ScopeError::Resource`] if there is none.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        if text.len() > Self::MAX_LENGTH {
            return Err(ScopeError::TooLong);
        }
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ScopeError::Characters);
        }
        let (head, query) = text.split_once('?').unwrap_or((text, ""));
        let (resource, positional) = match head.split_once(':') {
            Some((resource, positional)) => (resource, Some(decode(positional)?)),
            None => (head, None),
        };
        if resource.is_empty() {
            return Err(ScopeError::Resource(String::new()));
        }
        let mut params = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            params.push((decode(name)?, decode(value)?));
        }
        Ok(Self { resource: resource.to_owned(), positional, params })
    }

    /// The resource: not decoded, as it has only one spelling.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// What comes behind the first `:`, up to the first `?`.
    pub fn positional(&self) -> Option<&str> {
        self.positional.as_deref()
    }

    /// The parameters in their order; a name may come several times.
    pub fn params(&self) -> &[(String, String)] {
        &self.params
    }

    /// Begins a scope string of this resource.
    pub(super) fn of(resource: &str) -> Self {
        Self { resource: resource.to_owned(), ..Self::default() }
    }

    /// Adds the values of the main parameter: behind the `:` if there is one, else by its name.
    pub(super) fn main(mut self, name: &str, values: impl IntoIterator<Item = impl fmt::Display>) -> Self {
        let mut values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
        if values.len() == 1 {
            self.positional = values.pop();
        }
        self.params.extend(values.into_iter().map(|value| (name.to_owned(), value)));
        self
    }

    /// Adds a parameter.
    pub(super) fn param(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.params.push((name.to_owned(), value.to_string()));
        self
    }

    /// Checks that there are no parameters but these, and that the first, which is the main one, is not given
    /// in both ways.
    pub(super) fn only(&self, known: &[&'static str]) -> Result<(), ScopeError> {
        if let Some((name, _)) = self.params.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            return Err(ScopeError::Parameter(name.clone()));
        }
        match known.first() {
            Some(main) if self.positional.is_some() && self.values(main).next().is_some() => {
                Err(ScopeError::Repeated(main))
            }
            _ => Ok(()),
        }
    }

    /// The values of a parameter.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.params.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The values of the main parameter, given in either way.
    pub(super) fn main_values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.positional.as_deref().into_iter().chain(self.values(name))
    }

    /// The value of a parameter that may come once.
    pub(super) fn value(&self, name: &'static str) -> Result<Option<&str>, ScopeError> {
        single(name, self.values(name))
    }

    /// The value of a main parameter that must come once.
    pub(super) fn main_value(&self, name: &'static str) -> Result<&str, ScopeError> {
        single(name, self.main_values(name))?.ok_or(ScopeError::Missing(name))
    }
}

fn single<'a>(
    name: &'static str,
    mut values: impl Iterator<Item = &'a str>,
) -> Result<Option<&'a str>, ScopeError> {
    let first = values.next();
    if values.next().is_some() { Err(ScopeError::Repeated(name)) } else { Ok(first) }
}

/// Reads a value, or says of which parameter it is none.
pub(super) fn read<T, E>(
    name: &'static str,
    value: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, ScopeError> {
    parse(value).map_err(|_| ScopeError::Value { name, value: value.to_owned() })
}

fn decode(text: &str) -> Result<String, ScopeError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (high, low) = (digit(rest.next()), digit(rest.next()));
        let (Some(high), Some(low)) = (high, low) else { return Err(ScopeError::Encoding) };
        bytes.push((high * 16 + low) as u8);
    }
    String::from_utf8(bytes).map_err(|_| ScopeError::Encoding)
}

/// Writes what stands for itself as it is. A `+` in a parameter is encoded, as others read it as a space there.
fn encode(out: &mut fmt::Formatter<'_>, text: &str, plain: &str) -> fmt::Result {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.as_bytes().contains(&byte) {
            out.write_char(char::from(byte))?;
        } else {
            write!(out, "%{byte:02X}")?;
        }
    }
    Ok(())
}

const PLAIN_IN_PARAMS: &str = "-._~:/*@,";
const PLAIN_IN_POSITION: &str = "-._~:/*@,+";

impl fmt::Display for ScopeText {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.resource)?;
        if let Some(positional) = &self.positional {
            out.write_char(':')?;
            encode(out, positional, PLAIN_IN_POSITION)?;
        }
        for (index, (name, value)) in self.params.iter().enumerate() {
            out.write_char(if index == 0 { '?' } else { '&' })?;
            encode(out, name, PLAIN_IN_PARAMS)?;
            out.write_char('=')?;
            encode(out, value, PLAIN_IN_PARAMS)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_is_strict_and_a_plus_is_a_plus() {
        let text = ScopeText::parse("a:b%2Bc+d?e=f+g%20h&&i").unwrap();
        assert_eq!(text.positional.as_deref(), Some("b+c+d"));
        assert_eq!(text.params, [("e".to_owned(), "f+g h".to_owned()), ("i".to_owned(), String::new())]);
        assert_eq!(text.to_string(), "a:b+c+d?e=f%2Bg%20h&i=");
        for bad in ["a:%", "a:%2", "a:%zz", "a:%+1", "a?b=%ff", "a?%=b", "a:%c3%28"] {
            assert_eq!(ScopeText::parse(bad), Err(ScopeError::Encoding), "{bad}");
        }
        for bad in ["", " ", "a b", "a\n", "a\u{7f}", "\u{e9}"] {
            assert_eq!(ScopeText::parse(bad), Err(ScopeError::Characters), "{bad:?}");
        }
        for bad in ["?", ":", ":a", "?a=b", ":?"] {
            assert_eq!(ScopeText::parse(bad), Err(ScopeError::Resource(String::new())), "{bad:?}");
        }
        assert_eq!(ScopeText::parse(&"a".repeat(8193)), Err(ScopeError::TooLong));
    }

    #[test]
    fn only_the_first_marks_divide() {
        let text = ScopeText::parse("a:b:c#d?e=f?g=h").unwrap();
        assert_eq!(text.positional.as_deref(), Some("b:c#d"));
        assert_eq!(text.params, [("e".to_owned(), "f?g=h".to_owned())]);
        assert_eq!(ScopeText::parse(&text.to_string()), Ok(text));
    }
}
