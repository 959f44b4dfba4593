//! Base58 with the Bitcoin alphabet: the encoding of `did:key` and of multibase prefix `z`.

use thiserror::Error;

const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// The longest text that is decoded, in characters: the work grows with the square of the length.
const MAX_CHARS: usize = 256;

const DIGITS: [u8; 128] = {
    let mut digits = [u8::MAX; 128];
    let mut digit = 0;
    while digit < ALPHABET.len() {
        digits[ALPHABET[digit] as usize] = digit as u8;
        digit += 1;
    }
    digits
};

/// Why a base58 text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Base58Error {
    /// A character outside of the alphabet.
    #[error("character outside of the base58 alphabet")]
    Character,
    /// More than 256 characters.
    #[error("base58 text is longer than {MAX_CHARS} characters")]
    TooLong,
}

/// Encodes bytes, without a multibase prefix.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    // Digits of the number in base 58, least significant first.
    let mut digits: Vec<u8> = Vec::with_capacity(bytes.len() * 7 / 5 + 1);
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += u32::from(*digit) << 8;
            *digit = (carry % 58) as u8;
            carry /= 58;
        }
        while carry > 0 {
            digits.push((carry % 58) as u8);
            carry /= 58;
        }
    }
    let leading = std::iter::repeat_n('1', zeros);
    leading.chain(digits.iter().rev().map(|digit| char::from(ALPHABET[usize::from(*digit)]))).collect()
}

/// Decodes a text of at most 256 characters, without a multibase prefix.
///
/// # Errors
/// When the text is longer, or holds a character outside of the alphabet.
pub fn decode(text: &str) -> Result<Vec<u8>, Base58Error> {
    if text.len() > MAX_CHARS {
        return Err(Base58Error::TooLong);
    }
    let zeros = text.bytes().take_while(|byte| *byte == b'1').count();
    // Bytes of the number, least significant first.
    let mut bytes: Vec<u8> = Vec::with_capacity(text.len());
    for character in text.bytes() {
        let digit = DIGITS.get(usize::from(character)).copied().filter(|digit| *digit != u8::MAX);
        let mut carry = u32::from(digit.ok_or(Base58Error::Character)?);
        for byte in &mut bytes {
            carry += u32::from(*byte) * 58;
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        if carry > 0 {
            bytes.push(carry as u8);
        }
    }
    bytes.resize(bytes.len() + zeros, 0);
    bytes.reverse();
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_texts() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"\0", "1"),
            (b"\0\0a", "112g"),
            (b"Hello World!", "2NEpo7TZRRrLZSi2U"),
            (b"\0\0\x28\x7f\xb4\xcd", "11233QC4"),
        ] {
            assert_eq!(encode(bytes), text);
            assert_eq!(decode(text).unwrap(), bytes);
        }
    }

    #[test]
    fn refusals() {
        for text in ["0", "O", "I", "l", "z ", "\u{e9}", "a\n"] {
            assert_eq!(decode(text), Err(Base58Error::Character), "{text:?}");
        }
        assert_eq!(decode(&"2".repeat(257)), Err(Base58Error::TooLong));
        assert!(decode(&"2".repeat(256)).is_ok());
    }

    proptest! {
        #[test]
        fn round_trip(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(decode(&encode(&bytes)).unwrap(), bytes);
        }
    }
}
