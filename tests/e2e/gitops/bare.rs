//! Two of our kinds are called as kinds of Kubernetes' own: what kubectl and Helm take them for.

use keyreeve::api::{Namespace, Role, Tenant};
use serde_json::json;

use super::repository;
use crate::support::{Space, run};

#[tokio::test]
async fn kubectl_takes_the_bare_names_for_kubernetes_own_kinds() {
    let space = Space::new("bare").await;
    let spec = json!({"tenantRef": {"name": "acme"}});
    space.create::<Namespace>("ours", spec.clone()).await;
    space.create::<Role>("ours", spec).await;
    space.kubectl(&["create", "role", "theirs", "--verb=get", "--resource=pods"]);

    let names = |kind: &str| space.kubectl(&["get", kind, "--output=name"]);
    for kind in ["namespace", "namespaces", "ns", "Namespace"] {
        let told = names(kind);
        assert!(told.contains(&format!("namespace/{}\n", space.namespace)), "{kind}: {told}");
        assert!(!told.contains("keyreeve.dev"), "{kind}: {told}");
    }
    for kind in ["role", "roles", "Role"] {
        let told = names(kind);
        assert!(told.contains("role.rbac.authorization.k8s.io/theirs\n"), "{kind}: {told}");
        assert!(!told.contains("ours"), "{kind}: {told}");
    }
    for kind in ["tns", "namespaces.keyreeve.dev", "namespace.keyreeve.dev"] {
        assert_eq!(names(kind), "namespace.keyreeve.dev/ours\n", "{kind}");
    }
    for kind in ["trole", "roles.keyreeve.dev", "Role.v1alpha1.keyreeve.dev"] {
        assert_eq!(names(kind), "role.keyreeve.dev/ours\n", "{kind}");
    }
    // A word with which nothing of ours is ever meant.
    let said = space.kubectl_fails(&["delete", "namespace", "ours"]);
    assert!(said.contains("namespaces \"ours\" not found"), "{said}");
    // `get all` has none of ours, `get keyreeve` has nothing else.
    assert!(!names("all").contains("keyreeve.dev"));
    assert_eq!(names("keyreeve"), "namespace.keyreeve.dev/ours\nrole.keyreeve.dev/ours\n");
    assert!(space.kubectl(&["explain", "role"]).contains("rbac.authorization.k8s.io"));
    assert!(space.kubectl(&["explain", "trole"]).contains("keyreeve.dev"));
}

#[tokio::test]
async fn helm_orders_by_the_bare_kind_which_our_kinds_do_not_mind() {
    let space = Space::new("bare-helm").await;
    let chart = space.folder().join("chart");
    std::fs::create_dir_all(chart.join("templates")).unwrap();
    std::fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: x\nversion: 0.1.0\n").unwrap();
    let bundle = repository("examples/bundle.yaml");
    std::fs::copy(bundle, chart.join("templates/bundle.yaml")).unwrap();
    let chart = chart.to_str().unwrap();
    for helm in ["helm", "helm4"] {
        let rendered = run(helm, &["template", "x", chart]);
        let kinds: Vec<_> =
            rendered.lines().filter_map(|line| line.strip_prefix("kind: ")).collect();
        // Namespaces before the Tenant that they are in: they wait for it.
        let expected = ["Namespace", "Role", "Role", "Tenant", "TenantProfile", "User"];
        assert_eq!(kinds, expected, "{helm}");
        // Into a Kubernetes namespace, and none is made of ours.
        let arguments = ["install", "x", chart, "--namespace", &space.namespace];
        let output = space.as_administrator(helm, &arguments);
        assert!(output.status.success(), "{helm}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(space.api::<Tenant>().get_opt("bundle").await.unwrap().is_some());
        let output = space.as_administrator(helm, &["uninstall", "x"]);
        assert!(output.status.success(), "{helm}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let said = space.kubectl_fails(&["get", "namespace", "bundle-orders"]);
    assert!(said.contains("not found"), "{said}");
}
