//! A realm's password policy: rules of a name and an argument, joined by ` and `.

use std::fmt::Write as _;

use serde_json::Value;

use super::native::Fields;

/// What the fields that stand for its rules begin with.
pub(super) const PREFIX: &str = "passwordPolicy.";

/// The rules of a policy, as fields.
pub(super) fn fields(policy: &str) -> Fields {
    rules(policy)
        .into_iter()
        .map(|(name, argument)| (format!("{PREFIX}{name}"), argument.into()))
        .collect()
}

/// A policy with some rules changed, or taken out where they are to be null. Others' rules stay.
pub(super) fn with(policy: &str, changes: &Fields) -> String {
    let mut rules = rules(policy);
    for (field, value) in changes {
        let Some(name) = field.strip_prefix(PREFIX) else { continue };
        let argument = match value {
            Value::String(argument) => Some(argument.clone()),
            Value::Null => None,
            other => Some(other.to_string()),
        };
        let place = rules.iter().position(|(known, _)| known == name);
        match (place, argument) {
            (Some(place), Some(argument)) => rules[place].1 = argument,
            (Some(place), None) => drop(rules.remove(place)),
            (None, Some(argument)) => rules.push((name.to_owned(), argument)),
            (None, None) => {}
        }
    }
    let rules: Vec<String> =
        rules.iter().map(|(name, argument)| format!("{name}({argument})")).collect();
    rules.join(" and ")
}

fn rules(policy: &str) -> Vec<(String, String)> {
    let rule = |rule: &str| {
        let rule = rule.trim();
        let (name, argument) = rule.split_once('(').unwrap_or((rule, ")"));
        let argument = argument.strip_suffix(')').unwrap_or(argument);
        (!name.is_empty()).then(|| (name.to_owned(), argument.to_owned()))
    };
    policy.split(" and ").filter_map(rule).collect()
}

/// A pattern that asks for one of these characters. Keycloak matches it against the whole password,
/// and takes no white space in it.
pub(super) fn pattern_of(characters: &str) -> String {
    let mut class = String::new();
    for character in characters.chars() {
        if character.is_whitespace() || !character.is_ascii() {
            // Writing to a string does not fail.
            let _ = write!(class, "\\x{{{:x}}}", u32::from(character));
        } else if character.is_ascii_alphanumeric() {
            class.push(character);
        } else {
            class.push('\\');
            class.push(character);
        }
    }
    format!(".*[{class}].*")
}

/// The characters that such a pattern asks for.
pub(super) fn characters_of(pattern: &str) -> Option<String> {
    let mut rest = pattern.strip_prefix(".*[")?.strip_suffix("].*")?;
    let mut characters = String::new();
    while let Some(first) = rest.chars().next() {
        if let Some(code) = rest.strip_prefix("\\x{") {
            let (code, after) = code.split_once('}')?;
            characters.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
            rest = after;
            continue;
        }
        let escaped = rest.strip_prefix('\\');
        let character = escaped.map_or(Some(first), |rest| rest.chars().next())?;
        characters.push(character);
        rest = &escaped.unwrap_or(rest)[character.len_utf8()..];
    }
    Some(characters)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn others_rules_stay() {
        let policy = "notUsername(undefined) and length(8) and digits(1)";
        let changes = json!({"passwordPolicy.length": 12, "passwordPolicy.digits": null,
            "passwordPolicy.maxLength": 64, "displayName": "x"});
        let after = with(policy, changes.as_object().unwrap());
        assert_eq!(after, "notUsername(undefined) and length(12) and maxLength(64)");
        assert_eq!(with("", &Fields::new()), "");
        assert_eq!(fields(policy)["passwordPolicy.length"], "8");
    }

    #[test]
    fn characters_come_back_from_their_pattern() {
        for characters in ["!", "a-z", "]^\\", "é ", "!\"#$%&'()*+,-./", "日"] {
            let pattern = pattern_of(characters);
            assert!(!pattern.contains(char::is_whitespace), "{pattern}");
            assert!(!pattern.contains(" and "));
            assert_eq!(characters_of(&pattern).as_deref(), Some(characters));
        }
        assert_eq!(characters_of("^foo$"), None);
    }
}
