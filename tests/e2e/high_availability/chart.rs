//! What the chart says of replicas.

use std::process::Command;

use crate::support::CHART;

/// What Helm renders, or why not.
fn rendered(values: &[&str]) -> Result<String, String> {
    let mut helm = Command::new("helm");
    helm.args(["template", "x", CHART, "--namespace", "identity"]);
    for value in values {
        helm.args(["--set", value]);
    }
    let output = helm.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

#[test]
fn the_chart_has_replicas_elect_a_leader_unless_there_can_be_one_only() {
    let alone = rendered(&[]).unwrap();
    assert!(alone.contains("replicas: 1\n") && alone.contains("type: Recreate"), "{alone}");
    assert!(!alone.contains("--leader-elect") && !alone.contains("leases"), "{alone}");
    let refused = rendered(&["replicas=2"]).unwrap_err();
    assert!(refused.contains("a file with one writer"), "{refused}");

    for url in ["store.url=postgres://db/keyreeve", "store.url=keycloak+https://id.example"] {
        let values = [url, "store.credentialsSecret=db", "persistence.enabled=false", "replicas=3"];
        let several = rendered(&values).unwrap();
        for part in [
            "replicas: 3\n",
            "type: RollingUpdate",
            "- --leader-elect\n",
            "- --leader-elect-resource-name=x-keyreeve\n",
            "resourceNames: [x-keyreeve]\n    verbs: [get, update, watch]",
        ] {
            assert!(several.contains(part), "{part} is not in {several}");
        }
    }
    assert!(rendered(&["replicas=-1"]).is_err());
}
