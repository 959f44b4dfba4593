//! `com.atproto.repo.uploadBlob`

use serde::{Deserialize, Serialize};

use crate::{
    endpoint::{AnyBytes, NoParams, endpoint, json_body},
    json::Blob,
};

endpoint! {
    /// Stores a blob for a record to refer to; it is deleted if none does in time.
    Procedure UploadBlob = "com.atproto.repo.uploadBlob" {
        params: NoParams, input: AnyBytes, output: Output,
        errors: []
    }
}

json_body!(Output);

/// The response.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// The reference to put into a record.
    pub blob: Blob,
}
