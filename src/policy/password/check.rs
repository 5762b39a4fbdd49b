//! Whether a password may be set.

use super::{MAX_BYTES, Rules};
use crate::{
    api::{HashFunction, PasswordPolicy},
    policy::{Problem, Reason},
};

/// Whether a password satisfies the policy in force and what holds for every password:
/// it is not empty (RFC 8265, section 4.1), has no control characters (section 4.2.1),
/// has at most 4096 bytes, and at most 72 where bcrypt would ignore the rest.
///
/// # Errors
/// One sentence with every rule that it breaks, and nothing of the password.
pub fn check(
    policy: &PasswordPolicy,
    function: HashFunction,
    password: &str,
) -> Result<(), Problem> {
    let broken = broken(&Rules::of(policy, function), password);
    let Some((last, others)) = broken.split_last() else { return Ok(()) };
    let and = if others.is_empty() { "" } else { " and " };
    Err(Problem::terminal(
        Reason::PasswordRejected,
        format!("the password must have {}{and}{last}", others.join(", ")),
    ))
}

/// What the password must have and has not.
fn broken(rules: &Rules<'_>, password: &str) -> Vec<String> {
    let mut broken = Vec::new();
    let at_least = |limit: usize, what: &str, setting: &str| {
        format!("at least {} ({POLICY}.{setting})", counted(limit, what))
    };
    let characters = password.chars().count();
    if characters < rules.min {
        broken.push(at_least(rules.min, "character", "min"));
    } else if password.is_empty() {
        broken.push("at least 1 character".into());
    }
    if let Some(max) = rules.max
        && characters > max
    {
        broken.push(format!("at most {} ({POLICY}.max)", counted(max, "character")));
    }
    for (needed, is_of_class, what, setting) in [
        (rules.lower, char::is_ascii_lowercase as Class, "lower-case letter", "lowerCase"),
        (rules.upper, char::is_ascii_uppercase, "upper-case letter", "upperCase"),
        (rules.number, char::is_ascii_digit, "digit", "number"),
    ] {
        if password.chars().filter(is_of_class).count() < needed {
            broken.push(at_least(needed, what, setting));
        }
    }
    if !rules.custom.is_empty() && !password.contains(|c| rules.custom.contains(c)) {
        broken.push(format!("at least one of {:?} ({POLICY}.customChars)", rules.custom));
    }
    if password.len() > MAX_BYTES {
        broken.push(format!("at most {MAX_BYTES} bytes"));
    } else if password.len() > rules.max_bytes {
        let max = rules.max_bytes;
        broken.push(format!(
            "at most {max} bytes, because bcrypt (settings.hashFunction) ignores what comes after them"
        ));
    }
    if password.contains(char::is_control) {
        let whence = if password.ends_with(['\n', '\r']) {
            ": the line break at its end comes from `echo` or an editor; `printf %s` and `kubectl create secret generic \
             --from-literal` add none"
        } else {
            ""
        };
        broken.push(format!("no control characters{whence}"));
    }
    broken
}

const POLICY: &str = "settings.policies.password";

type Class = fn(&char) -> bool;

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
