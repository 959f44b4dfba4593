//! `com.atproto.server.createSession`

use arroba_core::syntax::{Did, Handle};
use serde::{Deserialize, Serialize};

use crate::{
    endpoint::{NoParams, endpoint, json_body},
    json::{AccountStatus, Secret, present},
};

endpoint! {
    /// Signs in with a password.
    Procedure CreateSession = "com.atproto.server.createSession" {
        params: NoParams, input: Input, output: Output,
        errors: ["AccountTakedown", "AuthFactorTokenRequired"]
    }
}

json_body!(Input, Output);

/// The request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// A handle, a DID or an e-mail address.
    pub identifier: String,
    /// The password or an app password.
    pub password: Secret,
    /// The second factor.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub auth_factor_token: Option<Secret>,
    /// Also sign in to an account that was taken down, with few rights.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub allow_takendown: Option<bool>,
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
    /// Its e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Whether that address is confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_confirmed: Option<bool>,
    /// Whether sign-in needs a code sent there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_auth_factor: Option<bool>,
    /// Whether the account is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// Why not, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<AccountStatus>,
}
