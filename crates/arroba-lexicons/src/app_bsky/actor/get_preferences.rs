//! `app.bsky.actor.getPreferences`

use serde::{Deserialize, Serialize};

use crate::{
    endpoint::{NoBody, NoParams, endpoint, json_body},
    json::RawJson,
};

endpoint! {
    /// Reads the caller's private preferences.
    Query GetPreferences = "app.bsky.actor.getPreferences" {
        params: NoParams, input: NoBody, output: Output,
        errors: []
    }
}

json_body!(Output);

/// The response.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// The preferences, each an object with a `$type`.
    pub preferences: Vec<RawJson>,
}
