//! What kustomize, as kubectl has it, does to each kind and to what refers to it.

use std::{collections::BTreeMap, fs};

use serde_json::Value;
use tempfile::TempDir;

use super::repository;
use crate::support::{kustomized, run};

/// Beside the bundle of the examples: what has the name of something else of the same bare kind, and a
/// generated Secret.
const MORE: &str = "
apiVersion: keyreeve.dev/v1alpha1
kind: User
metadata: {name: bundle-bob}
spec:
  tenantRef: {name: bundle}
  password: {secretKeyRef: {name: bob-password}}
  roles: [{name: bundle-admin}, {name: elsewhere}]
---
apiVersion: keyreeve.dev/v1alpha1
kind: User
metadata: {name: bundle-carla}
spec:
  tenantRef: {name: bundle}
  password: {secretKeyRef: {name: carla-password}}
---
apiVersion: v1
kind: Namespace
metadata: {name: bundle-orders}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: bundle-admin}
rules: []
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: bundle-admin}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: bundle-admin}
---
apiVersion: v1
kind: Secret
metadata: {name: bob-password}
stringData: {password: made-up-for-this-example-1}
";

/// An overlay of the bundle, built: objects by their group and the name that they were given first.
struct Built(BTreeMap<String, Value>);

impl Built {
    fn new(overlay: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let (base, over) = (folder.path().join("base"), folder.path().join("over"));
        for path in [&base, &over] {
            fs::create_dir(path).unwrap();
        }
        fs::copy(repository("examples/bundle.yaml"), base.join("bundle.yaml")).unwrap();
        fs::write(base.join("more.yaml"), MORE).unwrap();
        fs::write(base.join("kustomization.yaml"), "resources: [bundle.yaml, more.yaml]\n")
            .unwrap();
        fs::copy(repository("examples/gitops/kustomize/names.yaml"), over.join("names.yaml"))
            .unwrap();
        fs::write(over.join("kustomization.yaml"), format!("resources: [../base]\n{overlay}"))
            .unwrap();
        Self::of(&kustomized(&over))
    }

    fn of(text: &str) -> Self {
        let all: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
        let plain = |name: &str| name.trim_start_matches("dev-").trim_end_matches("-x").to_owned();
        let named = |object: &Value| {
            let group =
                object["apiVersion"].as_str().unwrap().split_once('/').map_or("", |it| it.0);
            let name = plain(object["metadata"]["name"].as_str().unwrap());
            format!("{}.{group} {name}", object["kind"].as_str().unwrap())
        };
        Self(all.into_iter().map(|object| (named(&object), object)).collect())
    }

    fn get(&self, object: &str, path: &str) -> &str {
        let object = self.0.get(object).unwrap_or_else(|| panic!("{object}: {:?}", self.0.keys()));
        object.pointer(path).unwrap_or_else(|| panic!("{path}: {object}")).as_str().unwrap_or("?")
    }

    /// Whether all of these are what is said.
    #[track_caller]
    fn has(&self, rows: &[(&str, &str, &str)]) {
        for (object, path, expected) in rows {
            assert_eq!(self.get(object, path), *expected, "{object} {path}");
        }
    }
}

const NAME: &str = "/metadata/name";
const PROFILE: &str = "TenantProfile.keyreeve.dev team";
const TENANT: &str = "Tenant.keyreeve.dev bundle";
const NAMESPACE: &str = "Namespace.keyreeve.dev bundle-orders";
const READER: &str = "Role.keyreeve.dev bundle-order-reader";
const ADMIN: &str = "Role.keyreeve.dev bundle-admin";
const ALICE: &str = "User.keyreeve.dev bundle-alice";
const BOB: &str = "User.keyreeve.dev bundle-bob";
const CARLA: &str = "User.keyreeve.dev bundle-carla";
const OURS: [&str; 8] = [PROFILE, TENANT, NAMESPACE, READER, ADMIN, ALICE, BOB, CARLA];

#[test]
fn a_namespace_is_given_to_each_kind_and_only_kubernetes_own_is_renamed() {
    let built = Built::new("namespace: team-a\n");
    for ours in OURS {
        built.has(&[(ours, "/metadata/namespace", "team-a")]);
    }
    built.has(&[
        (NAMESPACE, NAME, "bundle-orders"),
        ("Namespace. team-a", NAME, "team-a"),
        // References by name alone stay within the namespace.
        (READER, "/spec/namespaceRef/name", "bundle-orders"),
        (BOB, "/spec/tenantRef/name", "bundle"),
    ]);
    for (object, reference) in
        [(TENANT, "profileRef"), (READER, "namespaceRef"), (ALICE, "tenantRef")]
    {
        assert_eq!(built.0[object]["spec"][reference]["namespace"], Value::Null, "{object}");
    }
}

#[test]
fn without_our_configuration_a_prefix_tears_references_apart() {
    let built = Built::new("namePrefix: dev-\n");
    built.has(&[
        (TENANT, NAME, "dev-bundle"),
        (TENANT, "/spec/profileRef/name", "team"),
        (ALICE, NAME, "dev-bundle-alice"),
        (ALICE, "/spec/tenantRef/name", "bundle"),
        (ALICE, "/spec/roles/0/name", "bundle-admin"),
        (ADMIN, "/spec/composites/0/name", "bundle-order-reader"),
        (BOB, "/spec/password/secretKeyRef/name", "bob-password"),
        ("Secret. bob-password", NAME, "dev-bob-password"),
    ]);
}

#[test]
fn with_it_a_prefix_and_a_suffix_reach_every_reference_and_no_kind_called_namespace() {
    let built = Built::new("namePrefix: dev-\nnameSuffix: -x\nconfigurations: [names.yaml]\n");
    built.has(&[
        (PROFILE, NAME, "dev-team-x"),
        (TENANT, NAME, "dev-bundle-x"),
        (TENANT, "/spec/profileRef/name", "dev-team-x"),
        // It takes it for Kubernetes' own.
        (NAMESPACE, NAME, "bundle-orders"),
        (NAMESPACE, "/spec/tenantRef/name", "dev-bundle-x"),
        (READER, NAME, "dev-bundle-order-reader-x"),
        (READER, "/spec/namespaceRef/name", "bundle-orders"),
        (READER, "/spec/tenantRef/name", "dev-bundle-x"),
        (ADMIN, "/spec/composites/0/name", "dev-bundle-order-reader-x"),
        (ALICE, "/spec/roles/0/name", "dev-bundle-admin-x"),
        (BOB, "/spec/tenantRef/name", "dev-bundle-x"),
        (BOB, "/spec/password/secretKeyRef/name", "dev-bob-password-x"),
        // What it does not know stays as it is, and what is a name in the store is none of a resource.
        (BOB, "/spec/roles/1/name", "elsewhere"),
        (NAMESPACE, "/spec/name", "orders"),
        (ADMIN, "/spec/name", "admin"),
        (ALICE, "/spec/username", "alice"),
        // Kubernetes' own Role of the same name is another one.
        ("Role.rbac.authorization.k8s.io bundle-admin", NAME, "dev-bundle-admin-x"),
        (
            "RoleBinding.rbac.authorization.k8s.io bundle-admin",
            "/roleRef/name",
            "dev-bundle-admin-x",
        ),
    ]);
}

#[test]
fn a_namespace_that_a_patch_renames_is_followed_and_no_other_of_the_bare_kind_is_meant() {
    let rename = |target: &str| {
        format!(
            "configurations: [names.yaml]
patches:
  - target: {{{target}, name: bundle-orders}}
    options: {{allowNameChange: true}}
    patch: |
      - {{op: replace, path: /metadata/name, value: dev-bundle-orders}}
"
        )
    };
    let built = Built::new(&rename("group: keyreeve.dev, kind: Namespace"));
    built.has(&[
        (NAMESPACE, NAME, "dev-bundle-orders"),
        (READER, "/spec/namespaceRef/name", "dev-bundle-orders"),
        ("Namespace. bundle-orders", NAME, "bundle-orders"),
    ]);
    // Without the group the patch is for both.
    let built = Built::new(&rename("kind: Namespace"));
    built.has(&[
        (NAMESPACE, NAME, "dev-bundle-orders"),
        ("Namespace. bundle-orders", NAME, "dev-bundle-orders"),
    ]);
}

#[test]
fn a_user_follows_the_secret_that_is_generated_for_it() {
    let built = Built::new(
        "configurations: [names.yaml]
secretGenerator:
  - {name: carla-password, literals: [password=another-made-up-one-2]}
",
    );
    let name = built.get(CARLA, "/spec/password/secretKeyRef/name");
    assert!(name.len() > "carla-password-".len() && name.starts_with("carla-password-"), "{name}");
    assert!(built.0.contains_key(&format!("Secret. {name}")), "{:?}", built.0.keys());
}

#[test]
fn the_preview_of_the_examples_is_a_tenant_of_its_own() {
    let built = Built::of(&kustomized(&repository("examples/gitops/kustomize")));
    for (object, value) in &built.0 {
        let name = value["metadata"]["name"].as_str().unwrap();
        assert!(name.starts_with("preview-"), "{object}");
        for reference in ["tenantRef", "namespaceRef"] {
            if let Some(name) = value["spec"][reference]["name"].as_str() {
                assert!(name.starts_with("preview-"), "{object}: {name}");
            }
        }
    }
    assert_eq!(built.0.len(), 6);
    // The version that all of this is about.
    let version = run("kubectl", &["version", "--client"]);
    assert!(version.contains("Kustomize Version: v5.8"), "{version}");
}
