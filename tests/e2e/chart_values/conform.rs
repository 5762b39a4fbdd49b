//! What the chart renders is what Kubernetes says of its kinds: by kubeconform, for the oldest version that the chart
//! is for and for the one that the tests run on, which the API server judges as well.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use serde_json::{Map, Value, json};

use super::{matrix::matrix, render};
use crate::support::{CHART, Space, objects, setting};

/// A kind: its group, version and name.
type Kind = (String, String, String);

#[tokio::test]
async fn whatever_the_values_the_oldest_kubernetes_and_the_newest_know_every_field() {
    let space = Space::new("values-conform").await;
    let rendered = space.folder().join("rendered");
    fs::create_dir(&rendered).unwrap();
    let mut kinds = BTreeSet::new();
    for (at, (_, values)) in matrix(&space).iter().enumerate() {
        let text = render("helm", &space, values).unwrap();
        kinds.extend(objects(&text).iter().map(kind));
        fs::write(rendered.join(format!("{at}.yaml")), text).unwrap();
    }
    let versions: Vec<_> = fs::read_dir(setting("KEYREEVE_TEST_OPENAPI")).unwrap().collect();
    assert_eq!(versions.len(), 2, "the oldest and the newest");
    for version in versions {
        let version = version.unwrap().path();
        let schemas = space.folder().join(version.file_stem().unwrap());
        write_schemas(&version, &kinds, &schemas);
        let (conforms, said) = conforms(&schemas, &rendered);
        assert!(conforms, "{}: {said}", version.display());
        // One that is not as it should be is found.
        let wrong = space.folder().join("wrong.yaml");
        let text = fs::read_to_string(rendered.join("0.yaml")).unwrap();
        fs::write(&wrong, text.replace("serviceAccountName:", "serviceAccount_Name:")).unwrap();
        let (conforms, said) = self::conforms(&schemas, &wrong);
        assert!(!conforms && said.contains("serviceAccount_Name"), "{said}");
    }
}

#[test]
fn an_older_kubernetes_is_refused() {
    let template = |version: &str| {
        let version = format!("--kube-version={version}");
        Command::new("helm").args(["template", "x", CHART, &version]).output().unwrap()
    };
    let refused = template("1.31.9");
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && error.contains("incompatible with Kubernetes"), "{error}");
    for version in ["1.32.0", "1.33.4-gke.100"] {
        assert!(template(version).status.success(), "{version}");
    }
}

/// Whether kubeconform finds nothing wrong in a file or a folder, and what it says.
fn conforms(schemas: &Path, files: &Path) -> (bool, String) {
    let location = format!(
        "{}/{{{{ .ResourceKind }}}}.{{{{ .Group }}}}.{{{{ .ResourceAPIVersion }}}}.json",
        schemas.display()
    );
    let output = Command::new("kubeconform")
        .args(["-strict", "-summary", "-schema-location", &location])
        .arg(files)
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn kind(object: &Value) -> Kind {
    let [api_version, kind] = ["apiVersion", "kind"].map(|field| object[field].as_str().unwrap());
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    (group.into(), version.into(), kind.into())
}

/// Writes a JSON schema for each of these kinds: out of what this version of Kubernetes says of its own, and out of
/// the CRDs of others.
fn write_schemas(openapi: &Path, kinds: &BTreeSet<Kind>, folder: &Path) {
    let openapi: Value = serde_json::from_str(&fs::read_to_string(openapi).unwrap()).unwrap();
    let definitions = openapi["definitions"].as_object().unwrap();
    let mut schemas = of_others();
    for (name, definition) in definitions {
        for kind in definition["x-kubernetes-group-version-kind"].as_array().into_iter().flatten() {
            let [group, version, kind] =
                ["group", "version", "kind"].map(|f| kind[f].as_str().unwrap().to_owned());
            if kinds.contains(&(group.clone(), version.clone(), kind.clone())) {
                schemas.insert((group, version, kind), with_what_it_names(name, definitions));
            }
        }
    }
    fs::create_dir(folder).unwrap();
    for kind in kinds {
        let schema = schemas.get(kind).unwrap_or_else(|| panic!("nobody says what a {kind:?} is"));
        let (group, version, kind) = kind;
        // So kubeconform calls the group that has no name.
        let group = if group.is_empty() { version } else { group };
        let file = format!("{}.{group}.{version}.json", kind.to_lowercase());
        fs::write(folder.join(file), strict(schema.clone()).to_string()).unwrap();
    }
}

/// The schemas in the CRDs of cert-manager and of the Prometheus operator.
fn of_others() -> BTreeMap<Kind, Value> {
    let mut schemas = BTreeMap::new();
    for file in fs::read_dir(setting("KEYREEVE_TEST_CRDS")).unwrap() {
        let crd: Value =
            serde_saphyr::from_str(&fs::read_to_string(file.unwrap().path()).unwrap()).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (group, kind) = (text(&crd["spec"]["group"]), text(&crd["spec"]["names"]["kind"]));
        for version in crd["spec"]["versions"].as_array().unwrap() {
            let schema = version["schema"]["openAPIV3Schema"].clone();
            schemas.insert((group.clone(), text(&version["name"]), kind.clone()), schema);
        }
    }
    schemas
}

/// A definition, with all that it refers to.
fn with_what_it_names(name: &str, definitions: &Map<String, Value>) -> Value {
    let mut needed = Map::new();
    let mut open = vec![name.to_owned()];
    while let Some(name) = open.pop() {
        if !needed.contains_key(&name) {
            let definition = definitions[&name].clone();
            names(&definition, &mut open);
            needed.insert(name, definition);
        }
    }
    // Which of two types they have, OpenAPI 2 has no words for.
    for (name, types) in [
        ("io.k8s.apimachinery.pkg.util.intstr.IntOrString", ["string", "integer"]),
        ("io.k8s.apimachinery.pkg.api.resource.Quantity", ["string", "number"]),
    ] {
        needed.entry(name).and_modify(|definition| *definition = json!({"type": types}));
    }
    json!({"$ref": format!("#/definitions/{name}"), "definitions": needed})
}

fn names(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            let name = fields.get("$ref").and_then(Value::as_str);
            found.extend(name.and_then(|name| name.strip_prefix("#/definitions/")).map(Into::into));
            fields.values().for_each(|field| names(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| names(item, found)),
        _ => {}
    }
}

/// The same, without any field that it does not name.
fn strict(schema: Value) -> Value {
    match schema {
        Value::Object(mut fields) => {
            let open = ["additionalProperties", "x-kubernetes-preserve-unknown-fields"];
            let is_closed = fields.contains_key("properties")
                && !open.iter().any(|field| fields.contains_key(*field));
            for (field, value) in &mut fields {
                let named = ["properties", "definitions"].contains(&field.as_str());
                *value = match value.take() {
                    // Names of fields, and not a schema.
                    Value::Object(by_name) if named => {
                        by_name.into_iter().map(|(name, schema)| (name, strict(schema))).collect()
                    }
                    value => strict(value),
                };
            }
            if is_closed {
                fields.insert("additionalProperties".into(), false.into());
            }
            Value::Object(fields)
        }
        Value::Array(items) => items.into_iter().map(strict).collect(),
        value => value,
    }
}
