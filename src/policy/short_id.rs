//! The short id of a tenant: twelve base-32 characters for people to read out,
//! in the form of the Interstellio tenant document (`YINI-PSQY-ITQB`).

use sha2::{Digest, Sha256};

/// RFC 4648, section 6.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// `XXXX-XXXX-XXXX`: the first 60 bits of SHA-256 of the tenant id.
#[must_use]
pub fn of(tenant_id: &str) -> String {
    let digest = Sha256::digest(tenant_id);
    let bits = digest.iter().take(8).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let characters: Vec<char> =
        (0..12).map(|index| ALPHABET[(bits >> (59 - 5 * index) & 31) as usize] as char).collect();
    characters.chunks(4).map(|chunk| chunk.iter().collect()).collect::<Vec<String>>().join("-")
}

#[cfg(test)]
mod tests {
    /// As `printf acme | openssl dgst -sha256 -binary | base32` writes it.
    #[test]
    fn is_the_head_of_the_base_32_form() {
        assert_eq!(super::of("acme"), "QIVT-HLMH-YFEK");
    }
}
