use serde_json::{Value, json};

use super::*;
use crate::telemetry::Metrics;

fn conditions(of: &[(&str, &str, &str)]) -> Vec<Condition> {
    let condition = |(type_, status, reason): &(&str, &str, &str)| -> Value {
        json!({
            "type": type_, "status": status, "reason": reason, "message": "",
            "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z",
        })
    };
    of.iter().map(|of| serde_json::from_value(condition(of)).unwrap()).collect()
}

#[test]
fn what_is_counted_is_bounded_whatever_another_hand_writes_into_status() {
    let mut objects = Objects::default();
    for number in 0..100 {
        let reason = format!("Mine{number}");
        let odd = conditions(&[("Ready", "False", &reason), (&reason, "True", "x")]);
        objects.count("User", &odd, false);
    }
    assert_eq!(objects.states[&[("kind", "User"), ("state", "unseen")]], 100);
    assert_eq!(objects.reasons.len(), 1, "{:?}", objects.reasons);
    let conditions: Vec<_> = objects.conditions.keys().collect();
    assert_eq!(conditions.len(), 10, "{conditions:?}");
}

#[test]
fn objects_are_counted_when_somebody_scrapes() {
    let metrics = Metrics::default();
    assert!(!metrics.encode().contains("keyreeve_objects"), "nothing is known yet");
    metrics.objects_are_counted(|| {
        let mut objects = Objects::default();
        let ready = ("Ready", "True", "Synced");
        objects.count("Tenant", &conditions(&[ready, ("Suspended", "True", "x")]), false);
        objects.count("Tenant", &conditions(&[ready]), true);
        let stalled =
            conditions(&[("Ready", "False", "Conflict"), ("Stalled", "True", "Conflict")]);
        objects.count("Role", &stalled, false);
        objects.count("Role", &stalled, true);
        objects.count_unreadable("User", false);
        objects.count_keys(&[], Some(NextRotation::Week));
        objects
    });
    let text = metrics.encode();
    for line in [
        r#"keyreeve_objects{kind="Tenant",state="ready"} 1"#,
        r#"keyreeve_objects{kind="Tenant",state="deleting"} 1"#,
        r#"keyreeve_objects{kind="Namespace",state="stalled"} 0"#,
        r#"keyreeve_not_ready_objects{kind="Role",state="stalled",reason="Conflict"} 1"#,
        r#"keyreeve_not_ready_objects{kind="Role",state="deleting",reason="Conflict"} 1"#,
        r#"keyreeve_not_ready_objects{kind="User",state="stalled",reason="InvalidObject"} 1"#,
        r#"keyreeve_conditions{kind="Tenant",condition="Suspended"} 1"#,
        r#"keyreeve_conditions{kind="User",condition="Paused"} 0"#,
        r#"keyreeve_key_rotations{due="week"} 1"#,
        r#"keyreeve_key_rotations{due="overdue"} 0"#,
        r#"keyreeve_signing_keys{state="active"} 0"#,
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line}\nnot in\n{text}");
    }
    assert!(!text.contains(r#"{kind="User",condition="Suspended"}"#), "only Tenants are suspended");
}
