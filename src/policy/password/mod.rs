//! What a password must be: the tenant's policy (`PlusAuth` tenant document,
//! `settings.policies.password`), and what holds for every password.
//!
//! The policy that counts is the one in force ([`super::effective`]), where every
//! setting has a value; a rule that is unset all the same is off. A character is
//! a Unicode scalar value, and lower-case letters, upper-case letters and digits
//! are those of ASCII: that is how the schema counts (`api::PasswordPolicy`), and
//! whoever counts others too finds no fewer.
//!
//! `history` is not decided here, because it takes the hashes of former passwords:
//! the last `history` passwords of a user, the current one among them, may not be
//! used again; 10 at most, and 0 is off. With 1, a password may not be set anew
//! while it is the current one.

mod check;
mod generate;

pub use check::check;
pub use generate::generate;

use super::{Problem, Reason};
use crate::api::{HashFunction, PasswordPolicy};

/// The most bytes (UTF-8) that any password may have. Nobody types more, and
/// hashing must not be work without bounds.
pub const MAX_BYTES: usize = 4096;
/// The most bytes that bcrypt takes: it ignores what comes after them.
pub const MAX_BYTES_OF_BCRYPT: usize = 72;

/// What a hash by argon2id costs. The sets that OWASP's Password Storage Cheat Sheet calls equivalent
/// differ in these three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2Cost {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Argon2Cost {
    /// Ours, unless a store has its own.
    pub const OURS: Self = Self { memory: 19_456, passes: 2, lanes: 1 };
}

/// Why no password could satisfy the policy under this hash function, if none could.
///
/// `max` 0 is no limit. `customChars` costs one more character unless one of its
/// characters is a letter or digit of a class that is asked for anyway. Most of
/// this stands in the schema as well, where one object states it (`api::Settings`,
/// `api::PasswordPolicy`); it has no rule for the bytes of `customChars`.
#[must_use]
pub fn unsatisfiable(policy: &PasswordPolicy, function: HashFunction) -> Option<String> {
    let rules = Rules::of(policy, function);
    // What has the fewest bytes has the fewest characters, too: letters and digits have one each.
    let Some(shortest) = rules.shortest().into_iter().min_by_key(Shortest::bytes) else {
        return Some(
            "one of customChars is needed, and all of them are control characters, which no password may have"
                .into(),
        );
    };
    if rules.fits(&shortest) {
        return None;
    }
    let Rules { min, lower, upper, number, .. } = rules;
    Some(match rules.max {
        Some(max) if max < min => format!(
            "a password may have at most {max} characters (max) and must have at least {min} (min): raise max, or lower min"
        ),
        Some(max) if max < shortest.characters => format!(
            "a password may have at most {max} characters (max) and must have {}: {lower} lower-case (lowerCase), \
             {upper} upper-case (upperCase), {number} digits (number), {} of customChars",
            shortest.characters,
            shortest.characters - lower - upper - number,
        ),
        _ => format!(
            "a password may have at most {} bytes with {} (settings.hashFunction), and the shortest with all that min, \
             lowerCase, upperCase, number and customChars ask for has {}",
            rules.max_bytes,
            name(function),
            shortest.bytes(),
        ),
    })
}

/// Whether a password could satisfy the policy under this hash function. `whose` says where the policy stands.
///
/// # Errors
/// Why none can.
pub fn satisfiable(
    whose: &str,
    policy: &PasswordPolicy,
    function: HashFunction,
) -> Result<(), Problem> {
    unsatisfiable(policy, function).map_or(Ok(()), |why| Err(impossible(whose, &why)))
}

/// The one sentence, in webhook and status, of a policy that no password can satisfy.
fn impossible(whose: &str, why: &str) -> Problem {
    let message = format!("{whose}: no password can satisfy it: {why}");
    Problem::terminal(Reason::PolicyUnsatisfiable, message)
}

/// What `settings.hashFunction` calls it.
const fn name(function: HashFunction) -> &'static str {
    match function {
        HashFunction::Argon2 => "argon2",
        HashFunction::Bcrypt => "bcrypt",
    }
}

/// A policy in numbers to count with.
struct Rules<'a> {
    min: usize,
    /// None is no limit.
    max: Option<usize>,
    lower: usize,
    upper: usize,
    number: usize,
    /// Empty needs none of them.
    custom: &'a str,
    max_bytes: usize,
}

/// The shortest password that has a certain one of the custom characters.
struct Shortest {
    custom: Option<char>,
    /// How many letters and digits it needs beside that one.
    lower: usize,
    upper: usize,
    number: usize,
    /// All of its characters.
    characters: usize,
}

impl Shortest {
    /// Only the custom character can have more than one byte.
    fn bytes(&self) -> usize {
        self.characters + self.custom.map_or(0, |custom| custom.len_utf8() - 1)
    }
}

impl<'a> Rules<'a> {
    fn of(policy: &'a PasswordPolicy, function: HashFunction) -> Self {
        let count = |rule: Option<u32>| rule.unwrap_or(0) as usize;
        Self {
            min: count(policy.min),
            max: Some(count(policy.max)).filter(|max| *max > 0),
            lower: count(policy.lower_case),
            upper: count(policy.upper_case),
            number: count(policy.number),
            custom: policy.custom_chars.as_deref().unwrap_or_default(),
            max_bytes: match function {
                HashFunction::Argon2 => MAX_BYTES,
                HashFunction::Bcrypt => MAX_BYTES_OF_BCRYPT,
            },
        }
    }

    /// For each custom character that a password may have, or for none if none is needed, the shortest.
    fn shortest(&self) -> Vec<Shortest> {
        if self.custom.is_empty() {
            return vec![self.shortest_with(None)];
        }
        let custom: std::collections::BTreeSet<_> =
            self.custom.chars().filter(|character| !character.is_control()).collect();
        custom.into_iter().map(|character| self.shortest_with(Some(character))).collect()
    }

    fn shortest_with(&self, custom: Option<char>) -> Shortest {
        // It counts for its own class too.
        let beside = |needed: usize, is_of_class: fn(&char) -> bool| {
            needed.saturating_sub(custom.as_ref().is_some_and(is_of_class).into())
        };
        let lower = beside(self.lower, char::is_ascii_lowercase);
        let upper = beside(self.upper, char::is_ascii_uppercase);
        let number = beside(self.number, char::is_ascii_digit);
        let needed = lower + upper + number + usize::from(custom.is_some());
        Shortest { custom, lower, upper, number, characters: needed.max(self.min).max(1) }
    }

    fn fits(&self, password: &Shortest) -> bool {
        self.max.is_none_or(|max| password.characters <= max) && password.bytes() <= self.max_bytes
    }
}

#[cfg(test)]
mod tests;
