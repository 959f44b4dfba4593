//! `com.atproto.identity.getRecommendedDidCredentials`

use serde::{Deserialize, Serialize};

use crate::endpoint::{NoBody, NoParams, endpoint, json_body};

endpoint! {
    /// Tells what the caller's DID document should say for this server to host the account.
    Query GetRecommendedDidCredentials = "com.atproto.identity.getRecommendedDidCredentials" {
        params: NoParams, input: NoBody, output: Output,
        errors: []
    }
}

json_body!(Output);

/// The response.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// The rotation keys, as did:keys, strongest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation_keys: Option<Vec<String>>,
    /// The handle, as an `at://` address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub also_known_as: Option<Vec<String>>,
    /// The signing key under `atproto`, as a did:key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification_methods: Option<serde_json::Value>,
    /// This server under `atproto_pds`, with type and endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<serde_json::Value>,
}
