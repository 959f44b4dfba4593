//! `com.atproto.admin.updateSubjectStatus`

use serde::{Deserialize, Serialize};

use crate::{
    com_atproto::admin::{StatusAttr, Subject},
    endpoint::{NoParams, endpoint, json_body},
    json::present,
};

endpoint! {
    /// Takes an account, a record or a blob down, or lifts that.
    Procedure UpdateSubjectStatus = "com.atproto.admin.updateSubjectStatus" {
        params: NoParams, input: Input, output: Output,
        errors: []
    }
}

json_body!(Input, Output);

/// The request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// What to change.
    pub subject: Subject,
    /// Take it down or lift that.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub takedown: Option<StatusAttr>,
    /// Deactivate or reactivate the account.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub deactivated: Option<StatusAttr>,
}

/// The response.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// What was changed.
    pub subject: Subject,
    /// Whether it is taken down now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takedown: Option<StatusAttr>,
}
