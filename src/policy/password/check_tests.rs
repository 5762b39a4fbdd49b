use super::{
    super::tests::{BOTH, policy},
    *,
};

fn refusal(policy: &PasswordPolicy, function: HashFunction, password: &str) -> Option<String> {
    let problem = check(policy, function, password).err()?;
    assert_eq!(problem.reason, Reason::PasswordRejected);
    assert!(problem.is_stalled());
    Some(problem.message)
}

#[test]
fn a_password_has_what_the_policy_asks_for() {
    let tenant = policy(14, 12, 2, 2, 2, "!?ß");
    for function in BOTH {
        for (password, says) in [
            ("abcdefghAB12!", None),
            ("ABCDEFGHIJ12ab?", Some("at most 14 characters (settings.policies.password.max)")),
            (
                "ABCDEFGHIJ12a?",
                Some("at least 2 lower-case letters (settings.policies.password.lowerCase)"),
            ),
            ("ABCDEFGH12ab?", None),
            (
                "abcdefghijK12?",
                Some("at least 2 upper-case letters (settings.policies.password.upperCase)"),
            ),
            ("abcdefghijKL1?", Some("at least 2 digits (settings.policies.password.number)")),
            (
                "abcdefghijKL12",
                Some("at least one of \"!?ß\" (settings.policies.password.customChars)"),
            ),
            ("abcdefgKL12!", None),
            ("abcdefgKL12ß", None),
            ("abcdefKL12!", Some("at least 12 characters (settings.policies.password.min)")),
            // Characters are counted, not bytes; and neither letters nor digits of other alphabets.
            ("äöü𝒳éabKL12!", None),
            ("äöü𝒳ébKL12!x", None),
            (
                "äöü𝒳éÄbKL12!",
                Some("at least 2 lower-case letters (settings.policies.password.lowerCase)"),
            ),
            (
                "abcdefghÄL12!",
                Some("at least 2 upper-case letters (settings.policies.password.upperCase)"),
            ),
            ("abcdefghKL1٢!", Some("at least 2 digits (settings.policies.password.number)")),
        ] {
            let expected = says.map(|says| format!("the password must have {says}"));
            assert_eq!(refusal(&tenant, function, password), expected, "{password}");
        }
    }
}

#[test]
fn all_broken_rules_are_told_in_one_sentence_that_has_nothing_of_the_password() {
    let tenant = policy(0, 12, 1, 2, 3, "!");
    let says = refusal(&tenant, HashFunction::Argon2, "qqq\u{7}").unwrap();
    assert_eq!(
        says,
        "the password must have at least 12 characters (settings.policies.password.min), \
         at least 2 upper-case letters (settings.policies.password.upperCase), \
         at least 3 digits (settings.policies.password.number), \
         at least one of \"!\" (settings.policies.password.customChars) and no control characters"
    );
    let says = refusal(&policy(1, 0, 2, 0, 0, ""), HashFunction::Argon2, "QQ").unwrap();
    assert_eq!(
        says,
        "the password must have at most 1 character (settings.policies.password.max) and \
         at least 2 lower-case letters (settings.policies.password.lowerCase)"
    );
}

#[test]
fn a_policy_that_is_off_asks_for_nothing_and_no_password_is_empty() {
    for function in BOTH {
        for tenant in [PasswordPolicy::default(), policy(0, 0, 0, 0, 0, "")] {
            assert_eq!(refusal(&tenant, function, "x"), None);
            assert_eq!(refusal(&tenant, function, " "), None);
            let says = refusal(&tenant, function, "").unwrap();
            assert_eq!(says, "the password must have at least 1 character");
        }
    }
}

#[test]
fn control_characters_are_refused_and_a_closing_line_break_is_explained() {
    for (password, is_explained) in [
        ("secret\n", true),
        ("secret\r\n", true),
        ("secret\r", true),
        ("sec\nret", false),
        ("sec\tret", false),
        ("sec\0ret", false),
        ("secret\u{7f}", false),
        ("secret\u{85}", false),
    ] {
        let says = refusal(&PasswordPolicy::default(), HashFunction::Argon2, password).unwrap();
        assert!(says.starts_with("the password must have no control characters"), "{says}");
        assert_eq!(says.contains("`printf %s`"), is_explained, "{says}");
        assert_eq!(says.contains("--from-literal"), is_explained, "{says}");
    }
    for password in [" secret ", "se\u{a0}cret", "sécrèt", "pass\u{200d}word", "🔑"] {
        assert_eq!(refusal(&PasswordPolicy::default(), HashFunction::Argon2, password), None);
    }
}

#[test]
fn bytes_are_bounded_by_bcrypt_at_72_and_always_at_4096() {
    let none = PasswordPolicy::default();
    let (argon2, bcrypt) = (HashFunction::Argon2, HashFunction::Bcrypt);
    for (password, by_argon2, by_bcrypt) in [
        ("x".repeat(72), None, None),
        ("é".repeat(36), None, None),
        ("x".repeat(73), None, Some("at most 72 bytes, because bcrypt")),
        (format!("{}x", "é".repeat(36)), None, Some("at most 72 bytes, because bcrypt")),
        ("x".repeat(4096), None, Some("at most 72 bytes, because bcrypt")),
        ("x".repeat(4097), Some("at most 4096 bytes"), Some("at most 4096 bytes")),
        ("é".repeat(2049), Some("at most 4096 bytes"), Some("at most 4096 bytes")),
    ] {
        for (function, expected) in [(argon2, by_argon2), (bcrypt, by_bcrypt)] {
            let says = refusal(&none, function, &password);
            assert_eq!(says.is_some(), expected.is_some(), "{} {function:?}", password.len());
            assert!(says.is_none_or(|says| says.contains(expected.unwrap())));
        }
    }
}
