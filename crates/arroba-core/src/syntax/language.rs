use super::SyntaxError;
use super::text::text_type;

text_type! {
    /// A language tag of BCP 47, such as `pt-BR`.
    ///
    /// The primary subtag is two or three lower-case letters, unless the tag is grandfathered or private. No
    /// variant and no extension comes twice. Spec: <https://atproto.com/specs/lexicon#language>
    Language
}

impl Language {
    /// The longest text.
    pub const MAX_LENGTH: usize = 128;

    /// Reads the text exactly as it is.
    ///
    /// # Errors
    /// If it is not well-formed, or repeats a variant or an extension.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let error = |reason| SyntaxError::new("language", reason);
        match check(text) {
            Ok(true) => Ok(Self(text.into())),
            Ok(false) => Err(error("variant or extension there twice")),
            Err(reason) => Err(error(reason)),
        }
    }

    /// Whether the text is well-formed, though it may repeat a variant or an extension: what a schema demands.
    pub fn is_well_formed(text: &str) -> bool {
        check(text).is_ok()
    }
}

/// Tags that are older than the grammar and do not follow it.
const GRANDFATHERED: [&str; 26] = [
    "art-lojban",
    "cel-gaulish",
    "en-gb-oed",
    "i-ami",
    "i-bnn",
    "i-default",
    "i-enochian",
    "i-hak",
    "i-klingon",
    "i-lux",
    "i-mingo",
    "i-navajo",
    "i-pwn",
    "i-tao",
    "i-tay",
    "i-tsu",
    "no-bok",
    "no-nyn",
    "sgn-be-fr",
    "sgn-be-nl",
    "sgn-ch-de",
    "zh-guoyu",
    "zh-hakka",
    "zh-min",
    "zh-min-nan",
    "zh-xiang",
];

fn all(text: &str, test: impl Fn(&u8) -> bool) -> bool {
    text.as_bytes().iter().all(test)
}

fn is_script(tag: &str) -> bool {
    tag.len() == 4 && all(tag, u8::is_ascii_alphabetic)
}

fn is_region(tag: &str) -> bool {
    (tag.len() == 2 && all(tag, u8::is_ascii_alphabetic)) || (tag.len() == 3 && all(tag, u8::is_ascii_digit))
}

fn is_variant(tag: &str) -> bool {
    (5..=8).contains(&tag.len()) || (tag.len() == 4 && tag.as_bytes()[0].is_ascii_digit())
}

/// Whether nothing comes twice in a well-formed tag.
fn check(text: &str) -> Result<bool, &'static str> {
    if text.is_empty() || text.len() > Language::MAX_LENGTH {
        return Err("not 1 to 128 characters");
    }
    let lower = text.to_ascii_lowercase();
    if GRANDFATHERED.contains(&&*lower) {
        return Ok(true);
    }
    let tags: Vec<&str> = lower.split('-').collect();
    if tags.iter().any(|tag| tag.is_empty() || tag.len() > 8 || !all(tag, u8::is_ascii_alphanumeric)) {
        return Err("subtag not of 1 to 8 letters and digits");
    }
    if tags[0] == "x" {
        return if tags.len() > 1 { Ok(true) } else { Err("no private subtag") };
    }
    let primary = tags[0].len();
    if !(2..=3).contains(&primary) || !all(&text[..primary], u8::is_ascii_lowercase) {
        return Err("primary subtag not of 2 or 3 lower-case letters");
    }
    let mut tags = tags.into_iter().skip(1).peekable();
    for _ in 0..3 {
        tags.next_if(|tag| tag.len() == 3 && all(tag, u8::is_ascii_alphabetic));
    }
    tags.next_if(|tag| is_script(tag));
    tags.next_if(|tag| is_region(tag));
    let mut seen = Vec::new();
    while let Some(variant) = tags.next_if(|tag| is_variant(tag)) {
        seen.push(variant);
    }
    while let Some(singleton) = tags.next_if(|tag| tag.len() == 1 && *tag != "x") {
        seen.push(singleton);
        tags.next_if(|tag| tag.len() > 1).ok_or("empty extension")?;
        while tags.next_if(|tag| tag.len() > 1).is_some() {}
    }
    if tags.next_if_eq(&"x").is_some() {
        tags.next().ok_or("no private subtag")?;
    } else if tags.next().is_some() {
        return Err("subtag in a wrong place");
    }
    let total = seen.len();
    seen.sort_unstable();
    seen.dedup();
    Ok(seen.len() == total)
}
