//! What is refused, what is warned of, and what nothing is said of.

use serde_json::json;

use super::*;

/// Others say this of every object.
struct Others(&'static [&'static str]);

impl Surroundings for Others {
    fn warnings(&self, _: &Object) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

/// A password policy that nobody can satisfy.
fn impossible() -> Value {
    json!({
        "metadata": {"name": "acme", "namespace": "a"},
        "spec": {"settings": {"policies": {"password": {"min": 20, "max": 10}}}},
    })
}

fn refusal(kind: &str, object: &Value) -> Option<String> {
    judge(kind, object, None, &Others(&[])).refused
}

#[test]
fn what_is_wrong_in_the_object_by_itself_is_refused_in_a_sentence() {
    for kind in ["Tenant", "TenantProfile"] {
        let sentence = refusal(kind, &impossible()).unwrap();
        assert_eq!(
            sentence,
            "spec.settings.policies.password: no password can satisfy it: a password may have at most 10 characters (max) and must have at least 20 (min): raise max, or lower min"
        );
    }
}

#[test]
fn what_cannot_be_read_is_refused_as_its_status_would_say_it() {
    let spec = json!({"keystore": {"keySize": "large"}});
    let tenant = json!({
        "apiVersion": "keyreeve.dev/v1alpha1", "kind": "Tenant", "metadata": {"name": "acme"}, "spec": spec,
    });
    let sentence = refusal("Tenant", &tenant).unwrap();
    assert!(sentence.starts_with("the object cannot be read: "), "{sentence}");
    assert!(sentence.ends_with(". Edit or delete it"), "{sentence}");
    assert!(refusal("User", &json!({"spec": {}})).unwrap().contains("cannot be read"));
    assert!(refusal("Role", &json!("no object")).unwrap().contains("cannot be read"));
}

#[test]
fn what_others_say_is_a_warning_and_refuses_nothing() {
    let good = json!({"metadata": {"name": "acme"}, "spec": {}});
    let judgement = judge("Tenant", &good, None, &Others(&["it is taken"]));
    assert_eq!(judgement, Judgement { refused: None, warnings: vec!["it is taken".into()] });
    let refused = judge("Tenant", &impossible(), None, &Others(&["it is taken"]));
    assert!(refused.refused.is_some() && refused.warnings.is_empty());
}

#[test]
fn nothing_is_said_of_one_that_is_being_deleted() {
    let mut going = impossible();
    going["metadata"]["deletionTimestamp"] = json!("2030-01-01T00:00:00Z");
    going["metadata"]["finalizers"] = json!(["keyreeve.dev/finalizer"]);
    let others = Others(&["it is taken"]);
    let mut old = going.clone();
    old["spec"] = json!({});
    assert_eq!(judge("Tenant", &going, Some(&old), &others), Judgement::default());
}

#[test]
fn an_old_object_stays_editable_in_its_metadata() {
    let old = impossible();
    let mut annotated = old.clone();
    annotated["metadata"]["annotations"] = json!({"keyreeve.dev/reconcile": "now"});
    let others = Others(&["it is taken"]);
    assert_eq!(judge("Tenant", &annotated, Some(&old), &others), Judgement::default());
    annotated["spec"]["displayName"] = json!("Acme");
    assert!(judge("Tenant", &annotated, Some(&old), &others).refused.is_some());
}

#[test]
fn an_old_object_can_be_put_right() {
    let (old, mut new) = (impossible(), impossible());
    new["spec"]["settings"]["policies"]["password"]["max"] = json!(20);
    assert_eq!(judge("Tenant", &new, Some(&old), &Others(&[])), Judgement::default());
}

#[test]
fn kinds_of_others_are_none_of_its_business() {
    let others = Others(&["it is taken"]);
    assert_eq!(judge("Pod", &json!({"spec": 1}), None, &others), Judgement::default());
}
