//! Whether the CRDs are installed, and are those that this version was built with. Pure.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionSpec,
};
use kube::ResourceExt;
use serde_json::Value;

use super::line::{Check, Line};

/// The only version that there is.
const VERSION: &str = "v1alpha1";

const INSTALL: &str = "install those of the operator's own version: `keyreeve crds | kubectl apply --server-side --force-conflicts -f -`, or `helm upgrade`, which brings them where crds.enabled is true";

/// What is to be said of the CRDs that were found, beside those that there should be.
pub fn judge(
    expected: &[CustomResourceDefinition],
    found: &[CustomResourceDefinition],
) -> Vec<Line> {
    let mut lines = Vec::new();
    for crd in expected {
        let name = crd.name_any();
        match found.iter().find(|found| found.name_any() == name) {
            None => {
                lines.push(Line::wrong(Check::Crds, format!("{name} is not installed"), INSTALL));
            }
            Some(found) => {
                lines.extend(compare(crd, found).into_iter().map(|(says, advice)| {
                    Line::wrong(Check::Crds, format!("{name} {says}"), advice)
                }));
            }
        }
    }
    if lines.is_empty() {
        let number = expected.len();
        let version = env!("CARGO_PKG_VERSION");
        lines.push(Line::ok(Check::Crds, format!("all {number} are those of version {version}")));
    }
    lines
}

/// What is wrong with one that is there, and what to do.
fn compare(
    expected: &CustomResourceDefinition,
    found: &CustomResourceDefinition,
) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    if let Some(path) = difference(&expected.spec, &found.spec) {
        let says = format!(
            "is not the one of version {}: it differs at {path}",
            env!("CARGO_PKG_VERSION")
        );
        wrong.push((says, INSTALL.to_owned()));
    }
    let stored = |version: &&str| **version == *VERSION;
    let storage = found.spec.versions.iter().find(|version| version.storage);
    let storage = storage.map(|version| version.name.as_str()).unwrap_or_default();
    if !stored(&storage) {
        wrong.push((
            format!("stores objects as {storage}, which this version does not know"),
            INSTALL.to_owned(),
        ));
    }
    if found.spec.conversion.as_ref().is_some_and(|conversion| conversion.strategy != "None") {
        wrong.push((
            "converts objects by a webhook, which this operator does not have".into(),
            INSTALL.to_owned(),
        ));
    }
    let status = found.status.clone().unwrap_or_default();
    let others: Vec<_> =
        status.stored_versions.iter().flatten().filter(|version| *version != VERSION).collect();
    if let Some(other) = others.first() {
        wrong.push((
            format!("has objects that may be stored as {other} still"),
            format!(
                "write each of them again, then take {other} out of the CRD's status.storedVersions"
            ),
        ));
    }
    for condition in status.conditions.iter().flatten() {
        let is_bad = match condition.type_.as_str() {
            "Established" | "NamesAccepted" => condition.status != "True",
            "Terminating" | "NonStructuralSchema" => condition.status == "True",
            _ => false,
        };
        if is_bad {
            let message = condition.message.as_deref().unwrap_or_default();
            wrong.push((
                format!("is not served: {} is {}. {message}", condition.type_, condition.status),
                "look at it: `kubectl describe crd`; another CRD may have its names, or somebody deletes it".into(),
            ));
        }
    }
    wrong
}

/// Where two definitions differ first, in what the API server does not fill in by itself.
fn difference(
    expected: &CustomResourceDefinitionSpec,
    found: &CustomResourceDefinitionSpec,
) -> Option<String> {
    let version = |spec: &CustomResourceDefinitionSpec| {
        spec.versions.iter().find(|version| version.name == VERSION).cloned()
    };
    let found_version = version(found)?;
    let (expected_version, found_version) =
        (serde_json::to_value(version(expected)?).ok()?, serde_json::to_value(found_version).ok()?);
    let (expected_names, found_names) =
        (serde_json::to_value(&expected.names).ok()?, serde_json::to_value(&found.names).ok()?);
    if expected.scope != found.scope {
        return Some("spec.scope".into());
    }
    first_difference(&expected_names, &found_names, "spec.names", true)
        .or_else(|| first_difference(&expected_version, &found_version, VERSION, false))
}

/// Where two values differ first; `more` is what the second may have beside the first.
fn first_difference(expected: &Value, found: &Value, path: &str, more: bool) -> Option<String> {
    let differs = || Some(path.to_owned());
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            let unknown = found.keys().find(|key| !more && !expected.contains_key(*key));
            let below = expected.iter().find_map(|(key, value)| {
                let path = format!("{path}.{key}");
                match found.get(key) {
                    Some(found) => first_difference(value, found, &path, more),
                    None => Some(path),
                }
            });
            below.or_else(|| unknown.map(|key| format!("{path}.{key}")))
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            let mut pairs = expected.iter().zip(found).enumerate();
            pairs.find_map(|(at, (a, b))| first_difference(a, b, &format!("{path}[{at}]"), more))
        }
        // 5 and 5.0 are the same.
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => None,
        (a, b) if a == b => None,
        _ => differs(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::line::Verdict, *};
    use crate::api::schema;

    /// The CRDs with this change to that of Users.
    fn with(change: impl Fn(&mut Value)) -> Vec<Line> {
        let expected = schema::crds().unwrap();
        let mut found = expected.clone();
        let user = found.iter_mut().find(|crd| crd.spec.names.kind == "User").unwrap();
        let mut value = serde_json::to_value(&*user).unwrap();
        change(&mut value);
        *user = serde_json::from_value(value).unwrap();
        judge(&expected, &found)
    }

    #[test]
    fn the_same_are_well_also_with_what_the_api_server_fills_in() {
        let lines = with(|user| {
            user["spec"]["conversion"] = json!({"strategy": "None"});
            user["status"] = json!({
                "storedVersions": ["v1alpha1"], "acceptedNames": {"plural": "users", "kind": "User"},
                "conditions": [
                    {"type": "Established", "status": "True"}, {"type": "NamesAccepted", "status": "True"},
                ],
            });
        });
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].verdict, Verdict::Ok, "{lines:?}");
    }

    #[test]
    fn what_differs_is_named() {
        const SPEC: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
        type Change = Box<dyn Fn(&mut Value)>;
        let cases: [(Change, &str); 7] = [
            (
                Box::new(|user| {
                    drop(user.pointer_mut(SPEC).unwrap().as_object_mut().unwrap().remove("claims"));
                }),
                "users.keyreeve.dev is not the one of version 0.1.0: it differs at v1alpha1.schema.openAPIV3Schema.properties.spec.properties.claims",
            ),
            (
                Box::new(|user| {
                    user.pointer_mut(SPEC).unwrap()["mine"] = json!({"type": "string"});
                }),
                "differs at v1alpha1.schema.openAPIV3Schema.properties.spec.properties.mine",
            ),
            (
                Box::new(|user| user.pointer_mut(SPEC).unwrap()["email"]["maxLength"] = json!(7)),
                "differs at v1alpha1.schema.openAPIV3Schema.properties.spec.properties.email.maxLength",
            ),
            (
                Box::new(|user| user["spec"]["names"]["shortNames"] = json!(["u"])),
                "differs at spec.names.shortNames[0]",
            ),
            (
                Box::new(|user| user["spec"]["conversion"] = json!({"strategy": "Webhook"})),
                "converts objects by a webhook",
            ),
            (
                Box::new(|user| user["status"]["storedVersions"] = json!(["v1alpha0", "v1alpha1"])),
                "stored as v1alpha0 still",
            ),
            (
                Box::new(|user| {
                    user["status"]["conditions"] =
                        json!([{"type": "NamesAccepted", "status": "False", "message": "taken"}]);
                }),
                "is not served: NamesAccepted is False. taken",
            ),
        ];
        for (change, says) in cases {
            let lines = with(change);
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert!(lines[0].says.contains(says), "{says}: {lines:?}");
            assert!(lines[0].verdict == Verdict::Wrong && !lines[0].advice.is_empty(), "{lines:?}");
        }
    }

    #[test]
    fn one_that_is_missing_or_of_another_version_is_named() {
        let expected = schema::crds().unwrap();
        let lines = judge(&expected, &expected[..4]);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].says, "users.keyreeve.dev is not installed");
        let lines = with(|user| user["spec"]["versions"][0]["name"] = json!("v2"));
        assert!(lines[0].says.contains("stores objects as v2"), "{lines:?}");
    }
}
