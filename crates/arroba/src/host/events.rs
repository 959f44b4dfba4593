//! The events that a host makes, besides those of commits.

use arroba_core::car;
use arroba_core::data::Cid;
use arroba_core::event::{self, AccountEvent, AccountStatus, EventDraft, IdentityEvent, SyncEvent};
use arroba_core::syntax::{Datetime, Did, Handle, Tid};
use arroba_store::RepoStatus;

/// `#identity`
pub(super) fn identity(did: &Did, handle: Option<&Handle>, time: Datetime) -> EventDraft {
    event::identity(&IdentityEvent { did: did.clone(), handle: handle.cloned(), time })
}

/// `#account`
pub(super) fn account(did: &Did, status: RepoStatus, time: Datetime) -> EventDraft {
    let status = wire_status(status);
    event::account(&AccountEvent { did: did.clone(), active: status.is_none(), status, time })
}

/// `#sync`, which carries the commit and nothing else.
pub(crate) fn sync(did: &Did, commit: Cid, block: &[u8], rev: Tid, time: Datetime) -> EventDraft {
    let mut blocks = car::Writer::with_capacity(&[commit], car::section_length(block.len()));
    blocks.block(&commit, block);
    event::sync(&SyncEvent { did: did.clone(), rev, blocks: blocks.finish(), time })
}

/// How events name the reason why a repo is not active; `None` if it is.
const fn wire_status(status: RepoStatus) -> Option<AccountStatus> {
    match status {
        RepoStatus::Active => None,
        RepoStatus::Creating | RepoStatus::Deactivated => Some(AccountStatus::Deactivated),
        RepoStatus::Suspended => Some(AccountStatus::Suspended),
        RepoStatus::Takendown => Some(AccountStatus::Takendown),
        RepoStatus::Deleted => Some(AccountStatus::Deleted),
    }
}
