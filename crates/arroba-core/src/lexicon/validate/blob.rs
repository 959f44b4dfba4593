//! References to blobs.

use super::{BlobRule, Fault, Violation};
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
    if let Some(accept) =
        schema.accept.as_ref().filter(|accept| !accept.iter().any(|one| admits(one, &mime_type)))
    {
        return Err(Fault::new(Violation::MediaType(accept.join(", "))));
    }
    match (schema.max_size, size) {
        (Some(maximum), Some(size)) if size > maximum => Err(Fault::new(Violation::BlobSize(maximum))),
        _ => Ok(()),
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
fn admits(pattern: &str, mime_type: &str) -> bool {
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
