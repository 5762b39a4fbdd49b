use proptest::{collection::vec, prelude::*};
use serde_json::json;

use super::*;

fn claims(value: Value) -> BTreeMap<String, Value> {
    serde_json::from_value(value).unwrap()
}

fn said(value: Value) -> Vec<String> {
    let violations = check(&claims(value)).err().unwrap_or_default();
    violations.iter().map(Violation::to_string).collect()
}

/// A value in so many lists.
fn nested(levels: usize, innermost: Value) -> Value {
    (0..levels).fold(innermost, |value, _| Value::Array(vec![value]))
}

#[test]
fn any_json_within_the_bounds_is_fine() {
    for value in [
        json!({}),
        json!({"department": "Engineering", "active": true, "level": 3, "score": 0.5}),
        json!({"address": {"street": "Ada-Str. 1", "lines": ["a", {"b": []}]}, "": {}, "a b": "\u{0}"}),
        // Reserved is what stands at the top, as it is written.
        json!({"Email": "x", "identity": {"email": "x", "sub": "y"}}),
        json!({"null": "null"}),
    ] {
        assert_eq!(said(value.clone()), [""; 0], "{value}");
    }
}

#[test]
fn reserved_names_are_refused_and_say_where_they_belong() {
    for (name, says) in [
        ("sub", "the issuer of a token sets it, take it out"),
        ("iss", "the issuer of a token sets it, take it out"),
        ("aud", "the issuer of a token sets it, take it out"),
        ("exp", "the issuer of a token sets it, take it out"),
        ("email", "it is made of spec.email, set that instead"),
        ("email_verified", "it is made of spec.emailVerified, set that instead"),
        ("preferred_username", "it is made of spec.username, set that instead"),
        ("given_name", "it is made of spec.firstName, set that instead"),
        ("family_name", "it is made of spec.lastName, set that instead"),
    ] {
        assert!(RESERVED_CLAIMS.contains(&name));
        assert_eq!(said(json!({name: "x"})), [format!("spec.claims.{name}: is reserved: {says}")]);
    }
    assert_eq!(RESERVED_CLAIMS.len(), 9, "all of them");
}

#[test]
fn null_is_refused_wherever_it_stands() {
    let long = "n".repeat(100);
    for (value, path) in [
        (json!({"a": null}), "spec.claims.a"),
        (json!({"a": {"b": [1, {"c": null}]}}), "spec.claims.a.b[1].c"),
        (json!({"a": [[], [null]]}), "spec.claims.a[1][0]"),
        (json!({"b": null, "a": [null, null]}), "spec.claims.a[0]"),
        (json!({"a b": {"": null}}), r#"spec.claims["a b"][""]"#),
        (json!({"a.b": null}), r#"spec.claims["a.b"]"#),
        (json!({"\u{202e}\n": null}), r#"spec.claims["\u{202e}\n"]"#),
        (json!({&long: null}), &format!("spec.claims[{:?}…]", "n".repeat(40))),
        (json!({&long[..40]: null}), &format!("spec.claims.{}", "n".repeat(40))),
    ] {
        let message = "must not be null: take it out, or give it a value";
        assert_eq!(said(value), [format!("{path}: {message}")]);
    }
}

#[test]
fn a_claim_has_at_most_eight_levels() {
    for innermost in [json!(1), json!("a"), json!(false), json!([]), json!({})] {
        assert_eq!(said(json!({"a": nested(7, innermost.clone())})), [""; 0]);
        assert_eq!(
            said(json!({"a": nested(8, innermost)})),
            [
                "spec.claims.a[0][0][0][0][0][0][0][0]: must not be there: a claim has at most 8 levels"
            ]
        );
    }
    // As deep as our JSON reader goes, and far deeper than anything should go down by recursion.
    for levels in [120, 100_000] {
        let deep = BTreeMap::from([("a".to_owned(), nested(levels, json!(null)))]);
        assert_eq!(check(&deep).unwrap_err().len(), 1);
        // Even dropping it does.
        std::mem::forget(deep);
    }
}

#[test]
fn all_claims_together_have_at_most_32_kib_as_compact_json() {
    // {"a":"…"} is 8 bytes more than the text.
    let of = |text: String| said(json!({"a": text}));
    assert_eq!(of("x".repeat(32 * 1024 - 8)), [""; 0]);
    let message = |size: usize| {
        [format!(
            "spec.claims: must have at most 32768 bytes as JSON, and has {size}: shorten them"
        )]
    };
    assert_eq!(of("x".repeat(32 * 1024 - 7)), message(32769));
    // Bytes, not characters; as they are, not escaped; but what JSON must escape.
    assert_eq!(of("é".repeat(16 * 1024 - 4)), [""; 0]);
    assert_eq!(of("é".repeat(16 * 1024 - 3)), message(32770));
    assert_eq!(of("\n".repeat(16 * 1024 - 3)), message(32770));
    let many: Value = (0..100).map(|n| (format!("claim-{n}"), json!("x".repeat(400)))).collect();
    assert_eq!(said(many).len(), 1, "together");
}

#[test]
fn all_that_is_wrong_is_said() {
    let value = json!({
        "sub": "x", "iss": "y", "a": null, "b": null,
        "c": "x".repeat(40_000), "d": nested(7, json!(1)),
    });
    let paths: Vec<_> =
        check(&claims(value)).unwrap_err().into_iter().map(|violation| violation.path).collect();
    assert_eq!(paths, ["spec.claims.iss", "spec.claims.sub", "spec.claims.a", "spec.claims"]);
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        9 => any::<bool>().prop_map(Value::from),
        9 => any::<i64>().prop_map(Value::from),
        9 => any::<f64>().prop_map(Value::from).prop_filter("a number", |value| !value.is_null()),
        9 => ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(10, 24, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec((".{0,4}", inner), 0..3).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

/// The depth as it is defined.
fn depth(value: &Value) -> usize {
    let inner: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    };
    1 + inner.into_iter().map(depth).max().unwrap_or(0)
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(holds_null),
        Value::Object(fields) => fields.values().any(holds_null),
        value => value.is_null(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_refused_is_what_the_rules_say(
        values in vec(values(), 1..4),
        levels in 0..8_usize,
        reserved in proptest::bool::weighted(0.1),
    ) {
        let mut claims: BTreeMap<_, _> =
            (0..).map(|n: u8| n.to_string()).zip(values.into_iter().map(|value| nested(levels, value))).collect();
        if reserved {
            claims.insert("exp".into(), json!(1));
        }
        let is_wrong = reserved || claims.values().any(|value| depth(value) > 8 || holds_null(value));
        let checked = check(&claims);
        prop_assert_eq!(checked.is_err(), is_wrong, "{:?}", checked);
        for violation in checked.err().unwrap_or_default() {
            prop_assert!(violation.path.starts_with("spec.claims"));
        }
    }
}
