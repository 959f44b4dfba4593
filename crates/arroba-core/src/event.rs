//! Firehose event bodies and frames.
//!
//! A frame is two DAG-CBOR maps, a header and a payload. The sequence number is a field of the payload that is
//! known only when the event is stored, so an event is built as an [`EventDraft`]: the encoded frame with a slot
//! where the number goes.
//!
//! ```
//! use arroba_core::{did, event::{self, Frame, IdentityEvent}, syntax::Datetime};
//! let time = Datetime::from_unix_millis(1_700_000_000_000);
//! let event = IdentityEvent { did: did!("did:plc:yk4dd2qkboz2yv6tpubpc6co"), handle: None, time };
//! let frame = event::identity(&event).fill(4_294_967_297);
//! assert_eq!(Frame::decode(&frame)?, Frame::Identity(4_294_967_297, event));
//! # Ok::<(), event::FrameError>(())
//! ```
//!
//! Spec: <https://atproto.com/specs/sync>, <https://atproto.com/specs/event-stream>

mod decode;
mod draft;
mod types;

pub use decode::FrameError;
pub use draft::{EventDraft, EventKind, account, commit, error, identity, info, sync};
pub use types::{
    AccountEvent, AccountStatus, Action, CommitEvent, ErrorFrame, Frame, IdentityEvent, InfoFrame, RepoOp,
    SyncEvent,
};

/// The largest frame, in bytes.
pub const MAX_FRAME_BYTES: usize = 5_000_000;

/// The largest `blocks` field of a `#commit`, in bytes.
pub const MAX_COMMIT_BLOCKS_BYTES: usize = 2_000_000;

/// The largest `blocks` field of a `#sync`, in bytes.
pub const MAX_SYNC_BLOCKS_BYTES: usize = 10_000;

/// The most operations in a `#commit`.
pub const MAX_OPS: usize = 200;

/// The greatest sequence number: 2^53 - 1.
pub const MAX_SEQ: u64 = (1 << 53) - 1;
