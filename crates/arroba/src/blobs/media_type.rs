//! What kind of file a blob is.

/// What the client said that we could not check, at worst.
const UNKNOWN: &str = "application/octet-stream";

/// The longest media type that is kept.
const MAX_LENGTH: usize = 255;

/// The media type of a file that begins with `start`: what its content shows, else what the client declared.
pub(crate) fn media_type(start: &[u8], declared: Option<&str>) -> String {
    // Text is guessed from its first word, and the declaration of, say, an SVG image says more.
    if let Some(known) = infer::get(start).filter(|known| known.matcher_type() != infer::MatcherType::Text) {
        return known.mime_type().to_owned();
    }
    declared.map(str::trim).filter(|declared| is_media_type(declared)).unwrap_or(UNKNOWN).to_owned()
}

/// Whether `text` is a type and a subtype, perhaps with parameters; `*/*` is what clients send that do not know.
pub(crate) fn is_media_type(text: &str) -> bool {
    let essence = text.split(';').next().unwrap_or_default().trim();
    let token = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
    };
    text.len() <= MAX_LENGTH
        && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        && essence.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_wins_over_declaration() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
        assert_eq!(media_type(png, Some("text/html")), "image/png");
        assert_eq!(media_type(png, None), "image/png");
    }

    #[test]
    fn declaration_is_kept_if_it_is_one() {
        assert_eq!(media_type(b"hello", Some("text/plain; charset=utf-8")), "text/plain; charset=utf-8");
        for declared in
            [None, Some("*/*"), Some("image/*"), Some(""), Some("text"), Some("a/b\r\nx: y"), Some("a/b/c")]
        {
            assert_eq!(media_type(b"hello", declared), UNKNOWN, "{declared:?}");
        }
    }
}
