//! References to blobs.

use super::{
    BlobRule, Violation,
    walk::{Fault, listed},
};
use crate::{
    data::{BlobRef, Link, Map, Value},
    lexicon::BlobSchema,
};

pub(super) fn blob(schema: &BlobSchema, rule: BlobRule, value: &Value<'_>) -> Result<(), Fault> {
    let map = value.as_map().ok_or_else(|| Fault::mistyped("blob", value))?;
    let (mime_type, size) = match rule {
        BlobRule::Strict => strict(map)?,
        BlobRule::Lenient => lenient(map).ok_or_else(|| Fault::new(Violation::Blob))?,
    };
    schema.check_known(&mime_type, size).map_err(Fault::new)
}

impl BlobSchema {
    /// Checks a blob's own media type and its size in bytes, where the caller knows them: of an upload, or of something that
    /// lies elsewhere. [`Catalog::field`](crate::lexicon::Catalog::field) finds the schema of a field.
    ///
    /// Types in `accept` are `*/*`, `type/*` or exact, and compared with regard to case.
    ///
    /// # Errors
    /// [`Violation::MediaType`] or [`Violation::BlobSize`].
    pub fn check(&self, mime_type: &str, size: u64) -> Result<(), Violation> {
        self.check_known(mime_type, Some(size))
    }

    fn check_known(&self, mime_type: &str, size: Option<u64>) -> Result<(), Violation> {
        if let Some(accept) =
            self.accept.as_ref().filter(|accept| !accept.iter().any(|one| admits(one, mime_type)))
        {
            return Err(Violation::MediaType(listed(accept.iter())));
        }
        match (self.max_size, size) {
            (Some(maximum), Some(size)) if size > maximum => Err(Violation::BlobSize(maximum)),
            _ => Ok(()),
        }
    }
}

fn strict(map: &Map<'_>) -> Result<(String, Option<u64>), Fault> {
    let blob = BlobRef::from_map(map).map_err(|_| Fault::new(Violation::Blob))?;
    if blob.is_raw() { Ok((blob.mime_type, Some(blob.size))) } else { Err(Fault::new(Violation::BlobCodec)) }
}

/// The present form with any CID and any other fields, or the legacy form, which has no size.
fn lenient(map: &Map<'_>) -> Option<(String, Option<u64>)> {
    let mime_type = map.get("mimeType")?.as_text().filter(|text| !text.is_empty())?.to_owned();
    if map.contains_key("$type") {
        let typed = map.get("$type")?.as_text() == Some("blob");
        let size = map.get("size")?.as_int().and_then(|size| u64::try_from(size).ok())?;
        map.get("ref")?.as_link()?;
        return typed.then_some((mime_type, Some(size)));
    }
    let linked = Link::parse(map.get("cid")?.as_text()?).is_ok();
    (linked && map.len() == 2).then_some((mime_type, None))
}

/// `*/*`, `type/*` or one exact type, all case-sensitive.
pub(super) fn admits(pattern: &str, mime_type: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some("*/") => true,
        Some(prefix) => mime_type.starts_with(prefix),
        None => mime_type == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Cid;

    fn reference(cid: Cid) -> Value<'static> {
        BlobRef { cid, mime_type: "image/png".to_owned(), size: 5 }.to_value()
    }

    fn schema(accept: &[&str], max_size: u64) -> BlobSchema {
        BlobSchema {
            accept: Some(accept.iter().map(|one| (*one).to_owned()).collect()),
            max_size: Some(max_size),
        }
    }

    #[test]
    fn type_and_size_are_checked() {
        let value = reference(Cid::for_raw(b"hello"));
        for rule in [BlobRule::Strict, BlobRule::Lenient] {
            for accept in ["image/png", "image/*", "*/*"] {
                assert!(blob(&schema(&["text/plain", accept], 5), rule, &value).is_ok(), "{accept}");
            }
            for accept in ["image/jpeg", "video/*", "Image/*"] {
                let fault = blob(&schema(&[accept], 5), rule, &value).unwrap_err();
                assert_eq!(fault.violation, Violation::MediaType(accept.to_owned()));
            }
            let fault = blob(&schema(&["*/*"], 4), rule, &value).unwrap_err();
            assert_eq!(fault.violation, Violation::BlobSize(4));
        }
    }

    #[test]
    fn facts_that_the_caller_knows_are_checked() {
        let schema = schema(&["image/*", "video/mp4"], 1000);
        for (mime_type, size) in [("image/svg+xml", 0), ("video/mp4", 1000)] {
            assert_eq!(schema.check(mime_type, size), Ok(()));
        }
        for mime_type in ["video/webm", "image", "IMAGE/png", "", "application/image/png"] {
            let listed = "image/*, video/mp4".to_owned();
            assert_eq!(schema.check(mime_type, 1), Err(Violation::MediaType(listed)), "{mime_type}");
        }
        assert_eq!(schema.check("image/png", 1001), Err(Violation::BlobSize(1000)));
        assert_eq!(BlobSchema::default().check("", u64::MAX), Ok(()));
    }

    #[test]
    fn only_the_lenient_rule_takes_old_forms() {
        let legacy: Map<'_> = [
            ("cid", Value::from(Cid::for_raw(b"hello").to_string())),
            ("mimeType", Value::from("image/png")),
        ]
        .into_iter()
        .collect();
        for value in [reference(Cid::for_cbor(b"hello")), legacy.into()] {
            assert!(blob(&BlobSchema::default(), BlobRule::Lenient, &value).is_ok());
            assert!(blob(&BlobSchema::default(), BlobRule::Strict, &value).is_err());
        }
        for broken in [Value::Null, Value::Map(Map::new())] {
            assert!(blob(&BlobSchema::default(), BlobRule::Lenient, &broken).is_err());
        }
    }
}
