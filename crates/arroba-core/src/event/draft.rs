use bytes::Bytes;

use crate::data::cbor::{Writer, head_length};
use crate::syntax::{Datetime, Did};

use super::types::{AccountEvent, CommitEvent, IdentityEvent, RepoOp, SyncEvent};

/// What kind of event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// `#commit`
    Commit,
    /// `#sync`
    Sync,
    /// `#identity`
    Identity,
    /// `#account`
    Account,
}

impl EventKind {
    /// The type in the header of the frame.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Commit => "#commit",
            Self::Sync => "#sync",
            Self::Identity => "#identity",
            Self::Account => "#account",
        }
    }
}

/// An encoded frame in which only the value of `seq` is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventDraft {
    kind: EventKind,
    did: Did,
    time: Datetime,
    bytes: Bytes,
    seq_at: usize,
}

impl EventDraft {
    /// What kind of event it is.
    pub const fn kind(&self) -> EventKind {
        self.kind
    }

    /// Whom it is about.
    pub const fn did(&self) -> &Did {
        &self.did
    }

    /// When it was made.
    pub const fn time(&self) -> &Datetime {
        &self.time
    }

    /// The frame without the value of `seq`.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The offset where the value of `seq` goes.
    pub const fn seq_at(&self) -> usize {
        self.seq_at
    }

    /// The length of the frame with the value of `seq`.
    pub fn frame_length(&self, seq: u64) -> usize {
        self.bytes.len() + head_length(seq)
    }

    /// The frame with this sequence number.
    ///
    /// Numbers above [`MAX_SEQ`](super::MAX_SEQ) are encoded too, but no reader takes them.
    pub fn fill(&self, seq: u64) -> Bytes {
        let (before, after) = self.bytes.split_at(self.seq_at.min(self.bytes.len()));
        let mut frame = Vec::with_capacity(self.frame_length(seq));
        frame.extend_from_slice(before);
        let mut writer = Writer::appending(frame);
        writer.uint(seq);
        writer.raw(after);
        writer.into_bytes().into()
    }
}

/// Collects a frame around the place of `seq`.
struct Draft {
    writer: Writer,
    seq_at: usize,
}

impl Draft {
    fn new(kind: EventKind, fields: usize, capacity: usize) -> Self {
        let mut writer = Writer::with_capacity(capacity);
        header(&mut writer, kind.as_str());
        writer.map(fields);
        Self { writer, seq_at: 0 }
    }

    fn text(&mut self, key: &str, value: &str) {
        self.writer.text(key);
        self.writer.text(value);
    }

    fn seq(&mut self) {
        self.writer.text("seq");
        self.seq_at = self.writer.len();
    }

    fn finish(self, kind: EventKind, did: &Did, time: &Datetime) -> EventDraft {
        EventDraft {
            kind,
            did: did.clone(),
            time: time.clone(),
            bytes: self.writer.into_bytes().into(),
            seq_at: self.seq_at,
        }
    }
}

fn header(writer: &mut Writer, t: &str) {
    writer.map(2);
    writer.text("t");
    writer.text(t);
    writer.text("op");
    writer.int(1);
}

/// A `#commit`.
pub fn commit(event: &CommitEvent) -> EventDraft {
    let fields = 11 + usize::from(event.prev_data.is_some());
    let mut draft = Draft::new(EventKind::Commit, fields, event.blocks.len() + 256 + 160 * event.ops.len());
    draft.writer.text("ops");
    draft.writer.list(event.ops.len());
    for op in &event.ops {
        write_op(&mut draft.writer, op);
    }
    draft.text("rev", &event.rev.to_string());
    draft.seq();
    draft.text("repo", event.repo.as_str());
    draft.text("time", event.time.as_str());
    draft.writer.text("blobs");
    draft.writer.list(0);
    draft.writer.text("since");
    match event.since {
        Some(since) => draft.writer.text(&since.to_string()),
        None => draft.writer.null(),
    }
    draft.writer.text("blocks");
    draft.writer.bytes(&event.blocks);
    draft.writer.text("commit");
    draft.writer.cid(&event.commit);
    draft.writer.text("rebase");
    draft.writer.bool(false);
    draft.writer.text("tooBig");
    draft.writer.bool(false);
    if let Some(prev_data) = &event.prev_data {
        draft.writer.text("prevData");
        draft.writer.cid(prev_data);
    }
    draft.finish(EventKind::Commit, &event.repo, &event.time)
}

fn write_op(writer: &mut Writer, op: &RepoOp) {
    writer.map(3 + usize::from(op.prev.is_some()));
    writer.text("cid");
    writer.nullable_cid(op.cid.as_ref());
    writer.text("path");
    writer.text(&op.path.to_string());
    if let Some(prev) = &op.prev {
        writer.text("prev");
        writer.cid(prev);
    }
    writer.text("action");
    writer.text(op.action.as_str());
}

/// A `#sync`.
pub fn sync(event: &SyncEvent) -> EventDraft {
    let mut draft = Draft::new(EventKind::Sync, 5, event.blocks.len() + 256);
    draft.text("did", event.did.as_str());
    draft.text("rev", &event.rev.to_string());
    draft.seq();
    draft.text("time", event.time.as_str());
    draft.writer.text("blocks");
    draft.writer.bytes(&event.blocks);
    draft.finish(EventKind::Sync, &event.did, &event.time)
}

/// An `#identity`.
pub fn identity(event: &IdentityEvent) -> EventDraft {
    let mut draft = Draft::new(EventKind::Identity, 3 + usize::from(event.handle.is_some()), 256);
    draft.text("did", event.did.as_str());
    draft.seq();
    draft.text("time", event.time.as_str());
    if let Some(handle) = &event.handle {
        draft.text("handle", handle.as_str());
    }
    draft.finish(EventKind::Identity, &event.did, &event.time)
}

/// An `#account`. A status is written only if the account is not active.
pub fn account(event: &AccountEvent) -> EventDraft {
    let status = event.status.as_ref().filter(|_| !event.active);
    let mut draft = Draft::new(EventKind::Account, 4 + usize::from(status.is_some()), 256);
    draft.text("did", event.did.as_str());
    draft.seq();
    draft.text("time", event.time.as_str());
    draft.writer.text("active");
    draft.writer.bool(event.active);
    if let Some(status) = status {
        draft.text("status", status.as_str());
    }
    draft.finish(EventKind::Account, &event.did, &event.time)
}

/// An `#info` frame, such as `OutdatedCursor`.
pub fn info(name: &str, message: Option<&str>) -> Bytes {
    let mut writer = Writer::new();
    header(&mut writer, "#info");
    named(&mut writer, "name", name, message);
    writer.into_bytes().into()
}

/// An error frame, such as `FutureCursor`; the connection is closed after it.
pub fn error(name: &str, message: Option<&str>) -> Bytes {
    let mut writer = Writer::new();
    writer.map(1);
    writer.text("op");
    writer.int(-1);
    named(&mut writer, "error", name, message);
    writer.into_bytes().into()
}

fn named(writer: &mut Writer, key: &str, name: &str, message: Option<&str>) {
    writer.map(1 + usize::from(message.is_some()));
    writer.text(key);
    writer.text(name);
    if let Some(message) = message {
        writer.text("message");
        writer.text(message);
    }
}
