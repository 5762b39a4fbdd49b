use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rand::{SeedableRng as _, rngs::StdRng};

use super::{
    super::{
        check,
        tests::{any_policy, policy},
    },
    *,
};
use crate::policy::Reason;

fn of(policy: &PasswordPolicy, length: u32, seed: u64) -> String {
    let mut random = StdRng::seed_from_u64(seed);
    String::clone(&generate(policy, HashFunction::Argon2, length, &mut random).unwrap())
}

proptest! {
    #[test]
    fn a_password_satisfies_every_policy_that_can_be_satisfied(
        policy in any_policy(),
        length in prop_oneof![8..=128_u32, any::<u32>()],
        is_bcrypt in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let function = if is_bcrypt { HashFunction::Bcrypt } else { HashFunction::Argon2 };
        let made = generate(&policy, function, length, &mut StdRng::seed_from_u64(seed));
        match unsatisfiable(&policy, function) {
            None => prop_assert_eq!(check(&policy, function, &made.unwrap()), Ok(())),
            Some(why) => {
                let problem = made.unwrap_err();
                prop_assert_eq!(problem.reason, Reason::PolicyUnsatisfiable);
                prop_assert!(problem.message.ends_with(&why));
            }
        }
    }

    #[test]
    fn a_password_has_nothing_to_quote_but_the_custom_character_and_that_stands_inside(
        policy in any_policy(),
        length in 8..=128_u32,
        seed in any::<u64>(),
    ) {
        prop_assume!(unsatisfiable(&policy, HashFunction::Argon2).is_none());
        let made = of(&policy, length, seed);
        let special: Vec<_> =
            made.chars().enumerate().filter(|(_, c)| !c.is_ascii_alphanumeric()).collect();
        prop_assert!(special.len() <= 1);
        let custom = policy.custom_chars.as_deref().unwrap();
        let is_avoidable = custom.contains(|c: char| c.is_ascii_alphanumeric());
        for (at, character) in special {
            prop_assert!(custom.contains(character) && !is_avoidable);
            let last = made.chars().count() - 1;
            prop_assert!(last < 2 || (at > 0 && at < last));
        }
    }
}

#[test]
fn a_password_has_the_length_asked_for_unless_policy_or_hash_function_want_another() {
    let (argon2, bcrypt) = (HashFunction::Argon2, HashFunction::Bcrypt);
    for (policy, function, asked, expected) in [
        (policy(128, 12, 0, 0, 0, ""), argon2, 24, 24),
        (policy(128, 12, 1, 1, 1, "!"), argon2, 24, 24),
        (policy(128, 32, 0, 0, 0, ""), argon2, 24, 32),
        (policy(128, 12, 10, 10, 10, "!"), argon2, 24, 31),
        (policy(16, 12, 0, 0, 0, ""), argon2, 24, 16),
        (policy(16, 12, 0, 0, 0, "!"), argon2, 24, 16),
        (policy(0, 0, 0, 0, 0, ""), argon2, 0, 1),
        (policy(0, 0, 0, 0, 0, ""), argon2, u32::MAX, 4096),
        (policy(0, 0, 0, 0, 0, "𝒳"), argon2, u32::MAX, 4093),
        (policy(128, 0, 0, 0, 0, ""), bcrypt, 100, 72),
        (policy(128, 0, 0, 0, 0, "!"), bcrypt, 100, 72),
        (policy(128, 0, 0, 0, 0, "𝒳"), bcrypt, 100, 69),
        (policy(50, 0, 0, 0, 0, "𝒳"), bcrypt, 100, 50),
    ] {
        let made = generate(&policy, function, asked, &mut StdRng::seed_from_u64(1)).unwrap();
        assert_eq!(made.chars().count(), expected, "{policy:?} {asked}");
    }
}

#[test]
fn of_the_custom_characters_the_one_with_the_least_trouble_is_taken() {
    for (custom, expected) in [
        (" $é_x\u{301}", "x"),
        (" $é_\u{301}", "_"),
        (" $é\u{301}", "$"),
        (" é\u{301}", "é"),
        (" ", " "),
        ("\n!", "!"),
        ("$!&", "$!&"),
    ] {
        let mut found = BTreeSet::new();
        for seed in 0..64 {
            let made = of(&policy(0, 20, 0, 0, 0, custom), 20, seed);
            found.extend(made.chars().filter(|c| custom.contains(*c)));
        }
        assert_eq!(found, expected.chars().collect(), "{custom:?}");
    }
}

#[test]
fn the_custom_character_stands_at_any_place_inside() {
    for (length, expected) in [(1, vec![0]), (2, vec![0, 1]), (3, vec![1]), (5, vec![1, 2, 3])] {
        let tenant = policy(0, 0, 0, 0, 0, " ");
        let places: BTreeSet<_> =
            (0..64).filter_map(|seed| of(&tenant, length, seed).find(' ')).collect();
        assert_eq!(places, expected.into_iter().collect(), "{length}");
    }
}

#[test]
fn every_character_is_as_likely_as_any_other_in_every_place() {
    const PASSWORDS: usize = 62 * 100;
    // Half of each password is of letters and digits that are asked for.
    let tenant = policy(0, 0, 26, 26, 10, "");
    let mut random = StdRng::seed_from_u64(7);
    let mut counts: BTreeMap<(usize, char), usize> = BTreeMap::new();
    for _ in 0..PASSWORDS {
        let made = generate(&tenant, HashFunction::Argon2, 124, &mut random).unwrap();
        for (place, character) in made.chars().enumerate() {
            *counts.entry((place, character)).or_default() += 1;
        }
    }
    assert_eq!(counts.len(), 124 * 62);
    // 100 times each: chi-squared over 124 * 61 degrees of freedom, within 5 standard deviations.
    let expected = 100.0;
    #[allow(clippy::cast_precision_loss, reason = "small")]
    let chi_squared: f64 =
        counts.values().map(|count| (*count as f64 - expected).powi(2) / expected).sum();
    let freedom = 124.0 * 61.0;
    assert!((chi_squared - freedom).abs() < 5.0 * (2.0 * freedom).sqrt(), "{chi_squared}");
}

#[test]
fn two_passwords_differ() {
    let tenant = policy(128, 12, 0, 0, 0, "");
    assert_ne!(of(&tenant, 24, 1), of(&tenant, 24, 2));
    assert_eq!(of(&tenant, 24, 1), of(&tenant, 24, 1));
}
