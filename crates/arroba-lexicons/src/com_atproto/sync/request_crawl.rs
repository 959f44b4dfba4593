//! `com.atproto.sync.requestCrawl`

use serde::{Deserialize, Serialize};

use crate::endpoint::{NoBody, NoParams, endpoint, json_body};

endpoint! {
    /// Asks a relay to follow a host.
    Procedure RequestCrawl = "com.atproto.sync.requestCrawl" {
        params: NoParams, input: Input, output: NoBody,
        errors: ["HostBanned"]
    }
}

json_body!(Input);

/// The request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The name of the host to follow.
    pub hostname: String,
}
