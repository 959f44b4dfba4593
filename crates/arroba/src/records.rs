//! Whether a record may be written, and its encoding.

use arroba_core::data::blob_ref::{self, BlobRef, FoundBlob};
use arroba_core::data::{Cid, Value, cbor, json};
use arroba_core::lexicon::{Catalog, Unknown, ValidationError, Validator, Verdict};
use arroba_core::syntax::{Nsid, RecordKey};
use arroba_lexicons::backlinks;
use arroba_lexicons::json::ValidationStatus;
use bytes::Bytes;

use crate::host::Content;

/// The largest record, encoded. Spec: <https://atproto.com/specs/sync#commit-message>.
pub const MAX_RECORD_BYTES: usize = 1_000_000;

/// Which records are checked against their lexicon. A host may refuse unknown lexicons whatever a writer asks for:
/// [`RepoHostBuilder::unknown_lexicons`](crate::RepoHostBuilder::unknown_lexicons).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Validate {
    /// Those whose lexicon is known; others are taken as they are.
    #[default]
    Known,
    /// All; those whose lexicon is not known are refused.
    Always,
    /// None. The data model, `$type`, keys and blob references are checked all the same.
    Never,
}

impl Validate {
    /// As the `validate` field of a request says.
    pub(crate) const fn from_flag(flag: Option<bool>) -> Self {
        match flag {
            None => Self::Known,
            Some(true) => Self::Always,
            Some(false) => Self::Never,
        }
    }
}

/// Why a record was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The JSON does not stand for a value of the data model.
    #[error("the record is not valid data")]
    Data(#[source] json::JsonError),
    /// A record is a map.
    #[error("the record is not an object")]
    NotAnObject,
    /// `$type` must name the collection.
    #[error("the record's $type is {found}, expected {collection}")]
    WrongType {
        /// The collection written to.
        collection: Nsid,
        /// What the record says, as far as it can be shown.
        found: String,
    },
    /// The lexicon is not known, and the writer asked for a check or the host takes no other records.
    #[error("no lexicon for {0}")]
    UnknownType(Nsid),
    /// The record breaks its lexicon.
    #[error("the record is no valid {collection}")]
    Invalid {
        /// The collection, and so the lexicon.
        collection: Nsid,
        /// The first rule it breaks.
        #[source]
        source: ValidationError,
    },
    /// The record's size is over [`MAX_RECORD_BYTES`].
    #[error("the record takes {0} bytes")]
    TooLarge(usize),
    /// A blob reference of the old form.
    #[error("the record refers to blob {0} in the old form")]
    LegacyBlob(Cid),
    /// Something that says it is a blob reference and is none.
    #[error("the record has a malformed blob reference")]
    Blob(#[source] blob_ref::BlobRefError),
}

/// A record that may be written.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its DAG-CBOR.
    pub bytes: Bytes,
    /// Its CID.
    pub cid: Cid,
    /// The blobs that it refers to, each once.
    pub blobs: Vec<BlobRef>,
    /// What the check against the lexicon said.
    pub validation: Option<ValidationStatus>,
    /// What the record likes, reposts, follows or blocks, if it does.
    pub(crate) subject: Option<String>,
}

/// What records are held to.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'c> {
    /// The lexicons that are known.
    pub catalog: &'c Catalog,
    /// What becomes of records of the others.
    pub unknown: Unknown,
    /// Which records are checked.
    pub validate: Validate,
}

/// Checks `content` as a record of `collection` at `rkey` and encodes it.
///
/// A missing `$type` is filled in.
///
/// # Errors
///
/// The first rule that it breaks.
pub fn prepare(
    rules: Rules<'_>,
    collection: &Nsid,
    rkey: &RecordKey,
    content: Content,
) -> Result<Record, RecordError> {
    let mut value = match content {
        Content::Value(value) => value,
        Content::Json(json) => json::from_json_value(&json).map_err(RecordError::Data)?.into_owned(),
        Content::RawJson(json) => json::from_str(json.get()).map_err(RecordError::Data)?.into_owned(),
    };
    fill_type(&mut value, collection)?;
    let validation = validate(rules, collection, rkey, &value)?;
    let blobs = blobs(&value)?;
    let bytes = cbor::encode(&value);
    if bytes.len() > MAX_RECORD_BYTES {
        return Err(RecordError::TooLarge(bytes.len()));
    }
    Ok(Record {
        cid: Cid::for_cbor(&bytes),
        bytes: bytes.into(),
        blobs,
        validation,
        subject: backlinks::of(collection, &value).map(|link| link.target.to_owned()),
    })
}

/// Holds a record to its lexicon.
fn validate(
    rules: Rules<'_>,
    collection: &Nsid,
    rkey: &RecordKey,
    value: &Value<'_>,
) -> Result<Option<ValidationStatus>, RecordError> {
    let Rules { catalog, unknown, validate } = rules;
    let unknown = if validate == Validate::Always { Unknown::Refuse } else { unknown };
    if !catalog.knows_record(collection) && unknown == Unknown::Refuse {
        return Err(RecordError::UnknownType(collection.clone()));
    }
    if validate == Validate::Never {
        return Ok(None);
    }
    let verdict = Validator::new(catalog).unknown(unknown).verdict(collection, rkey, value);
    match verdict.map_err(|source| RecordError::Invalid { collection: collection.clone(), source })? {
        Verdict::Valid => Ok(Some(ValidationStatus::Valid)),
        Verdict::Unknown => Ok(Some(ValidationStatus::Unknown)),
    }
}

fn fill_type(value: &mut Value<'static>, collection: &Nsid) -> Result<(), RecordError> {
    let Value::Map(map) = value else { return Err(RecordError::NotAnObject) };
    let found = match map.get("$type") {
        None => {
            map.insert("$type", collection.to_string());
            return Ok(());
        }
        Some(Value::Text(found)) if found == collection.as_str() => return Ok(()),
        Some(Value::Text(found)) => found.chars().take(320).collect(),
        Some(_) => "not a string".to_owned(),
    };
    Err(RecordError::WrongType { collection: collection.clone(), found })
}

fn blobs(value: &Value<'_>) -> Result<Vec<BlobRef>, RecordError> {
    let mut blobs: Vec<BlobRef> = Vec::new();
    for found in blob_ref::find(value).map_err(RecordError::Blob)? {
        match found {
            FoundBlob::Typed(blob) if blobs.iter().any(|seen| seen.cid == blob.cid) => {}
            FoundBlob::Typed(blob) => blobs.push(blob),
            FoundBlob::Legacy { cid, .. } => return Err(RecordError::LegacyBlob(cid)),
        }
    }
    Ok(blobs)
}
