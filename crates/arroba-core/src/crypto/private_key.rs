use super::{Curve, KeyError, PublicKey, Signature, blinding, public_key::digest};
use aws_lc_rs::{
    agreement,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use std::{fmt, sync::OnceLock};
use zeroize::{Zeroize, Zeroizing};

/// Whatever can sign with one key: a key in memory, or a key that never leaves its hardware.
pub trait Signer: Send + Sync {
    /// The key that verifies what [`sign`](Self::sign) signs.
    fn public_key(&self) -> PublicKey;

    /// Signs the message's SHA-256; low-S.
    fn sign(&self, message: &[u8]) -> Signature;
}

/// A private key on one of the two curves. Wiped from memory when dropped; never shown by `Debug`.
///
/// On K-256 the same message always gives the same signature (RFC 6979). On P-256 the signature's nonce comes
/// from the system, and with it the one piece of randomness in this crate.
pub struct PrivateKey {
    secret: Secret,
    // Deriving it costs as much as a signature, and most keys are loaded to sign once.
    public: OnceLock<PublicKey>,
}

enum Secret {
    K256(Zeroizing<[u8; 32]>),
    P256 { scalar: Zeroizing<[u8; 32]>, pair: Box<EcdsaKeyPair> },
}

impl PrivateKey {
    /// Takes the key's 32 bytes, a big-endian scalar. For a new key the caller supplies 32 random bytes.
    ///
    /// # Errors
    /// [`KeyError::Scalar`] when the scalar is zero or not below the curve's order. Random bytes meet this
    /// about once in 2^32 keys on P-256, and practically never on K-256; take fresh ones then.
    pub fn from_bytes(curve: Curve, bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let scalar = Zeroizing::new(*bytes);
        match curve {
            Curve::K256 => {
                secret_key(&scalar)?.non_secure_erase();
                Ok(Self { secret: Secret::K256(scalar), public: OnceLock::new() })
            }
            Curve::P256 => {
                let invalid = KeyError::Scalar(curve);
                let public = agreement::PrivateKey::from_private_key(&agreement::ECDH_P256, &scalar[..])
                    .map_err(|_| invalid.clone())?
                    .compute_public_key()
                    .map_err(|_| invalid.clone())?;
                let pair = EcdsaKeyPair::from_private_key_and_public_key(
                    &ECDSA_P256_SHA256_FIXED_SIGNING,
                    &scalar[..],
                    public.as_ref(),
                )
                .map_err(|_| invalid)?;
                let public = PublicKey::from_bytes(curve, public.as_ref())?;
                let secret = Secret::P256 { scalar, pair: Box::new(pair) };
                Ok(Self { secret, public: OnceLock::from(public) })
            }
        }
    }

    /// Makes a new key from the caller's source of cryptographic randomness.
    ///
    /// # Errors
    /// Whatever the source returns. A source that keeps giving invalid scalars (zeros, say) gives
    /// [`KeyError::Scalar`], converted.
    pub fn generate<E: From<KeyError>>(
        curve: Curve,
        mut fill: impl FnMut(&mut [u8; 32]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut bytes = Zeroizing::new([0; 32]);
        for _ in 0..8 {
            fill(&mut bytes)?;
            if let Ok(key) = Self::from_bytes(curve, &bytes) {
                return Ok(key);
            }
        }
        Err(KeyError::Scalar(curve).into())
    }

    /// The key whose scalar is this number: always the same, and known to everybody who can count. For tests and
    /// examples only; a key that protects anything comes from [`generate`](Self::generate).
    ///
    /// # Errors
    /// [`KeyError::Scalar`] for zero.
    pub fn from_seed(curve: Curve, seed: u128) -> Result<Self, KeyError> {
        let mut scalar = [0; 32];
        scalar[16..].copy_from_slice(&seed.to_be_bytes());
        Self::from_bytes(curve, &scalar)
    }

    /// Reads 64 hexadecimal digits, as operators' settings hold them.
    ///
    /// # Errors
    /// [`KeyError::Hex`] or [`KeyError::Scalar`].
    pub fn from_hex(curve: Curve, digits: &str) -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        if digits.len() != 64 {
            return Err(KeyError::Hex);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            for digit in pair {
                let value = char::from(*digit).to_digit(16).ok_or(KeyError::Hex)?;
                *byte = *byte << 4 | value as u8;
            }
        }
        Self::from_bytes(curve, &bytes)
    }

    /// The key's 32 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        match &self.secret {
            Secret::K256(scalar) | Secret::P256 { scalar, .. } => scalar.clone(),
        }
    }

    /// The key's bytes as 64 hexadecimal digits, in lower case.
    #[must_use]
    pub fn to_hex(&self) -> Zeroizing<String> {
        let mut digits = Zeroizing::new(String::with_capacity(64));
        let mut bytes = self.to_bytes();
        for byte in bytes.iter() {
            for digit in [byte >> 4, byte & 15] {
                digits.push(char::from(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }));
            }
        }
        bytes.zeroize();
        digits
    }

    /// The key's curve.
    #[must_use]
    pub const fn curve(&self) -> Curve {
        match self.secret {
            Secret::K256(_) => Curve::K256,
            Secret::P256 { .. } => Curve::P256,
        }
    }
}

impl Signer for PrivateKey {
    fn public_key(&self) -> PublicKey {
        let derive = || {
            let mut key = secret_key(&self.to_bytes()).expect("the scalar was checked in the constructor");
            let public = key.public_key(blinding::context()).serialize();
            key.non_secure_erase();
            PublicKey::from_bytes(Curve::K256, &public).expect("a private key's public key is a point")
        };
        // On P-256 the constructor has filled it.
        self.public.get_or_init(derive).clone()
    }

    fn sign(&self, message: &[u8]) -> Signature {
        match &self.secret {
            Secret::K256(scalar) => {
                let mut key = secret_key(scalar).expect("the scalar was checked in the constructor");
                // RFC 6979 and low-S are what the library always does.
                let signature = blinding::context().sign_ecdsa(digest(message), &key);
                key.non_secure_erase();
                Signature::from_bytes(signature.serialize_compact())
            }
            Secret::P256 { pair, .. } => {
                let signature = pair
                    .sign(&SystemRandom::new(), message)
                    .expect("signing with a valid pair fails only without memory");
                let signature = Signature::from_slice(signature.as_ref());
                signature.expect("the fixed form has 64 bytes").to_low_s(Curve::P256)
            }
        }
    }
}

fn secret_key(scalar: &[u8; 32]) -> Result<secp256k1::SecretKey, KeyError> {
    secp256k1::SecretKey::from_byte_array(*scalar).map_err(|_| KeyError::Scalar(Curve::K256))
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PrivateKey").field("curve", &self.curve()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SignatureError;

    fn key(curve: Curve) -> PrivateKey {
        PrivateKey::from_bytes(curve, &[0x42; 32]).unwrap()
    }

    #[test]
    fn signs_low_s_and_verifies() {
        for curve in [Curve::K256, Curve::P256] {
            let key = key(curve);
            let public = key.public_key();
            assert_eq!(public.curve(), curve);
            for index in 0..64_u8 {
                let signature = key.sign(&[index]);
                assert!(signature.is_low_s(curve));
                public.verify(&[index], &signature).unwrap();
                public.verify_jwt(&[index], &signature).unwrap();
                assert_eq!(public.verify(&[index, 0], &signature), Err(SignatureError::Mismatch));
            }
        }
    }

    #[test]
    fn k256_is_deterministic() {
        assert_eq!(key(Curve::K256).sign(b"message"), key(Curve::K256).sign(b"message"));
    }

    #[test]
    fn refuses_what_is_no_signature() {
        for curve in [Curve::K256, Curve::P256] {
            let public = key(curve).public_key();
            let good = key(curve).sign(b"x").to_bytes();
            let mut zero_r = good;
            zero_r[..32].fill(0);
            let mut zero_s = good;
            zero_s[32..].fill(0);
            let mut big_r = good;
            big_r[..32].fill(0xff);
            for bytes in [[0; 64], [0xff; 64], zero_r, zero_s, big_r] {
                let signature = Signature::from_bytes(bytes);
                assert!(public.verify(b"x", &signature).is_err());
                assert!(public.verify_jwt(b"x", &signature).is_err());
            }
            assert_eq!(Signature::from_slice(&good[..63]), Err(SignatureError::Length(63)));
        }
    }

    #[test]
    fn high_s_passes_in_tokens_only() {
        for (curve, order) in [
            (Curve::K256, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"),
            (Curve::P256, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
        ] {
            let key = key(curve);
            let low = key.sign(b"x").to_bytes();
            let mut high = low;
            let mut borrow = 0_i16;
            for index in (0..32).rev() {
                let digit = i16::from(u8::from_str_radix(&order[2 * index..2 * index + 2], 16).unwrap());
                let value = digit - i16::from(low[32 + index]) - borrow;
                borrow = i16::from(value < 0);
                high[32 + index] = (value & 0xff) as u8;
            }
            let high = Signature::from_bytes(high);
            assert_eq!(key.public_key().verify(b"x", &high), Err(SignatureError::HighS));
            key.public_key().verify_jwt(b"x", &high).unwrap();
        }
    }

    #[test]
    fn scalars_are_checked() {
        for curve in [Curve::K256, Curve::P256] {
            for bytes in [[0; 32], [0xff; 32]] {
                assert!(matches!(PrivateKey::from_bytes(curve, &bytes), Err(KeyError::Scalar(_))));
            }
            let mut calls = 0;
            let key = PrivateKey::generate(curve, |bytes| {
                bytes.fill(calls);
                calls += 1;
                Ok::<(), KeyError>(())
            });
            assert_eq!(*key.unwrap().to_bytes(), [1; 32]);
        }
    }

    #[test]
    fn hex_round_trip() {
        let key = key(Curve::P256);
        assert_eq!(*key.to_hex(), "42".repeat(32));
        let again = PrivateKey::from_hex(Curve::P256, &"42".repeat(32)).unwrap();
        assert_eq!(again.public_key(), key.public_key());
        for bad in ["", "42", &"4g".repeat(32), &"\u{e9}".repeat(32), &"+4".repeat(32)] {
            assert_eq!(PrivateKey::from_hex(Curve::K256, bad).unwrap_err(), KeyError::Hex);
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", key(Curve::K256)), "PrivateKey { curve: K256, .. }");
    }
}
