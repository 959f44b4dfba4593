use super::{Curve, SignatureError};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::fmt;

/// An ECDSA signature: 64 bytes `r || s`, both big-endian.
///
/// The curve is the key's; nothing here says whether the signature is valid, or low-S.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; 64]);

type Scalar = [u8; 32];

const ORDER_K256: Scalar = hex32(b"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
const ORDER_P256: Scalar = hex32(b"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
const HALF_K256: Scalar = hex32(b"7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0");
const HALF_P256: Scalar = hex32(b"7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8");

impl Signature {
    /// Takes the 64 bytes as they are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// Takes 64 bytes as they are.
    ///
    /// # Errors
    /// [`SignatureError::Length`] for any other length.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, SignatureError> {
        bytes.try_into().map(Self).map_err(|_| SignatureError::Length(bytes.len()))
    }

    /// The 64 bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 64] {
        self.0
    }

    /// The 64 bytes, borrowed.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// The form in PLC operations and tokens: base64url without padding, 86 characters.
    #[must_use]
    pub fn to_base64url(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Reads base64url strictly: no padding, no line breaks, no stray bits behind the last byte.
    ///
    /// # Errors
    /// [`SignatureError::Length`] for a text of other than 86 characters, [`SignatureError::Encoding`] for any
    /// other that is not that.
    pub fn from_base64url(text: &str) -> Result<Self, SignatureError> {
        if text.len() != 86 {
            return Err(SignatureError::Length(text.len() * 3 / 4));
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| SignatureError::Encoding)?;
        Self::from_slice(&bytes)
    }

    /// Whether `s` is at most half of the curve's order.
    #[must_use]
    pub fn is_low_s(&self, curve: Curve) -> bool {
        let half = match curve {
            Curve::K256 => &HALF_K256,
            Curve::P256 => &HALF_P256,
        };
        self.0[32..] <= half[..]
    }

    /// The equivalent signature in low-S form.
    #[must_use]
    pub fn to_low_s(self, curve: Curve) -> Self {
        if self.is_low_s(curve) {
            return self;
        }
        let order = match curve {
            Curve::K256 => &ORDER_K256,
            Curve::P256 => &ORDER_P256,
        };
        // An `s` at or above the order wraps around here; it stays invalid, as `r` and the message decide.
        let mut bytes = self.0;
        let mut borrow = false;
        for index in (0..32).rev() {
            let (difference, below) = order[index].overflowing_sub(self.0[32 + index]);
            let (difference, again) = difference.overflowing_sub(u8::from(borrow));
            bytes[32 + index] = difference;
            borrow = below || again;
        }
        if borrow { self } else { Self(bytes) }
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Signature({})", self.to_base64url())
    }
}

const fn hex32(digits: &[u8; 64]) -> Scalar {
    let mut bytes = [0; 32];
    let mut index = 0;
    while index < 64 {
        let digit = digits[index];
        let value = if digit.is_ascii_digit() { digit - b'0' } else { digit - b'a' + 10 };
        bytes[index / 2] = bytes[index / 2] << 4 | value;
        index += 1;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_s(s: Scalar) -> Signature {
        let mut bytes = [1; 64];
        bytes[32..].copy_from_slice(&s);
        Signature(bytes)
    }

    #[test]
    fn the_bound_is_inclusive() {
        for (curve, half, order) in
            [(Curve::K256, HALF_K256, ORDER_K256), (Curve::P256, HALF_P256, ORDER_P256)]
        {
            assert!(with_s(half).is_low_s(curve));
            let mut above = half;
            above[31] += 1;
            assert!(!with_s(above).is_low_s(curve));
            // The orders are odd, so that half + 1 negates to half.
            assert_eq!(with_s(above).to_low_s(curve), with_s(half));
            let mut top = order;
            top[31] -= 1;
            let mut one = [0; 32];
            one[31] = 1;
            assert_eq!(with_s(top).to_low_s(curve), with_s(one));
            assert_eq!(with_s([0xff; 32]).to_low_s(curve), with_s([0xff; 32]));
        }
    }

    #[test]
    fn base64url_is_strict() {
        let text = Signature([7; 64]).to_base64url();
        assert_eq!(text.len(), 86);
        assert_eq!(Signature::from_base64url(&text), Ok(Signature([7; 64])));
        for bad in [
            format!("{text}=="),
            format!("{text}\n"),
            text.replacen('B', "+", 1),
            format!("{}x", &text[..85]),
            String::new(),
        ] {
            assert!(Signature::from_base64url(&bad).is_err(), "{bad:?}");
        }
    }
}
