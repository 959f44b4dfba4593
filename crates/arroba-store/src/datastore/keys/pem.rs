//! A private key as the PEM of a PKCS#8 document, for secp256k1 byte for byte as Python's `cryptography` writes it.

use arroba_core::crypto::{Curve, KeyError, PrivateKey, Signer};
use pkcs8::{
    AlgorithmIdentifierRef, ObjectIdentifier, PrivateKeyInfoRef, SecretDocument,
    der::{self, Decode, Encode, asn1::OctetStringRef, pem::LineEnding},
};
use sec1::{EcParameters, EcPrivateKey};
use zeroize::Zeroizing;

/// Writes a key: header, footer and a final line ending; 237 bytes on secp256k1. On P-256, which the Python library does not use but
/// reads, the public key is left out.
pub fn private_key_to_pem(key: &PrivateKey) -> Zeroizing<String> {
    encode(key).expect("a document of some hundred bytes can be encoded")
}

fn encode(key: &PrivateKey) -> Result<Zeroizing<String>, der::Error> {
    let scalar = key.to_bytes();
    let public = uncompressed(key);
    let public_key = public.as_ref().map(|bytes| &bytes[..]);
    let inner = EcPrivateKey { private_key: &scalar[..], parameters: None, public_key };
    let inner = Zeroizing::new(inner.to_der()?);
    let curve = oid(key.curve());
    let algorithm = AlgorithmIdentifierRef { oid: EC_PUBLIC_KEY, parameters: Some((&curve).into()) };
    let document = PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(&inner)?);
    SecretDocument::encode_msg(&document)?.to_pem(LABEL, LineEnding::LF)
}

/// Reads a key.
///
/// # Errors
/// [`PemError`] for anything but one unencrypted PKCS#8 key on secp256k1 or P-256, in DER.
pub fn private_key_from_pem(pem: &[u8]) -> Result<PrivateKey, PemError> {
    let text = std::str::from_utf8(pem).map_err(|_| PemError::Text)?;
    let (label, document) = SecretDocument::from_pem(text).map_err(PemError::Der)?;
    if label != LABEL {
        return Err(PemError::Label);
    }
    let info = PrivateKeyInfoRef::from_der(document.as_bytes()).map_err(PemError::Der)?;
    let named =
        info.algorithm.parameters.and_then(|parameters| parameters.decode_as::<ObjectIdentifier>().ok());
    let curve = [Curve::K256, Curve::P256].into_iter().find(|curve| named == Some(oid(*curve)));
    let curve = curve.filter(|_| info.algorithm.oid == EC_PUBLIC_KEY).ok_or(PemError::Curve)?;
    let inner = EcPrivateKey::from_der(info.private_key.as_bytes()).map_err(PemError::Der)?;
    if inner.parameters.is_some_and(|parameters| parameters != EcParameters::NamedCurve(oid(curve))) {
        return Err(PemError::Curve);
    }
    let scalar: &[u8; 32] =
        inner.private_key.try_into().map_err(|_| PemError::Length(inner.private_key.len()))?;
    let key = PrivateKey::from_bytes(curve, scalar).map_err(PemError::Key)?;
    // Whoever goes by the public key that is stored beside it must come to the same.
    if inner.public_key.is_some_and(|public| !belongs(public, &key)) {
        return Err(PemError::PublicKey);
    }
    Ok(key)
}

/// Whether an encoded point, in either form, is the key's.
fn belongs(public: &[u8], key: &PrivateKey) -> bool {
    let compressed = key.public_key().to_bytes();
    match public.split_first() {
        Some((4, point)) if point.len() == 64 => match uncompressed(key) {
            Some(full) => public == full,
            None => point[..32] == compressed[1..] && (point[63] & 1) == (compressed[0] & 1),
        },
        _ => public == compressed,
    }
}

/// The public key as 65 bytes: 4, x, y; on secp256k1 alone.
fn uncompressed(key: &PrivateKey) -> Option<[u8; 65]> {
    let bytes = (key.curve() == Curve::K256).then(|| key.public_key().to_bytes())?;
    secp256k1::PublicKey::from_slice(&bytes).ok().map(|point| point.serialize_uncompressed())
}

const fn oid(curve: Curve) -> ObjectIdentifier {
    match curve {
        Curve::K256 => ObjectIdentifier::new_unwrap("1.3.132.0.10"),
        Curve::P256 => ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
    }
}

/// Why a text is not the PEM of a private key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// Not UTF-8.
    #[error("not a text")]
    Text,
    /// A PEM document of something else.
    #[error("not labelled PRIVATE KEY")]
    Label,
    /// Malformed PEM or DER.
    #[error("malformed PEM or DER")]
    Der(#[source] der::Error),
    /// Another algorithm or curve.
    #[error("not a key on secp256k1 or P-256")]
    Curve,
    /// A scalar that is not 32 bytes.
    #[error("a scalar of {0} bytes")]
    Length(usize),
    /// A scalar that is no key.
    #[error("invalid key")]
    Key(#[source] KeyError),
    /// The public key beside the private one belongs to another.
    #[error("the public key belongs to another private key")]
    PublicKey,
}

const LABEL: &str = "PRIVATE KEY";
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

#[cfg(test)]
mod tests {
    use super::*;

    fn key(curve: Curve) -> PrivateKey {
        PrivateKey::from_bytes(curve, &[7; 32]).unwrap()
    }

    #[test]
    fn both_curves_come_back() {
        for (curve, length) in [(Curve::K256, 237), (Curve::P256, 148)] {
            let pem = private_key_to_pem(&key(curve));
            assert!(
                pem.starts_with("-----BEGIN PRIVATE KEY-----\n")
                    && pem.ends_with("-----END PRIVATE KEY-----\n")
            );
            assert_eq!(pem.len(), length);
            let again = private_key_from_pem(pem.as_bytes()).unwrap();
            assert_eq!((again.curve(), again.to_bytes()), (curve, key(curve).to_bytes()));
        }
    }

    /// The document of the text, changed, as a text again.
    fn changed(change: impl FnOnce(&mut Vec<u8>)) -> Result<PrivateKey, PemError> {
        let pem = private_key_to_pem(&key(Curve::K256));
        let (_, document) = SecretDocument::from_pem(&pem).unwrap();
        let mut bytes = document.as_bytes().to_vec();
        change(&mut bytes);
        let pem = der::pem::encode_string(LABEL, LineEnding::LF, &bytes).unwrap();
        private_key_from_pem(pem.as_bytes())
    }

    #[test]
    fn everything_else_is_refused() {
        changed(|_| ()).unwrap();
        // The last byte is of the public key; the scalar stands before it; the curve's OID is the bytes 19 to 23.
        assert_eq!(changed(|bytes| *bytes.last_mut().unwrap() ^= 1).unwrap_err(), PemError::PublicKey);
        assert_eq!(changed(|bytes| bytes[34] ^= 1).unwrap_err(), PemError::PublicKey);
        assert_eq!(changed(|bytes| bytes[22] ^= 1).unwrap_err(), PemError::Curve);
        assert!(matches!(changed(|bytes| bytes.push(0)), Err(PemError::Der(_))));
        assert!(matches!(changed(|bytes| bytes.truncate(100)), Err(PemError::Der(_))));
        assert!(matches!(changed(|bytes| bytes[33..65].fill(0)), Err(PemError::Key(_))));
        let pem = private_key_to_pem(&key(Curve::K256));
        assert_eq!(private_key_from_pem(&[0xff]).unwrap_err(), PemError::Text);
        let other = pem.replace("PRIVATE KEY", "EC PRIVATE KEY");
        assert_eq!(private_key_from_pem(other.as_bytes()).unwrap_err(), PemError::Label);
        for text in ["", "no key", &pem[1..], &pem.replace('M', "!"), &pem.replace("BEGIN", "BEG1N")] {
            assert!(matches!(private_key_from_pem(text.as_bytes()), Err(PemError::Der(_))), "{text}");
        }
    }
}
