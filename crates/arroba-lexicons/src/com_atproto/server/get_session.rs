//! `com.atproto.server.getSession`

use arroba_core::syntax::{Did, Handle};
use serde::{Deserialize, Serialize};

use crate::{
    endpoint::{NoBody, NoParams, endpoint, json_body},
    json::AccountStatus,
};

endpoint! {
    /// Tells who the caller is.
    Query GetSession = "com.atproto.server.getSession" {
        params: NoParams, input: NoBody, output: Output,
        errors: []
    }
}

json_body!(Output);

/// The response.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
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
