//! Records against the bundled schemas.

use std::sync::{Arc, OnceLock};

use arroba_core::data::{blob_ref, json, record};
use arroba_core::lexicon::{Catalog, validate_record};
use arroba_core::syntax::{Nsid, RecordKey};

use crate::fixtures;

/// Records in JSON, validated against the bundled schemas.
pub fn target(data: &[u8]) {
    static CATALOG: OnceLock<Arc<Catalog>> = OnceLock::new();
    let Ok(value) = json::from_slice(data) else { return };
    let _ = record::check(&value);
    let _ = blob_ref::find(&value);
    let kind = value.get("$type").and_then(|kind| Nsid::parse(kind.as_text()?).ok());
    if let Some(collection) = kind {
        let catalog = CATALOG.get_or_init(arroba_lexicons::catalog);
        let _ = validate_record(catalog, &collection, &RecordKey::literal("3jzfcijpj2z2a"), &value);
    }
}

/// What mutation starts from.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = [
        r#"{"$type":"app.bsky.feed.post","text":"hi","createdAt":"2024-01-01T00:00:00.000Z","langs":["en"],"facets":[{"index":{"byteStart":0,"byteEnd":2},"features":[{"$type":"app.bsky.richtext.facet#mention","did":"did:plc:abc"}]}],"reply":{"root":{"uri":"at://did:plc:abc/app.bsky.feed.post/1","cid":"bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua"},"parent":{"uri":"at://did:plc:abc/app.bsky.feed.post/1","cid":"bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua"}}}"#,
        r#"{"$type":"app.bsky.actor.profile","displayName":"A","description":"b","avatar":{"$type":"blob","mimeType":"image/png","size":1,"ref":{"$link":"bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"}}}"#,
        r#"{"$type":"app.bsky.graph.follow","subject":"did:plc:abc","createdAt":"2024-01-01T00:00:00.000Z"}"#,
        r#"{"$type":"app.bsky.feed.threadgate","post":"at://did:plc:abc/app.bsky.feed.post/1","allow":[{"$type":"app.bsky.feed.threadgate#listRule","list":"at://did:plc:abc/app.bsky.graph.list/1"}],"createdAt":"2024-01-01T00:00:00.000Z"}"#,
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    for name in ["record-data-valid", "record-data-invalid"] {
        seeds.extend(fixtures::items(&format!("atproto-interop-tests/lexicon/{name}.json"), "data"));
    }
    seeds
}
