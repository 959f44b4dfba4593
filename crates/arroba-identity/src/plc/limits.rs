use super::State;
use arroba_core::crypto::{PublicKey, base58_decode};
use thiserror::Error;

/// The most bytes of DAG-CBOR that a directory accepts in an operation. (The specification says 7500; the public
/// directory has always refused more than this.)
pub const MAX_OPERATION_BYTES: usize = 4000;

/// Which limit an operation exceeds.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LimitError {
    /// Longer than [`MAX_OPERATION_BYTES`].
    #[error("operation has {0} bytes, more than {MAX_OPERATION_BYTES}")]
    Bytes(usize),
    /// More entries than allowed, 10 of each kind; of rotation keys, for new operations, 1 to 5.
    #[error("wrong number of entries in {0}")]
    Entries(&'static str),
    /// An id or a text is too long.
    #[error("text is too long in {0}")]
    Length(&'static str),
    /// An entry that comes twice.
    #[error("entry comes twice in {0}")]
    Duplicate(&'static str),
    /// A key of no acceptable kind.
    #[error("unacceptable key in {0}")]
    Key(&'static str),
}

/// The directory's limits.
pub(super) fn check(state: &State, bytes: usize) -> Result<(), LimitError> {
    if bytes > MAX_OPERATION_BYTES {
        return Err(LimitError::Bytes(bytes));
    }
    for (name, count) in [
        ("alsoKnownAs", state.also_known_as.len()),
        ("rotationKeys", state.rotation_keys.len()),
        ("services", state.services.len()),
        ("verificationMethods", state.verification_methods.len()),
    ] {
        if count > 10 {
            return Err(LimitError::Entries(name));
        }
    }
    let too_long = |texts: &[(&str, usize)]| texts.iter().any(|(text, most)| text.len() > *most);
    for (index, alias) in state.also_known_as.iter().enumerate() {
        if too_long(&[(alias, 258)]) {
            return Err(LimitError::Length("alsoKnownAs"));
        }
        if state.also_known_as[..index].contains(alias) {
            return Err(LimitError::Duplicate("alsoKnownAs"));
        }
    }
    if state.rotation_keys.iter().any(|key| PublicKey::from_did_key(key).is_err()) {
        return Err(LimitError::Key("rotationKeys"));
    }
    for (id, service) in &state.services {
        if too_long(&[(id, 32), (&service.kind, 256), (&service.endpoint, 512)]) {
            return Err(LimitError::Length("services"));
        }
    }
    for (id, key) in &state.verification_methods {
        if too_long(&[(id, 32), (key, 256)]) {
            return Err(LimitError::Length("verificationMethods"));
        }
        // Of any kind, also ones that nobody here knows.
        let bytes = key.strip_prefix("did:key:z").and_then(|digits| base58_decode(digits).ok());
        if bytes.is_none_or(|bytes| bytes.is_empty()) {
            return Err(LimitError::Key("verificationMethods"));
        }
    }
    Ok(())
}

/// What the specification demands of new operations beyond the directory's limits.
pub(super) fn check_new(state: &State, bytes: usize) -> Result<(), LimitError> {
    check(state, bytes)?;
    let keys = &state.rotation_keys;
    if !(1..=5).contains(&keys.len()) {
        return Err(LimitError::Entries("rotationKeys"));
    }
    if keys.iter().enumerate().any(|(index, key)| keys[..index].contains(key)) {
        return Err(LimitError::Duplicate("rotationKeys"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plc::Service;
    use arroba_core::{
        crypto::{Curve, PrivateKey, Signer as _},
        handle,
    };

    fn keys(count: u8) -> Vec<PublicKey> {
        (1..=count)
            .map(|byte| PrivateKey::from_bytes(Curve::K256, &[byte; 32]).unwrap().public_key())
            .collect()
    }

    fn state(rotation_keys: u8) -> State {
        State::account(keys(rotation_keys), &keys(1)[0], &handle!("a.test"), "https://pds.test")
    }

    #[test]
    fn numbers_of_rotation_keys() {
        for (count, new, old) in [
            (0, false, true),
            (1, true, true),
            (5, true, true),
            (6, false, true),
            (10, false, true),
            (11, false, false),
        ] {
            assert_eq!(check_new(&state(count), 100).is_ok(), new, "{count}");
            assert_eq!(check(&state(count), 100).is_ok(), old, "{count}");
        }
        let mut twice = state(1);
        twice.rotation_keys.push(twice.rotation_keys[0].clone());
        assert_eq!(check_new(&twice, 100), Err(LimitError::Duplicate("rotationKeys")));
        assert_eq!(check(&twice, 100), Ok(()));
    }

    #[test]
    fn everything_else() {
        type Change = fn(&mut State);
        let cases: [(Change, LimitError); 10] = [
            (
                |s| s.also_known_as = (0..11).map(|n| format!("at://{n}")).collect(),
                LimitError::Entries("alsoKnownAs"),
            ),
            (|s| s.also_known_as.push("x".repeat(259)), LimitError::Length("alsoKnownAs")),
            (|s| s.also_known_as.push("at://a.test".into()), LimitError::Duplicate("alsoKnownAs")),
            (
                |s| s.rotation_keys.push("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK".into()),
                LimitError::Key("rotationKeys"),
            ),
            (
                |s| {
                    s.services.extend(
                        (0..10).map(|n| (n.to_string(), Service { kind: "t".into(), endpoint: "e".into() })),
                    )
                },
                LimitError::Entries("services"),
            ),
            (
                |s| {
                    s.services.insert("x".repeat(33), Service { kind: "t".into(), endpoint: "e".into() });
                },
                LimitError::Length("services"),
            ),
            (
                |s| {
                    s.services.insert("x".into(), Service { kind: "t".into(), endpoint: "e".repeat(513) });
                },
                LimitError::Length("services"),
            ),
            (
                |s| {
                    s.verification_methods.insert("x".into(), "did:key:x".into());
                },
                LimitError::Key("verificationMethods"),
            ),
            (
                |s| {
                    s.verification_methods.insert("x".into(), "did:key:z".into());
                },
                LimitError::Key("verificationMethods"),
            ),
            (
                |s| {
                    s.verification_methods.insert("x".repeat(33), "did:key:z1".into());
                },
                LimitError::Length("verificationMethods"),
            ),
        ];
        for (change, error) in cases {
            let mut state = state(1);
            change(&mut state);
            assert_eq!(check(&state, 100), Err(error));
        }
        let mut other = state(1);
        other
            .verification_methods
            .insert("x".into(), "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK".into());
        assert_eq!(check(&other, MAX_OPERATION_BYTES), Ok(()));
        assert_eq!(check(&other, MAX_OPERATION_BYTES + 1), Err(LimitError::Bytes(4001)));
    }
}
