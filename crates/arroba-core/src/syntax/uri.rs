use super::text::{text_parser, text_type};

text_type! {
    /// A URI of any scheme: a scheme, a colon, and something without white space; at most 8192 bytes.
    Uri
}
text_parser!(Uri, "uri", check);

impl Uri {
    /// The longest text, in bytes.
    pub const MAX_LENGTH: usize = 8192;
}

const fn check(text: &[u8]) -> Result<(), &'static str> {
    if text.len() > Uri::MAX_LENGTH {
        return Err("longer than 8192 bytes");
    }
    let mut i = 0;
    while i < text.len() && i <= 80 {
        match text[i] {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'.' | b'-' if i > 0 => {}
            _ => break,
        }
        i += 1;
    }
    if i == 0 || i >= text.len() || text[i] != b':' {
        return Err("no scheme");
    }
    i += 1;
    if i == text.len() {
        return Err("nothing after the scheme");
    }
    while i < text.len() {
        if text[i] <= b' ' || text[i] == 0x7f {
            return Err("white space or control character");
        }
        i += 1;
    }
    Ok(())
}
