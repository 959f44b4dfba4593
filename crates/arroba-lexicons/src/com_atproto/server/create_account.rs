//! `com.atproto.server.createAccount`

use arroba_core::syntax::{Did, Handle};
use serde::{Deserialize, Serialize};

use crate::{
    endpoint::{NoParams, endpoint, json_body},
    json::{Secret, present},
};

endpoint! {
    /// Creates an account, with a new DID or an existing one.
    Procedure CreateAccount = "com.atproto.server.createAccount" {
        params: NoParams, input: Input, output: Output,
        errors: ["InvalidHandle", "InvalidPassword", "InvalidInviteCode", "HandleNotAvailable", "UnsupportedDomain", "UnresolvableDid", "IncompatibleDidDoc"]
    }
}

json_body!(Input, Output);

/// The request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// An e-mail address.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The handle wanted.
    pub handle: Handle,
    /// An existing DID to move here; needs a service token of it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub did: Option<Did>,
    /// An invite code.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub invite_code: Option<String>,
    /// A phone verification code.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub verification_code: Option<String>,
    /// The phone number verified.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub verification_phone: Option<String>,
    /// The password.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// A did:key that may rotate the DID before ours.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub recovery_key: Option<String>,
    /// A signed DID PLC operation.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub plc_op: Option<serde_json::Value>,
}

/// The response.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// The access token.
    pub access_jwt: Secret,
    /// The refresh token.
    pub refresh_jwt: Secret,
    /// The account's handle.
    pub handle: Handle,
    /// The account's DID.
    pub did: Did,
    /// Its DID document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub did_doc: Option<serde_json::Value>,
}
