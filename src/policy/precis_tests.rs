use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

/// Texts of characters whose mapping, script or writing direction matters, and of any others.
pub fn texts() -> impl Strategy<Value = String> {
    let odd: Vec<char> = concat!(
        "azAZ09.-_@+·l",
        "ＡｚＺ９．＠ｶﾞﾊﾟ・ー",
        "İıIißẞÅÄǆΣσςΐΆаЯԱև",
        "\u{300}\u{301}\u{307}\u{308}\u{323}\u{327}\u{345}\u{5b0}\u{651}\u{94d}\u{200c}\u{200d}",
        "אד׳״عهر٠١۰۱कषはカ漢가\u{1100}\u{1161}",
        "ᎠꭰႠⴀᲐა𐐀",
        " \u{a0}\u{3000}\u{200b}\u{202e}\u{feff}\u{0}!♥😀🦀ﬁ²Ⅷ",
    )
    .chars()
    .collect();
    let character = prop_oneof![8 => select(odd), 2 => any::<char>()];
    vec(character, 0..9).prop_map(String::from_iter)
}

#[test]
fn every_character_alone_has_a_form_that_is_its_own_or_is_refused() {
    let mut allowed = 0;
    for character in '\0'..=char::MAX {
        if let Ok(form) = case_mapped(&character.to_string()) {
            assert_eq!(case_mapped(&form).as_deref(), Ok(form.as_str()), "{}", named(character));
            assert!(!form.chars().any(char::is_uppercase), "{}", named(character));
            allowed += 1;
        }
    }
    assert!((90_000..100_000).contains(&allowed), "{allowed}");
}

#[test]
fn what_is_refused_is_named_with_its_kind() {
    for (text, says) in [
        ("a b", "must not contain ' ' (U+0020), a space: use letters, digits and"),
        ("a\u{a0}b", r"'\u{a0}' (U+00A0), a space"),
        // A full-width space is a plain one by then.
        ("a\u{3000}b", "' ' (U+0020), a space"),
        ("a\tb", r"'\t' (U+0009), a control character"),
        ("a\u{200b}b", r"'\u{200b}' (U+200B), an invisible, obsolete or partial character"),
        ("a\u{202e}b", r"'\u{202e}' (U+202E), an invisible, obsolete or partial character"),
        // Korean is written in whole syllables: the profile looks before it composes.
        ("\u{1112}\u{1161}\u{11ab}", "'ᄒ' (U+1112), an invisible, obsolete or partial character"),
        ("a♥b", "'♥' (U+2665), a symbol or punctuation mark"),
        ("a😀b", "'😀' (U+1F600), a symbol or punctuation mark"),
        ("a🦀b", "'🦀' (U+1F980), which is newer than Unicode 6.3"),
        ("“a”", "'“' (U+201C), a symbol or punctuation mark"),
        ("ﬁnn", "'ﬁ' (U+FB01), a special form of letters or digits"),
        ("m²", "'²' (U+00B2), a special form of letters or digits"),
        // Lower-case Cherokee came with Unicode 8.
        ("Ꭰ", "'ꭰ' (U+AB70), which is newer than Unicode 6.3"),
        ("a·b", "must not contain '·' (U+00B7) where it stands: only certain characters beside it"),
        ("·", "must not begin or end with a character that only others beside it allow"),
        ("אa", "must not mix writing directions"),
        ("", "must have at least one character"),
    ] {
        let error = case_mapped(text).unwrap_err().to_string();
        assert!(error.contains(says), "{text:?}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn a_form_is_its_own_and_has_no_upper_case(text in texts()) {
        if let Ok(form) = case_mapped(&text) {
            prop_assert_eq!(case_mapped(&form), Ok(form.clone()));
            prop_assert!(!form.is_empty());
            prop_assert!(!form.chars().any(char::is_uppercase), "{}", form);
        }
    }

    #[test]
    fn no_text_brings_it_down(text in any::<String>()) {
        let _ = case_mapped(&text);
    }
}
