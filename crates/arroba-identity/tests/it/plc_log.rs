//! The published vectors of did:plc logs.

use super::fixtures;
use arroba_core::{data::Cid, syntax::Did};
use arroba_identity::plc::{LogEntry, LogError, verify_log};
use std::fs;

fn vectors(kind: &str) -> Option<Vec<(String, Vec<LogEntry>)>> {
    let mut vectors: Vec<(String, Vec<LogEntry>)> = fs::read_dir(fixtures::path(&format!("plc/{kind}"))?)
        .unwrap()
        .map(|file| {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, LogEntry::list_from_json(&fs::read(&path).unwrap()).unwrap())
        })
        .collect();
    vectors.sort_by(|(a, _), (b, _)| a.cmp(b));
    assert_eq!(vectors.len(), 10);
    Some(vectors)
}

#[test]
fn valid_logs() {
    let Some(vectors) = vectors("valid") else { return };
    let mut assertions = 0;
    for (name, entries) in vectors {
        let did = entries[0].did.clone();
        let log = verify_log(&did, entries.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(log.entries(), entries);
        let ended = matches!(name.as_str(), "log_tombstone");
        assert_eq!(log.state().is_none(), ended, "{name}");
        for entry in &entries {
            let json = entry.to_json().to_string();
            let again = LogEntry::list_from_json(format!("[{json}]").as_bytes()).unwrap();
            assert_eq!(again[0], *entry);
            assertions += 1;
        }
        // Whatever is wrong in an entry is noticed.
        for index in 0..entries.len() {
            let mut flipped = entries.clone();
            flipped[index].nullified = !flipped[index].nullified;
            let error = verify_log(&did, flipped).unwrap_err();
            assert_eq!(error, LogError::WrongNullified(entries[index].cid), "{name}");
            let mut other = entries.clone();
            other[index].cid = Cid::for_cbor(b"other");
            assert!(matches!(verify_log(&did, other), Err(LogError::WrongCid(_))), "{name}");
            let mut other = entries.clone();
            other[index].did = Did::parse("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa").unwrap();
            assert_eq!(verify_log(&did, other).unwrap_err(), LogError::OtherDid, "{name}");
            assertions += 3;
        }
        assertions += 3;
    }
    println!("vectors: did:plc valid logs: {assertions} assertions");
}

#[test]
fn invalid_logs() {
    let Some(vectors) = vectors("invalid") else { return };
    let mut assertions = 0;
    for (name, entries) in vectors {
        let expected = match name.as_str() {
            "log_invalid_nullification_reused_key" => LogError::Signature,
            "log_invalid_nullification_too_slow" => LogError::LateRecovery,
            "log_invalid_update_nullified" => LogError::Misordered,
            "log_invalid_update_tombstoned" => LogError::Tombstoned,
            name if name.starts_with("log_invalid_sig_") => LogError::Signature,
            other => panic!("unknown vector {other}"),
        };
        let did = entries[0].did.clone();
        assert_eq!(verify_log(&did, entries).unwrap_err(), expected, "{name}");
        assertions += 1;
    }
    println!("vectors: did:plc invalid logs: {assertions} assertions");
}

#[test]
fn a_genesis_of_another_identity() {
    let Some(vectors) = vectors("valid") else { return };
    let other = Did::parse("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa").unwrap();
    for (_, mut entries) in vectors {
        for entry in &mut entries {
            entry.did = other.clone();
        }
        assert_eq!(verify_log(&other, entries).unwrap_err(), LogError::WrongDid);
    }
    assert_eq!(verify_log(&other, Vec::new()).unwrap_err(), LogError::Empty);
}
