use super::{OperationError, Service, State};
use arroba_core::{
    crypto::{PublicKey, Signature},
    data::{
        Cid, Map, Value,
        cbor::{self, Writer},
        json,
    },
};
use std::collections::BTreeMap;

/// What an operation does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Gives the identity this state; the first such operation creates it.
    Plc(State),
    /// Ends the identity.
    Tombstone,
    /// Creates the identity, in the form of the first years; the state is what it means in today's terms.
    Create(State),
}

/// A signed operation, of valid form. Nothing is said about its signature.
///
/// Its fields are kept exactly, as its hash and signature are over them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    kind: Kind,
    prev: Option<Cid>,
    signature: String,
    fields: Map<'static>,
    cid: Cid,
}

impl Operation {
    /// Reads an operation from JSON, strictly: no unknown fields, no key twice.
    ///
    /// # Errors
    /// [`OperationError`].
    pub fn from_json(text: &[u8]) -> Result<Self, OperationError> {
        Self::from_value(json::from_slice(text).map_err(OperationError::Json)?)
    }

    /// Takes an operation out of a larger value.
    ///
    /// # Errors
    /// [`OperationError`].
    pub fn from_value(value: Value<'_>) -> Result<Self, OperationError> {
        let Value::Map(fields) = value.into_owned() else { return Err(OperationError::NotObject) };
        let kind = match text(&fields, "type")? {
            "plc_operation" => {
                only(
                    &fields,
                    &[
                        "type",
                        "rotationKeys",
                        "verificationMethods",
                        "alsoKnownAs",
                        "services",
                        "prev",
                        "sig",
                    ],
                )?;
                Kind::Plc(state(&fields)?)
            }
            "plc_tombstone" => {
                only(&fields, &["type", "prev", "sig"])?;
                Kind::Tombstone
            }
            "create" => {
                only(&fields, &["type", "signingKey", "recoveryKey", "handle", "service", "prev", "sig"])?;
                Kind::Create(legacy_state(&fields)?)
            }
            _ => return Err(OperationError::Type),
        };
        let prev = match (fields.get("prev"), &kind) {
            (Some(Value::Null), Kind::Plc(_) | Kind::Create(_)) => None,
            (Some(Value::Text(cid)), Kind::Plc(_) | Kind::Tombstone) => {
                Some(Cid::parse(cid).map_err(|_| OperationError::Field("prev"))?)
            }
            _ => return Err(OperationError::Field("prev")),
        };
        let signature = text(&fields, "sig")?.to_owned();
        let cid = Cid::for_cbor(&encode(&fields, true));
        Ok(Self { kind, prev, signature, fields, cid })
    }

    /// The operation as JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        json::to_json(&Value::Map(self.fields.clone()))
    }

    /// The operation as DAG-CBOR, with its signature.
    #[must_use]
    pub fn to_cbor(&self) -> Vec<u8> {
        encode(&self.fields, true)
    }

    /// What it does.
    #[must_use]
    pub const fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The state that it gives; a tombstone gives none.
    #[must_use]
    pub const fn state(&self) -> Option<&State> {
        match &self.kind {
            Kind::Plc(state) | Kind::Create(state) => Some(state),
            Kind::Tombstone => None,
        }
    }

    /// The operation that it follows on; none for the first.
    #[must_use]
    pub const fn prev(&self) -> Option<Cid> {
        self.prev
    }

    /// The CID of the signed operation.
    #[must_use]
    pub const fn cid(&self) -> Cid {
        self.cid
    }

    /// The index of the first of these keys whose signature this is. Keys of unknown kinds verify nothing.
    #[must_use]
    pub fn signer(&self, keys: &[String]) -> Option<usize> {
        let signature = Signature::from_base64url(&self.signature).ok()?;
        let message = encode(&self.fields, false);
        keys.iter().position(|key| {
            PublicKey::from_did_key(key).is_ok_and(|key| key.verify(&message, &signature).is_ok())
        })
    }
}

/// The fields as DAG-CBOR, with or without the signature.
pub(super) fn encode(fields: &Map<'static>, signed: bool) -> Vec<u8> {
    let kept = fields.iter().filter(|(key, _)| signed || *key != "sig");
    let mut writer = Writer::new();
    writer.map(kept.clone().count());
    for (key, value) in kept {
        writer.text(key);
        writer.raw(&cbor::encode(value));
    }
    writer.into_bytes()
}

fn only(fields: &Map<'_>, known: &[&str]) -> Result<(), OperationError> {
    match fields.iter().find(|(key, _)| !known.contains(key)) {
        Some((key, _)) => Err(OperationError::UnknownField(key.to_owned())),
        None => Ok(()),
    }
}

fn text<'a>(fields: &'a Map<'_>, key: &'static str) -> Result<&'a str, OperationError> {
    fields.get(key).and_then(Value::as_text).ok_or(OperationError::Field(key))
}

fn texts(fields: &Map<'_>, key: &'static str) -> Result<Vec<String>, OperationError> {
    let list = fields.get(key).and_then(Value::as_list).ok_or(OperationError::Field(key))?;
    let texts: Option<Vec<String>> = list.iter().map(|item| item.as_text().map(str::to_owned)).collect();
    texts.ok_or(OperationError::Field(key))
}

fn state(fields: &Map<'_>) -> Result<State, OperationError> {
    let entries = |key| fields.get(key).and_then(Value::as_map).ok_or(OperationError::Field(key));
    let mut verification_methods = BTreeMap::new();
    for (id, key) in entries("verificationMethods")?.iter() {
        let key = key.as_text().ok_or(OperationError::Field("verificationMethods"))?;
        verification_methods.insert(id.to_owned(), key.to_owned());
    }
    let mut services = BTreeMap::new();
    for (id, service) in entries("services")?.iter() {
        let service = service.as_map().ok_or(OperationError::Field("services"))?;
        only(service, &["type", "endpoint"])?;
        let service = Service {
            kind: text(service, "type")?.to_owned(),
            endpoint: text(service, "endpoint")?.to_owned(),
        };
        services.insert(id.to_owned(), service);
    }
    Ok(State {
        rotation_keys: texts(fields, "rotationKeys")?,
        verification_methods,
        also_known_as: texts(fields, "alsoKnownAs")?,
        services,
    })
}

fn legacy_state(fields: &Map<'_>) -> Result<State, OperationError> {
    let signing_key = text(fields, "signingKey")?.to_owned();
    let recovery_key = text(fields, "recoveryKey")?.to_owned();
    let handle = text(fields, "handle")?;
    let bare = ["at://", "https://", "http://"].iter().find_map(|prefix| handle.strip_prefix(prefix));
    let service = text(fields, "service")?;
    let endpoint = if service.starts_with("https://") || service.starts_with("http://") {
        service.to_owned()
    } else {
        format!("https://{service}")
    };
    let service = Service { kind: super::ATPROTO_PDS_TYPE.to_owned(), endpoint };
    Ok(State {
        rotation_keys: vec![recovery_key, signing_key.clone()],
        verification_methods: BTreeMap::from([(super::ATPROTO_KEY.to_owned(), signing_key)]),
        also_known_as: vec![format!("at://{}", bare.unwrap_or(handle))],
        services: BTreeMap::from([(super::ATPROTO_PDS.to_owned(), service)]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLC: &str = r#"{"type":"plc_operation","rotationKeys":["a"],"verificationMethods":{"x":"y"},
        "alsoKnownAs":["at://a"],"services":{"s":{"type":"t","endpoint":"e"}},"prev":null,"sig":""}"#;
    const TOMBSTONE: &str = r#"{"type":"plc_tombstone","sig":"x",
        "prev":"bafyreih2edkdbxj5kbuqstymemcu3r3mxj4gtgxcmuxpmj5mtnpazdocvm"}"#;

    #[test]
    fn reads_and_keeps() {
        for text in [PLC, TOMBSTONE] {
            let operation = Operation::from_json(text.as_bytes()).unwrap();
            assert_eq!(operation.to_json(), serde_json::from_str::<serde_json::Value>(text).unwrap());
            assert_eq!(Cid::for_cbor(&operation.to_cbor()), operation.cid());
            assert_eq!(operation.signer(&["a".to_owned()]), None);
        }
    }

    #[test]
    fn refuses() {
        for (from, to) in [
            ("\"sig\":\"\"", "\"sig\":null"),
            (",\"sig\":\"\"", ""),
            ("\"prev\":null,", ""),
            ("\"prev\":null", "\"prev\":\"x\""),
            (
                "\"prev\":null",
                "\"prev\":{\"$link\":\"bafyreih2edkdbxj5kbuqstymemcu3r3mxj4gtgxcmuxpmj5mtnpazdocvm\"}",
            ),
            ("\"sig\":\"\"", "\"sig\":\"\",\"sig\":\"\""),
            ("\"sig\":\"\"", "\"sig\":\"\",\"more\":1"),
            ("\"endpoint\":\"e\"", "\"endpoint\":\"e\",\"more\":1"),
            ("\"endpoint\":\"e\"", "\"endpoint\":1"),
            ("{\"x\":\"y\"}", "{\"x\":\"y\",\"x\":\"z\"}"),
            ("{\"x\":\"y\"}", "[]"),
            ("[\"a\"]", "[1]"),
            ("[\"a\"]", "\"a\""),
            ("plc_operation", "plc_other"),
            ("plc_operation", "plc_tombstone"),
            ("plc_operation", "create"),
        ] {
            let text = PLC.replacen(from, to, 1);
            assert_ne!(text, PLC);
            assert!(Operation::from_json(text.as_bytes()).is_err(), "{text}");
        }
        for text in ["", "null", "[]", "{}", &TOMBSTONE.replace("bafy", "zafy"), &"[".repeat(100_000)] {
            assert!(Operation::from_json(text.as_bytes()).is_err(), "{text}");
        }
        let null = r#"{"type":"plc_tombstone","sig":"x","prev":null}"#;
        assert!(matches!(Operation::from_json(null.as_bytes()), Err(OperationError::Field("prev"))));
    }

    #[test]
    fn legacy_forms_of_handle_and_service() {
        for (handle, service, alias, endpoint) in [
            ("a.test", "pds.test", "at://a.test", "https://pds.test"),
            ("at://a.test", "https://pds.test", "at://a.test", "https://pds.test"),
            ("https://a.test", "http://pds.test", "at://a.test", "http://pds.test"),
        ] {
            let text = format!(
                r#"{{"type":"create","signingKey":"s","recoveryKey":"r","handle":"{handle}","service":"{service}","prev":null,"sig":""}}"#
            );
            let operation = Operation::from_json(text.as_bytes()).unwrap();
            let state = operation.state().unwrap();
            assert_eq!(state.rotation_keys, ["r", "s"]);
            assert_eq!(state.also_known_as, [alias]);
            assert_eq!(state.services["atproto_pds"].endpoint, endpoint);
        }
    }
}
