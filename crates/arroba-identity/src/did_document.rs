use crate::plc::{ATPROTO_KEY, ATPROTO_PDS, ATPROTO_PDS_TYPE};
use arroba_core::{
    crypto::{Curve, PublicKey},
    syntax::{Did, Handle},
};
use serde::{Serialize, Serializer};
use serde_json::Value;
use thiserror::Error;
use url::Url;

/// The longest DID document that is accepted, in bytes of JSON.
pub const MAX_DOCUMENT_BYTES: u64 = 256 * 1024;

/// Why a text is not the DID document that was asked for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// No JSON.
    #[error("malformed JSON")]
    Json(#[source] serde_json::Error),
    /// The document's `id` is another DID, or none.
    #[error("document is about another DID")]
    WrongId,
}

/// A DID document, and what the protocol reads in it.
///
/// The document is kept and serialised as it came; parts of it that are malformed are as good as absent.
///
/// Spec: <https://atproto.com/specs/did#did-documents>
#[derive(Debug, Clone, PartialEq)]
pub struct DidDocument {
    did: Did,
    json: Value,
    size: usize,
}

impl DidDocument {
    /// Takes a document as the one of this DID.
    ///
    /// # Errors
    /// [`DocumentError::WrongId`] when it says that it is another's.
    pub fn from_json(did: &Did, json: Value) -> Result<Self, DocumentError> {
        if json.get("id").and_then(Value::as_str) != Some(did.as_str()) {
            return Err(DocumentError::WrongId);
        }
        let size = json.to_string().len();
        Ok(Self { did: did.clone(), json, size })
    }

    /// Reads a document as the one of this DID.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn parse(did: &Did, text: &[u8]) -> Result<Self, DocumentError> {
        Self::from_json(did, serde_json::from_slice(text).map_err(DocumentError::Json)?)
    }

    /// Whose document it is.
    #[must_use]
    pub const fn did(&self) -> &Did {
        &self.did
    }

    /// The document.
    #[must_use]
    pub const fn json(&self) -> &Value {
        &self.json
    }

    /// The document's length as JSON, in bytes.
    pub(crate) const fn size(&self) -> usize {
        self.size
    }

    /// The handle that the document claims: the first alias that is one. Later ones are never looked at, whether
    /// or not the first resolves. A claim is not a fact: [`Resolver`](crate::Resolver) checks it.
    #[must_use]
    pub fn handle(&self) -> Option<Handle> {
        self.entries("alsoKnownAs")
            .filter_map(|alias| alias.as_str()?.strip_prefix("at://"))
            .find_map(|handle| Handle::parse(handle).ok())
    }

    /// The account's signing key, `#atproto`.
    #[must_use]
    pub fn signing_key(&self) -> Option<PublicKey> {
        self.key(ATPROTO_KEY)
    }

    /// The first valid key with this id (a fragment without `#`) that the DID itself controls.
    #[must_use]
    pub fn key(&self, id: &str) -> Option<PublicKey> {
        self.entries("verificationMethod").filter(|method| self.has_id(method, id)).find_map(|method| {
            let field = |name| method.get(name).and_then(Value::as_str);
            if field("controller") != Some(self.did.as_str()) {
                return None;
            }
            let key = field("publicKeyMultibase")?;
            match field("type")? {
                "Multikey" => PublicKey::from_multibase(key),
                "EcdsaSecp256k1VerificationKey2019" => PublicKey::from_legacy_multibase(Curve::K256, key),
                "EcdsaSecp256r1VerificationKey2019" => PublicKey::from_legacy_multibase(Curve::P256, key),
                _ => return None,
            }
            .ok()
        })
    }

    /// The account's PDS: `scheme://host[:port]/`.
    #[must_use]
    pub fn pds(&self) -> Option<Url> {
        self.service(ATPROTO_PDS, Some(ATPROTO_PDS_TYPE))
    }

    /// The endpoint of the first service with this id (a fragment without `#`) and, if given, of this type.
    ///
    /// Only `http(s)://host[:port]` is an endpoint, without credentials, path, query or fragment. Whether the
    /// host may be reached, and by `http`, is for the client to decide.
    #[must_use]
    pub fn service(&self, id: &str, kind: Option<&str>) -> Option<Url> {
        self.entries("service")
            .filter(|service| self.has_id(service, id))
            .filter(|service| {
                kind.is_none_or(|kind| service.get("type").and_then(Value::as_str) == Some(kind))
            })
            .find_map(|service| endpoint(service.get("serviceEndpoint")?.as_str()?))
    }

    fn entries(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.json.get(name).and_then(Value::as_array).into_iter().flatten()
    }

    /// Whether an entry's id is `#id` or `<did>#id`, nothing more before or after.
    fn has_id(&self, entry: &Value, id: &str) -> bool {
        let text = entry.get("id").and_then(Value::as_str).unwrap_or_default();
        text.strip_prefix(self.did.as_str()).unwrap_or(text).strip_prefix('#') == Some(id)
    }
}

fn endpoint(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = matches!(url.scheme(), "https" | "http")
        && url.host().is_some()
        && url.username().is_empty()
        && url.password().is_none()
        && matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none();
    plain.then_some(url)
}

impl Serialize for DidDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arroba_core::{did, handle};
    use serde_json::json;

    const DID: Did = did!("did:web:alice.example.com");
    const KEY: &str = "zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF";
    const OTHER: &str = "zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme";

    fn document(field: &str, entries: Value) -> DidDocument {
        let mut json = json!({ "id": DID.as_str() });
        json[field] = entries;
        DidDocument::from_json(&DID, json).unwrap()
    }

    #[test]
    fn the_first_handle_is_the_claim() {
        for (aliases, handle) in [
            (
                json!(["https://x.test", "at://Alice.Example.com", "at://b.test"]),
                Some(handle!("alice.example.com")),
            ),
            (
                json!(["at://not_valid", "at://a.test/path", "at://b.test", "at://c.test"]),
                Some(handle!("b.test")),
            ),
            (json!(["at://did:plc:ewvi7nxzyoun6zhxrhs64oiz", 1, null]), None),
            (json!([]), None),
            (json!("at://a.test"), None),
            (Value::Null, None),
        ] {
            assert_eq!(document("alsoKnownAs", aliases.clone()).handle(), handle, "{aliases}");
        }
    }

    #[test]
    fn keys_are_anchored_and_controlled() {
        let method = |id: &str, controller: &str, kind: &str, key: &str| json!({ "id": id, "type": kind, "controller": controller, "publicKeyMultibase": key });
        let did = DID;
        let own = did.as_str();
        let full = format!("{own}#atproto");
        for id in ["#atproto", &full] {
            let document = document("verificationMethod", json!([method(id, own, "Multikey", KEY)]));
            assert_eq!(document.signing_key().unwrap().to_multibase(), KEY);
        }
        for entry in [
            method("#not_atproto", own, "Multikey", KEY),
            method("atproto", own, "Multikey", KEY),
            method("#atproto#atproto", own, "Multikey", KEY),
            method("did:web:bob.example.com#atproto", own, "Multikey", KEY),
            method("#atproto", "did:web:bob.example.com", "Multikey", KEY),
            method("#atproto", own, "Ed25519VerificationKey2020", KEY),
            method("#atproto", own, "EcdsaSecp256k1VerificationKey2019", KEY),
            method("#atproto", own, "Multikey", "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"),
            json!({ "id": "#atproto", "type": "Multikey", "publicKeyMultibase": KEY }),
            json!("#atproto"),
            Value::Null,
        ] {
            let bad = document("verificationMethod", json!([entry]));
            assert_eq!(bad.signing_key(), None, "{entry}");
            // What is not valid stands in nobody's way.
            let list =
                json!([entry, method(&full, own, "Multikey", KEY), method(&full, own, "Multikey", OTHER)]);
            assert_eq!(document("verificationMethod", list).signing_key().unwrap().to_multibase(), KEY);
        }
    }

    #[test]
    fn endpoints_are_origins() {
        let pds = |endpoint: Value| {
            document(
                "service",
                json!([{ "id": "#atproto_pds", "type": ATPROTO_PDS_TYPE, "serviceEndpoint": endpoint }]),
            )
            .pds()
        };
        for (text, expected) in [
            ("https://pds.example.com", "https://pds.example.com/"),
            ("https://pds.example.com/", "https://pds.example.com/"),
            ("http://localhost:3000", "http://localhost:3000/"),
        ] {
            assert_eq!(pds(json!(text)).unwrap().as_str(), expected);
        }
        for bad in [
            json!("https://pds.example.com/xrpc"),
            json!("https://pds.example.com?x"),
            json!("https://pds.example.com#x"),
            json!("https://user@pds.example.com"),
            json!("ftp://pds.example.com"),
            json!("pds.example.com"),
            json!("https://"),
            json!({ "uri": "https://pds.example.com" }),
            json!(["https://pds.example.com"]),
            Value::Null,
        ] {
            assert_eq!(pds(bad.clone()), None, "{bad}");
        }
        let other_type =
            json!([{ "id": "#atproto_pds", "type": "Other", "serviceEndpoint": "https://pds.example.com" }]);
        assert_eq!(document("service", other_type.clone()).pds(), None);
        assert!(document("service", other_type).service("atproto_pds", None).is_some());
    }

    #[test]
    fn another_ones_document_is_refused() {
        for text in ["{}", "[]", r#"{"id":"did:web:bob.example.com"}"#, r#"{"id":1}"#] {
            assert!(
                matches!(DidDocument::parse(&DID, text.as_bytes()), Err(DocumentError::WrongId)),
                "{text}"
            );
        }
        assert!(matches!(DidDocument::parse(&DID, b"{"), Err(DocumentError::Json(_))));
        let deep = "[".repeat(10_000);
        assert!(DidDocument::parse(&DID, deep.as_bytes()).is_err());
    }
}
