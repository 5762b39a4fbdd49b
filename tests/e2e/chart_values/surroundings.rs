//! What the chart renders for what is around it: monitoring, the network, other releases.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::render;
use crate::support::{CHART, Space, objects, run};

#[tokio::test]
async fn an_alert_leads_to_where_the_documents_were_published() {
    let space = Space::new("values-runbook").await;
    for base in ["", "https://git.example.com/keyreeve/blob/main/"] {
        let values = json!({"metrics": {"prometheusRule": {"enabled": true, "runbookBase": base}}});
        let rendered = objects(&render("helm", &space, &values).unwrap());
        let rule = rendered.iter().find(|object| object["kind"] == "PrometheusRule").unwrap();
        let alerts = rule["spec"]["groups"][0]["rules"].as_array().unwrap();
        assert!(alerts.len() > 5);
        for alert in alerts {
            let name = alert["alert"].as_str().unwrap().to_lowercase();
            let link = alert["annotations"]["runbook_url"].as_str().unwrap();
            assert_eq!(link, format!("{base}docs/alerts.md#{name}"));
        }
    }
}

#[tokio::test]
async fn an_alert_that_is_not_wanted_is_left_out_and_no_other() {
    let space = Space::new("values-alerts").await;
    let named = |disabled: &[&str]| -> BTreeSet<String> {
        let rule = json!({"enabled": true, "disabled": disabled});
        let values = json!({"metrics": {"prometheusRule": rule}});
        let rendered = objects(&render("helm", &space, &values).unwrap());
        let rule = rendered.iter().find(|object| object["kind"] == "PrometheusRule").unwrap();
        let alerts = rule["spec"]["groups"][0]["rules"].as_array().unwrap();
        alerts.iter().map(|alert| alert["alert"].as_str().unwrap().to_owned()).collect()
    };
    let mut all = named(&[]);
    let unwanted = ["KeyreeveObjectsStalled", "KeyreeveTenantsSuspended"];
    for alert in unwanted {
        assert!(all.remove(alert), "{alert}");
    }
    assert_eq!(named(&unwanted), all);
}

#[tokio::test]
async fn two_releases_of_one_name_have_nothing_in_common_outside_of_their_namespaces() {
    let spaces = [Space::new("values-one").await, Space::new("values-two").await];
    let [one, two] = spaces.each_ref().map(|space| {
        let values = json!({
            "crds": {"enabled": false}, "webhook": {"enabled": true}, "rbac": {"aggregateTenants": true},
            "uninstall": {"removeFinalizers": true}, "secrets": {"namespaces": ["team"]},
            "keystore": {"namespace": "keys"},
            "metrics": {"dashboard": {"enabled": true, "namespace": "grafana"}},
        });
        let rendered = objects(&render("helm", space, &values).unwrap());
        let outside = rendered.iter().map(|object| {
            let [namespace, name] = ["namespace", "name"].map(|f| object["metadata"][f].clone());
            (object["kind"].to_string(), namespace.to_string(), name.to_string())
        });
        outside.collect::<BTreeSet<_>>()
    });
    assert!(one.iter().any(|(kind, ..)| kind.contains("ConfigMap")), "{one:?}");
    assert_eq!(one.intersection(&two).collect::<Vec<_>>(), Vec::<&(_, _, _)>::new());
}

#[tokio::test]
async fn the_network_lets_it_reach_the_store_at_the_ports_of_its_pods() {
    let space = Space::new("values-network").await;
    let ports = |url: &str, ports: &[u16]| -> Value {
        let values = json!({
            "crds": {"enabled": false}, "store": {"url": url, "credentialsSecret": "x"},
            "networkPolicy": {"enabled": true, "egress": {"storePorts": ports}},
        });
        let rendered = objects(&render("helm", &space, &values).unwrap());
        let policy = rendered.iter().find(|object| object["kind"] == "NetworkPolicy").unwrap();
        let egress = policy["spec"]["egress"].as_array().unwrap();
        // After DNS and the API server.
        assert_eq!(egress.len(), 3, "{policy}");
        let ports = egress[2]["ports"].as_array().unwrap();
        assert!(ports.iter().all(|port| port["protocol"] == "TCP"), "{policy}");
        ports.iter().map(|port| port["port"].clone()).collect()
    };
    let keycloak = "keycloak+https://id.example";
    assert_eq!(ports(keycloak, &[]), json!([443]));
    assert_eq!(ports("keycloak+https://id.example:8443/auth", &[]), json!([8443]));
    assert_eq!(ports("postgres://db.example/keyreeve", &[]), json!([5432]));
    assert_eq!(ports("postgres://db.example:6432/keyreeve", &[]), json!([6432]));
    assert_eq!(ports(keycloak, &[8443, 9443]), json!([8443, 9443]));
}

#[tokio::test]
async fn who_installs_it_is_warned_of_keystores_beside_the_release() {
    let space = Space::new("values-notes").await;
    for (keystores, warns) in [("", true), (space.namespace.as_str(), true), ("keys", false)] {
        let keystores = format!("keystore.namespace={keystores}");
        let install = ["install", "x", CHART, "--namespace", &space.namespace, "--dry-run=client"];
        let values = ["--set", "crds.enabled=false", "--set", &keystores];
        let printed = run("helm", &[install.as_slice(), &values].concat());
        let (_, notes) = printed.split_once("\nNOTES:\n").unwrap();
        assert_eq!(notes.contains("WARNING"), warns, "{keystores}: {notes}");
        assert_eq!(notes.contains("keystore.namespace=x-keyreeve-keystores"), warns, "{notes}");
    }
}
