use super::text::{text_parser, text_type};

text_type! {
    /// A decentralised identifier of any method, such as `did:plc:ewvi7nxzyoun6zhxrhs64oiz`.
    ///
    /// At most 2048 characters, case-sensitive, without path, query or fragment. Whether the method is
    /// supported is another question. Spec: <https://atproto.com/specs/did>
    Did
}
text_parser!(Did, "did", check);

impl Did {
    /// The longest text.
    pub const MAX_LENGTH: usize = 2048;

    /// The method: `plc` in `did:plc:ewvi7nxzyoun6zhxrhs64oiz`.
    pub fn method(&self) -> &str {
        self.parts().0
    }

    /// What comes after the method.
    pub fn identifier(&self) -> &str {
        self.parts().1
    }

    fn parts(&self) -> (&str, &str) {
        self.as_str().strip_prefix("did:").and_then(|rest| rest.split_once(':')).unwrap_or_default()
    }
}

pub(super) const fn check(text: &[u8]) -> Result<(), &'static str> {
    if text.len() > Did::MAX_LENGTH {
        return Err("longer than 2048 characters");
    }
    if text.len() < 4 || text[0] != b'd' || text[1] != b'i' || text[2] != b'd' || text[3] != b':' {
        return Err("does not begin with did:");
    }
    let mut i = 4;
    while i < text.len() && text[i].is_ascii_lowercase() {
        i += 1;
    }
    if i == 4 || i >= text.len() || text[i] != b':' {
        return Err("no method in lower-case letters");
    }
    i += 1;
    if i == text.len() {
        return Err("no identifier");
    }
    while i < text.len() {
        if !matches!(text[i], b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b':' | b'%' | b'-') {
            return Err("character that is not allowed");
        }
        i += 1;
    }
    if matches!(text[text.len() - 1], b':' | b'%') {
        return Err("ends in a colon or percent sign");
    }
    Ok(())
}

/// A [`Did`](crate::syntax::Did) that is checked when compiling.
#[macro_export]
macro_rules! did {
    ($text:literal) => {
        const { $crate::syntax::Did::literal($text) }
    };
}

#[cfg(test)]
mod tests {
    #[test]
    fn parts() {
        let did = did!("did:web:localhost%3A1234");
        assert_eq!((did.method(), did.identifier()), ("web", "localhost%3A1234"));
    }
}
