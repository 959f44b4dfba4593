use super::text::text_type;
use super::{AtIdentifier, Did, Nsid, RecordKey, RecordPath, SyntaxError};

text_type! {
    /// A reference to a repository, a collection or a record: `at://` authority [`/` collection [`/` rkey]].
    ///
    /// This is the restricted form that Lexicon demands: no query, no fragment, no trailing slash. The text is
    /// kept as it was. Spec: <https://atproto.com/specs/at-uri-scheme>
    AtUri
}

impl AtUri {
    /// The longest text, in bytes.
    pub const MAX_LENGTH: usize = 8192;

    /// Reads the text exactly as it is.
    ///
    /// # Errors
    /// If it is no AT-URI of the restricted form.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        split(text)?;
        Ok(Self(text.into()))
    }

    /// The reference to a record.
    pub fn record(did: &Did, path: &RecordPath) -> Self {
        Self(format!("at://{did}/{path}").into())
    }

    /// Whose repository it is.
    pub fn authority(&self) -> AtIdentifier {
        self.parts().0
    }

    /// The collection, if it names one.
    pub fn collection(&self) -> Option<Nsid> {
        self.parts().1
    }

    /// The record key, if it names one.
    pub fn rkey(&self) -> Option<RecordKey> {
        self.parts().2
    }

    /// Collection and record key, if it names both.
    pub fn path(&self) -> Option<RecordPath> {
        let (_, collection, rkey) = self.parts();
        Some(RecordPath { collection: collection?, rkey: rkey? })
    }

    fn parts(&self) -> Parts {
        split(self.as_str()).expect("the text was split when it was parsed or built")
    }
}

type Parts = (AtIdentifier, Option<Nsid>, Option<RecordKey>);

fn split(text: &str) -> Result<Parts, SyntaxError> {
    let error = |reason| SyntaxError::new("at-uri", reason);
    if text.len() > AtUri::MAX_LENGTH {
        return Err(error("longer than 8192 bytes"));
    }
    let rest = text.strip_prefix("at://").ok_or_else(|| error("does not begin with at://"))?;
    let mut parts = rest.split('/');
    let authority = AtIdentifier::parse(parts.next().unwrap_or_default()).map_err(|e| error(e.reason()))?;
    let collection = parts.next().map(Nsid::parse).transpose().map_err(|e| error(e.reason()))?;
    let rkey = parts.next().map(RecordKey::parse).transpose().map_err(|e| error(e.reason()))?;
    if parts.next().is_some() {
        return Err(error("more than two path segments"));
    }
    Ok((authority, collection, rkey))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let did = Did::literal("did:plc:asdf123");
        let path = RecordPath::parse("com.atproto.feed.post/self").unwrap();
        let uri = AtUri::record(&did, &path);
        assert_eq!(AtUri::parse(uri.as_str()), Ok(uri.clone()));
        assert_eq!(uri.authority().did(), Some(&did));
        assert_eq!(uri.path(), Some(path));
        let uri = AtUri::parse("at://Alice.test").unwrap();
        assert_eq!(uri.authority().as_str(), "alice.test");
        assert_eq!((uri.collection(), uri.rkey(), uri.path()), (None, None, None));
    }
}
