//! The key under which contents of Secrets have fingerprints.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::policy::fingerprint::Fingerprint;

/// Sets the id apart from all else that is made of the key.
const LABEL: &[u8] = b"keyreeve fingerprint key id";

/// 32 random bytes, wiped when dropped. Who has them and the fingerprints can try passwords as
/// fast as SHA-256 goes: they are to be kept like the passwords themselves.
pub struct FingerprintKey(Zeroizing<[u8; Self::LEN]>);

impl FingerprintKey {
    /// How many bytes a key has.
    pub const LEN: usize = 32;

    /// A new one.
    pub fn generate(random: &mut impl CryptoRng) -> Self {
        let mut key = Zeroizing::new([0; Self::LEN]);
        random.fill_bytes(key.as_mut());
        Self(key)
    }

    /// One that was kept; none unless it has exactly [`Self::LEN`] bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0; Self::LEN]);
        if bytes.len() != key.len() {
            return None;
        }
        key.copy_from_slice(bytes);
        Some(Self(key))
    }

    /// To keep it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Which key it is: 8 hexadecimal digits, from which nobody learns the key.
    #[must_use]
    pub fn id(&self) -> String {
        let digest = Sha256::new().chain_update(LABEL).chain_update(self.0.as_slice()).finalize();
        base16ct::lower::encode_string(&digest[..4])
    }

    /// The fingerprint of a user's password, which is of this user alone: another one with the
    /// same password has another.
    #[must_use]
    pub fn of(&self, tenant_id: &str, username: &str, password: &str) -> Fingerprint {
        // RFC 2104: a key shorter than a block is filled up with zeros.
        let mut block = Zeroizing::new([0; 64]);
        block[..Self::LEN].copy_from_slice(self.0.as_slice());
        let mut hmac = Hmac::<Sha256>::new((&*block).into());
        for part in [tenant_id, username, password] {
            // With its length before it no part runs into the next.
            hmac.update(&(part.len() as u64).to_be_bytes());
            hmac.update(part.as_bytes());
        }
        Fingerprint::new(&self.id(), &hmac.finalize().into_bytes())
    }
}

/// Says nothing but which key it is.
impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FingerprintKey").field(&self.id()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    fn key() -> FingerprintKey {
        let bytes: Vec<u8> = (0..32).collect();
        FingerprintKey::from_bytes(&bytes).unwrap()
    }

    fn text(fingerprint: &Fingerprint) -> String {
        serde_json::to_value(fingerprint).unwrap().as_str().unwrap().to_owned()
    }

    /// As Python's hmac and hashlib compute it.
    #[test]
    fn a_fingerprint_is_the_hmac_of_all_parts_under_the_key() {
        assert_eq!(
            text(&key().of("acme", "jane", "gehe1m ß")),
            "4ac5380d:9c21eca832d1f7d3e1f58270abafdb475ae6bfec2db81461035650fa5f4bbb52"
        );
        assert_eq!(key().id(), "4ac5380d");
        assert_eq!(key().of("acme", "jane", "x").key_id(), "4ac5380d");
    }

    #[test]
    fn users_with_one_password_have_different_fingerprints() {
        let other = FingerprintKey::generate(&mut StdRng::seed_from_u64(1));
        let distinct: BTreeSet<_> = [
            key().of("acme", "jane", "password"),
            key().of("acme", "john", "password"),
            key().of("acme", "jane", "passwore"),
            key().of("other", "jane", "password"),
            // Nor does one part run into the next.
            key().of("acmej", "ane", "password"),
            key().of("acme", "janep", "assword"),
            key().of("", "acmejane", "password"),
            other.of("acme", "jane", "password"),
        ]
        .iter()
        .map(text)
        .collect();
        assert_eq!(distinct.len(), 8);
        assert_eq!(key().of("acme", "jane", "x"), key().of("acme", "jane", "x"));
    }

    #[test]
    fn a_key_is_kept_as_its_bytes_and_shows_its_id_alone() {
        let made = FingerprintKey::generate(&mut StdRng::seed_from_u64(1));
        let kept = FingerprintKey::from_bytes(made.as_bytes()).unwrap();
        assert_eq!(kept.of("t", "u", "p"), made.of("t", "u", "p"));
        let another = FingerprintKey::generate(&mut StdRng::seed_from_u64(2));
        assert_ne!(made.as_bytes(), another.as_bytes());
        assert_ne!(made.id(), another.id());
        for length in [0, 31, 33, 64] {
            assert!(FingerprintKey::from_bytes(&vec![7; length]).is_none(), "{length}");
        }
        assert_eq!(format!("{:?}", key()), "FingerprintKey(\"4ac5380d\")");
    }
}
