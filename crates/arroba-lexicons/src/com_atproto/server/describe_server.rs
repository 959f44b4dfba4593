//! `com.atproto.server.describeServer`

use arroba_core::syntax::Did;
use serde::{Deserialize, Serialize};

use crate::endpoint::{NoBody, NoParams, endpoint, json_body};

endpoint! {
    /// Tells what the server offers and asks for.
    Query DescribeServer = "com.atproto.server.describeServer" {
        params: NoParams, input: NoBody, output: Output,
        errors: []
    }
}

json_body!(Output);

/// The response.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Whether a new account needs an invite code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite_code_required: Option<bool>,
    /// Whether a new account needs a verified phone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_verification_required: Option<bool>,
    /// The largest blob that `uploadBlob` takes, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob_upload_limit: Option<u64>,
    /// The suffixes, each with its dot, under which handles are given out.
    pub available_user_domains: Vec<String>,
    /// The server's policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<Links>,
    /// How to reach the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
    /// The server's own DID.
    pub did: Did,
}

/// Addresses of policy documents.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Links {
    /// The privacy policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy_policy: Option<String>,
    /// The terms of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms_of_service: Option<String>,
}

/// How to reach the operator.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    /// An e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}
