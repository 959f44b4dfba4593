//! An event as one line, for people or for programs.

use crate::output;
use arroba_core::event::Frame;
use serde_json::{Value, json};

pub(super) fn frame(frame: &Frame, bytes: usize, as_json: bool) -> anyhow::Result<()> {
    if as_json { output::json(&object(frame)) } else { output::line(sentence(frame, bytes)) }
}

fn sentence(frame: &Frame, bytes: usize) -> String {
    match frame {
        Frame::Commit(seq, commit) => {
            let ops: Vec<_> =
                commit.ops.iter().map(|op| format!("{} {}", op.action.as_str(), op.path)).collect();
            let ops = if ops.is_empty() { "no operations".into() } else { ops.join(", ") };
            format!("{seq} #commit {} {} {bytes} B: {ops}", commit.repo, commit.rev)
        }
        Frame::Sync(seq, sync) => format!("{seq} #sync {} {}", sync.did, sync.rev),
        Frame::Identity(seq, identity) => {
            let handle = identity.handle.as_ref().map_or("", |h| h.as_str());
            format!("{seq} #identity {} {handle}", identity.did)
        }
        Frame::Account(seq, account) => {
            let status = account.status.as_ref().map_or("", |s| s.as_str());
            format!(
                "{seq} #account {} {} {status}",
                account.did,
                if account.active { "active" } else { "inactive" }
            )
        }
        Frame::Info(info) => format!("#info {} {}", info.name, info.message.as_deref().unwrap_or_default()),
        Frame::Error(error) => {
            format!("error {} {}", error.name, error.message.as_deref().unwrap_or_default())
        }
        _ => "a frame of an unknown kind".into(),
    }
}

fn object(frame: &Frame) -> Value {
    match frame {
        Frame::Commit(seq, commit) => {
            let ops: Vec<_> = commit
                .ops
                .iter()
                .map(|op| json!({ "action": op.action.as_str(), "path": op.path.to_string(), "cid": op.cid, "prev": op.prev }))
                .collect();
            json!({ "seq": seq, "kind": "#commit", "did": commit.repo, "rev": commit.rev, "since": commit.since,
                "commit": commit.commit, "prevData": commit.prev_data, "blocksBytes": commit.blocks.len(), "ops": ops, "time": commit.time })
        }
        Frame::Sync(seq, sync) => {
            json!({ "seq": seq, "kind": "#sync", "did": sync.did, "rev": sync.rev, "time": sync.time })
        }
        Frame::Identity(seq, identity) => {
            json!({ "seq": seq, "kind": "#identity", "did": identity.did, "handle": identity.handle, "time": identity.time })
        }
        Frame::Account(seq, account) => {
            let status = account.status.as_ref().map(|s| s.as_str());
            json!({ "seq": seq, "kind": "#account", "did": account.did, "active": account.active, "status": status, "time": account.time })
        }
        Frame::Info(info) => json!({ "kind": "#info", "name": info.name, "message": info.message }),
        Frame::Error(error) => json!({ "kind": "error", "error": error.name, "message": error.message }),
        _ => json!({ "kind": "unknown" }),
    }
}
