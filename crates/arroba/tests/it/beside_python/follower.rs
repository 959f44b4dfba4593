//! A reader of a firehose over a WebSocket, who verifies what comes.

use std::collections::BTreeMap;
use std::time::Duration;

use arroba::core::event::Frame;
use arroba::core::repo::verify::{self, Order, VerifyError};
use arroba::core::syntax::Did;
use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

use super::accounts::public_key;

/// How long a reader may wait for the next event. To all that it is behind the Python library's collector may take much longer to come.
const PATIENCE: Duration = Duration::from_secs(120);

/// Reads in the background. Frames are in the order in which they came.
pub(super) struct Follower {
    frames: watch::Receiver<Vec<Bytes>>,
    task: JoinHandle<()>,
}

/// A commit as a frame tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) did: Did,
    pub(super) kind: &'static str,
    /// Of the commit, if there is one.
    pub(super) cid: Option<String>,
    /// The tree before and after.
    pub(super) data: Option<(String, String)>,
    /// Action, path, CID, CID before.
    pub(super) ops: Vec<(&'static str, String, Option<String>, Option<String>)>,
    /// The rev is not above the one before; no program of ours does that.
    pub(super) backwards: bool,
}

impl Follower {
    /// Connects to a server, and reads from the beginning. The Python library's server closes connections now and then; as a relay does,
    /// the reader comes back with its cursor, which there means the event itself and here those behind it.
    pub(super) async fn connect(url: &str) -> Self {
        let url = format!("{}/xrpc/com.atproto.sync.subscribeRepos", url.replace("http:", "ws:"));
        let (sender, frames) = watch::channel(Vec::new());
        let task = tokio::spawn(async move {
            let mut last = 0;
            loop {
                let Ok((mut socket, _)) =
                    tokio_tungstenite::connect_async(format!("{url}?cursor={last}")).await
                else {
                    return;
                };
                while let Some(Ok(message)) = socket.next().await {
                    let Message::Binary(frame) = message else { continue };
                    let seq = number(&frame);
                    assert!(seq > last || seq == last && last > 0, "{seq} comes after {last}");
                    if seq > last {
                        last = seq;
                        sender.send_modify(|frames: &mut Vec<Bytes>| frames.push(frame));
                    }
                }
            }
        });
        Self { frames, task }
    }

    /// Waits until an event with this number, or a later one, was there.
    pub(super) async fn reach(&mut self, seq: u64) {
        let last = |frames: &watch::Receiver<Vec<Bytes>>| frames.borrow().last().map(number);
        while last(&self.frames).is_none_or(|last| last < seq) {
            let more = tokio::time::timeout(PATIENCE, self.frames.changed()).await;
            let last = last(&self.frames);
            let more = more.unwrap_or_else(|_| {
                panic!("nothing new for {PATIENCE:?} before {seq}; the last was {last:?}")
            });
            assert!(more.is_ok(), "the connection closed before {seq}; the last was {last:?}");
        }
    }

    /// Everything so far, each event verified by itself, and the numbers growing.
    pub(super) fn verified(&self) -> BTreeMap<u64, Seen> {
        let mut seen = BTreeMap::new();
        for frame in self.frames.borrow().iter() {
            let (seq, event) = verified(frame);
            assert!(seen.last_key_value().is_none_or(|(last, _)| *last < seq), "{seq} comes too late");
            seen.insert(seq, event);
        }
        seen
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn number(frame: &Bytes) -> u64 {
    let decoded = Frame::decode(frame).unwrap_or_else(|error| panic!("{error}: {frame:?}"));
    decoded.seq().unwrap_or_else(|| panic!("{decoded:?}"))
}

fn verified(frame: &Bytes) -> (u64, Seen) {
    let seen = |did: &Did, kind, cid| Seen {
        did: did.clone(),
        kind,
        cid,
        data: None,
        ops: Vec::new(),
        backwards: false,
    };
    match Frame::decode(frame).unwrap() {
        Frame::Commit(seq, event) => {
            let (owner, key) = (event.repo.clone(), public_key(&event.repo));
            let (result, backwards) = match verify::commit(event.clone(), &owner, &key, Order::Relay) {
                Err(VerifyError::Since) => {
                    let event = arroba::core::event::CommitEvent { since: None, ..event };
                    (verify::commit(event, &owner, &key, Order::Relay), true)
                }
                result => (result, false),
            };
            let commit = result.unwrap_or_else(|error| panic!("the event {seq} of {owner}: {error:?}"));
            let text = |cid: Option<_>| cid.map(|cid: arroba::core::data::Cid| cid.to_string());
            let ops = commit.event.ops.iter();
            let mut ops: Vec<_> = ops
                .map(|op| (op.action.as_str(), op.path.to_string(), text(op.cid), text(op.prev)))
                .collect();
            ops.sort();
            let data = Some((commit.prev_data.to_string(), commit.commit.data.to_string()));
            let cid = Some(commit.event.commit.to_string());
            (seq, Seen { data, ops, backwards, ..seen(&owner, "commit", cid) })
        }
        Frame::Sync(seq, event) => {
            let (cid, _) = verify::sync(&event, &event.did, &public_key(&event.did)).unwrap();
            (seq, seen(&event.did, "sync", Some(cid.to_string())))
        }
        Frame::Identity(seq, event) => (seq, seen(&event.did, "identity", None)),
        Frame::Account(seq, event) => (seq, seen(&event.did, "account", None)),
        other => panic!("{other:?}"),
    }
}
