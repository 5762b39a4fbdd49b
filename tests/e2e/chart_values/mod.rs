//! What the chart renders from its values: the same by Helm 3 and 4, and nothing that the API server refuses.

mod conform;
mod matrix;
mod surroundings;

use std::{collections::BTreeSet, fs, process::Command};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api,
    runtime::{conditions::is_crd_established, wait::Condition as _},
};
use serde_json::{Map, Value, json};

use matrix::matrix;

use crate::support::{CHART, Space, objects, run, setting, until};

/// Helm 3 and Helm 4.
pub const HELMS: [&str; 2] = ["helm", "helm4"];

#[tokio::test]
async fn whatever_the_values_both_helms_render_the_same_and_the_api_server_takes_it() {
    let space = Space::new("values").await;
    space.another("other", &[]).await;
    install_crds_of_others(&space).await;
    for (about, values) in matrix(&space) {
        let [three, four] = HELMS.map(|helm| render(helm, &space, &values).unwrap());
        assert_eq!(objects(&three), objects(&four), "{about}");
        // Nothing is written: the API server judges it as if it were, and takes no field that it does not know.
        let file = space.folder().join("rendered.yaml");
        fs::write(&file, &three).unwrap();
        let file = file.to_str().unwrap();
        let apply = ["apply", "--dry-run=server", "--validate=strict", "-f", file];
        let output = Command::new("kubectl").args(apply).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{about}: {error}");
        // A warning would be read by every user.
        let ours = |line: &&str| line.contains("Warning") && !line.contains("last-applied-config");
        assert_eq!(error.lines().find(ours), None, "{about}");
    }
}

#[tokio::test]
async fn every_value_is_in_the_matrix() {
    let space = Space::new("values-all").await;
    let mut set = BTreeSet::new();
    for (_, values) in matrix(&space) {
        set.extend(leaves("", &values));
    }
    let text = fs::read_to_string(format!("{CHART}/values.yaml")).unwrap();
    let defaults: Value = serde_saphyr::from_str(&text).unwrap();
    let all = leaves("", &defaults);
    let missing: Vec<_> =
        all.iter().filter(|path| !set.iter().any(|set| set.starts_with(path.as_str()))).collect();
    assert!(missing.is_empty(), "no set of values has {missing:?}");
}

#[tokio::test]
async fn values_that_contradict_each_other_are_refused_in_a_sentence() {
    let space = Space::new("values-bad").await;
    let postgres = json!({"url": "postgres://db/keyreeve"});
    for (values, says) in [
        (json!({"persistence": {"enabled": false}}), "SQLite, which needs a volume"),
        (json!({"store": {"credentialsSecret": "x"}}), "a file that nobody logs in to"),
        (json!({"replicas": 2}), "SQLite, a file with one writer"),
        (json!({"store": postgres}), "store.credentialsSecret is needed"),
        (json!({"store": {"url": "sqlite:/tmp/x.db"}}), "url"),
        (
            json!({"store": {"url": "sqlite:/var/lib/keyreeve/../../../tmp/x.db"}}),
            "out of the volume",
        ),
        (json!({"store": {"url": "sqlite:///var/lib/keyreeve/a/.."}}), "out of the volume"),
        (json!({"store": {"url": "postgres://me:secret@db/x"}}), "url"),
        (json!({"store": {"url": "mysql://db/x"}}), "url"),
        (
            json!({"watchNamespaces": ["a"], "defaultProfile": "b/basic"}),
            "watchNamespaces does not list",
        ),
        (
            json!({"store": {"url": "keycloak+http://localhost.example", "credentialsSecret": "x"}}),
            "--store-allow-http",
        ),
        (json!({"webhook": {"certManager": {"enabled": true}}}), "the webhook, which is off"),
        (json!({"keystore": {"createNamespace": true}}), "keystore.namespace is needed"),
        (json!({"serviceAccount": {"create": false}}), "serviceAccount.name is needed"),
        (json!({"commonLabels": {"app.kubernetes.io/name": "x"}}), "app.kubernetes.io/name"),
        (json!({"podDisruptionBudget": {"maxUnavailable": 0}}), "maxUnavailable"),
        (json!({"image": {"digest": "sha256:1"}}), "digest"),
        (json!({"networkPolicy": {"egress": {"apiServerPorts": []}}}), "apiServerPorts"),
        (json!({"networkPolicy": {"egress": {"storePorts": [0]}}}), "storePorts"),
        (
            json!({"webhook": {"certManager": {"issuerRef": {"kind": "ClusterIssuer"}}}}),
            "issuerRef",
        ),
        (
            json!({"metrics": {"prometheusRule": {"enabled": true, "disabled": ["Keyreeve"]}}}),
            "there is no such alert",
        ),
    ] {
        for helm in HELMS {
            let error = render(helm, &space, &values).unwrap_err();
            assert!(error.contains(says), "{helm} {values}: {error}");
        }
    }
}

#[tokio::test]
async fn with_some_namespaces_no_right_is_cluster_wide() {
    let space = Space::new("values-some").await;
    let own = space.namespace.as_str();
    let values = json!({
        "watchNamespaces": [own], "rbac": {"aggregateTenants": true}, "crds": {"enabled": false},
        "uninstall": {"removeFinalizers": true}, "secrets": {"namespaces": [own]},
        "webhook": {"enabled": true, "certManager": {"enabled": true}},
    });
    let rendered = objects(&render("helm", &space, &values).unwrap());
    let kinds: Vec<_> = rendered.iter().map(|object| object["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"Role") && kinds.contains(&"Job"), "{kinds:?}");
    assert!(!kinds.iter().any(|kind| kind.starts_with("ClusterRole")), "{kinds:?}");

    // But for a webhook that makes its own certificate: to its registration, by name.
    let values = json!({
        "watchNamespaces": [own], "crds": {"enabled": false}, "webhook": {"enabled": true},
    });
    let rendered = objects(&render("helm", &space, &values).unwrap());
    let wide: Vec<_> = rendered.iter().filter(|object| object["kind"] == "ClusterRole").collect();
    assert_eq!(wide.len(), 1, "{wide:?}");
    let registration = format!("x-keyreeve.{own}");
    assert_eq!(
        wide[0]["rules"],
        json!([{
            "apiGroups": ["admissionregistration.k8s.io"], "verbs": ["get", "patch"],
            "resources": ["validatingwebhookconfigurations"], "resourceNames": [registration],
        }])
    );
}

#[tokio::test]
async fn the_job_that_takes_the_finalizers_off_runs_where_the_operator_does_and_reaches_the_api_server()
 {
    let space = Space::new("values-job").await;
    let values = json!({
        "crds": {"enabled": false}, "uninstall": {"removeFinalizers": true},
        "networkPolicy": {"enabled": true}, "webhook": {"enabled": true},
        "commonLabels": {"team": "platform"}, "podLabels": {"tier": "control"},
        "imagePullSecrets": [{"name": "registry"}], "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "a", "operator": "Exists"}], "priorityClassName": "high",
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"}],
    });
    let rendered = objects(&render("helm", &space, &values).unwrap());
    let of_kind = |kind: &str| rendered.iter().filter(|o| o["kind"] == kind).collect::<Vec<_>>();
    let [operator, job] =
        ["Deployment", "Job"].map(|kind| of_kind(kind)[0]["spec"]["template"].clone());
    for field in [
        "nodeSelector",
        "tolerations",
        "affinity",
        "priorityClassName",
        "imagePullSecrets",
        "securityContext",
    ] {
        assert!(!operator["spec"][field].is_null(), "{field}");
        assert_eq!(job["spec"][field], operator["spec"][field], "{field}");
    }
    let job_of = &of_kind("Job")[0]["spec"];
    assert_eq!(job["spec"]["containers"][0]["env"], values["extraEnv"]);
    assert!(job_of["activeDeadlineSeconds"].as_i64() > Some(300), "{job_of}");
    for label in ["team", "tier"] {
        let of = |pod: &Value| pod["metadata"]["labels"][label].clone();
        assert_eq!(of(&job), of(&operator), "{label}");
    }
    // Each Pod is found by its own policy, and by no Service and no budget of the other.
    let policies = of_kind("NetworkPolicy");
    let of = |pod: &Value| -> Value {
        let finds = |policy: &&&Value| {
            let selector = policy["spec"]["podSelector"]["matchLabels"].as_object().unwrap();
            selector.iter().all(|(label, value)| pod["metadata"]["labels"][label] == *value)
        };
        let found: Vec<_> = policies.iter().filter(finds).collect();
        assert_eq!(found.len(), 1, "{pod}");
        found[0]["spec"].clone()
    };
    assert_eq!(policies.len(), 2);
    let (operator, job) = (of(&operator), of(&job));
    assert_eq!(job["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(job["ingress"], Value::Null, "nobody calls it");
    assert_eq!(job["egress"].as_array().unwrap().len(), 2);
    assert_eq!(job["egress"], operator["egress"], "with SQLite, both need DNS and the API server");
}

#[tokio::test]
async fn no_rule_has_a_wildcard_or_leads_to_more_rights() {
    let space = Space::new("values-rules").await;
    let mut rules = 0;
    for (about, values) in matrix(&space) {
        for object in objects(&render("helm", &space, &values).unwrap()) {
            for rule in object["rules"].as_array().into_iter().flatten() {
                if rule["verbs"].is_null() {
                    continue; // A webhook's.
                }
                rules += 1;
                let has = |list: &str, word: &str| {
                    rule[list].as_array().into_iter().flatten().any(|item| item == word)
                };
                for list in ["verbs", "resources", "apiGroups", "resourceNames"] {
                    assert!(!has(list, "*"), "{about}: {rule}");
                }
                for verb in ["escalate", "bind", "impersonate", "approve", "sign"] {
                    assert!(!has("verbs", verb), "{about}: {rule}");
                }
                assert!(!has("apiGroups", "rbac.authorization.k8s.io"), "{about}: {rule}");
                assert!(!has("resources", "serviceaccounts/token"), "{about}: {rule}");
                if has("apiGroups", "admissionregistration.k8s.io") {
                    let names = rule["resourceNames"].as_array().unwrap();
                    assert_eq!(names.len(), 1, "{about}: {rule}");
                }
                // Whoever changes or removes Secrets has no more than the keystores, or one by its name.
                if has("resources", "secrets") && (has("verbs", "patch") || has("verbs", "delete"))
                {
                    let name = object["metadata"]["name"].as_str().unwrap();
                    let is_named = rule["resourceNames"].is_array();
                    assert!(is_named || name.ends_with("-keystore"), "{about}: {object}");
                }
            }
        }
    }
    assert!(rules > 50);
}

#[tokio::test]
async fn rights_for_people_are_added_to_view_and_admin_and_never_have_profiles() {
    let space = Space::new("values-people").await;
    for tenants in [false, true] {
        let values = json!({"rbac": {"aggregateTenants": tenants}, "crds": {"enabled": false}});
        let mut aggregated = BTreeSet::new();
        for role in objects(&render("helm", &space, &values).unwrap()) {
            let labels = role["metadata"]["labels"].as_object().unwrap().keys();
            let to = labels.filter_map(|label| label.split_once("/aggregate-to-"));
            for (_, to) in to {
                let resources = role["rules"][0]["resources"].as_array().unwrap();
                let resources = resources.iter().map(|one| one.as_str().unwrap().to_owned());
                aggregated.extend(resources.map(|resource| (to.to_owned(), resource)));
            }
        }
        let mut expected = BTreeSet::new();
        for to in ["view", "admin"] {
            let kinds =
                ["users", "roles", "namespaces"].into_iter().chain(tenants.then_some("tenants"));
            expected.extend(kinds.map(|kind| (to.to_owned(), kind.to_owned())));
        }
        assert_eq!(aggregated, expected);
    }
}

#[test]
fn the_schema_knows_every_value_and_refuses_any_other() {
    fn compare(path: &str, value: &Value, schema: &Value) {
        let Some(known) = schema["properties"].as_object() else { return };
        assert_eq!(schema["additionalProperties"], false, "{path} takes anything");
        // What has no default is not among the values.
        let has_default = |name: &&String| {
            !["global", "claims", "name", "kind", "group"].contains(&name.as_str())
        };
        let names: BTreeSet<_> = value.as_object().unwrap().keys().filter(has_default).collect();
        if !names.is_empty() {
            assert_eq!(names, known.keys().filter(has_default).collect(), "{path}");
        }
        for (name, value) in value.as_object().unwrap() {
            compare(&format!("{path}.{name}"), value, &known[name]);
        }
    }
    let text = fs::read_to_string(format!("{CHART}/values.yaml")).unwrap();
    let schema = fs::read_to_string(format!("{CHART}/values.schema.json")).unwrap();
    compare("", &serde_saphyr::from_str(&text).unwrap(), &serde_json::from_str(&schema).unwrap());
}

#[test]
fn the_chart_lints_in_both_helms() {
    for helm in HELMS {
        run(helm, &["lint", "--strict", CHART]);
    }
}

/// The chart's objects; or what Helm says.
pub fn render(helm: &str, space: &Space, values: &Value) -> Result<String, String> {
    let file = space.folder().join("values.json");
    fs::write(&file, values.to_string()).unwrap();
    let output = Command::new(helm)
        .args(["template", "x", CHART, "--namespace", &space.namespace, "--values"])
        .arg(&file)
        .output()
        .unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

/// The paths of all values, as far down as they have names that the chart gives.
fn leaves(path: &str, value: &Value) -> BTreeSet<String> {
    let none = Map::new();
    let children = value.as_object().unwrap_or(&none);
    if !path.is_empty() && children.is_empty() {
        return BTreeSet::from([path.to_owned()]);
    }
    let below = |(name, child): (&String, &Value)| {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        leaves(&path, child)
    };
    children.iter().flat_map(below).collect()
}

/// Those of cert-manager and the Prometheus operator, which is all of them that the chart needs.
async fn install_crds_of_others(space: &Space) {
    let folder = setting("KEYREEVE_TEST_CRDS");
    run("kubectl", &["apply", "--server-side", "-f", &folder]);
    let crds = Api::<CustomResourceDefinition>::all(space.client.clone());
    for crd in ["issuers.cert-manager.io", "certificates.cert-manager.io"]
        .into_iter()
        .chain(["podmonitors.monitoring.coreos.com", "prometheusrules.monitoring.coreos.com"])
    {
        let established =
            |crd: &CustomResourceDefinition| is_crd_established().matches_object(Some(crd));
        until(crds.clone(), crd, "established", established).await;
    }
}
