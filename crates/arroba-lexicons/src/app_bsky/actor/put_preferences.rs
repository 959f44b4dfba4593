//! `app.bsky.actor.putPreferences`

use serde::{Deserialize, Serialize};

use crate::{
    endpoint::{NoBody, NoParams, endpoint, json_body},
    json::RawJson,
};

endpoint! {
    /// Replaces the caller's private preferences.
    Procedure PutPreferences = "app.bsky.actor.putPreferences" {
        params: NoParams, input: Input, output: NoBody,
        errors: []
    }
}

json_body!(Input);

/// The request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The preferences, each an object with a `$type`.
    pub preferences: Vec<RawJson>,
}
