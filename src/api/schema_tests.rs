//! Walks over the generated CRDs: the rules that hold for every schema.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    super::{Duration, paths::for_each_leaf},
    *,
};

#[path = "schema_tests/status.rs"]
mod status;
#[path = "schema_tests/tenant.rs"]
mod tenant;

/// The schema of one kind, down to its `spec` and `status`.
struct Kind {
    name: String,
    crd: Value,
}

fn kinds() -> Vec<Kind> {
    let kinds: Vec<_> = crds()
        .unwrap()
        .into_iter()
        .map(|crd| Kind {
            name: crd.spec.names.kind.clone(),
            crd: serde_json::to_value(crd).unwrap(),
        })
        .collect();
    assert_eq!(kinds.len(), 5);
    kinds
}

fn kind(name: &str) -> Kind {
    kinds().into_iter().find(|kind| kind.name == name).unwrap()
}

impl Kind {
    fn root(&self) -> &Value {
        &self.crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    }

    /// The schema at a path below the root, such as `spec.settings.ttl`.
    fn at(&self, path: &str) -> &Value {
        path.split('.').fold(self.root(), |schema, name| &schema["properties"][name])
    }

    /// Every part of the schema with its path.
    fn parts(&self) -> Vec<(String, &Value)> {
        let mut parts = Vec::new();
        collect(self.root(), self.name.clone(), &mut parts);
        parts
    }
}

fn collect<'a>(schema: &'a Value, path: String, parts: &mut Vec<(String, &'a Value)>) {
    for (name, child) in schema["properties"].as_object().into_iter().flatten() {
        collect(child, format!("{path}.{name}"), parts);
    }
    for (key, suffix) in [("items", "[]"), ("additionalProperties", "{}")] {
        if let Some(child) = schema.get(key) {
            collect(child, format!("{path}{suffix}"), parts);
        }
    }
    parts.push((path, schema));
}

fn leaves(document: &Value) -> Vec<(String, Value)> {
    let mut leaves = Vec::new();
    for_each_leaf(document.as_object().unwrap(), "", &mut |path, value| {
        leaves.push((path.to_owned(), value.clone()));
    });
    leaves
}

/// The leaves of a schema, as [`for_each_leaf`] sees documents of it: lists are leaves.
fn schema_leaves(schema: &Value, path: &str) -> BTreeSet<String> {
    let Some(properties) = schema["properties"].as_object() else {
        return BTreeSet::from([path.to_owned()]);
    };
    properties
        .iter()
        .flat_map(|(name, child)| schema_leaves(child, &format!("{path}.{name}")))
        .collect()
}

/// A bound of a schema; the derive writes some of them as floating-point numbers.
#[allow(clippy::cast_possible_truncation, reason = "small and whole")]
fn bound(schema: &Value, key: &str) -> Option<i64> {
    schema[key].as_f64().map(|number| number as i64)
}

#[test]
fn the_one_default_is_that_of_status() {
    for kind in kinds() {
        let with_default: Vec<_> = kind
            .parts()
            .into_iter()
            .filter_map(|(path, schema)| Some((path, schema.get("default")?.clone())))
            .collect();
        let status = format!("{}.status", kind.name);
        assert_eq!(with_default, [(status, json!({"observedGeneration": -1}))]);
    }
}

#[test]
fn nothing_is_nullable() {
    for kind in kinds() {
        for (path, schema) in kind.parts() {
            assert!(schema.get("nullable").is_none(), "{path}");
        }
    }
}

#[test]
fn everything_has_a_type_and_a_bound() {
    for kind in kinds() {
        for (path, schema) in kind.parts() {
            let has = |key: &str| schema.get(key).is_some();
            let values = schema["enum"].as_array();
            assert!(values.is_none_or(|values| !values.contains(&Value::Null)), "{path}");
            let open = has("x-kubernetes-preserve-unknown-fields");
            assert_eq!(open, path == "User.spec.claims", "{path}");
            // These classes are ASCII's to Go and Unicode's to Rust.
            let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
            let patterns = [&schema["pattern"]].into_iter().chain(rules.map(|rule| &rule["rule"]));
            for pattern in patterns.filter_map(Value::as_str) {
                let doubtful = [r"\s", r"\S", r"\d", r"\D", r"\w", r"\W", r"\b", "(?i)"];
                assert!(!doubtful.iter().any(|class| pattern.contains(class)), "{path}: {pattern}");
            }
            match schema["type"].as_str().unwrap_or_default() {
                "string" => assert!(has("maxLength") || has("enum"), "{path}"),
                "array" => {
                    assert!(has("maxItems"), "{path}");
                    assert!(has("x-kubernetes-list-type"), "{path}");
                }
                "object" if has("additionalProperties") || open => {
                    assert!(has("maxProperties"), "{path}");
                }
                "object" => assert!(has("properties"), "{path}"),
                "integer" => {
                    let bounded = has("enum") || (has("minimum") && has("maximum"));
                    assert!(bounded || path.contains(".status."), "{path}");
                }
                "boolean" => {}
                other => panic!("{path} is of type {other:?}"),
            }
        }
    }
}

/// One rule judges such a text, by its pattern, and nothing of the pattern is said to people.
#[test]
fn what_people_write_most_is_refused_in_words() {
    for (kind, path, says) in [
        ("User", "spec.username", "must have no spaces"),
        ("User", "spec.email", "must be one email address"),
        ("Tenant", "spec.organization.email", "must be one email address"),
        ("Role", "spec.rules[].paths[]", "must begin with /"),
    ] {
        let (kind, place) = (self::kind(kind), path);
        let (_, schema) = kind.parts().into_iter().find(|(path, _)| path.ends_with(place)).unwrap();
        let rules = schema["x-kubernetes-validations"].as_array().unwrap();
        assert_eq!(rules.len(), 1, "{place}");
        assert!(pattern_of_rule(&rules[0]).is_some(), "{place}");
        assert!(rules[0]["message"].as_str().unwrap().starts_with(says), "{place}");
        assert_eq!(schema.get("pattern"), None, "{place}");
    }
}

/// Server-side apply of a CRD merges rules by their text.
#[test]
fn no_rule_stands_twice_in_one_place() {
    for kind in kinds() {
        for (path, schema) in kind.parts() {
            let rules = schema.get("x-kubernetes-validations").and_then(Value::as_array);
            let texts: Vec<_> =
                rules.into_iter().flatten().map(|rule| rule["rule"].to_string()).collect();
            let distinct: BTreeSet<_> = texts.iter().collect();
            assert_eq!(distinct.len(), texts.len(), "{} {path}", kind.name);
        }
    }
}

#[test]
fn every_field_is_described_in_a_sentence() {
    for kind in kinds() {
        for (path, schema) in kind.parts() {
            for (name, field) in schema["properties"].as_object().into_iter().flatten() {
                let text = field["description"].as_str().unwrap_or_default();
                assert!(text.len() > 5 && text.ends_with('.'), "{path}.{name}: {text:?}");
            }
        }
    }
}

#[test]
fn a_plain_kubectl_apply_takes_every_crd() {
    // It keeps the whole object in an annotation; all annotations together may have 256 KiB.
    for kind in kinds() {
        assert!(kind.crd.to_string().len() < 200_000, "{}", kind.name);
    }
}

#[test]
fn names_columns_and_selectable_fields_are_as_documented() {
    // Kind, short name, columns, columns of `-o wide`, selectable fields.
    let table = [
        (
            "Tenant",
            "tnt",
            "Tenant-Id Type Enabled Plan Users Ready Status Age",
            "Region Remember-Me Reset-Password Registration Admin",
            ".spec.tenantId .spec.profileRef.name",
        ),
        ("TenantProfile", "tprof", "Plan Tenants Ready Status Age", "", ".spec.plan"),
        ("Namespace", "tns", "Tenant Name Ready Status Age", "", ".spec.tenantRef.name .spec.name"),
        (
            "Role",
            "trole",
            "Tenant Name Namespace Ready Status Age",
            "",
            ".spec.tenantRef.name .spec.namespaceRef.name .spec.name",
        ),
        (
            "User",
            "tusr",
            "Tenant Username Enabled Ready Status Age",
            "",
            ".spec.tenantRef.name .spec.username .spec.email",
        ),
    ];
    let each = |list: &Value, key: &str| -> Vec<String> {
        let list = list.as_array().cloned().unwrap_or_default();
        list.iter().map(|item| item[key].as_str().unwrap().to_owned()).collect()
    };
    for (name, short, plain, wide, selectable) in table {
        let crd = kind(name).crd;
        let (names, version) = (&crd["spec"]["names"], &crd["spec"]["versions"][0]);
        assert_eq!(crd["spec"]["scope"], "Namespaced");
        assert_eq!(names["shortNames"], json!([short]));
        assert_eq!(names["categories"], json!(["keyreeve"]));
        let (wide_columns, columns): (Vec<_>, Vec<_>) =
            version["additionalPrinterColumns"].as_array().cloned().unwrap().into_iter().partition(
                |column| column["priority"].as_i64().is_some_and(|priority| priority > 0),
            );
        assert_eq!(each(&columns.into(), "name").join(" "), plain, "{name}");
        assert_eq!(each(&wide_columns.into(), "name").join(" "), wide, "{name}");
        assert_eq!(each(&version["selectableFields"], "jsonPath").join(" "), selectable, "{name}");
        assert_eq!(version["subresources"], json!({"status": {}}), "{name}");
    }
}

#[test]
fn columns_and_selectable_fields_show_fields_that_are_there() {
    for kind in kinds() {
        let version = &kind.crd["spec"]["versions"][0];
        let lists = [&version["additionalPrinterColumns"], &version["selectableFields"]];
        for column in lists.into_iter().filter_map(Value::as_array).flatten() {
            let path = column["jsonPath"].as_str().unwrap();
            if path.starts_with(".metadata.") || path.starts_with(".status.conditions[?") {
                continue;
            }
            let field = kind.at(path.trim_start_matches('.'));
            let type_ = column["type"].as_str().unwrap_or("string");
            assert_eq!(field["type"].as_str(), Some(type_), "{} {path}", kind.name);
        }
    }
}
