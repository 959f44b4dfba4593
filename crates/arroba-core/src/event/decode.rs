use bytes::Bytes;
use thiserror::Error;

use crate::data::Cid;
use crate::data::cbor::{CborError, CborErrorKind, Reader};
use crate::syntax::{Datetime, Did, Handle, RecordPath, SyntaxError, Tid};

use super::types::{
    AccountEvent, Action, CommitEvent, ErrorFrame, Frame, IdentityEvent, InfoFrame, RepoOp, SyncEvent,
};
use super::{MAX_COMMIT_BLOCKS_BYTES, MAX_FRAME_BYTES, MAX_OPS, MAX_SEQ, MAX_SYNC_BLOCKS_BYTES};

impl Frame {
    /// Reads a frame strictly. Unknown fields are checked and passed over, unknown types give [`Frame::Unknown`].
    ///
    /// `blobs`, `tooBig` and `rebase` are passed over too, but for `true` in the last two: such events lack
    /// blocks or history.
    ///
    /// # Errors
    /// If it is too large, not two canonical maps, or lacks a field of its type.
    pub fn decode(frame: &[u8]) -> Result<Self, FrameError> {
        if frame.len() > MAX_FRAME_BYTES {
            return Err(FrameError::TooLarge);
        }
        let mut reader = Reader::new(frame);
        let (op, t) = header(&mut reader)?;
        let decoded = match (op, t) {
            (1, Some("#commit")) => commit(&mut reader)?,
            (1, Some("#sync")) => sync(&mut reader)?,
            (1, Some("#identity")) => identity(&mut reader)?,
            (1, Some("#account")) => account(&mut reader)?,
            (1, Some("#info")) => {
                let (name, message) = named(&mut reader, "name")?;
                Self::Info(InfoFrame { name, message })
            }
            (-1, _) => {
                let (name, message) = named(&mut reader, "error")?;
                Self::Error(ErrorFrame { name, message })
            }
            (1, None) => return Err(FrameError::NoType),
            (op, t) => {
                reader.clone().map()?;
                reader.skip()?;
                Self::Unknown { op, t: t.map(str::to_owned) }
            }
        };
        reader.finish()?;
        Ok(decoded)
    }
}

/// Reads a map: each key goes to `field`, which reads its value and says so, or leaves it.
fn map<'a>(
    reader: &mut Reader<'a>,
    mut field: impl FnMut(&'a str, &mut Reader<'a>) -> Result<bool, FrameError>,
) -> Result<(), FrameError> {
    let mut keys = reader.map()?;
    while let Some(key) = keys.next(reader)? {
        if !field(key, reader)? {
            reader.skip()?;
        }
    }
    Ok(())
}

/// Fills `slot` with what `read` reads.
fn set<'a, T>(
    slot: &mut Option<T>,
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, FrameError>,
) -> Result<bool, FrameError> {
    *slot = Some(read(reader)?);
    Ok(true)
}

fn required<T>(slot: Option<T>, name: &'static str) -> Result<T, FrameError> {
    slot.ok_or(FrameError::Missing(name))
}

fn header<'a>(reader: &mut Reader<'a>) -> Result<(i64, Option<&'a str>), FrameError> {
    let (mut op, mut t) = (None, None);
    map(reader, |key, reader| match key {
        "op" => set(&mut op, reader, |reader| Ok(reader.int()?)),
        "t" => set(&mut t, reader, |reader| Ok(reader.text()?)),
        _ => Ok(false),
    })?;
    Ok((required(op, "op")?, t))
}

fn parsed<'a, T>(
    reader: &mut Reader<'a>,
    parse: impl FnOnce(&'a str) -> Result<T, SyntaxError>,
) -> Result<T, FrameError> {
    Ok(parse(reader.text()?)?)
}

fn cid(reader: &mut Reader<'_>) -> Result<Cid, FrameError> {
    Ok(reader.cid()?)
}

fn nullable<'a, T>(
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, FrameError>,
) -> Result<Option<T>, FrameError> {
    if reader.take_null() { Ok(None) } else { read(reader).map(Some) }
}

fn did(reader: &mut Reader<'_>) -> Result<Did, FrameError> {
    parsed(reader, Did::parse)
}

fn tid(reader: &mut Reader<'_>) -> Result<Tid, FrameError> {
    parsed(reader, Tid::parse)
}

fn time(reader: &mut Reader<'_>) -> Result<Datetime, FrameError> {
    parsed(reader, Datetime::parse)
}

fn seq(reader: &mut Reader<'_>) -> Result<u64, FrameError> {
    let out_of_range = reader.error(CborErrorKind::IntegerRange);
    let seq = reader.uint()?;
    if (1..=MAX_SEQ).contains(&seq) { Ok(seq) } else { Err(out_of_range.into()) }
}

fn blocks(reader: &mut Reader<'_>, most: usize) -> Result<Bytes, FrameError> {
    let bytes = reader.bytes()?;
    if bytes.len() > most {
        return Err(FrameError::BlocksTooLarge(most));
    }
    Ok(Bytes::copy_from_slice(bytes))
}

/// Reads a flag that must not be set.
fn unset(reader: &mut Reader<'_>, name: &'static str) -> Result<bool, FrameError> {
    if reader.bool()? { Err(FrameError::Flag(name)) } else { Ok(true) }
}

fn commit(reader: &mut Reader<'_>) -> Result<Frame, FrameError> {
    let (mut number, mut repo, mut rev, mut since, mut commit) = (None, None, None, None, None);
    let (mut slice, mut ops, mut prev_data, mut at) = (None, None, None, None);
    map(reader, |key, reader| match key {
        "seq" => set(&mut number, reader, seq),
        "repo" => set(&mut repo, reader, did),
        "rev" => set(&mut rev, reader, tid),
        "since" => set(&mut since, reader, |reader| nullable(reader, tid)),
        "commit" => set(&mut commit, reader, cid),
        "blocks" => set(&mut slice, reader, |reader| blocks(reader, MAX_COMMIT_BLOCKS_BYTES)),
        "ops" => set(&mut ops, reader, read_ops),
        "prevData" => set(&mut prev_data, reader, |reader| nullable(reader, cid)),
        "time" => set(&mut at, reader, time),
        "tooBig" => unset(reader, "tooBig"),
        "rebase" => unset(reader, "rebase"),
        _ => Ok(false),
    })?;
    let event = CommitEvent {
        repo: required(repo, "repo")?,
        rev: required(rev, "rev")?,
        since: required(since, "since")?,
        commit: required(commit, "commit")?,
        blocks: required(slice, "blocks")?,
        ops: required(ops, "ops")?,
        prev_data: prev_data.flatten(),
        time: required(at, "time")?,
    };
    Ok(Frame::Commit(required(number, "seq")?, event))
}

fn read_ops(reader: &mut Reader<'_>) -> Result<Vec<RepoOp>, FrameError> {
    let length = reader.list()?;
    if length > MAX_OPS {
        return Err(FrameError::TooManyOps);
    }
    (0..length).map(|_| read_op(reader)).collect()
}

fn read_op(reader: &mut Reader<'_>) -> Result<RepoOp, FrameError> {
    let (mut action, mut path, mut value, mut prev) = (None, None, None, None);
    map(reader, |key, reader| match key {
        "action" => set(&mut action, reader, |reader| match reader.text()? {
            "create" => Ok(Action::Create),
            "update" => Ok(Action::Update),
            "delete" => Ok(Action::Delete),
            _ => Err(FrameError::Action),
        }),
        "path" => set(&mut path, reader, |reader| parsed(reader, RecordPath::parse)),
        "cid" => set(&mut value, reader, |reader| nullable(reader, cid)),
        "prev" => set(&mut prev, reader, |reader| nullable(reader, cid)),
        _ => Ok(false),
    })?;
    Ok(RepoOp {
        action: required(action, "action")?,
        path: required(path, "path")?,
        cid: required(value, "cid")?,
        prev: prev.flatten(),
    })
}

fn sync(reader: &mut Reader<'_>) -> Result<Frame, FrameError> {
    let (mut number, mut whose, mut rev, mut slice, mut at) = (None, None, None, None, None);
    map(reader, |key, reader| match key {
        "seq" => set(&mut number, reader, seq),
        "did" => set(&mut whose, reader, did),
        "rev" => set(&mut rev, reader, tid),
        "blocks" => set(&mut slice, reader, |reader| blocks(reader, MAX_SYNC_BLOCKS_BYTES)),
        "time" => set(&mut at, reader, time),
        _ => Ok(false),
    })?;
    let event = SyncEvent {
        did: required(whose, "did")?,
        rev: required(rev, "rev")?,
        blocks: required(slice, "blocks")?,
        time: required(at, "time")?,
    };
    Ok(Frame::Sync(required(number, "seq")?, event))
}

fn identity(reader: &mut Reader<'_>) -> Result<Frame, FrameError> {
    let (mut number, mut whose, mut handle, mut at) = (None, None, None, None);
    map(reader, |key, reader| match key {
        "seq" => set(&mut number, reader, seq),
        "did" => set(&mut whose, reader, did),
        "handle" => {
            set(&mut handle, reader, |reader| nullable(reader, |reader| parsed(reader, Handle::parse)))
        }
        "time" => set(&mut at, reader, time),
        _ => Ok(false),
    })?;
    let event =
        IdentityEvent { did: required(whose, "did")?, handle: handle.flatten(), time: required(at, "time")? };
    Ok(Frame::Identity(required(number, "seq")?, event))
}

fn account(reader: &mut Reader<'_>) -> Result<Frame, FrameError> {
    let (mut number, mut whose, mut active, mut status, mut at) = (None, None, None, None, None);
    map(reader, |key, reader| match key {
        "seq" => set(&mut number, reader, seq),
        "did" => set(&mut whose, reader, did),
        "active" => set(&mut active, reader, |reader| Ok(reader.bool()?)),
        "status" => set(&mut status, reader, |reader| nullable(reader, |reader| Ok(reader.text()?.into()))),
        "time" => set(&mut at, reader, time),
        _ => Ok(false),
    })?;
    let event = AccountEvent {
        did: required(whose, "did")?,
        active: required(active, "active")?,
        status: status.flatten(),
        time: required(at, "time")?,
    };
    Ok(Frame::Account(required(number, "seq")?, event))
}

fn named(reader: &mut Reader<'_>, name_key: &'static str) -> Result<(String, Option<String>), FrameError> {
    let (mut name, mut message) = (None, None);
    map(reader, |key, reader| match key {
        "message" => {
            set(&mut message, reader, |reader| nullable(reader, |reader| Ok(reader.text()?.to_owned())))
        }
        key if key == name_key => set(&mut name, reader, |reader| Ok(reader.text()?.to_owned())),
        _ => Ok(false),
    })?;
    Ok((required(name, name_key)?, message.flatten()))
}

/// Why bytes are no acceptable frame.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The frame is larger than [`MAX_FRAME_BYTES`].
    #[error("frame larger than {MAX_FRAME_BYTES} bytes")]
    TooLarge,
    /// It is not two canonical maps, or a field is of a wrong type.
    #[error("malformed frame")]
    Cbor(#[from] CborError),
    /// A field is not of its format.
    #[error("malformed field in frame")]
    Syntax(#[from] SyntaxError),
    /// A message frame has no type.
    #[error("frame without type")]
    NoType,
    /// A field is not there.
    #[error("frame without {0}")]
    Missing(&'static str),
    /// The field `blocks` is larger than allowed.
    #[error("blocks larger than {0} bytes")]
    BlocksTooLarge(usize),
    /// There are more than [`MAX_OPS`] operations.
    #[error("more than {MAX_OPS} operations")]
    TooManyOps,
    /// An operation is none of `create`, `update`, `delete`.
    #[error("unknown action")]
    Action,
    /// `tooBig` or `rebase` is set.
    #[error("{0} is set")]
    Flag(&'static str),
}
