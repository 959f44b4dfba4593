use super::text::{text_parser, text_type};

text_type! {
    /// The text of a CID in any base, as Lexicon's format `cid` takes it: 8 to 256 characters of
    /// `A-Z a-z 0-9 + =`, not version 0.
    ///
    /// Nearly everything else wants [`Cid`](crate::data::Cid).
    CidText
}
text_parser!(CidText, "cid", check);

const fn check(text: &[u8]) -> Result<(), &'static str> {
    if text.len() < 8 || text.len() > 256 {
        return Err("not 8 to 256 characters");
    }
    let mut i = 0;
    while i < text.len() {
        if !matches!(text[i], b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'+' | b'=') {
            return Err("character that is not allowed");
        }
        i += 1;
    }
    if text[0] == b'Q' && text[1] == b'm' && text[2] == b'b' {
        return Err("version 0");
    }
    Ok(())
}
