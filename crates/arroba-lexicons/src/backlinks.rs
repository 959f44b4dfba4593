//! Records that say one thing about another: to like, repost, follow or block something twice means nothing.
//!
//! When a record is created, a host deletes those of its collection that link to the same target, in the same commit.
//! That is a rule of Bluesky, not of the protocol: it is what the reference server does, so that its clients work.

use arroba_core::{
    data::Value,
    nsid,
    syntax::{AtUri, Did, Nsid},
};

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Backlink<'v> {
    /// The path of the field that names the target: `subject` or `subject.uri`.
    pub field: &'static str,
    /// The target: a DID, or the `at://` address of a record.
    pub target: &'v str,
}

/// The collections whose records have a backlink.
pub const COLLECTIONS: &[Nsid] = &[
    nsid!("app.bsky.feed.like"),
    nsid!("app.bsky.feed.repost"),
    nsid!("app.bsky.graph.block"),
    nsid!("app.bsky.graph.follow"),
];

/// What a record of this collection is about, if that is one of the [`COLLECTIONS`] and the target is well-formed.
///
/// Two records of one collection with equal backlinks say the same.
///
/// ```
/// use arroba_core::{data::json, nsid};
/// let follow = json::from_str(r#"{"$type": "app.bsky.graph.follow", "subject": "did:web:bob.test"}"#)?;
/// let backlink = arroba_lexicons::backlinks::of(&nsid!("app.bsky.graph.follow"), &follow);
/// assert_eq!(backlink.map(|backlink| backlink.target), Some("did:web:bob.test"));
/// # Ok::<(), arroba_core::data::json::JsonError>(())
/// ```
#[must_use]
pub fn of<'v>(collection: &Nsid, record: &'v Value<'_>) -> Option<Backlink<'v>> {
    let subject = record.get("subject")?;
    match collection.as_str() {
        "app.bsky.feed.like" | "app.bsky.feed.repost" => {
            let target = subject.get("uri")?.as_text().filter(|text| AtUri::parse(text).is_ok())?;
            Some(Backlink { field: "subject.uri", target })
        }
        "app.bsky.graph.block" | "app.bsky.graph.follow" => {
            let target = subject.as_text().filter(|text| Did::parse(text).is_ok())?;
            Some(Backlink { field: "subject", target })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arroba_core::data::json;

    use super::*;

    fn target(collection: &str, record: &str) -> Option<(&'static str, String)> {
        let record = json::from_str(record).unwrap();
        let backlink = of(&Nsid::parse(collection).unwrap(), &record)?;
        Some((backlink.field, backlink.target.to_owned()))
    }

    #[test]
    fn each_collection_has_its_field() {
        let post = "at://did:web:a.test/app.bsky.feed.post/3jzfcijpj2z2a";
        let about_record = format!(r#"{{"subject": {{"uri": "{post}", "cid": "x"}}}}"#);
        let about_account = r#"{"subject": "did:web:a.test"}"#;
        for collection in COLLECTIONS {
            let collection = collection.as_str();
            let feed = collection.starts_with("app.bsky.feed.");
            let (good, bad) =
                if feed { (&*about_record, about_account) } else { (about_account, &*about_record) };
            let expected = if feed { ("subject.uri", post) } else { ("subject", "did:web:a.test") };
            assert_eq!(target(collection, good), Some((expected.0, expected.1.to_owned())));
            assert_eq!(target(collection, bad), None);
        }
        assert_eq!(target("app.bsky.feed.post", &about_record), None);
    }

    #[test]
    fn malformed_targets_are_none() {
        for record in [
            "{}",
            r#"{"subject": 1}"#,
            r#"{"subject": {"uri": "https://a.test"}}"#,
            r#"{"subject": "a.test"}"#,
        ] {
            for collection in COLLECTIONS {
                assert_eq!(target(collection.as_str(), record), None, "{collection} {record}");
            }
        }
    }
}
