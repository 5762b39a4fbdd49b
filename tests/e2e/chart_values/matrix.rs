//! Sets of values of the chart.

use serde_json::{Value, json};

use crate::support::Space;

type Set = (&'static str, Value);

/// Sets of values, each with what they are to show. Every value of the chart is in one of them at least.
pub fn matrix(space: &Space) -> Vec<Set> {
    let (own, other) = (space.namespace.as_str(), format!("{}-other", space.namespace));
    let parts = [
        of_stores(),
        of_namespaces(own, &other),
        of_the_pod(),
        of_the_webhook(own),
        of_telemetry(&other),
    ];
    parts.concat()
}

/// Where tenants are written, and what is named how.
fn of_stores() -> Vec<Set> {
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
        ("a name that is longer than any", named(&"n".repeat(70), &json!({}))),
        ("a name that is cut at a dash", named(&format!("{}-n", "n".repeat(52)), &json!({}))),
        (
            "a whole name that is longer than any, with replicas",
            named(
                &"n".repeat(60),
                &json!({
                    "fullnameOverride": "f".repeat(70), "replicas": 2,
                    "store": {"url": "postgres://db.example/keyreeve", "credentialsSecret": "db"},
                }),
            ),
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
                "replicas": 3,
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
                        "enabled": true, "apiServerPorts": [8443], "storePorts": [8443, 9443],
                        "extra": [{"ports": [{"port": 3128, "protocol": "TCP"}]}],
                    },
                },
            }),
        ),
    ]
}

/// All that is named, by a long name, with more values.
fn named(name: &str, more: &Value) -> Value {
    let mut values = json!({
        "crds": {"enabled": false}, "nameOverride": name, "webhook": {"enabled": true},
        "uninstall": {"removeFinalizers": true}, "podDisruptionBudget": {"enabled": true},
        "networkPolicy": {"enabled": true},
        "metrics": {
            "podMonitor": {"enabled": true}, "prometheusRule": {"enabled": true},
            "dashboard": {"enabled": true},
        },
    });
    values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    values
}

/// Where it works, and by whose rights; and how it goes.
fn of_namespaces(own: &str, other: &str) -> Vec<Set> {
    vec![
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

/// Where and how the Pod runs.
fn of_the_pod() -> Vec<Set> {
    let constraint =
        json!({"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"});
    vec![(
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
    )]
}

/// Who makes the webhook's certificate.
fn of_the_webhook(own: &str) -> Vec<Set> {
    vec![
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
    ]
}

/// What others look at.
fn of_telemetry(other: &str) -> Vec<Set> {
    vec![(
        "what is looked at",
        json!({"metrics": {
            "service": {"enabled": true, "port": 9090, "annotations": {"prometheus.io/scrape": "true"}},
            "podMonitor": {"enabled": true, "interval": "1m", "labels": {"release": "prometheus"}},
            "prometheusRule": {
                "enabled": true, "labels": {"release": "prometheus"},
                "runbookBase": "https://git.example.com/keyreeve/blob/main/",
                "disabled": ["KeyreeveObjectsWait", "KeyreeveObjectsStalled"],
            },
            "dashboard": {
                "enabled": true, "namespace": other, "labels": {"grafana_dashboard": "yes"},
                "annotations": {"folder": "Identity"},
            },
        }}),
    )]
}
