//! `com.atproto.identity.updateHandle`

use arroba_core::syntax::Handle;
use serde::{Deserialize, Serialize};

use crate::endpoint::{NoBody, NoParams, endpoint, json_body};

endpoint! {
    /// Changes the caller's handle.
    Procedure UpdateHandle = "com.atproto.identity.updateHandle" {
        params: NoParams, input: Input, output: NoBody,
        errors: []
    }
}

json_body!(Input);

/// The request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The new handle.
    pub handle: Handle,
}
