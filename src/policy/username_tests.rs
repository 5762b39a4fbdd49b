use proptest::prelude::*;

use super::{super::precis::tests::texts, *};
use crate::api::schema;

#[test]
fn names_that_differ_in_writing_alone_are_one() {
    for (text, in_force) in [
        ("ada", "ada"),
        ("Ada", "ada"),
        ("ADA", "ada"),
        // All that ASCII prints is allowed: an email address is a username, too.
        ("Ada+1@Example.com", "ada+1@example.com"),
        ("!\"#$%&'()*,/:;<=>?[\\]^_`{|}~", "!\"#$%&'()*,/:;<=>?[\\]^_`{|}~"),
        // Full width and half width.
        ("ＡＤＡ９", "ada9"),
        ("ｱﾀﾞ", "アダ"),
        // Composed and decomposed.
        ("Zoë", "zoë"),
        ("Zoe\u{308}", "zoë"),
        ("한", "한"),
        // Turkish: the dotted capital keeps its dot, and the dotless small letter is another one.
        ("I", "i"),
        ("ı", "ı"),
        ("İ", "i\u{307}"),
        // German: a sharp s is not two, in either case.
        ("Straße", "straße"),
        ("STRAẞE", "straße"),
        ("STRASSE", "strasse"),
        // Greek: a final sigma is another letter (RFC 8265, section 3.5).
        ("ΟΔΟΣ", "οδοσ"),
        ("οδος", "οδος"),
        // Right to left, with digits of one kind.
        ("דוד", "דוד"),
        ("דוד7", "דוד7"),
        ("علي", "علي"),
        ("علي١٢", "علي١٢"),
        ("علي12", "علي12"),
        ("محمّد", "محمّد"),
        ("שָׁלוֹם", "שָׁלוֹם"),
        ("דוד-כהן", "דוד-כהן"),
        ("דודּ", "דודּ"),
        // What joins needs neighbours that it joins: Devanagari, Persian, Catalan, Japanese.
        ("क\u{94d}\u{200d}ष", "क\u{94d}\u{200d}ष"),
        ("نامه\u{200c}ای", "نامه\u{200c}ای"),
        ("gal·la", "gal·la"),
        ("エイダ・L", "エイダ・l"),
    ] {
        assert_eq!(username(text).as_deref(), Ok(in_force), "{text:?}");
    }
}

#[test]
fn what_is_no_name_is_refused() {
    use Unfit::{Context, Direction, Edge, Empty};
    for (text, why) in [
        ("", Empty),
        // Right to left beside left to right; a digit first; both kinds of digits; what is neither at an end.
        ("davidדוד", Direction),
        ("davidعلي", Direction),
        ("דוdד", Direction),
        ("דודdavid", Direction),
        ("7דוד", Direction),
        ("علي1٢", Direction),
        ("١٢", Direction),
        ("דוד-", Direction),
        ("דוד-\u{5bc}", Direction),
        ("\u{5bc}דוד", Direction),
        ("-דוד", Direction),
        // Arabic-Indic and extended digits look alike.
        ("علي١۲", Context('١')),
        ("ada\u{200d}x", Context('\u{200d}')),
        ("\u{200d}ada", Edge),
        ("ada\u{200c}x", Context('\u{200c}')),
        ("نامه\u{200c}", Edge),
        ("ada・x", Context('・')),
        // The rule is held to what was written: only between small l's (RFC 5892, appendix A.3).
        ("GAL·LA", Context('·')),
    ] {
        assert_eq!(username(text), Err(why.into()), "{text:?}");
    }
    for text in
        ["ada lovelace", " ada", "ada\u{3000}x", "ada♥", "ada😀", "ada🦀", "ada\u{200b}", "ﬁ"]
    {
        let refused = username(text);
        assert!(
            matches!(refused, Err(UsernameError::Unfit(Unfit::Character { .. }))),
            "{text:?}: {refused:?}"
        );
    }
}

#[test]
fn the_bound_holds_as_written_and_in_force() {
    let error = |text: String| username(&text).unwrap_err().to_string();
    for character in ["a", "ß", "漢", "𐐀"] {
        assert_eq!(username(&character.repeat(128)).unwrap().chars().count(), 128);
        assert_eq!(error(character.repeat(129)), "must have at most 128 characters, and has 129");
    }
    assert_eq!(username(&"İ".repeat(64)).unwrap().chars().count(), 128);
    assert_eq!(
        error(format!("{}a", "İ".repeat(64))),
        "must have at most 128 characters, and has 129 in lower case"
    );
    // Two characters that become one are two as written.
    assert_eq!(error("e\u{301}".repeat(65)), "must have at most 128 characters, and has 130");

    let crds = schema::crds().unwrap();
    let user = crds.iter().find(|crd| crd.spec.names.kind == "User").unwrap();
    let user = serde_json::to_value(&user.spec.versions[0].schema).unwrap();
    let field = &user["openAPIV3Schema"]["properties"]["spec"]["properties"]["username"];
    assert_eq!(field["maxLength"], MAX_LENGTH);
}

#[test]
fn the_username_in_force_is_that_of_the_spec_or_the_name_of_the_object() {
    let spec = |username: Option<&str>| -> UserSpec {
        serde_json::from_value(
            serde_json::json!({"tenantRef": {"name": "acme"}, "username": username}),
        )
        .unwrap()
    };
    assert_eq!(in_force(&spec(Some("Ada")), "ada.lovelace").as_deref(), Ok("ada"));
    assert_eq!(in_force(&spec(None), "ada.lovelace-1").as_deref(), Ok("ada.lovelace-1"));
    let error = |spec: &UserSpec, name: &str| in_force(spec, name).unwrap_err().to_string();
    assert_eq!(
        error(&spec(Some("a b")), "ada"),
        "spec.username: must not contain ' ' (U+0020), a space: use letters, digits and the printable characters of ASCII"
    );
    assert_eq!(
        error(&spec(None), &"a".repeat(129)),
        "metadata.name: is the username unless spec.username is set, and must have at most 128 characters, and has 129: create the User with a spec.username"
    );
    assert_eq!(in_force(&spec(Some("ada")), &"a".repeat(253)).as_deref(), Ok("ada"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn a_username_in_force_is_its_own(text in texts()) {
        if let Ok(name) = username(&text) {
            prop_assert_eq!(username(&name), Ok(name.clone()));
            prop_assert!(name.chars().count() <= MAX_LENGTH);
        }
    }

    #[test]
    fn case_makes_no_other_name(text in "[a-zA-Zäöüéñåøčžąęіїґжщ0-9._@+-]{1,20}") {
        let name = username(&text);
        prop_assert!(name.is_ok());
        prop_assert_eq!(username(&text.to_uppercase()), name);
    }

    /// Whatever Kubernetes takes for a name of an object, and is short enough, is a username as it stands.
    #[test]
    fn names_of_objects_are_usernames(name in r"[a-z0-9]([-a-z0-9.]{0,126}[a-z0-9])?") {
        prop_assert_eq!(username(&name), Ok(name.clone()));
    }
}
