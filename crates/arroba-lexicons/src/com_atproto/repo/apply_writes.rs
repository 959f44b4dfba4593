//! `com.atproto.repo.applyWrites`

use arroba_core::{
    data::Cid,
    syntax::{AtIdentifier, AtUri, Nsid, RecordKey},
};
use serde::{Deserialize, Serialize};

use crate::{
    com_atproto::repo::CommitMeta,
    endpoint::{NoParams, endpoint, json_body},
    json::{RawJson, ValidationStatus, present},
};

endpoint! {
    /// Writes several records in one commit: all of them or none.
    Procedure ApplyWrites = "com.atproto.repo.applyWrites" {
        params: NoParams, input: Input, output: Output, errors: ["InvalidSwap"]
    }
}

json_body!(Input, Output);

/// The request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The handle or DID of the repo; must be the caller's own.
    pub repo: AtIdentifier,
    /// `true`: the schemas must be known and kept; `false`: not checked; absent: checked if known.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub validate: Option<bool>,
    /// The writes, in order.
    pub writes: Vec<Write>,
    /// Only write if this is the repo's current commit.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub swap_commit: Option<Cid>,
}

/// One write. On the wire its `$type` says which.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "TypedWrite", into = "TypedWrite")]
pub enum Write {
    /// Creates a record.
    Create {
        /// The NSID of the record's type.
        collection: Nsid,
        /// The record key; a new TID if absent.
        rkey: Option<RecordKey>,
        /// The record itself.
        value: RawJson,
    },
    /// Replaces a record that exists.
    Update {
        /// The NSID of the record's type.
        collection: Nsid,
        /// The record key.
        rkey: RecordKey,
        /// The record itself.
        value: RawJson,
    },
    /// Deletes a record that exists.
    Delete {
        /// The NSID of the record's type.
        collection: Nsid,
        /// The record key.
        rkey: RecordKey,
    },
}

/// The response.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// The commit that the writes made; absent if nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitMeta>,
    /// What became of each write, in their order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<Vec<WriteResult>>,
}

/// What became of one write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "$type", rename_all_fields = "camelCase")]
pub enum WriteResult {
    /// The record was created.
    #[serde(rename = "com.atproto.repo.applyWrites#createResult")]
    Create {
        /// The record's address, by DID.
        uri: AtUri,
        /// The record's CID.
        cid: Cid,
        /// Whether the record was checked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        validation_status: Option<ValidationStatus>,
    },
    /// The record was replaced.
    #[serde(rename = "com.atproto.repo.applyWrites#updateResult")]
    Update {
        /// The record's address, by DID.
        uri: AtUri,
        /// The record's CID.
        cid: Cid,
        /// Whether the record was checked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        validation_status: Option<ValidationStatus>,
    },
    /// The record was deleted.
    #[serde(rename = "com.atproto.repo.applyWrites#deleteResult")]
    Delete {},
}

/// The wire form of a write. Serde's own tagged enums buffer their content, and raw JSON does not survive that.
#[derive(Serialize, Deserialize)]
struct TypedWrite {
    #[serde(rename = "$type")]
    kind: WriteKind,
    collection: Nsid,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    rkey: Option<RecordKey>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    value: Option<RawJson>,
}

#[derive(Serialize, Deserialize)]
enum WriteKind {
    #[serde(rename = "com.atproto.repo.applyWrites#create")]
    Create,
    #[serde(rename = "com.atproto.repo.applyWrites#update")]
    Update,
    #[serde(rename = "com.atproto.repo.applyWrites#delete")]
    Delete,
}

#[derive(Debug, thiserror::Error)]
#[error("a write of this $type needs the field {0}")]
struct FieldMissing(&'static str);

impl TryFrom<TypedWrite> for Write {
    type Error = FieldMissing;

    fn try_from(write: TypedWrite) -> Result<Self, FieldMissing> {
        let TypedWrite { kind, collection, rkey, value } = write;
        let value = value.ok_or(FieldMissing("value"));
        Ok(match kind {
            WriteKind::Create => Self::Create { collection, rkey, value: value? },
            WriteKind::Update => {
                Self::Update { collection, rkey: rkey.ok_or(FieldMissing("rkey"))?, value: value? }
            }
            WriteKind::Delete => Self::Delete { collection, rkey: rkey.ok_or(FieldMissing("rkey"))? },
        })
    }
}

impl From<Write> for TypedWrite {
    fn from(write: Write) -> Self {
        match write {
            Write::Create { collection, rkey, value } => {
                Self { kind: WriteKind::Create, collection, rkey, value: Some(value) }
            }
            Write::Update { collection, rkey, value } => {
                Self { kind: WriteKind::Update, collection, rkey: Some(rkey), value: Some(value) }
            }
            Write::Delete { collection, rkey } => {
                Self { kind: WriteKind::Delete, collection, rkey: Some(rkey), value: None }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(write: &str) -> Result<Write, serde_json::Error> {
        serde_json::from_str(write)
    }

    #[test]
    fn record_values_keep_their_bytes() {
        let json = r#"{"$type":"com.atproto.repo.applyWrites#create","collection":"app.bsky.feed.post","value":{"b" : 1.0, "a":[]}}"#;
        let write = read(json).unwrap();
        let Write::Create { ref value, rkey: None, .. } = write else { panic!("{write:?}") };
        assert_eq!(value.get(), r#"{"b" : 1.0, "a":[]}"#);
        assert_eq!(serde_json::to_string(&write).unwrap(), json);
    }

    #[test]
    fn the_type_decides_which_fields_must_be_there() {
        for (kind, rest) in [
            ("create", r#""rkey":"a""#),
            ("update", r#""rkey":"a""#),
            ("update", r#""value":{}"#),
            ("delete", r#""value":{}"#),
            ("upsert", r#""rkey":"a","value":{}"#),
            ("create", r#""rkey":null,"value":{}"#),
        ] {
            let json = format!(
                r#"{{"$type":"com.atproto.repo.applyWrites#{kind}","collection":"app.bsky.feed.post",{rest}}}"#
            );
            assert!(read(&json).is_err(), "{json}");
        }
        assert!(read(r#"{"collection":"app.bsky.feed.post","rkey":"a","value":{}}"#).is_err());
        assert!(read(r##"{"$type":"#delete","collection":"app.bsky.feed.post","rkey":"a"}"##).is_err());
    }
}
