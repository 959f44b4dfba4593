//! `com.atproto.admin.deleteAccount`

use arroba_core::syntax::Did;
use serde::{Deserialize, Serialize};

use crate::endpoint::{NoBody, NoParams, endpoint, json_body};

endpoint! {
    /// Deletes an account at once.
    Procedure DeleteAccount = "com.atproto.admin.deleteAccount" {
        params: NoParams, input: Input, output: NoBody,
        errors: []
    }
}

json_body!(Input);

/// The request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The account's DID.
    pub did: Did,
}
