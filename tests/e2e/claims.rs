//! Claims are any JSON: what the API server keeps of them, and what our types read of that.

use axum::http::Request;
use keyreeve::api::User;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::Space;

/// Every kind of value, at the bounds of what comes back as it was written.
fn claims() -> Value {
    json!({
        "integers": [0, 1, -1, (1_i64 << 53) + 1, i64::MAX, -i64::MAX, i64::MIN],
        "floats": [0.5, -0.1, 1.0e-7, 1.0e300, f64::MAX, f64::MIN_POSITIVE, 5e-324, 0.1 + 0.2],
        "texts": ["", " ", "Zoë", "Zoe\u{308}", "漢字 😀 עברית", "\"\\/\u{8}\n\t\r\u{c}", "\u{0}\u{1f}\u{2028}\u{fffd}", "<&>"],
        "switches": [true, false],
        "empty": {"object": {}, "list": [], "lists": [[], [{}]]},
        "address": {"street": "Ada-Str. 1", "geo": {"lat": 52.5, "tags": ["a", {"b": ["c"]}]}},
        "mixed": [1, 1.5, "1", true, {"1": 1}, [1]],
        "": "no name", "a b.c/d": "odd name", "Ünïcödé": "another", "\u{0}": "one more",
    })
}

#[tokio::test]
async fn claims_come_back_as_they_were_written() {
    let space = Space::new("claims").await;
    let users = space.api::<User>();
    let spec = json!({"tenantRef": {"name": "acme"}, "claims": claims()});
    let created = space.create::<User>("created", spec.clone()).await;

    let object = json!({
        "apiVersion": "keyreeve.dev/v1alpha1", "kind": "User", "metadata": {"name": "applied"}, "spec": spec,
    });
    let apply = PatchParams::apply("test");
    let applied = users.patch("applied", &apply, &Patch::Apply(&object)).await.unwrap();

    let fetched = [users.get("created").await.unwrap(), users.get("applied").await.unwrap()];
    for user in [created, applied].into_iter().chain(fetched) {
        assert_eq!(json!(user.spec.claims.unwrap()), claims());
    }
    // Nothing is to be done when the same is applied again.
    let again = users.patch("applied", &apply, &Patch::Apply(&object)).await.unwrap();
    assert_eq!(again.metadata.generation, Some(1));
}

/// Integers beyond 64 bits with sign become floats, and are written with the fewest digits that tell which one;
/// whole floats below 10^21 become integers. Both happens before anything of ours sees them: who needs such a
/// number as it is writes it as text (docs/users.md).
#[tokio::test]
async fn other_numbers_become_what_go_makes_of_them() {
    let space = Space::new("claims-numbers").await;
    // As written; as the server stores it; as our types read that.
    let table = [
        ("9223372036854775807", "9223372036854775807", json!(i64::MAX)),
        ("9223372036854775808", "9223372036854776000", json!(9_223_372_036_854_776_000_u64)),
        ("-9223372036854775809", "-9223372036854776000", json!(-9_223_372_036_854_775_808.0)),
        ("18446744073709551615", "18446744073709552000", json!(18_446_744_073_709_552_000.0)),
        ("1000000000000000000001", "1e+21", json!(1e21)),
        ("1.0", "1", json!(1)),
        ("1e2", "100", json!(100)),
        ("-0.0", "0", json!(0)),
        ("0.10", "0.1", json!(0.1)),
        ("1e-400", "0", json!(0)),
    ];
    for (number, (written, stored, read)) in table.iter().enumerate() {
        let name = format!("user-{number}");
        let answer = post(&space, &name, written).await.unwrap();
        let claims = answer.split_once(r#""claims":{"n":"#).unwrap().1.split_once('}').unwrap().0;
        assert_eq!(claims, *stored, "{written}");
        let user = space.api::<User>().get(&name).await.unwrap();
        assert_eq!(user.spec.claims.unwrap()["n"], *read, "{written}");
    }
    // What the page on Users tells of numbers is among it.
    let page = include_str!("../../docs/users.md").split_once("\n## Claims\n").unwrap().1;
    let section = page.split("\n## ").next().unwrap();
    let rows: Vec<_> = section.lines().filter(|line| line.starts_with("| `")).collect();
    assert!(rows.len() >= 5, "{rows:?}");
    for row in rows {
        let is_so = |(written, stored, _): &(&str, &str, Value)| {
            row == format!("| `{written}` | `{stored}` |")
        };
        assert!(table.iter().any(is_so), "{row}");
    }
    let refused = post(&space, "refused", "1e400").await.unwrap_err();
    assert!(refused.contains("1e400"), "{refused}");
}

/// Creates a User with the claim `n` in these very digits; the answer as text, or the message.
async fn post(space: &Space, name: &str, number: &str) -> Result<String, String> {
    let body = format!(
        r#"{{"apiVersion": "keyreeve.dev/v1alpha1", "kind": "User", "metadata": {{"name": "{name}"}},
            "spec": {{"tenantRef": {{"name": "acme"}}, "claims": {{"n": {number}}}}}}}"#
    );
    let path = format!("/apis/keyreeve.dev/v1alpha1/namespaces/{}/users", space.namespace);
    let request = Request::post(path).header("Content-Type", "application/json");
    let request = request.body(body.into_bytes()).unwrap();
    match space.client.request_text(request).await {
        Ok(answer) => Ok(answer),
        Err(kube::Error::Api(status)) => Err(status.message),
        Err(error) => panic!("no answer: {error}"),
    }
}
