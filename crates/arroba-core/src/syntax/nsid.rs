use super::handle::check_label;
use super::text::{text_parser, text_type};

text_type! {
    /// A namespaced identifier, such as `app.bsky.feed.post`.
    ///
    /// At least three segments; all but the last are a domain name in reverse, the last is a name of letters and
    /// digits that is case-sensitive. Spec: <https://atproto.com/specs/nsid>
    Nsid
}
text_parser!(Nsid, "nsid", check);

impl Nsid {
    /// The longest text.
    pub const MAX_LENGTH: usize = 317;

    /// The last segment: `post` in `app.bsky.feed.post`.
    pub fn name(&self) -> &str {
        self.as_str().rsplit_once('.').map_or("", |(_, name)| name)
    }

    /// All but the last segment: `app.bsky.feed` in `app.bsky.feed.post`.
    pub fn authority(&self) -> &str {
        self.as_str().rsplit_once('.').map_or("", |(authority, _)| authority)
    }

    /// The authority as a domain name: `feed.bsky.app` for `app.bsky.feed.post`.
    pub fn domain(&self) -> String {
        self.authority().rsplit('.').collect::<Vec<_>>().join(".").to_ascii_lowercase()
    }

    /// Whether the authority is in lower case, as it should be.
    pub fn is_normalized(&self) -> bool {
        !self.authority().bytes().any(|byte| byte.is_ascii_uppercase())
    }

    /// The same with its authority in lower case.
    pub fn normalized(&self) -> Self {
        if self.is_normalized() {
            return self.clone();
        }
        Self(format!("{}.{}", self.authority().to_ascii_lowercase(), self.name()).into())
    }
}

/// The page also caps the authority at 253 characters, but the shared vectors hold a longer one to be valid, as
/// every implementation does.
const fn check(text: &[u8]) -> Result<(), &'static str> {
    if text.len() > Nsid::MAX_LENGTH {
        return Err("longer than 317 characters");
    }
    let (mut segments, mut start, mut i) = (0, 0, 0);
    while i <= text.len() {
        if i == text.len() || text[i] == b'.' {
            if let Err(reason) = check_label(text, start, i) {
                return Err(reason);
            }
            segments += 1;
            if i < text.len() {
                start = i + 1;
            }
        }
        i += 1;
    }
    if segments < 3 {
        return Err("fewer than three segments");
    }
    if !text[0].is_ascii_alphabetic() {
        return Err("first segment does not begin with a letter");
    }
    if !text[start].is_ascii_alphabetic() {
        return Err("name does not begin with a letter");
    }
    i = start;
    while i < text.len() {
        if text[i] == b'-' {
            return Err("hyphen in the name");
        }
        i += 1;
    }
    Ok(())
}

/// An [`Nsid`](crate::syntax::Nsid) that is checked when compiling.
#[macro_export]
macro_rules! nsid {
    ($text:literal) => {
        const { $crate::syntax::Nsid::literal($text) }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_normal_form() {
        let nsid = Nsid::parse("App.Bsky.feed.getPost").unwrap();
        assert_eq!((nsid.authority(), nsid.name()), ("App.Bsky.feed", "getPost"));
        assert_eq!(nsid.domain(), "feed.bsky.app");
        assert_eq!(nsid.normalized(), nsid!("app.bsky.feed.getPost"));
        assert!(!nsid.is_normalized());
    }
}
