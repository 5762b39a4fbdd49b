//! Password policies (PlusAuth tenant document, `settings.policies.password`).

use crate::api::PasswordPolicy;

/// Why no password could satisfy the policy, if none could.
///
/// `max` 0 is no limit. `customChars` costs one more character unless one of its
/// characters is a letter or digit of a class that is asked for anyway. The same
/// rule stands in the schema, where one object states it (`api::PasswordPolicy`).
#[must_use]
pub fn unsatisfiable(policy: &PasswordPolicy) -> Option<String> {
    let max = policy.max.unwrap_or(0);
    let min = policy.min.unwrap_or(0);
    let custom = policy.custom_chars.as_deref().unwrap_or_default();
    let (lower, upper, number) = (
        policy.lower_case.unwrap_or(0),
        policy.upper_case.unwrap_or(0),
        policy.number.unwrap_or(0),
    );
    let is_asked_for = |c: char| {
        lower > 0 && c.is_ascii_lowercase()
            || upper > 0 && c.is_ascii_uppercase()
            || number > 0 && c.is_ascii_digit()
    };
    let own = u32::from(!custom.is_empty() && !custom.chars().any(is_asked_for));
    let needed = lower + upper + number + own;
    if max == 0 || max >= min.max(needed) {
        return None;
    }
    Some(if max < min {
        format!(
            "a password may have at most {max} characters (max) and must have at least {min} (min)"
        )
    } else {
        format!(
            "a password may have at most {max} characters (max) and must have {needed}: {lower} lower-case (lowerCase), \
             {upper} upper-case (upperCase), {number} digits (number), {own} of customChars"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables() {
        let policy = |max, min, lower, upper, number, custom: &str| PasswordPolicy {
            max: Some(max),
            min: Some(min),
            lower_case: Some(lower),
            upper_case: Some(upper),
            number: Some(number),
            custom_chars: Some(custom.into()),
            history: None,
        };
        assert_eq!(unsatisfiable(&PasswordPolicy::default()), None);
        assert_eq!(unsatisfiable(&policy(12, 12, 4, 4, 4, "")), None);
        assert!(
            unsatisfiable(&policy(12, 12, 4, 4, 4, "!?")).is_some_and(|why| why.contains("13"))
        );
        assert_eq!(unsatisfiable(&policy(12, 12, 4, 4, 4, "a!")), None, "an a is asked for anyway");
        assert!(unsatisfiable(&policy(8, 8, 0, 4, 4, "abc")).is_some(), "no lower-case letter is");
        assert_eq!(unsatisfiable(&policy(0, 128, 32, 32, 32, "!")), None, "max 0 is off");
        assert!(unsatisfiable(&policy(11, 12, 0, 0, 0, "")).is_some_and(|why| why.contains("min")));
        assert!(unsatisfiable(&policy(8, 0, 3, 3, 3, "")).is_some());
    }
}
