use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;
use crate::{
    api::{PasswordPolicy, validation},
    policy::password,
};

fn user_spec(more: Value) -> UserSpec {
    let mut spec = json!({"tenantRef": {"name": "acme"}});
    if let (Value::Object(spec), Value::Object(more)) = (&mut spec, more) {
        spec.extend(more);
    }
    serde_json::from_value(spec).unwrap()
}

fn said(more: Value, object_name: &str) -> String {
    let spec = user_spec(more);
    match user(&spec, object_name) {
        Ok(()) => String::new(),
        Err(problem) => {
            assert_eq!(problem.reason, Reason::InvalidSpec);
            assert!(problem.is_stalled());
            problem.message
        }
    }
}

#[test]
fn users_that_are_right() {
    let longest = "a".repeat(244);
    for (more, name) in [
        (json!({}), "ada.lovelace"),
        (json!({"username": "Ada", "email": "Ada@Example.com", "claims": {}}), "ada"),
        (json!({"username": "ada"}), &*"a".repeat(253)),
        (json!({"username": "ada", "password": {"generate": {}}}), &longest),
        (json!({"password": {"generate": {"secretName": "a-b.c", "key": ".a"}}}), "ada"),
        (json!({"password": {"secretKeyRef": {"name": "a.b-c.d", "key": "a..b"}}}), "ada"),
        // Twice is once.
        (json!({"roles": [{"name": "a"}, {"name": "a"}]}), "ada"),
    ] {
        assert_eq!(said(more, name), "");
    }
}

#[test]
fn everything_that_is_wrong_with_a_user_is_said_first_field_first() {
    let wrong = json!({
        "username": "a b",
        "email": "ada@example.com.",
        "claims": {"sub": "x", "a": [null]},
        "password": {"generate": {"secretName": "a..b", "key": ".."}},
    });
    assert_eq!(
        said(wrong, "ada"),
        "spec.username: must not contain ' ' (U+0020), a space: use letters, digits and the printable characters of ASCII; \
         spec.email: is wrong after the @: each part between dots must have at least one character; \
         spec.claims.sub: is reserved: the issuer of a token sets it, take it out; \
         spec.claims.a[0]: must not be null: take it out, or give it a value; \
         spec.password.generate.secretName: must be the name of a Secret: between dots and at both ends there must be letters or digits; \
         spec.password.generate.key: must be a key of a Secret: it must not be a dot, and not begin with two"
    );
    assert!(said(json!({}), &"a".repeat(129)).starts_with("metadata.name: is the username unless"));
}

#[test]
fn secrets_have_names_that_kubernetes_takes() {
    for name in ["a..b", "a.-b", "a-.b"] {
        let says = "spec.password.secretKeyRef.name: must be the name of a Secret";
        let message = said(json!({"password": {"secretKeyRef": {"name": name}}}), "ada");
        assert!(message.starts_with(says), "{name}: {message}");
        let says = "spec.password.generate.secretName: must be the name of a Secret";
        let message = said(json!({"password": {"generate": {"secretName": name}}}), "ada");
        assert!(message.starts_with(says), "{name}: {message}");
    }
    for key in [".", "..", "..a"] {
        let says = "spec.password.secretKeyRef.key: must be a key of a Secret";
        let message = said(json!({"password": {"secretKeyRef": {"name": "a", "key": key}}}), "ada");
        assert!(message.starts_with(says), "{key}: {message}");
        let says = "spec.password.generate.key: must be a key of a Secret";
        let message = said(json!({"password": {"generate": {"key": key}}}), "ada");
        assert!(message.starts_with(says), "{key}: {message}");
    }
    let generate = json!({"username": "ada", "password": {"generate": {}}});
    let message = said(generate.clone(), &"a".repeat(245));
    let says = "spec.password.generate.secretName: must be set: the Secret would be called aaa";
    assert!(message.starts_with(says), "{message}");
    assert_eq!(said(generate, &"a".repeat(244)), "");
}

#[test]
fn a_role_may_not_contain_itself() {
    let spec = |part: Value| -> RoleSpec {
        serde_json::from_value(json!({
            "tenantRef": {"name": "acme"}, "composites": [{"name": "reader"}, part],
        }))
        .unwrap()
    };
    for part in [json!({"name": "clerk"}), json!({"name": "clerk", "namespace": "team-a"})] {
        let problem = role(&spec(part), "team-a", "clerk").unwrap_err();
        assert_eq!(problem.reason, Reason::RoleCycle);
        assert_eq!(
            problem.message,
            "spec.composites: roles contain each other in a circle: clerk → clerk. Take one of them out of another's composites"
        );
    }
    for part in [json!({"name": "reader"}), json!({"name": "clerk", "namespace": "team-b"})] {
        assert_eq!(role(&spec(part), "team-a", "clerk"), Ok(()));
    }
    let alone = serde_json::from_value(json!({"tenantRef": {"name": "acme"}})).unwrap();
    assert_eq!(role(&alone, "team-a", "clerk"), Ok(()));
}

#[test]
fn a_profile_must_fit_the_built_in_values() {
    let judged = |spec: Value| {
        let spec = serde_json::from_value(spec).unwrap();
        profile(&spec, &|_, _| Support::Enforced)
    };
    let password = |policy: Value| json!({"settings": {"policies": {"password": policy}}});
    assert_eq!(judged(json!({})), Ok(()));
    assert_eq!(judged(password(json!({"max": 8, "min": 8}))), Ok(()));
    // The built-in least length is 12.
    let problem = judged(password(json!({"max": 8}))).unwrap_err();
    assert_eq!(problem.reason, Reason::PolicyUnsatisfiable);
    assert!(problem.is_stalled());
    let says = "a tenant that sets nothing cannot use this profile: settings.policies.password, as it is in force: no password can satisfy it: ";
    assert!(problem.message.starts_with(says), "{problem}");
    // The built-in publishBefore is 24h.
    let problem = judged(json!({"keystore": {"rotationPeriod": "12h"}})).unwrap_err();
    assert_eq!(problem.reason, Reason::PublishBeforeTooLong);
    assert_eq!(judged(json!({"keystore": {"rotationPeriod": "25h"}})), Ok(()));
}

/// The rows of the tables of a section of docs/users.md, as they are written and what becomes of that.
fn documented(section: &str) -> Vec<(&'static str, &'static str)> {
    let page = include_str!("../../docs/users.md");
    let (_, rest) = page.split_once(&format!("\n## {section}\n")).unwrap();
    let text = rest.split_once("\n## ").map_or(rest, |(section, _)| section);
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    rows.map(|row| row.split_once("` | ").unwrap()).collect()
}

#[test]
fn the_page_on_users_says_what_is_so() {
    let judge = |written: &str, says: &str, judged: Option<String>| match judged {
        Some(form) => assert_eq!(format!("`{form}`"), says, "{written}"),
        None => assert!(says.starts_with("refused: "), "{written} is refused: {says}"),
    };
    let (usernames, emails) = (documented("Usernames"), documented("Email addresses"));
    assert!(usernames.len() > 10 && emails.len() > 5);
    for (written, says) in usernames {
        judge(written, says, username::username(written).ok());
    }
    for (written, says) in emails {
        judge(written, says, email(written).ok());
    }
    let page = include_str!("../../docs/users.md");
    let example = page.split_once("\n```yaml\n").unwrap().1.split_once("\n```").unwrap().0;
    let example: Value = serde_saphyr::from_str(example).unwrap();
    assert_eq!(validation::check("User", &example, None), []);
    let spec: UserSpec = serde_json::from_value(example["spec"].clone()).unwrap();
    assert_eq!(user(&spec, "ada"), Ok(()));
    assert_eq!(spec.claims.unwrap().len(), 3);
}

proptest! {
    /// So nothing is left for a Tenant: what it says of passwords by itself, the API server judges.
    #[test]
    fn a_tenants_own_password_policy_is_judged_by_its_schema(
        counts in proptest::array::uniform5(proptest::option::of(0..33_u32)),
        custom in proptest::option::of("[a-cA-C0-2!é]{0,3}"),
    ) {
        let [max, min, lower_case, upper_case, number] = counts;
        let policy =
            PasswordPolicy { max, min, lower_case, upper_case, number, custom_chars: custom, history: None };
        let tenant = json!({
            "metadata": {"name": "acme"}, "spec": {"settings": {"policies": {"password": policy}}},
        });
        let refused = !validation::check("Tenant", &tenant, None).is_empty();
        prop_assert_eq!(password::unsatisfiable(&policy, crate::api::HashFunction::Argon2).is_some(), refused, "{:?}", policy);
    }

    #[test]
    fn no_user_brings_it_down(
        username in any::<Option<String>>(),
        email in any::<Option<String>>(),
        name in any::<String>(),
        claims in proptest::option::of(any::<Vec<(String, String)>>()),
    ) {
        let mut spec = user_spec(json!({}));
        (spec.username, spec.email) = (username, email);
        spec.claims = claims.map(|claims| {
            let claims: Map<String, Value> =
                claims.into_iter().map(|(name, value)| (name, value.into())).collect();
            claims.into_iter().collect()
        });
        let _ = user(&spec, &name);
    }
}
