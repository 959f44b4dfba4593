//! Shapes that methods of this group share.

use arroba_core::{
    data::Cid,
    syntax::{AtUri, Datetime, Did, Handle},
};
use serde::{Deserialize, Serialize};

use crate::{
    com_atproto::{repo::StrongRef, server::InviteCode},
    endpoint::json_body,
    json::present,
};

json_body!(AccountView);

/// Whether a measure applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusAttr {
    /// Whether it applies.
    pub applied: bool,
    /// The moderator's reference for it.
    #[serde(rename = "ref", default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// An account, as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepoRef {
    /// The account's DID.
    pub did: Did,
}

/// A blob of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RepoBlobRef {
    /// The account's DID.
    pub did: Did,
    /// The blob's CID.
    pub cid: Cid,
    /// A record that refers to it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub record_uri: Option<AtUri>,
}

/// What a measure is about. On the wire its `$type` says which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "$type")]
pub enum Subject {
    /// An account.
    #[serde(rename = "com.atproto.admin.defs#repoRef")]
    Account(RepoRef),
    /// A record.
    #[serde(rename = "com.atproto.repo.strongRef")]
    Record(StrongRef),
    /// A blob.
    #[serde(rename = "com.atproto.admin.defs#repoBlobRef")]
    Blob(RepoBlobRef),
}

/// An account as an administrator sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountView {
    /// The DID.
    pub did: Did,
    /// The handle.
    pub handle: Handle,
    /// The e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Records of interest, such as the profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub related_records: Option<Vec<serde_json::Value>>,
    /// When the account was created here.
    pub indexed_at: Datetime,
    /// The invite code it was created with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited_by: Option<InviteCode>,
    /// The invite codes it may hand out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invites: Option<Vec<InviteCode>>,
    /// Whether it may not get invite codes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invites_disabled: Option<bool>,
    /// When the e-mail address was confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_confirmed_at: Option<Datetime>,
    /// Why invites were disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite_note: Option<String>,
    /// When the account was deactivated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deactivated_at: Option<Datetime>,
    /// Signs of abuse noted by moderators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threat_signatures: Option<Vec<ThreatSignature>>,
}

/// A sign of abuse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreatSignature {
    /// Which property.
    pub property: String,
    /// Its value.
    pub value: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_told_apart_by_type() {
        let cid = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
        for json in [
            r#"{"$type":"com.atproto.admin.defs#repoRef","did":"did:web:a.test"}"#.to_owned(),
            format!(
                r#"{{"$type":"com.atproto.repo.strongRef","uri":"at://did:web:a.test/a.b.c/d","cid":"{cid}"}}"#
            ),
            format!(
                r#"{{"$type":"com.atproto.admin.defs#repoBlobRef","did":"did:web:a.test","cid":"{cid}"}}"#
            ),
        ] {
            let subject: Subject = serde_json::from_str(&json).unwrap();
            assert_eq!(serde_json::to_string(&subject).unwrap(), json);
        }
        assert!(serde_json::from_str::<Subject>(r#"{"did":"did:web:a.test"}"#).is_err());
        assert!(serde_json::from_str::<Subject>(r#"{"$type":"a.b.c","did":"did:web:a.test"}"#).is_err());
    }
}
