use super::did;
use super::text::{text_parser, text_type};
use super::{Did, SyntaxError};

text_type! {
    /// A service of a DID: the DID, `#`, and the id of an entry among its document's services, such as
    /// `did:web:api.bsky.app#bsky_appview`.
    ///
    /// Spec: <https://atproto.com/specs/xrpc#service-proxying>
    DidService
}
text_parser!(DidService, "did-service", check);

impl DidService {
    /// The longest text.
    pub const MAX_LENGTH: usize = Did::MAX_LENGTH + 256;

    /// The service with this id of this DID.
    ///
    /// # Errors
    /// If the id is empty, too long, or no fragment of a URI.
    pub fn new(did: &Did, id: &str) -> Result<Self, SyntaxError> {
        Self::parse(&format!("{did}#{id}"))
    }

    /// Whose service it is.
    pub fn did(&self) -> Did {
        Did::parse(self.parts().0).expect("the text before # was checked to be a DID")
    }

    /// The service's id, without `#`.
    pub fn id(&self) -> &str {
        self.parts().1
    }

    fn parts(&self) -> (&str, &str) {
        self.as_str().split_once('#').unwrap_or_default()
    }
}

const fn check(text: &[u8]) -> Result<(), &'static str> {
    if text.len() > DidService::MAX_LENGTH {
        return Err("longer than 2304 characters");
    }
    let mut hash = 0;
    while hash < text.len() && text[hash] != b'#' {
        hash += 1;
    }
    let (did, fragment) = text.split_at(hash);
    if let Err(reason) = did::check(did) {
        return Err(reason);
    }
    if fragment.len() < 2 {
        return Err("no service behind #");
    }
    let mut i = 1;
    while i < fragment.len() {
        match fragment[i] {
            // The characters of a fragment, RFC 3986.
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'-'
            | b'.'
            | b'_'
            | b'~'
            | b'!'
            | b'$'
            | b'&'
            | b'\''
            | b'('
            | b')'
            | b'*'
            | b'+'
            | b','
            | b';'
            | b'='
            | b':'
            | b'@'
            | b'/'
            | b'?' => i += 1,
            b'%' if i + 2 < fragment.len()
                && fragment[i + 1].is_ascii_hexdigit()
                && fragment[i + 2].is_ascii_hexdigit() =>
            {
                i += 3;
            }
            _ => return Err("character that is not allowed behind #"),
        }
    }
    Ok(())
}

/// Whom a token between services is for: a service of a DID or, in the older form, the DID.
///
/// Spec: <https://atproto.com/specs/xrpc#inter-service-authentication-jwt>
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// The DID alone.
    Did(Did),
    /// One service.
    Service(DidService),
}

impl Audience {
    /// Reads a DID, with or without a service behind `#`.
    ///
    /// # Errors
    /// If it is neither.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        if text.contains('#') {
            DidService::parse(text).map(Self::Service)
        } else {
            Did::parse(text).map(Self::Did)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Did(did) => did.as_str(),
            Self::Service(service) => service.as_str(),
        }
    }
}

impl std::fmt::Display for Audience {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<Did> for Audience {
    fn from(did: Did) -> Self {
        Self::Did(did)
    }
}

impl From<DidService> for Audience {
    fn from(service: DidService) -> Self {
        Self::Service(service)
    }
}

super::text::parsed_type!(Audience);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let service = DidService::literal("did:web:api.bsky.app#bsky_appview");
        assert_eq!((service.did(), service.id()), (crate::did!("did:web:api.bsky.app"), "bsky_appview"));
        assert_eq!(DidService::new(&service.did(), "bsky_appview"), Ok(service.clone()));
        assert_eq!(Audience::parse(service.as_str()), Ok(Audience::Service(service)));
        assert_eq!(Audience::parse("did:web:a.test"), Ok(Audience::Did(crate::did!("did:web:a.test"))));
    }

    #[test]
    fn refuses() {
        for text in [
            "",
            "#a",
            "did:web:a.test",
            "did:web:a.test#",
            "did:web:a.test#a#b",
            "did:web:a.test#a b",
            "did:web:a.test#a%",
            "did:web:a.test#a%2",
            "did:web:a.test#a%zz",
            "did:web:a.test#\u{e9}",
            "did:web#a",
            "https://a.test#a",
        ] {
            assert!(DidService::parse(text).is_err(), "{text}");
        }
        assert!(DidService::parse("did:web:a.test#a%20b").is_ok());
        let long = format!("did:web:{}#a", "a".repeat(Did::MAX_LENGTH - 8));
        assert!(DidService::parse(&long).is_ok() && DidService::parse(&format!("{long}{long}")).is_err());
    }
}
