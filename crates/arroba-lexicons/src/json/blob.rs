//! The reference to a blob, as JSON.

use arroba_core::data::{BlobRef, Cid};
use serde::{Deserialize, Serialize};

/// A reference to a blob in its JSON form: `{"$type": "blob", "ref": {"$link": ..}, "mimeType": .., "size": ..}`.
///
/// Spec: <https://atproto.com/specs/data-model#blob-type>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "TypedBlob", from = "TypedBlob")]
pub struct Blob(pub BlobRef);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TypedBlob {
    #[serde(rename = "$type")]
    kind: BlobKind,
    #[serde(rename = "ref")]
    reference: JsonLink,
    mime_type: String,
    size: u64,
}

#[derive(Serialize, Deserialize)]
enum BlobKind {
    #[serde(rename = "blob")]
    Blob,
}

#[derive(Serialize, Deserialize)]
struct JsonLink {
    #[serde(rename = "$link")]
    cid: Cid,
}

impl From<BlobRef> for Blob {
    fn from(blob: BlobRef) -> Self {
        Self(blob)
    }
}

impl From<Blob> for TypedBlob {
    fn from(Blob(BlobRef { cid, mime_type, size }): Blob) -> Self {
        Self { kind: BlobKind::Blob, reference: JsonLink { cid }, mime_type, size }
    }
}

impl From<TypedBlob> for Blob {
    fn from(TypedBlob { kind: BlobKind::Blob, reference, mime_type, size }: TypedBlob) -> Self {
        Self(BlobRef { cid: reference.cid, mime_type, size })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_json_form_of_the_data_model() {
        let blob = Blob(BlobRef { cid: Cid::for_raw(b"x"), mime_type: "image/png".to_owned(), size: 1 });
        let json = serde_json::to_string(&blob).unwrap();
        let cid = Cid::for_raw(b"x");
        assert_eq!(
            json,
            format!(r#"{{"$type":"blob","ref":{{"$link":"{cid}"}},"mimeType":"image/png","size":1}}"#)
        );
        assert_eq!(serde_json::from_str::<Blob>(&json).unwrap(), blob);
        assert!(serde_json::from_str::<Blob>(&json.replace("\"blob\"", "\"blub\"")).is_err());
    }
}
