//! RFC 4648 base32 in lower case without padding: the text form of CIDs and of did:plc identifiers.

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

const INVALID: u8 = 0xff;

const REVERSE: [u8; 256] = {
    let mut table = [INVALID; 256];
    let mut i = 0;
    while i < 32 {
        table[ALPHABET[i] as usize] = i as u8;
        i += 1;
    }
    table
};

/// Appends the base32 text of `bytes` to `out`.
pub fn encode_into(bytes: &[u8], out: &mut String) {
    out.reserve(bytes.len() * 8 / 5 + 1);
    for chunk in bytes.chunks(5) {
        let mut group = [0u8; 8];
        for (to, from) in group[3..].iter_mut().zip(chunk) {
            *to = *from;
        }
        let bits = u64::from_be_bytes(group);
        for i in 0..(chunk.len() * 8).div_ceil(5) {
            out.push(char::from(ALPHABET[(bits >> (35 - 5 * i)) as usize & 31]));
        }
    }
}

/// The base32 text of `bytes`.
pub fn encode(bytes: &[u8]) -> String {
    let mut out = String::new();
    encode_into(bytes, &mut out);
    out
}

/// The bytes of a base32 text; `None` for a character outside the alphabet, an impossible length, or
/// trailing bits that are not zero.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 5 / 8);
    let (mut bits, mut have) = (0u32, 0u32);
    for byte in text.bytes() {
        let value = REVERSE[usize::from(byte)];
        if value == INVALID {
            return None;
        }
        bits = bits << 5 | u32::from(value);
        have += 5;
        if have >= 8 {
            have -= 8;
            out.push((bits >> have) as u8);
            bits &= (1 << have) - 1;
        }
    }
    (have < 5 && bits == 0).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_texts() {
        for (bytes, text) in [
            ("", ""),
            ("f", "my"),
            ("fo", "mzxq"),
            ("foo", "mzxw6"),
            ("foob", "mzxw6yq"),
            ("fooba", "mzxw6ytb"),
        ] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()));
        }
    }

    #[test]
    fn refuses_what_encoding_never_yields() {
        for text in ["m", "mz", "MY", "my======", "m1", "mzx", "mzxw6y", "\u{e9}a"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
