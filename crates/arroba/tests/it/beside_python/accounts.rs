//! Whom the tests write for, and what: everything follows from a number.

use arroba::Write;
use arroba::core::crypto::{Curve, PrivateKey, PublicKey, Signer};
use arroba::core::nsid;
use arroba::core::syntax::{Did, RecordKey};
use serde_json::{Value, json};

pub(super) const COLLECTION: &str = "com.example.note";

pub(super) fn post(text: &str) -> Value {
    json!({"$type": COLLECTION, "text": text, "createdAt": "2026-01-01T00:00:00.000Z"})
}

pub(super) fn create(rkey: &str, text: &str) -> Write {
    Write::create_at(nsid!("com.example.note"), key(rkey), post(text))
}

pub(super) fn update(rkey: &str, text: &str) -> Write {
    Write::update(nsid!("com.example.note"), key(rkey), post(text))
}

pub(super) fn delete(rkey: &str) -> Write {
    Write::delete(nsid!("com.example.note"), key(rkey))
}

fn key(rkey: &str) -> RecordKey {
    rkey.parse().unwrap()
}

/// A DID that tells its number.
pub(super) fn did(number: u64) -> Did {
    let letters: String =
        format!("{number:024}").chars().map(|digit| (b'a' + (digit as u8 - b'0')) as char).collect();
    format!("did:plc:{letters}").parse().unwrap()
}

fn number(did: &Did) -> u64 {
    let letters = did.as_str().trim_start_matches("did:plc:").bytes();
    letters.fold(0, |number, letter| number * 10 + u64::from(letter - b'a'))
}

pub(super) fn handle(number: u64) -> String {
    format!("n{number}.test")
}

fn secret(number: u64) -> u64 {
    number + 1_000_000
}

/// The key that a repo signs with, as a number.
pub(super) fn private_key_hex(number: u64) -> String {
    format!("{:064x}", secret(number))
}

pub(super) fn private_key(number: u64) -> PrivateKey {
    let mut bytes = [0; 32];
    bytes[24..].copy_from_slice(&secret(number).to_be_bytes());
    PrivateKey::from_bytes(Curve::K256, &bytes).unwrap()
}

pub(super) fn public_key(did: &Did) -> PublicKey {
    private_key(number(did)).public_key()
}
