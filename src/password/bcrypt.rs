//! bcrypt, in the strings of OpenBSD.

use zeroize::Zeroizing;

use super::HashError;
use crate::policy::password::MAX_BYTES_OF_BCRYPT;

/// Two to the power of this many rounds.
const COST: u32 = 12;
/// What a hash to verify may take.
const MAX_COST: u32 = 16;

pub(super) fn hash(password: &str) -> Result<Zeroizing<String>, HashError> {
    if password.len() > MAX_BYTES_OF_BCRYPT {
        return Err(HashError::TooLong);
    }
    // The crate's own check of the length refuses 72 bytes, for which there is room.
    ::bcrypt::hash(password, COST)
        .map(Zeroizing::new)
        .map_err(|error| HashError::Failed(error.to_string()))
}

/// None if it cannot be told.
pub(super) fn verify(password: &str, hash: &str) -> Option<bool> {
    cost(hash)?;
    // In constant time.
    ::bcrypt::verify(password, hash).ok()
}

/// The cost of a hash that is verified here.
fn cost(hash: &str) -> Option<u32> {
    let (version, rest) = hash.strip_prefix('$')?.split_once('$')?;
    let (cost, _) = rest.split_once('$')?;
    // Not `2x`: it marks hashes of a broken implementation.
    let cost = cost.parse().ok().filter(|_| matches!(version, "2a" | "2b" | "2y"))?;
    (cost <= MAX_COST).then_some(cost)
}

#[cfg(test)]
mod tests {
    use super::cost;

    /// Apart from verifying, which takes seconds for the costliest.
    #[test]
    fn hashes_of_a_cost_of_at_most_16_are_verified() {
        let of = |version, cost| {
            format!("${version}${cost}$abcdefghijklmnopqrstuuuxI9bgo3avk35QO5BDob/1wzlr8KbCy")
        };
        for (version, text, expected) in [
            ("2a", "04", Some(4)),
            ("2b", "12", Some(12)),
            ("2y", "16", Some(16)),
            ("2b", "17", None),
            ("2b", "31", None),
            ("2b", "99", None),
            ("2b", "-4", None),
            ("2b", "", None),
            ("2x", "12", None),
            ("2", "12", None),
        ] {
            assert_eq!(cost(&of(version, text)), expected, "{version} {text}");
        }
    }
}
