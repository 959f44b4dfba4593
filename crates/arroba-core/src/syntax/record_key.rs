use super::Tid;
use super::text::{text_parser, text_type};

text_type! {
    /// The name of a record within its collection: 1 to 512 characters of `A-Z a-z 0-9 . _ : ~ -`, not `.` or
    /// `..`.
    ///
    /// Spec: <https://atproto.com/specs/record-key>
    RecordKey
}
text_parser!(RecordKey, "record-key", check);

impl RecordKey {
    /// The longest text.
    pub const MAX_LENGTH: usize = 512;
}

impl From<Tid> for RecordKey {
    fn from(tid: Tid) -> Self {
        Self(tid.to_string().into())
    }
}

const fn check(text: &[u8]) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("empty");
    }
    if text.len() > RecordKey::MAX_LENGTH {
        return Err("longer than 512 characters");
    }
    let mut i = 0;
    while i < text.len() {
        if !matches!(text[i], b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b':' | b'~' | b'-') {
            return Err("character that is not allowed");
        }
        i += 1;
    }
    if text[0] == b'.' && (text.len() == 1 || (text.len() == 2 && text[1] == b'.')) {
        return Err("is . or ..");
    }
    Ok(())
}

/// A [`RecordKey`](crate::syntax::RecordKey) that is checked when compiling.
#[macro_export]
macro_rules! record_key {
    ($text:literal) => {
        const { $crate::syntax::RecordKey::literal($text) }
    };
}
