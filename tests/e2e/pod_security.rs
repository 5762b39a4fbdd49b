//! The chart's Pod is one of the level "restricted", which the API server enforces.

use std::process::Command;

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{
    Api,
    api::{ListParams, PostParams},
};
use serde_json::{Value, json};

use crate::support::{CHART, Space, eventually, run};

#[tokio::test]
async fn the_pod_is_made_where_only_restricted_ones_are() {
    let space = Space::new("restricted").await;
    let namespace = install(&space).await;
    let pods = Api::<Pod>::namespaced(space.client.clone(), &namespace);
    eventually("the Pod is there", async || !all(&pods).await.is_empty()).await;
    let pod = all(&pods).await.remove(0);
    // There is no node, so this is as far as it comes.
    assert_eq!(pod.status.unwrap().phase.as_deref(), Some("Pending"));
    let operator = pod.spec.unwrap().containers[0].security_context.clone().unwrap();
    // The level does not ask for it, the chart has it.
    assert_eq!(operator.read_only_root_filesystem, Some(true));
    let failures =
        format!("get events -n {namespace} --field-selector=reason=FailedCreate -o name");
    assert_eq!(run("kubectl", &failures.split(' ').collect::<Vec<_>>()), "");
}

#[tokio::test]
async fn a_weaker_pod_is_refused_there() {
    let space = Space::new("weakened").await;
    let namespace = install(&space).await;
    let pods = Api::<Pod>::namespaced(space.client.clone(), &namespace);
    let deployments = Api::<Deployment>::namespaced(space.client.clone(), &namespace);
    let deployment = deployments.get("small-keyreeve").await.unwrap();
    let template = serde_json::to_value(deployment.spec.unwrap().template).unwrap();
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "it"}, "spec": template["spec"]});
    let attempt = async |pod: &Value| {
        let try_only = PostParams { dry_run: true, ..PostParams::default() };
        let pod = serde_json::from_value(pod.clone()).unwrap();
        pods.create(&try_only, &pod).await.map_err(|error| error.to_string())
    };
    attempt(&pod).await.unwrap();
    for (setting, says) in [
        ("/spec/securityContext/runAsNonRoot", "runAsNonRoot != true"),
        ("/spec/securityContext/seccompProfile", "seccompProfile"),
        (
            "/spec/containers/0/securityContext/allowPrivilegeEscalation",
            "allowPrivilegeEscalation != false",
        ),
        ("/spec/containers/0/securityContext/capabilities", "unrestricted capabilities"),
    ] {
        let mut weaker = pod.clone();
        let removed =
            weaker.pointer_mut(setting).unwrap_or_else(|| panic!("there is no {setting}")).take();
        assert!(!removed.is_null(), "{setting}");
        let refusal = attempt(&weaker).await.unwrap_err();
        assert!(
            refusal.contains("violates PodSecurity \"restricted:latest\""),
            "{setting}: {refusal}"
        );
        assert!(refusal.contains(says), "{setting}: {refusal}");
    }
}

/// The chart in a namespace that admits nothing but restricted Pods, and no word of warning.
async fn install(space: &Space) -> String {
    let level =
        ["enforce", "warn", "audit"].map(|mode| format!("pod-security.kubernetes.io/{mode}"));
    let labels: Vec<_> = level.iter().map(|label| (label.as_str(), "restricted")).collect();
    let namespace = space.another("pods", &labels).await;
    let watched = format!("watchNamespaces={{{namespace}}}");
    let mut helm = Command::new("helm");
    helm.args(["install", "small", CHART, "--namespace", &namespace]);
    for value in ["crds.enabled=false", &watched, "ownerId=restricted"] {
        helm.args(["--set", value]);
    }
    let output = helm.output().unwrap();
    let warnings = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{warnings}");
    assert!(!warnings.contains("PodSecurity"), "{warnings}");
    namespace
}

async fn all(pods: &Api<Pod>) -> Vec<Pod> {
    pods.list(&ListParams::default()).await.unwrap().items
}
