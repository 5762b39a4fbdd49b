use super::*;
use crate::api::{defaults, schema};

fn pages() -> BTreeMap<String, String> {
    let crds = schema::crds().unwrap();
    crds.iter().map(|crd| (crd.spec.names.kind.clone(), page(crd).unwrap())).collect()
}

/// The cells of a row, beside its path.
fn row(page: &str, path: &str) -> Vec<String> {
    let line = page.lines().find(|line| line.starts_with(&format!("| `{path}` |")));
    let line = line.unwrap_or_else(|| panic!("no row of {path}"));
    line.trim_matches('|').split(" | ").skip(1).map(|cell| cell.trim().to_owned()).collect()
}

#[test]
fn a_row_has_the_type_and_all_that_the_api_server_checks() {
    let pages = pages();
    let allowed = |kind: &str, path: &str| {
        let cells = row(&pages[kind], path);
        format!("{}: {}", cells[0], cells[1])
    };
    let lower_case = "lower-case letters, digits and `-`, which is at no end";
    let cases = [
        (
            "Tenant",
            "spec.tenantId",
            format!("string: 3 to 48 characters; {lower_case}; immutable; 'master' is reserved"),
        ),
        ("Tenant", "spec.enabled", "boolean: ".into()),
        (
            "Tenant",
            "spec.keystore.keySize",
            "integer: `2048`, `3072`, `4096`; keySize is for RSA (RS and PS) algorithms only".into(),
        ),
        (
            "Tenant",
            "spec.subscription.issuedAt",
            "time: a time as RFC 3339 has it, such as `2027-01-31T12:00:00Z`; before the year 9999: leave it out if there is no such date".into(),
        ),
        (
            "Tenant",
            "spec.settings.ttl.session",
            "string: a duration, such as `1m30s`; between 10m and 4320h".into(),
        ),
        (
            "Tenant",
            "spec.settings.policies.bruteForce.allowedAttempts",
            "integer: 5 to 50".into(),
        ),
        ("Tenant", "spec.deletionPolicy", "string: `Delete`, `Retain`".into()),
        (
            "Tenant",
            "spec.allowedFrom",
            "list of objects: at most 32 items; each needs matchNames or matchLabels".into(),
        ),
        (
            "TenantProfile",
            "spec.locked",
            format!(
                "list of strings: at most 128 items; none twice; each: {} values, listed below the table",
                defaults::lockable_paths().len()
            ),
        ),
        ("User", "spec.tenantRef", "object: required; immutable".into()),
        (
            "User",
            "spec.tenantRef.name",
            "string: required; 1 to 253 characters; lower-case letters, digits, `-` and `.`, which are at no end".into(),
        ),
        (
            "User",
            "spec.authenticationProviders",
            "list of objects: at most 16 items; no `name` twice".into(),
        ),
        ("User", "spec.emailVerified", "boolean: emailVerified needs email".into()),
        (
            "User",
            "spec.password",
            "object: needs exactly one of secretKeyRef and generate".into(),
        ),
        (
            "Role",
            "spec.rules[].methods",
            "list of strings: required; 1 to 8 items; each: `GET`, `HEAD`, `POST`, `PUT`, `PATCH`, `DELETE`, `OPTIONS`, `*`".into(),
        ),
    ];
    for (kind, path, expected) in cases {
        assert_eq!(allowed(kind, path), expected, "{kind} {path}");
    }
    assert!(pages["Tenant"].contains("\n- metadata.name is the tenant id unless"));
    assert!(pages["TenantProfile"].contains("`spec.locked`: `keystore`, `keystore.algorithm`"));
    // What is open has no fields of its own, and what repeats the spec refers to it.
    assert!(!pages["User"].contains("| `spec.claims."));
    assert!(!pages["Tenant"].contains("| `status.effective.settings."));
    let of_settings = row(&pages["Tenant"], "status.effective.settings");
    assert!(of_settings[1].ends_with("Its fields are those of `spec.settings`."));
}

#[test]
fn every_field_has_a_row_a_description_and_patterns_in_words() {
    for (kind, page) in pages() {
        let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| `")).collect();
        assert!(rows.len() > 15, "{kind}");
        for row in rows {
            let columns = row.replace("\\|", "").matches('|').count() - 1;
            let expected = if row.starts_with("| `spec") { 4 } else { 3 };
            assert_eq!(columns, expected, "{kind}: {row}");
            assert!(!row.ends_with("|  |"), "{kind}: no description: {row}");
            assert!(!row.contains("matches `"), "{kind}: a pattern without words: {row}");
            assert!(!row.contains("``"), "{kind}: {row}");
        }
        if matches!(kind.as_str(), "Tenant" | "TenantProfile") {
            for path in defaults::lockable_paths() {
                row(&page, &format!("spec.{path}"));
            }
        }
    }
}

#[test]
fn ranges_are_counted_in_their_units() {
    let cases = [
        (serde_json::json!({}), None),
        (serde_json::json!({"maxItems": 1}), Some("at most 1 item")),
        (serde_json::json!({"minItems": 2}), Some("at least 2 items")),
        (serde_json::json!({"minItems": 1, "maxItems": 3.0}), Some("1 to 3 items")),
        (serde_json::json!({"minItems": 3, "maxItems": 3}), Some("3 items")),
    ];
    for (schema, expected) in cases {
        assert_eq!(range(&schema, ["minItems", "maxItems"], "item").as_deref(), expected);
    }
}
