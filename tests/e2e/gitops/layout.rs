//! The repository in `examples/gitops`: what of it is ours becomes Ready, and what others read points to what is there.

use std::fs;

use serde_json::{Value, json};

use super::repository;
use crate::support::{HEALTH, Operator, Space, argo_health, kstatus, kustomized};

const NAMESPACES: [&str; 3] = ["identity-platform", "bakery-staging", "bakery-production"];

/// The folders that Argo CD and Flux apply, each after what it needs.
const FOLDERS: [&str; 4] =
    ["platform", "teams/bakery/staging", "teams/bakery/production", "kustomize"];

/// The objects that a folder becomes.
fn objects(folder: &str) -> Vec<Value> {
    let text = kustomized(&repository("examples/gitops").join(folder));
    serde_saphyr::from_multiple(&text).unwrap()
}

/// The documents of a file.
fn documents(file: &str) -> Vec<Value> {
    let text = fs::read_to_string(repository("examples/gitops").join(file)).unwrap();
    serde_saphyr::from_multiple(&text).unwrap()
}

impl Space {
    /// Applies as Flux does, all at once and strictly; or as it would.
    fn apply_all(&self, objects: &[Value], more: &[&str]) -> String {
        let file = self.folder().join("objects.json");
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        fs::write(&file, list.to_string()).unwrap();
        let how = ["--server-side", "--field-manager=gitops", "-f", file.to_str().unwrap()];
        self.kubectl(&[more, &how[..]].concat())
    }
}

#[tokio::test]
async fn a_repository_of_many_teams_becomes_ready_and_stays_as_it_is_written() {
    let space = Space::new("layout").await;
    let _operator = Operator::start_with(&space, &["--watch-namespace", &NAMESPACES.join(",")]);
    let mut all = Vec::new();
    for folder in FOLDERS {
        let (mut ours, others): (Vec<_>, Vec<_>) = objects(folder)
            .into_iter()
            .partition(|object| object["apiVersion"] != "external-secrets.io/v1");
        // external-secrets is not there: its part is played here.
        ours.extend(others.iter().map(secret_of));
        space.apply_all(&ours, &["apply", "--validate=strict"]);
        all.extend(ours);
    }
    let mut count = 0;
    for namespace in NAMESPACES {
        count += space.all_are_ready(namespace).await;
    }
    assert_eq!(count, 1 + 6 + 6 + 6);
    assert_eq!(space.apply_all(&all, &["diff"]), "");
    let mut database = space.database().await;
    let tenants = database.texts("SELECT tenant_id FROM v1_tenants ORDER BY 1").await;
    assert_eq!(tenants, ["bakery", "bakery-staging", "preview-bakery"]);

    // What Flux may do for the team is as a cluster takes it.
    let rights = documents("flux/rights.yaml");
    space.kubectl(&["create", "namespace", "flux-system"]);
    space.apply_all(&rights, &["apply", "--dry-run=server", "--validate=strict"]);

    // As both tools see them in the end.
    let mut found = Vec::new();
    for namespace in NAMESPACES {
        found.extend(space.all_in(namespace).await);
    }
    let found: Vec<_> = found.iter().collect();
    assert!(kstatus(&found).iter().all(|told| told.status == "Current"));
    assert!(argo_health(&found).iter().all(|told| told.status == "Healthy"));

    // Pruned by mistake: a Tenant alone; and a whole folder, whose Users outlive their files.
    let before = kept(&found);
    space.kubectl(&["delete", "tnt", "bakery", "--namespace=bakery-staging"]);
    let retain = r#"{"spec": {"deletionPolicy": "Retain"}}"#;
    let production = "--namespace=bakery-production";
    space.kubectl(&["patch", "tusr", "carla", "till", production, "--type=merge", "-p", retain]);
    space.kubectl(&["delete", "tnt,tns,trole,tusr", "--all", production]);
    space.apply_all(&all, &["apply"]);
    let mut after = Vec::new();
    for namespace in NAMESPACES {
        space.all_are_ready(namespace).await;
        after.extend(space.all_in(namespace).await);
    }
    assert_eq!(kept(&after.iter().collect::<Vec<_>>()), before);
}

/// What no file can bring back: the keys of each tenant, and the ids of its users.
fn kept(objects: &[&Value]) -> Vec<Value> {
    let of = |object: &&Value| {
        let (metadata, status) = (&object["metadata"], &object["status"]);
        let keys =
            status["keystore"].as_array().into_iter().flatten().map(|key| &key["key"]["kid"]);
        json!([metadata["namespace"], metadata["name"], status["id"], keys.collect::<Vec<_>>()])
    };
    objects.iter().map(of).collect()
}

/// The Secret that external-secrets makes.
fn secret_of(external: &Value) -> Value {
    assert_eq!(external["kind"], "ExternalSecret");
    let key = external["spec"]["data"][0]["secretKey"].as_str().unwrap();
    json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {
            "name": external["spec"]["target"]["name"], "namespace": external["metadata"]["namespace"],
        },
        "stringData": {key: "made-up-for-this-test-1"},
    })
}

#[test]
fn argo_cd_and_flux_are_pointed_to_what_is_in_the_repository() {
    let mut paths = Vec::new();
    for file in
        ["argocd/platform.yaml", "argocd/teams.yaml", "flux/platform.yaml", "flux/bakery.yaml"]
    {
        for document in documents(file) {
            let spec = &document["spec"];
            let generators = spec["generators"].as_array().into_iter().flatten();
            let found = generators
                .map(|generator| &generator["git"]["directories"][0]["path"])
                .chain([&spec["path"], &spec["source"]["path"]]);
            paths.extend(found.filter_map(|path| path.as_str().map(str::to_owned)));
        }
    }
    assert_eq!(paths.len(), 6, "{paths:?}");
    for path in paths {
        let path = repository("examples/gitops").join(path.replace('*', "bakery"));
        assert!(path.join("kustomization.yaml").exists(), "{path:?}");
    }
}

#[test]
fn flux_may_make_all_that_is_in_a_teams_folder_and_no_profiles() {
    let rights = documents("flux/rights.yaml");
    let plural = |object: &Value| format!("{}s", object["kind"].as_str().unwrap().to_lowercase());
    let mut folders = 0;
    for kustomization in documents("flux/bakery.yaml") {
        let spec = &kustomization["spec"];
        let path = spec["path"].as_str().unwrap();
        let folder = path.trim_start_matches("./");
        let binding = rights.iter().find(|object| {
            object["kind"] == "RoleBinding"
                && object["subjects"][0]["name"] == spec["serviceAccountName"]
        });
        let binding = binding.unwrap_or_else(|| panic!("{path}: nobody is bound"));
        let has = |kind: &str, name: &Value, namespace: &Value| {
            rights.iter().find(|object| {
                let metadata = &object["metadata"];
                object["kind"] == kind
                    && metadata["name"] == *name
                    && metadata["namespace"] == *namespace
            })
        };
        let subject = &binding["subjects"][0];
        assert!(has("ServiceAccount", &subject["name"], &subject["namespace"]).is_some(), "{path}");
        let namespace = &binding["metadata"]["namespace"];
        let role = has("Role", &binding["roleRef"]["name"], namespace).unwrap();
        let may = |group: &str, resource: &str| {
            role["rules"].as_array().unwrap().iter().any(|rule| {
                let has = |list: &str, item: &str| {
                    rule[list].as_array().unwrap().iter().any(|one| one == item)
                };
                has("apiGroups", group)
                    && has("resources", resource)
                    && ["get", "list", "watch", "create", "patch", "delete"]
                        .iter()
                        .all(|verb| has("verbs", verb))
            })
        };
        for object in objects(folder) {
            assert_eq!(object["metadata"]["namespace"], *namespace, "{path}");
            let version = object["apiVersion"].as_str().unwrap();
            let group = version.split_once('/').map_or("", |(group, _)| group);
            assert!(may(group, &plural(&object)), "{path}: {group} {}", object["kind"]);
        }
        // Secrets are encrypted where Flux decrypts, and nowhere else.
        assert_eq!(may("", "secrets"), !spec["decryption"].is_null(), "{path}");
        assert!(!may("keyreeve.dev", "tenantprofiles"), "{path}");
        folders += 1;
    }
    assert_eq!(folders, 2);
}

#[test]
fn argo_cd_judges_each_of_our_kinds_alike_and_a_team_may_make_all_but_profiles() {
    let values: Value = serde_saphyr::from_str(&fs::read_to_string(HEALTH).unwrap()).unwrap();
    let checks = values["configs"]["cm"].as_object().unwrap();
    let mut kinds: Vec<_> = checks
        .keys()
        .map(|key| key.strip_prefix("resource.customizations.health.keyreeve.dev_").unwrap())
        .collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["Namespace", "Role", "Tenant", "TenantProfile", "User"]);
    let first = checks.values().next().unwrap();
    assert!(checks.values().all(|check| check == first));

    let project = &documents("argocd/project.yaml")[0];
    let allowed = project["spec"]["namespaceResourceWhitelist"].as_array().unwrap();
    for folder in &FOLDERS[1..3] {
        for object in objects(folder) {
            let group = object["apiVersion"].as_str().unwrap().split_once('/').unwrap().0;
            let one = json!({"group": group, "kind": object["kind"]});
            assert!(allowed.contains(&one), "{one}");
        }
    }
    assert!(!allowed.contains(&json!({"group": "keyreeve.dev", "kind": "TenantProfile"})));
}
