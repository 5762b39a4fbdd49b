use proptest::prelude::*;

use super::*;

pub const BOTH: [HashFunction; 2] = [HashFunction::Argon2, HashFunction::Bcrypt];

/// max, min, lowerCase, upperCase, number, customChars
pub fn policy(
    max: u32,
    min: u32,
    lower: u32,
    upper: u32,
    number: u32,
    custom: &str,
) -> PasswordPolicy {
    PasswordPolicy {
        max: Some(max),
        min: Some(min),
        lower_case: Some(lower),
        upper_case: Some(upper),
        number: Some(number),
        custom_chars: Some(custom.into()),
        history: None,
    }
}

/// Any policy that the schema lets in, and most of those that it does not. Bounds are often close
/// to each other, where mistakes are.
pub fn any_policy() -> impl Strategy<Value = PasswordPolicy> {
    let count = || prop_oneof![3 => 0..4_u32, 1 => 0..=32_u32];
    let limit = || prop_oneof![2 => Just(0), 4 => 0..=14_u32, 1 => 0..=128_u32];
    let character = prop_oneof![
        proptest::char::range(' ', '~'),
        proptest::char::ranges(vec!['a'..='c', 'A'..='C', '0'..='2'].into()),
        any::<char>(),
        Just('𝒳'),
        Just('\n'),
    ];
    let custom = prop_oneof![
        2 => Just(String::new()),
        3 => proptest::collection::vec(character, 1..=64).prop_map(String::from_iter),
        3 => proptest::collection::vec(any::<char>(), 1..=2).prop_map(String::from_iter),
    ];
    (limit(), limit(), count(), count(), count(), custom).prop_map(
        |(max, min, lower, upper, number, custom)| policy(max, min, lower, upper, number, &custom),
    )
}

fn is_satisfiable(policy: &PasswordPolicy, function: HashFunction) -> bool {
    unsatisfiable(policy, function).is_none()
}

#[test]
fn a_policy_is_unsatisfiable_as_its_maximum_is_too_low_for_what_it_asks_for() {
    for function in BOTH {
        let why = |policy| unsatisfiable(&policy, function);
        assert_eq!(why(PasswordPolicy::default()), None);
        assert_eq!(why(policy(12, 12, 4, 4, 4, "")), None);
        assert!(why(policy(12, 12, 4, 4, 4, "!?")).is_some_and(|why| {
            why.contains("at most 12 characters (max) and must have 13: 4 lower-case")
                && why.ends_with("1 of customChars")
        }));
        assert_eq!(why(policy(12, 12, 4, 4, 4, "a!")), None, "an a is asked for anyway");
        assert_eq!(why(policy(12, 12, 4, 4, 4, "B!")), None);
        assert_eq!(why(policy(12, 12, 4, 4, 4, "!7")), None);
        assert!(why(policy(8, 8, 0, 4, 4, "abc")).is_some(), "no lower-case letter is");
        assert_eq!(why(policy(0, 72, 24, 24, 23, "!")), None, "max 0 is off");
        assert!(why(policy(11, 12, 0, 0, 0, "")).is_some_and(|why| why.contains("12 (min)")));
        assert!(
            why(policy(8, 0, 3, 3, 3, "ab"))
                .is_some_and(|why| why.contains("must have 9") && why.ends_with("0 of customChars"))
        );
        assert!(
            why(policy(0, 0, 0, 0, 0, "\n\u{85}")).is_some_and(|why| why.contains("customChars"))
        );
        assert_eq!(why(policy(1, 0, 0, 0, 0, "\n!")), None);
    }
}

#[test]
fn bcrypt_takes_no_password_of_more_than_72_bytes() {
    for (policy, bytes) in [
        (policy(128, 73, 0, 0, 0, ""), 73),
        (policy(128, 12, 32, 32, 9, ""), 73),
        (policy(128, 12, 32, 32, 8, "!"), 73),
        (policy(128, 72, 0, 0, 0, "é"), 73),
        (policy(72, 72, 0, 0, 0, "é"), 73),
        (policy(128, 70, 0, 0, 0, "𝒳𝒴"), 73),
    ] {
        assert!(is_satisfiable(&policy, HashFunction::Argon2));
        let why = unsatisfiable(&policy, HashFunction::Bcrypt).unwrap();
        assert!(why.contains("at most 72 bytes with bcrypt (settings.hashFunction)"), "{why}");
        assert!(why.ends_with(&format!("has {bytes}")), "{why}");
    }
    for policy in [
        policy(128, 72, 0, 0, 0, ""),
        policy(128, 12, 32, 32, 8, ""),
        policy(128, 12, 32, 32, 8, "a"),
        policy(128, 72, 0, 0, 0, "é!"),
        policy(128, 69, 0, 0, 0, "𝒳"),
    ] {
        assert!(is_satisfiable(&policy, HashFunction::Bcrypt), "{policy:?}");
    }
}

proptest! {
    /// As the design has it, where neither bytes nor control characters play a part.
    #[test]
    fn a_policy_is_satisfiable_unless_max_is_below_what_min_and_the_classes_come_to(
        policy in any_policy(),
    ) {
        let (max, min) = (policy.max.unwrap(), policy.min.unwrap());
        let custom = policy.custom_chars.clone().unwrap();
        prop_assume!(!custom.contains(char::is_control));
        let classes = [
            (policy.lower_case.unwrap(), 'a'..='z'),
            (policy.upper_case.unwrap(), 'A'..='Z'),
            (policy.number.unwrap(), '0'..='9'),
        ];
        let is_free = custom.is_empty()
            || classes.iter().any(|(count, class)| *count > 0 && custom.contains(|c| class.contains(&c)));
        let needed = classes.iter().map(|(count, _)| count).sum::<u32>() + u32::from(!is_free);
        prop_assert_eq!(
            unsatisfiable(&policy, HashFunction::Argon2).is_some(),
            max > 0 && max < min.max(needed)
        );
    }
}
