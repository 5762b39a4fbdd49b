//! Makes signing keys, and reads the public half out of private ones.
//!
//! Slow and blocking: an RSA key takes a tenth of a second to some seconds.
//! Never on an async thread ([`super::Keystores::generate`]).
//!
//! RUSTSEC-2023-0071 is about the timing of private-key operations of the `rsa`
//! crate: here it generates keys, encodes and decodes them; nothing signs or decrypts with it.

use std::fmt;

use ed25519_dalek::pkcs8::KeypairBytes;
use getrandom::SysRng;
use p256::elliptic_curve::{Generate as _, sec1::ToSec1Point as _};
use rand_core::UnwrapErr;
use rsa::{
    RsaPrivateKey,
    pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, LineEnding},
};
use zeroize::{Zeroize as _, Zeroizing};

use super::jwk;
use crate::{
    api::{Algorithm, Jwk},
    policy::ledger::KeyType,
};

/// A private key, with its public half. The private half is wiped when it is dropped.
pub struct PrivateKey {
    /// PKCS#8 in PEM.
    pem: Zeroizing<String>,
    jwk: Jwk,
}

/// A key could not be made.
#[derive(Debug, thiserror::Error)]
#[error("a key could not be made: {0}")]
pub struct GenerateError(pub(super) String);

impl PrivateKey {
    /// Makes a new key from the operating system's random numbers.
    pub fn generate(key_type: KeyType) -> Result<Self, GenerateError> {
        let KeyType { algorithm, size } = key_type;
        let failed = |error: &dyn fmt::Display| GenerateError(error.to_string());
        // Where the system has no random numbers there is nothing to go on with: it breaks off.
        let mut random = UnwrapErr(SysRng);
        let (pem, jwk) = match algorithm {
            Algorithm::RS256
            | Algorithm::RS384
            | Algorithm::RS512
            | Algorithm::PS256
            | Algorithm::PS384
            | Algorithm::PS512 => {
                let bits = size.try_into().map_err(|error| failed(&error))?;
                let key = RsaPrivateKey::new(&mut random, bits).map_err(|error| failed(&error))?;
                (key.to_pkcs8_pem(LineEnding::LF), jwk::of_rsa(&key.to_public_key(), algorithm))
            }
            Algorithm::ES256 => {
                let key = p256::SecretKey::generate_from_rng(&mut random);
                let point = key.public_key().to_sec1_point(false);
                (key.to_pkcs8_pem(LineEnding::LF), jwk::of_point(point.as_bytes(), algorithm))
            }
            Algorithm::ES384 => {
                let key = p384::SecretKey::generate_from_rng(&mut random);
                let point = key.public_key().to_sec1_point(false);
                (key.to_pkcs8_pem(LineEnding::LF), jwk::of_point(point.as_bytes(), algorithm))
            }
            Algorithm::EdDSA => {
                let mut secret_key = [0; 32];
                getrandom::fill(&mut secret_key).map_err(|error| failed(&error))?;
                let key = ed25519_dalek::SigningKey::from_bytes(&secret_key);
                // Without the public half (RFC 5958 has a place for it): OpenSSL before 3.5 does not read that.
                let mut bytes = KeypairBytes { secret_key, public_key: None };
                let pem = bytes.to_pkcs8_pem(LineEnding::LF);
                bytes.secret_key.zeroize();
                secret_key.zeroize();
                (pem, jwk::of_ed25519(&key.verifying_key()))
            }
        };
        Ok(Self { pem: pem.map_err(|error| failed(&error))?, jwk })
    }

    /// The public half.
    #[must_use]
    pub const fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// The private half: PKCS#8 in PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }
}

/// Says nothing of the private half.
impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("kid", &self.jwk.kid).finish_non_exhaustive()
    }
}

/// The kid of a private key in PEM; none if it is not a key of this algorithm.
///
/// What the libraries say of a key that they cannot read is not passed on.
pub(super) fn kid_of(pem: &str, alg: &str) -> Option<String> {
    let jwk = if alg.starts_with("RS") || alg.starts_with("PS") {
        jwk::of_rsa(&RsaPrivateKey::from_pkcs8_pem(pem).ok()?.to_public_key(), Algorithm::RS256)
    } else if alg == Algorithm::ES256.as_str() {
        let key = p256::SecretKey::from_pkcs8_pem(pem).ok()?;
        jwk::of_point(key.public_key().to_sec1_point(false).as_bytes(), Algorithm::ES256)
    } else if alg == Algorithm::ES384.as_str() {
        let key = p384::SecretKey::from_pkcs8_pem(pem).ok()?;
        jwk::of_point(key.public_key().to_sec1_point(false).as_bytes(), Algorithm::ES384)
    } else {
        jwk::of_ed25519(&ed25519_dalek::SigningKey::from_pkcs8_pem(pem).ok()?.verifying_key())
    };
    Some(jwk.kid)
}

#[cfg(test)]
#[path = "generate_tests.rs"]
mod tests;
