//! Events that are no commits: how they are stored, and read.

use arroba_core::{
    data::{
        Cid, Value,
        cbor::{self, CborError},
    },
    event::{self, AccountEvent, AccountStatus, EventDraft, Frame, FrameError, IdentityEvent, SyncEvent},
    syntax::{Datetime, Did, Handle, SyntaxError, Tid},
};
use bytes::Bytes;

use super::entity::AtpBlock;
use crate::error::StoreError;

/// The block that stores an event, as the Python library does: the fields of the frame's payload, and which kind it is.
///
/// # Errors
/// [`StoreError::Backend`] for a commit, which is not stored but made again from its block, and for a number that no event can have.
pub(super) fn event_block(draft: &EventDraft, seq: u64, created: u64) -> Result<AtpBlock, StoreError> {
    let frame = Frame::decode(&draft.fill(seq)).map_err(StoreError::backend)?;
    let text = |text: &str| Value::from(text.to_owned());
    let (did, time, fields): (Did, Datetime, Vec<(&str, Value<'_>)>) = match &frame {
        Frame::Identity(_, event) => {
            let handle = event.handle.as_ref().map(|handle| ("handle", text(handle.as_str())));
            (event.did.clone(), event.time.clone(), handle.into_iter().collect())
        }
        Frame::Account(_, event) => {
            let status = event.status.as_ref().map(|status| ("status", text(status.as_str())));
            let active = ("active", Value::from(event.active));
            (event.did.clone(), event.time.clone(), [active].into_iter().chain(status).collect())
        }
        Frame::Sync(_, event) => {
            let blocks = Value::Bytes(event.blocks.to_vec().into());
            let fields = vec![("blocks", blocks), ("rev", text(&event.rev.to_string()))];
            (event.did.clone(), event.time.clone(), fields)
        }
        _ => return Err(StoreError::backend(StoredEventError::Kind(draft.kind().as_str().to_owned()))),
    };
    let number = i64::try_from(seq).map_err(StoreError::backend)?;
    let common = [
        ("$type", text(&format!("{PREFIX}{}", draft.kind().as_str()))),
        ("seq", Value::from(number)),
        ("did", text(did.as_str())),
        ("time", text(time.as_str())),
    ];
    let entries = common.into_iter().chain(fields).map(|(key, value)| (key.into(), value)).collect();
    let twice = |key| StoreError::corrupt(format!("field {key} twice"));
    let encoded =
        Bytes::from(cbor::encode(&Value::Map(arroba_core::data::Map::from_entries(entries).map_err(twice)?)));
    let cid = Cid::for_cbor(&encoded);
    Ok(AtpBlock { cid, repo: Some(did), encoded, seq, ops: Vec::new(), created: Some(created) })
}

/// Reads a stored event; nothing if the block is none. Fields that the frame does not have are dropped. A `#tombstone`, which the
/// protocol no longer has, becomes an `#account` of a deleted account.
///
/// # Errors
/// [`StoredEventError`] if it is one, and malformed.
pub fn stored_event(block: &[u8]) -> Result<Option<(Option<u64>, EventDraft)>, StoredEventError> {
    // Nodes, commits and nearly all records are told apart without decoding them.
    if !contains(block, PREFIX.as_bytes()) {
        return Ok(None);
    }
    let value = cbor::decode(block)?;
    let Some(kind) = value.get("$type").and_then(Value::as_text).and_then(|kind| kind.strip_prefix(PREFIX))
    else {
        return Ok(None);
    };
    let text =
        |field: &'static str| value.get(field).and_then(Value::as_text).ok_or(StoredEventError::Field(field));
    let seq = value.get("seq").and_then(Value::as_int).and_then(|seq| u64::try_from(seq).ok());
    let (did, time) = (Did::parse(text("did")?)?, Datetime::parse(text("time")?)?);
    let draft = match kind {
        "#identity" => {
            let handle = value.get("handle").and_then(Value::as_text).map(Handle::parse).transpose()?;
            event::identity(&IdentityEvent { did, handle, time })
        }
        "#account" => {
            let active =
                value.get("active").and_then(Value::as_bool).ok_or(StoredEventError::Field("active"))?;
            let status = value.get("status").and_then(Value::as_text).map(AccountStatus::from);
            event::account(&AccountEvent { did, active, status, time })
        }
        "#tombstone" => {
            let status = Some(AccountStatus::Deleted);
            event::account(&AccountEvent { did, active: false, status, time })
        }
        "#sync" => {
            let rev = Tid::parse(text("rev")?)?;
            let blocks = value.get("blocks").and_then(Value::as_bytes);
            let blocks = Bytes::copy_from_slice(blocks.ok_or(StoredEventError::Field("blocks"))?);
            event::sync(&SyncEvent { did, rev, blocks, time })
        }
        other => return Err(StoredEventError::Kind(other.chars().take(50).collect())),
    };
    // The limits of a frame, too.
    Frame::decode(&draft.fill(1))?;
    Ok(Some((seq, draft)))
}

/// Why a stored event cannot be sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoredEventError {
    /// It is not canonical.
    #[error("stored event is malformed")]
    Cbor(#[from] CborError),
    /// A field is missing, or of another type.
    #[error("stored event without {0}")]
    Field(&'static str),
    /// A field is not of its format.
    #[error("malformed field in stored event")]
    Syntax(#[from] SyntaxError),
    /// A kind that is not stored, or that we do not know.
    #[error("event of kind {0:?}")]
    Kind(String),
    /// It makes no frame.
    #[error("stored event makes no frame")]
    Frame(#[from] FrameError),
}

const PREFIX: &str = "com.atproto.sync.subscribeRepos";

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
