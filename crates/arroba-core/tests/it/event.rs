//! Frames: their exact bytes, round trips, hostile ones.

use arroba_core::data::cbor::{self, Reader, Writer};
use arroba_core::data::{Cid, Value, json};
use arroba_core::event::{
    self, AccountEvent, AccountStatus, Action, CommitEvent, EventDraft, Frame, FrameError, IdentityEvent,
    RepoOp, SyncEvent,
};
use arroba_core::syntax::{Datetime, RecordPath, Tid};
use arroba_core::{did, handle};
use proptest::prelude::*;

use super::fixtures;

fn time() -> Datetime {
    Datetime::from_unix_millis(1_700_000_000_123)
}

fn commit() -> CommitEvent {
    let path = |text: &str| RecordPath::parse(text).unwrap();
    let cid = |text: &str| Cid::for_cbor(text.as_bytes());
    CommitEvent {
        repo: did!("did:plc:abc"),
        rev: Tid::from_micros(2, 0),
        since: Some(Tid::from_micros(1, 0)),
        commit: cid("commit"),
        blocks: vec![1, 2, 3].into(),
        ops: vec![
            RepoOp { action: Action::Create, path: path("a.b.c/x"), cid: Some(cid("1")), prev: None },
            RepoOp {
                action: Action::Update,
                path: path("a.b.c/y"),
                cid: Some(cid("2")),
                prev: Some(cid("3")),
            },
            RepoOp { action: Action::Delete, path: path("a.b.c/z"), cid: None, prev: Some(cid("4")) },
        ],
        prev_data: Some(cid("before")),
        time: time(),
    }
}

fn drafts() -> Vec<EventDraft> {
    let did = did!("did:plc:abc");
    vec![
        event::commit(&commit()),
        event::commit(&CommitEvent { since: None, prev_data: None, ops: vec![], ..commit() }),
        event::sync(&SyncEvent {
            did: did.clone(),
            rev: Tid::from_micros(5, 0),
            blocks: vec![9].into(),
            time: time(),
        }),
        event::identity(&IdentityEvent { did: did.clone(), handle: None, time: time() }),
        event::identity(&IdentityEvent { did: did.clone(), handle: Some(handle!("a.test")), time: time() }),
        event::account(&AccountEvent { did: did.clone(), active: true, status: None, time: time() }),
        event::account(&AccountEvent {
            did,
            active: false,
            status: Some(AccountStatus::Deleted),
            time: time(),
        }),
    ]
}

/// Header and payload as JSON.
fn as_json(frame: &[u8]) -> (serde_json::Value, serde_json::Value) {
    let mut reader = Reader::new(frame);
    let header = json::to_json(&cbor::decode(reader.skip().unwrap()).unwrap());
    let payload = json::to_json(&cbor::decode(reader.skip().unwrap()).unwrap());
    reader.finish().unwrap();
    (header, payload)
}

#[test]
fn commit_has_exactly_the_fields_of_the_lexicon() {
    let (header, payload) = as_json(&event::commit(&commit()).fill(7));
    assert_eq!(header, serde_json::json!({ "op": 1, "t": "#commit" }));
    let link = |text: &str| serde_json::json!({ "$link": Cid::for_cbor(text.as_bytes()).to_string() });
    assert_eq!(
        payload,
        serde_json::json!({
            "seq": 7, "repo": "did:plc:abc", "rev": Tid::from_micros(2, 0).to_string(),
            "since": Tid::from_micros(1, 0).to_string(), "commit": link("commit"), "blocks": { "$bytes": "AQID" },
            "ops": [
                { "action": "create", "path": "a.b.c/x", "cid": link("1") },
                { "action": "update", "path": "a.b.c/y", "cid": link("2"), "prev": link("3") },
                { "action": "delete", "path": "a.b.c/z", "cid": null, "prev": link("4") },
            ],
            "prevData": link("before"), "blobs": [], "tooBig": false, "rebase": false,
            "time": "2023-11-14T22:13:20.123Z",
        })
    );
}

#[test]
fn a_first_commit_has_null_since_and_no_prev_data() {
    let event = CommitEvent { since: None, prev_data: None, ops: vec![], ..commit() };
    let (_, payload) = as_json(&event::commit(&event).fill(1));
    assert_eq!(payload["since"], serde_json::Value::Null);
    assert!(payload.as_object().unwrap().contains_key("since"));
    assert!(!payload.as_object().unwrap().contains_key("prevData"));
    assert_eq!(payload["ops"], serde_json::json!([]));
}

#[test]
fn absent_fields_are_absent() {
    let did = did!("did:plc:abc");
    let (header, payload) =
        as_json(&event::identity(&IdentityEvent { did: did.clone(), handle: None, time: time() }).fill(3));
    assert_eq!(header["t"], "#identity");
    assert_eq!(
        payload,
        serde_json::json!({ "did": "did:plc:abc", "seq": 3, "time": "2023-11-14T22:13:20.123Z" })
    );
    let status = Some(AccountStatus::Deactivated);
    let (_, payload) = as_json(
        &event::account(&AccountEvent {
            did: did.clone(),
            active: true,
            status: status.clone(),
            time: time(),
        })
        .fill(3),
    );
    assert_eq!(
        payload,
        serde_json::json!({ "did": "did:plc:abc", "seq": 3, "time": "2023-11-14T22:13:20.123Z", "active": true })
    );
    let (_, payload) =
        as_json(&event::account(&AccountEvent { did, active: false, status, time: time() }).fill(3));
    assert_eq!(payload["status"], "deactivated");
}

#[test]
fn info_and_error_frames() {
    let frame = event::info("OutdatedCursor", Some("cursor is too old"));
    let (header, payload) = as_json(&frame);
    assert_eq!(header, serde_json::json!({ "op": 1, "t": "#info" }));
    assert_eq!(payload, serde_json::json!({ "name": "OutdatedCursor", "message": "cursor is too old" }));
    assert!(matches!(Frame::decode(&frame), Ok(Frame::Info(info)) if info.name == "OutdatedCursor"));
    let frame = event::error("FutureCursor", None);
    let (header, payload) = as_json(&frame);
    assert_eq!(header, serde_json::json!({ "op": -1 }));
    assert_eq!(payload, serde_json::json!({ "error": "FutureCursor" }));
    assert!(matches!(Frame::decode(&frame), Ok(Frame::Error(error)) if error.name == "FutureCursor"));
}

#[test]
fn seq_takes_its_shortest_form_at_every_boundary() {
    for draft in drafts() {
        for seq in [1, 23, 24, 255, 256, 65_535, 65_536, u64::from(u32::MAX), 1 << 32, event::MAX_SEQ] {
            let frame = draft.fill(seq);
            assert_eq!(frame.len(), draft.frame_length(seq));
            let decoded = Frame::decode(&frame).unwrap();
            assert_eq!(decoded.seq(), Some(seq));
        }
        for seq in [0, event::MAX_SEQ + 1, u64::MAX] {
            assert!(Frame::decode(&draft.fill(seq)).is_err(), "{seq}");
        }
    }
}

#[test]
fn decoding_gives_back_what_was_encoded() {
    assert_eq!(Frame::decode(&event::commit(&commit()).fill(9)), Ok(Frame::Commit(9, commit())));
    let event =
        SyncEvent { did: did!("did:web:a.test"), rev: Tid::from_u64(9), blocks: vec![].into(), time: time() };
    assert_eq!(Frame::decode(&event::sync(&event).fill(9)), Ok(Frame::Sync(9, event)));
    let event =
        IdentityEvent { did: did!("did:web:a.test"), handle: Some(handle!("handle.invalid")), time: time() };
    assert_eq!(Frame::decode(&event::identity(&event).fill(9)), Ok(Frame::Identity(9, event)));
    for status in ["takendown", "suspended", "deleted", "deactivated", "desynchronized", "throttled", "new"] {
        let event = AccountEvent {
            did: did!("did:web:a.test"),
            active: false,
            status: Some(AccountStatus::from(status)),
            time: time(),
        };
        assert_eq!(Frame::decode(&event::account(&event).fill(9)), Ok(Frame::Account(9, event)));
    }
}

fn frame(header: serde_json::Value, payload: serde_json::Value) -> Vec<u8> {
    [header, payload].iter().flat_map(|json| cbor::encode(&json::from_json_value(json).unwrap())).collect()
}

#[test]
fn unknown_frames_and_fields_are_passed_over() {
    for (header, expected) in [
        (serde_json::json!({ "op": 1, "t": "#new" }), Frame::Unknown { op: 1, t: Some("#new".into()) }),
        (serde_json::json!({ "op": 2, "t": "#commit" }), Frame::Unknown { op: 2, t: Some("#commit".into()) }),
        (serde_json::json!({ "op": 2, "x": [1] }), Frame::Unknown { op: 2, t: None }),
    ] {
        assert_eq!(Frame::decode(&frame(header, serde_json::json!({ "a": 1 }))), Ok(expected));
    }
    let mut payload = as_json(&drafts()[3].fill(3)).1;
    payload["future"] = serde_json::json!({ "a": [1, 2] });
    assert_eq!(
        Frame::decode(&frame(serde_json::json!({ "op": 1, "t": "#identity" }), payload)),
        Frame::decode(&drafts()[3].fill(3))
    );
}

#[test]
fn every_required_field_is_required() {
    for draft in drafts() {
        let (header, payload) = as_json(&draft.fill(3));
        let optional = ["prevData", "handle", "status", "blobs", "tooBig", "rebase"];
        for key in payload.as_object().unwrap().keys() {
            let mut less = payload.clone();
            less.as_object_mut().unwrap().remove(key);
            let decoded = Frame::decode(&frame(header.clone(), less));
            assert_eq!(decoded.is_ok(), optional.contains(&key.as_str()), "{key}: {decoded:?}");
        }
    }
}

#[test]
fn malformed_frames_are_refused() {
    let (header, payload) = as_json(&event::commit(&commit()).fill(3));
    let changed = |key: &str, value: serde_json::Value| {
        let mut payload = payload.clone();
        payload[key] = value;
        Frame::decode(&frame(header.clone(), payload)).unwrap_err()
    };
    assert_eq!(changed("tooBig", true.into()), FrameError::Flag("tooBig"));
    assert_eq!(changed("rebase", true.into()), FrameError::Flag("rebase"));
    assert!(matches!(changed("repo", "bob".into()), FrameError::Syntax(_)));
    assert!(matches!(changed("rev", "bob".into()), FrameError::Syntax(_)));
    assert!(matches!(changed("time", "now".into()), FrameError::Syntax(_)));
    assert!(matches!(changed("seq", (-1).into()), FrameError::Cbor(_)));
    assert!(matches!(changed("blocks", "AQID".into()), FrameError::Cbor(_)));
    assert!(matches!(changed("commit", "AQID".into()), FrameError::Cbor(_)));
    let op = payload["ops"][0].clone();
    assert_eq!(changed("ops", vec![op.clone(); 201].into()), FrameError::TooManyOps);
    let mut odd = op;
    odd["action"] = "rename".into();
    assert_eq!(changed("ops", vec![odd].into()), FrameError::Action);
    let good = event::commit(&commit()).fill(3);
    assert!(Frame::decode(&[&good[..], &[0]].concat()).is_err());
    assert!(Frame::decode(&[&[0x82][..], &good[..]].concat()).is_err());
    for end in 0..good.len() {
        assert!(Frame::decode(&good[..end]).is_err(), "{end}");
    }
    assert_eq!(
        Frame::decode(&frame(serde_json::json!({ "op": 1 }), serde_json::json!({}))),
        Err(FrameError::NoType)
    );
    assert_eq!(Frame::decode(&vec![0; event::MAX_FRAME_BYTES + 1]), Err(FrameError::TooLarge));
    let large = CommitEvent { blocks: vec![0; event::MAX_COMMIT_BLOCKS_BYTES + 1].into(), ..commit() };
    assert_eq!(
        Frame::decode(&event::commit(&large).fill(1)),
        Err(FrameError::BlocksTooLarge(event::MAX_COMMIT_BLOCKS_BYTES))
    );
}

proptest! {
    #![proptest_config(fixtures::cases(256))]

    /// The slot is filled as if the payload had been encoded with the number in the first place.
    #[test]
    fn filling_equals_encoding_at_once(seq in any::<u64>(), which in 0usize..7) {
        let seq = seq >> (seq % 53);
        let draft = &drafts()[which];
        let filled = draft.fill(seq);
        let mut reader = Reader::new(&filled);
        let header = reader.skip().unwrap();
        let Ok(payload) = cbor::decode(reader.rest()) else {
            prop_assert!(i64::try_from(seq).is_err());
            return Ok(());
        };
        prop_assert_eq!(payload.get("seq").and_then(Value::as_int), i64::try_from(seq).ok());
        let mut again = Writer::new();
        again.raw(header);
        again.value(&payload);
        prop_assert_eq!(again.as_bytes(), &filled[..]);
    }

    #[test]
    fn damaged_frames_never_panic(which in 0usize..7, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut frame = drafts()[which].fill(99).to_vec();
        let at = at.index(frame.len());
        frame[at] = byte;
        let _ = Frame::decode(&frame);
    }
}
