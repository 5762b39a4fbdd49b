//! What the chart renders from its values: the same by Helm 3 and 4, and nothing that the API server refuses.

use std::{collections::BTreeSet, fs, process::Command};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api,
    runtime::{conditions::is_crd_established, wait::Condition as _},
};
use serde_json::{Map, Value, json};

use crate::support::{CHART, Space, objects, run, setting, until};

/// Helm 3 and Helm 4.
pub const HELMS: [&str; 2] = ["helm", "helm4"];

/// Sets of values, each with what they are to show. Every value of the chart is in one of them at least.
fn matrix(space: &Space) -> Vec<(&'static str, Value)> {
    let (own, other) = (space.namespace.as_str(), format!("{}-other", space.namespace));
    let constraint =
        json!({"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"});
    vec![
        ("nothing but defaults", json!({})),
        ("without CRDs that are kept", json!({"crds": {"keep": false}})),
        (
            "names and labels",
            json!({
                "crds": {"enabled": false}, "nameOverride": "tenancy", "commonLabels": {"team": "platform"},
                "podLabels": {"team": "other"}, "podAnnotations": {"a": "b"}, "deploymentAnnotations": {"a": "b"},
                "serviceAccount": {"name": "somebody", "annotations": {"a": "b"}},
            }),
        ),
        (
            "SQLite on a volume of one's own",
            json!({
                "fullnameOverride": "other", "store": {"url": "sqlite:/var/lib/keyreeve/other.db"},
                "persistence": {"enabled": true, "existingClaim": "mine"},
            }),
        ),
        (
            "SQLite on a chosen class",
            json!({"persistence": {
                "size": "10Gi", "storageClassName": "fast", "accessMode": "ReadWriteOncePod", "keep": false,
            }}),
        ),
        (
            "PostgreSQL",
            json!({
                "store": {"url": "postgres://db.example:6432/keyreeve", "credentialsSecret": "db"},
                "networkPolicy": {"enabled": true},
            }),
        ),
        (
            "Keycloak",
            json!({
                "store": {"url": "keycloak+https://id.example", "credentialsSecret": "id"},
                "networkPolicy": {
                    "enabled": true, "metricsFrom": [{"namespaceSelector": {}}],
                    "egress": {
                        "enabled": true, "apiServerPorts": [8443],
                        "extra": [{"ports": [{"port": 3128, "protocol": "TCP"}]}],
                    },
                },
            }),
        ),
        (
            "some namespaces",
            json!({
                "watchNamespaces": [own, other], "defaultProfile": format!("{own}/basic"), "ownerId": "us",
                "takeOverFrom": ["them"], "adoptable": ["team-*"], "resync": "1h30m",
                "maxConcurrentReconciles": 8, "log": {"format": "json", "level": "info,keyreeve=debug"},
                "keystore": {"namespace": other, "createNamespace": true},
                "secrets": {"namespaces": [other]}, "rbac": {"aggregateTenants": true},
            }),
        ),
        (
            "rights of somebody else",
            json!({
                "serviceAccount": {"create": false, "name": "somebody"}, "rbac": {"create": false},
                "uninstall": {"removeFinalizers": true},
            }),
        ),
        (
            "more rights for people",
            json!({"rbac": {"create": true, "aggregate": true, "aggregateTenants": true}}),
        ),
        (
            "the Pod",
            json!({
                "image": {
                    "repository": "registry.example/keyreeve", "tag": "v1", "pullPolicy": "Always",
                    "digest": format!("sha256:{}", "0".repeat(64)),
                },
                "imagePullSecrets": [{"name": "registry"}], "extraArgs": ["--store-max-requests=8"],
                "extraEnv": [{"name": "SSL_CERT_FILE", "value": "/ca.crt"}],
                "resources": {
                    "requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi", "cpu": 2},
                },
                "nodeSelector": {"disk": "ssd"}, "tolerations": [{"key": "a", "operator": "Exists"}],
                "affinity": {"nodeAffinity": {}}, "topologySpreadConstraints": [constraint],
                "priorityClassName": "system-cluster-critical",
                "podDisruptionBudget": {"enabled": true, "maxUnavailable": "50%"},
            }),
        ),
        (
            "a webhook with a certificate of its own",
            json!({"webhook": {"enabled": true}, "networkPolicy": {"enabled": true}}),
        ),
        (
            "a webhook with a certificate of cert-manager's",
            json!({"webhook": {"enabled": true, "certManager": {
                "enabled": true, "issuerRef": {"kind": "ClusterIssuer", "name": "company"},
            }}}),
        ),
        (
            "a webhook with a self-signed certificate of cert-manager's, for some namespaces",
            json!({
                "watchNamespaces": [own],
                "webhook": {"enabled": true, "certManager": {"enabled": true}},
            }),
        ),
        (
            "what is looked at",
            json!({"metrics": {
                "service": {"enabled": true, "port": 9090, "annotations": {"prometheus.io/scrape": "true"}},
                "podMonitor": {"enabled": true, "interval": "1m", "labels": {"release": "prometheus"}},
                "prometheusRule": {"enabled": true, "labels": {"release": "prometheus"}},
                "dashboard": {
                    "enabled": true, "namespace": other, "labels": {"grafana_dashboard": "yes"},
                    "annotations": {"folder": "Identity"},
                },
            }}),
        ),
        ("going for good", json!({"uninstall": {"removeFinalizers": true}})),
        (
            "going for good, from some namespaces",
            json!({
                "uninstall": {"removeFinalizers": true}, "watchNamespaces": [own, other],
                "image": {"repository": "x"}, "tolerations": [{"operator": "Exists"}],
            }),
        ),
    ]
}

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
        (json!({"store": postgres}), "store.credentialsSecret is needed"),
        (json!({"store": {"url": "sqlite:/tmp/x.db"}}), "url"),
        (json!({"store": {"url": "postgres://me:secret@db/x"}}), "url"),
        (json!({"store": {"url": "mysql://db/x"}}), "url"),
        (
            json!({"watchNamespaces": ["a"], "defaultProfile": "b/basic"}),
            "watchNamespaces does not list",
        ),
        (json!({"keystore": {"createNamespace": true}}), "keystore.namespace is needed"),
        (json!({"serviceAccount": {"create": false}}), "serviceAccount.name is needed"),
        (json!({"commonLabels": {"app.kubernetes.io/name": "x"}}), "app.kubernetes.io/name"),
        (json!({"podDisruptionBudget": {"maxUnavailable": 0}}), "maxUnavailable"),
        (json!({"image": {"digest": "sha256:1"}}), "digest"),
        (json!({"networkPolicy": {"egress": {"apiServerPorts": []}}}), "apiServerPorts"),
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
