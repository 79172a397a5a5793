//! The registry's own signature: clients verify with it that a version is as this house took it.
//!
//! One key a house, made by whichever process opens it first and shared through the database.
//! A format hands over what is to be signed and is shown the public half.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::fault::Fault;

/// The fact about the house that holds the private key.
pub(crate) const SETTING: &str = "signing-key";

/// A private key as the database keeps it: PKCS #8 in base64. It cannot be printed.
pub(crate) struct PrivateKey(String);

impl PrivateKey {
    /// A key that nobody has yet.
    ///
    /// # Errors
    /// [`Fault::Internal`] when the system has no randomness.
    pub(crate) fn generate() -> Result<Self, Fault> {
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
                .map_err(Fault::internal)?;
        Ok(Self(STANDARD.encode(document.as_ref())))
    }

    /// The key that the database holds.
    pub(crate) fn kept(text: String) -> Self {
        Self(text)
    }

    /// The text, for the database alone.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

/// Signs with the house's key, which it does not show. Cheap to clone.
#[derive(Clone)]
pub struct Signer(Arc<Pair>);

struct Pair {
    secret: EcdsaKeyPair,
    public: PublicKey,
}

/// The public half of a key: ECDSA on the curve P-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    point: Box<[u8]>,
    spki: Box<[u8]>,
}

impl Signer {
    /// A signer with a key of its own that is kept nowhere, for whoever has no house.
    ///
    /// # Errors
    /// [`Fault::Internal`] when the system has no randomness.
    pub fn ephemeral() -> Result<Self, Fault> {
        Self::new(&PrivateKey::generate()?)
    }

    /// # Errors
    /// [`Fault::Internal`] for a text that is no key.
    pub(crate) fn new(key: &PrivateKey) -> Result<Self, Fault> {
        let bytes = STANDARD.decode(key.reveal()).map_err(Fault::internal)?;
        let secret = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &bytes)
            .map_err(Fault::internal)?;
        let key = secret.public_key();
        let spki: PublicKeyX509Der<'_> = key.as_der().map_err(Fault::internal)?;
        let public = PublicKey {
            point: key.as_ref().into(),
            spki: spki.as_ref().into(),
        };
        Ok(Self(Arc::new(Pair { secret, public })))
    }

    /// Signs with SHA-256; the signature is ASN.1 in DER.
    ///
    /// # Errors
    /// [`Fault::Internal`] when the library fails.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Fault> {
        let signature = self
            .0
            .secret
            .sign(&SystemRandom::new(), message)
            .map_err(Fault::internal)?;
        Ok(signature.as_ref().to_vec())
    }

    /// What verifies it.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.0.public
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signer").field(self.public_key()).finish()
    }
}

impl PublicKey {
    /// The point on the curve: `04`, x, y; 65 bytes.
    #[must_use]
    pub fn point(&self) -> &[u8] {
        &self.point
    }

    /// The `SubjectPublicKeyInfo` of X.509 in DER, 91 bytes.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

    use super::*;

    #[test]
    fn a_signature_holds_for_its_message_and_its_key_alone() {
        let signer = Signer::ephemeral().unwrap();
        let signature = signer.sign(b"message").unwrap();
        let verify = |signer: &Signer, message: &[u8]| {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, signer.public_key().spki())
                .verify(message, &signature)
        };
        assert!(verify(&signer, b"message").is_ok());
        assert!(verify(&signer, b"messagf").is_err());
        assert!(verify(&Signer::ephemeral().unwrap(), b"message").is_err());
    }

    #[test]
    fn a_kept_key_is_the_same_key() {
        let key = PrivateKey::generate().unwrap();
        let kept = PrivateKey::kept(key.reveal().to_owned());
        let (one, other) = (Signer::new(&key).unwrap(), Signer::new(&kept).unwrap());
        assert_eq!(one.public_key(), other.public_key());
        assert_eq!(one.public_key().spki().len(), 91);
        assert_eq!(one.public_key().point().len(), 65);
        assert!(one.public_key().spki().ends_with(one.public_key().point()));
        for text in ["", "AAAA", "no base64"] {
            assert!(Signer::new(&PrivateKey::kept(text.to_owned())).is_err());
        }
    }

    #[test]
    fn no_private_key_is_ever_printed() {
        let key = PrivateKey::generate().unwrap();
        let signer = Signer::new(&key).unwrap();
        assert_eq!(format!("{key:?}"), "PrivateKey(…)");
        assert!(!format!("{signer:?}").contains(key.reveal()));
        let printed = format!("{signer:?}");
        assert!(printed.starts_with("Signer(PublicKey {"), "{printed}");
    }
}
