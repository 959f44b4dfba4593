use arroba_core::{
    crypto::{Curve, PublicKey},
    syntax::{Did, Handle},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The id of an account's signing key among the verification methods.
pub const ATPROTO_KEY: &str = "atproto";

/// The id of an account's PDS among the services.
pub const ATPROTO_PDS: &str = "atproto_pds";

/// The type of the service [`ATPROTO_PDS`].
pub const ATPROTO_PDS_TYPE: &str = "AtprotoPersonalDataServer";

/// A service in an identity's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The service's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its URL.
    pub endpoint: String,
}

/// What an operation says about an identity: all of it, each time.
///
/// The texts are as they stand in the operation; only keys that verify operations are ever read as keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// The keys that may sign operations, as `did:key`, the mightiest first.
    pub rotation_keys: Vec<String>,
    /// The identity's other keys, as `did:key`, by id without `#`.
    pub verification_methods: BTreeMap<String, String>,
    /// Aliases as URIs; the first `at://` one is the handle.
    pub also_known_as: Vec<String>,
    /// Services by id without `#`.
    pub services: BTreeMap<String, Service>,
}

impl State {
    /// The state of an account: its handle, its signing key, and its PDS's URL such as `https://pds.example.com`.
    #[must_use]
    pub fn account(
        rotation_keys: impl IntoIterator<Item = PublicKey>,
        signing_key: &PublicKey,
        handle: &Handle,
        pds: &str,
    ) -> Self {
        let service = Service { kind: ATPROTO_PDS_TYPE.to_owned(), endpoint: pds.to_owned() };
        Self {
            rotation_keys: rotation_keys.into_iter().map(|key| key.to_did_key()).collect(),
            verification_methods: BTreeMap::from([(ATPROTO_KEY.to_owned(), signing_key.to_did_key())]),
            also_known_as: vec![format!("at://{handle}")],
            services: BTreeMap::from([(ATPROTO_PDS.to_owned(), service)]),
        }
    }

    /// The same state with another handle: it takes the place of the first `at://` alias; other aliases stay.
    #[must_use]
    pub fn with_handle(mut self, handle: &Handle) -> Self {
        let alias = format!("at://{handle}");
        let first = self.also_known_as.iter().position(|other| other.starts_with("at://"));
        let mut index = 0;
        self.also_known_as.retain(|other| {
            index += 1;
            first == Some(index - 1) || *other != alias
        });
        match first {
            Some(first) => self.also_known_as[first] = alias,
            None => self.also_known_as.insert(0, alias),
        }
        self
    }

    /// The same state with other rotation keys, the mightiest first.
    #[must_use]
    pub fn with_rotation_keys(mut self, keys: impl IntoIterator<Item = PublicKey>) -> Self {
        self.rotation_keys = keys.into_iter().map(|key| key.to_did_key()).collect();
        self
    }

    /// The same state with another signing key.
    #[must_use]
    pub fn with_signing_key(mut self, key: &PublicKey) -> Self {
        self.verification_methods.insert(ATPROTO_KEY.to_owned(), key.to_did_key());
        self
    }

    /// The same state with another PDS.
    #[must_use]
    pub fn with_pds(mut self, endpoint: &str) -> Self {
        let service = Service { kind: ATPROTO_PDS_TYPE.to_owned(), endpoint: endpoint.to_owned() };
        self.services.insert(ATPROTO_PDS.to_owned(), service);
        self
    }

    /// The account's signing key, if there is one of a known kind.
    #[must_use]
    pub fn signing_key(&self) -> Option<PublicKey> {
        PublicKey::from_did_key(self.verification_methods.get(ATPROTO_KEY)?).ok()
    }

    /// The DID document, as the directory renders it.
    #[must_use]
    pub fn to_document(&self, did: &Did) -> Value {
        let mut context = vec!["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"];
        let mut methods = Vec::with_capacity(self.verification_methods.len());
        for (id, key) in &self.verification_methods {
            let suite = PublicKey::from_did_key(key).ok().map(|key| match key.curve() {
                Curve::P256 => "https://w3id.org/security/suites/ecdsa-2019/v1",
                Curve::K256 => "https://w3id.org/security/suites/secp256k1-2019/v1",
            });
            context.extend(suite.filter(|suite| !context.contains(suite)));
            methods.push(json!({
                "id": format!("{did}#{id}"),
                "type": "Multikey",
                "controller": did.as_str(),
                "publicKeyMultibase": key.strip_prefix("did:key:").unwrap_or(key),
            }));
        }
        let services: Vec<Value> = self
            .services
            .iter()
            .map(|(id, service)| {
                json!({ "id": format!("#{id}"), "type": service.kind, "serviceEndpoint": service.endpoint })
            })
            .collect();
        json!({
            "@context": context,
            "id": did.as_str(),
            "alsoKnownAs": self.also_known_as,
            "verificationMethod": methods,
            "service": services,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arroba_core::{
        crypto::{PrivateKey, Signer as _},
        did, handle,
    };

    fn key(byte: u8, curve: Curve) -> PublicKey {
        PrivateKey::from_bytes(curve, &[byte; 32]).unwrap().public_key()
    }

    #[test]
    fn document() {
        let (k256, p256) = (key(1, Curve::K256), key(1, Curve::P256));
        let mut state =
            State::account([k256.clone()], &k256, &handle!("alice.test"), "https://pds.example.com");
        state.verification_methods.insert("other".to_owned(), p256.to_did_key());
        assert_eq!(
            state.to_document(&did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz")),
            json!({
                "@context": [
                    "https://www.w3.org/ns/did/v1",
                    "https://w3id.org/security/multikey/v1",
                    "https://w3id.org/security/suites/secp256k1-2019/v1",
                    "https://w3id.org/security/suites/ecdsa-2019/v1",
                ],
                "id": "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
                "alsoKnownAs": ["at://alice.test"],
                "verificationMethod": [
                    {
                        "id": "did:plc:ewvi7nxzyoun6zhxrhs64oiz#atproto",
                        "type": "Multikey",
                        "controller": "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
                        "publicKeyMultibase": k256.to_multibase(),
                    },
                    {
                        "id": "did:plc:ewvi7nxzyoun6zhxrhs64oiz#other",
                        "type": "Multikey",
                        "controller": "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
                        "publicKeyMultibase": p256.to_multibase(),
                    },
                ],
                "service": [{
                    "id": "#atproto_pds",
                    "type": "AtprotoPersonalDataServer",
                    "serviceEndpoint": "https://pds.example.com",
                }],
            })
        );
    }

    #[test]
    fn handles_are_replaced_in_place() {
        let mut state = State {
            also_known_as: vec![
                "https://a.test".to_owned(),
                "at://old.test".to_owned(),
                "at://b.test".to_owned(),
            ],
            ..State::default()
        };
        state = state.with_handle(&handle!("new.test"));
        assert_eq!(state.also_known_as, ["https://a.test", "at://new.test", "at://b.test"]);
        // What is so already is not changed.
        assert_eq!(state.clone().with_handle(&handle!("new.test")), state);
        state = state.with_handle(&handle!("b.test"));
        assert_eq!(state.also_known_as, ["https://a.test", "at://b.test"]);
        let state = State::default().with_handle(&handle!("a.test"));
        assert_eq!(state.also_known_as, ["at://a.test"]);
    }
}
