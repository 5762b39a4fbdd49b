use proptest::prelude::*;

use super::{super::precis::tests::texts, *};

#[test]
fn addresses_that_reach_one_mailbox_are_one() {
    for (text, form) in [
        ("ada@example.com", "ada@example.com"),
        ("Ada.Lovelace@Example.COM", "ada.lovelace@example.com"),
        ("ada+news@example.com", "ada+news@example.com"),
        ("ＡＤＡ＠ｅｘａｍｐｌｅ．ｃｏｍ", "ada@example.com"),
        ("Zoe\u{308}@Café.example", "zoë@café.example"),
        ("Straße@Straße.example", "straße@straße.example"),
        // Each part has a writing direction of its own.
        ("דוד@example.com", "דוד@example.com"),
        ("david@דוגמה.example", "david@דוגמה.example"),
        ("علي٢@مثال.إختبار", "علي٢@مثال.إختبار"),
        ("ada@[192.0.2.7]", "ada@[192.0.2.7]"),
        ("\"a..b\"@example.com", "\"a..b\"@example.com"),
        ("a..b@x", "a..b@x"),
        // Not the same address as its Unicode form.
        ("ada@XN--CAF-DMA.example", "ada@xn--caf-dma.example"),
    ] {
        assert_eq!(email(text).as_deref(), Ok(form), "{text:?}");
    }
    assert_ne!(email("ada@xn--caf-dma.example"), email("ada@café.example"));
    assert_ne!(email("ada@example.com"), email("ada+news@example.com"));
}

#[test]
fn what_cannot_be_compared_is_refused() {
    use EmailError::{At, Domain, Local};
    use Unfit::{Direction, Empty};
    for (text, why) in [
        ("", At),
        ("ada", At),
        ("a@b@c", At),
        // A full-width sign is the same as a plain one.
        ("a＠b@c", At),
        ("a@b＠c", At),
        ("@example.com", Local(Empty)),
        ("ada@", Domain(Empty)),
        ("ada@example.com.", Domain(Empty)),
        ("ada@.example.com", Domain(Empty)),
        ("ada@example．．com", Domain(Empty)),
        ("adaד@example.com", Local(Direction)),
        ("ada@aד.example", Domain(Direction)),
    ] {
        assert_eq!(email(text), Err(why), "{text:?}");
    }
    for (text, says) in [
        ("a b@x", "is wrong before the @: this part must not contain ' ' (U+0020), a space"),
        (
            "ada@x♥y.com",
            "is wrong after the @: each part between dots must not contain '♥' (U+2665)",
        ),
        ("ada@example.com.", "is wrong after the @: each part between dots must have at least one"),
        ("ada@x。y", "'。' (U+3002), a symbol or punctuation mark"),
    ] {
        let error = email(text).unwrap_err().to_string();
        assert!(error.contains(says), "{text:?}: {error}");
    }
}

#[test]
fn the_bound_is_that_of_the_schema() {
    let of = |length: usize| format!("{}@x", "a".repeat(length - 2));
    assert!(email(&of(254)).is_ok());
    assert_eq!(email(&of(255)), Err(EmailError::TooLong(255)));
    // Only what is written is bounded: the form is not stored.
    assert!(email(&format!("{}@x", "İ".repeat(252))).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn a_form_is_its_own(local in texts(), domain in texts(), at in "[@＠]{1,2}") {
        let text = format!("{local}{at}{domain}");
        if let Ok(form) = email(&text) {
            prop_assert_eq!(email(&form), Ok(form.clone()));
            prop_assert_eq!(form.matches('@').count(), 1);
        }
    }

    #[test]
    fn case_makes_no_other_address(text in "[a-zA-Z0-9._+-]{1,20}@[a-zA-Z0-9-]{1,20}\\.[a-zA-Z]{2,6}") {
        let form = email(&text);
        prop_assert!(form.is_ok());
        prop_assert_eq!(email(&text.to_uppercase()), form.clone());
        prop_assert_eq!(email(&text.to_lowercase()), form);
    }
}
