//! Passwords that the operator makes.

use rand::{
    CryptoRng, RngExt as _,
    seq::{IndexedRandom as _, SliceRandom as _},
};
use zeroize::Zeroizing;

use super::{Rules, Shortest, impossible, unsatisfiable};
use crate::{
    api::{HashFunction, PasswordPolicy},
    policy::Problem,
};

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &[u8] = b"0123456789";
const ALL: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// Makes a password that satisfies the policy in force: letters and digits of ASCII, and one of
/// `customChars` where there are any, if possible one that no shell and no YAML takes for its own.
///
/// `length` is the number of characters that it shall have; it has more or less where the policy
/// or the hash function asks for that.
///
/// # Errors
/// No password satisfies the policy.
pub fn generate(
    policy: &PasswordPolicy,
    function: HashFunction,
    length: u32,
    random: &mut impl CryptoRng,
) -> Result<Zeroizing<String>, Problem> {
    let rules = Rules::of(policy, function);
    let mut shapes = rules.shortest();
    shapes.retain(|shape| rules.fits(shape));
    let best = shapes.iter().map(trouble).min();
    shapes.retain(|shape| Some(trouble(shape)) == best);
    let Some(shape) = shapes.choose(random) else {
        let why = unsatisfiable(policy, function).unwrap_or_default();
        return Err(impossible("settings.policies.password", &why));
    };

    // All but the custom character have one byte each.
    let longest = shape.characters + (rules.max_bytes - shape.bytes());
    let length =
        (length as usize).max(shape.characters).min(rules.max.unwrap_or(longest)).min(longest);
    // Of its full size at once: what a growing one leaves behind is not wiped.
    let mut characters = Zeroizing::new(Vec::with_capacity(length));
    let plain = length - usize::from(shape.custom.is_some());
    let asked_for = [(LOWER, shape.lower), (UPPER, shape.upper), (DIGITS, shape.number)];
    for (class, count) in asked_for.into_iter().chain([(ALL, plain)]) {
        let room = plain - characters.len();
        let drawn = (0..count.min(room)).filter_map(|_| class.choose(random));
        characters.extend(drawn.map(|byte| char::from(*byte)));
    }
    characters.shuffle(random);
    if let Some(custom) = shape.custom {
        // Not at an end, where a space is lost and a - begins an option.
        let places = if plain > 1 { 1..plain } else { 0..plain + 1 };
        characters.insert(random.random_range(places), custom);
    }

    let mut password = Zeroizing::new(String::with_capacity(characters.len() * 4));
    password.extend(characters.iter());
    Ok(password)
}

/// How much trouble its custom character makes to those who copy the password.
fn trouble(shape: &Shortest) -> u8 {
    match shape.custom {
        None => 0,
        Some(custom) if custom.is_ascii_alphanumeric() => 0,
        // Within a word, neither shells nor YAML take them for their own.
        Some('%' | '+' | ',' | '-' | '.' | '/' | ':' | '=' | '@' | '_') => 1,
        Some(custom) if custom.is_ascii_graphic() => 2,
        Some(custom) if custom.is_alphanumeric() => 3,
        Some(_) => 4,
    }
}

#[cfg(test)]
#[path = "generate_tests.rs"]
mod tests;
