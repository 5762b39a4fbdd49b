//! What the chart's rights are for: people by aggregation, and what happens to an operator that lacks one. That each
//! right is used is checked by tests/rights after all other tests.

use k8s_openapi::api::{core::v1::Secret, rbac::v1::Role as KubeRole};
use keyreeve::api::{FINALIZER, KeyState, Namespace, Role, Tenant, User};
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams, PostParams},
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::{Value, json};

use crate::{
    chart_values::render,
    support::{
        Cluster, Conditions, Grants, Keys, Operator, Release, Server, Space, command, eventually,
        installed, objects, run, setting, until, until_gone,
    },
};

const SYSTEM: &str = "keyreeve-system";
/// How the labels begin by which Kubernetes adds a role to its own.
const AGGREGATES: &str = "rbac.authorization.k8s.io/aggregate-to-";

#[tokio::test]
async fn view_reads_admin_writes_and_edit_decides_about_nobody() {
    let space = Space::new("people").await;
    let _operator = Operator::start(&space);
    let namespace = space.namespace.as_str();
    space.made_tenant("acme", json!({})).await;
    for role in ["view", "edit", "admin"] {
        let (user, to) = (format!("--user={role}-{namespace}"), format!("--clusterrole={role}"));
        run("kubectl", &["create", "rolebinding", role, "-n", namespace, &to, &user]);
    }
    let can = |who: &str, verb: &str, kind: &str| {
        let user = format!("--as={who}-{namespace}");
        let (kind, part) = kind.split_once('/').unwrap_or((kind, ""));
        let (kind, part) = (format!("{kind}.keyreeve.dev"), format!("--subresource={part}"));
        let ask = ["auth", "can-i", verb, &kind, &part, "-n", namespace, &user];
        String::from_utf8(command("kubectl", &ask).stdout).unwrap().trim() == "yes"
    };
    // Kubernetes adds the chart's rules to its own some time after.
    eventually("admin may write", async || can("admin", "create", "users")).await;
    eventually("view may read", async || can("view", "list", "users")).await;
    for kind in ["users", "roles", "namespaces"] {
        for verb in ["get", "list", "watch"] {
            assert!(
                ["view", "edit", "admin"].iter().all(|who| can(who, verb, kind)),
                "{verb} {kind}"
            );
        }
        for verb in ["create", "update", "patch", "delete", "deletecollection"] {
            assert!(can("admin", verb, kind), "{verb} {kind}");
            assert!(["view", "edit"].iter().all(|who| !can(who, verb, kind)), "{verb} {kind}");
        }
        assert!(!can("admin", "patch", &format!("{kind}/status")), "{kind}");
    }
    for kind in ["tenants", "tenantprofiles"] {
        for verb in ["get", "list", "create", "patch", "delete"] {
            assert!(!can("admin", verb, kind), "{verb} {kind}");
        }
    }
    let acme = json!({"tenantRef": {"name": "acme"}});
    for (kind, plural) in [("User", "users"), ("Role", "roles"), ("Namespace", "namespaces")] {
        use_kind(&space, kind, plural, &acme);
    }
    until_gone(space.api::<User>(), "it").await;
    until_gone(space.api::<Role>(), "it").await;
    until_gone(space.api::<Namespace>(), "it").await;
    keep_grants_of_people(namespace);
}

/// Each verb of a kind, used for real by those who may read and those who may write.
fn use_kind(space: &Space, kind: &str, plural: &str, spec: &Value) {
    let (view, admin) = (can_as(space, "view"), can_as(space, "admin"));
    let it = json!({
        "apiVersion": "keyreeve.dev/v1alpha1", "kind": kind, "spec": spec,
        "metadata": {"name": "it", "namespace": space.namespace},
    });
    let file = space.folder().join("it.json");
    std::fs::write(&file, it.to_string()).unwrap();
    let file = file.to_str().unwrap();
    admin(&["create", "-f", file]);
    let all = format!("{plural}.keyreeve.dev");
    let one = format!("{all}/it");
    view(&["wait", "--for=condition=Ready", &one, "--timeout=60s"]);
    view(&["get", &all]);
    view(&["get", &one]);
    admin(&["annotate", &one, "a=b"]);
    admin(&["replace", "-f", file]);
    admin(&["delete", &one, "--wait=false"]);
    let collection = format!("/apis/keyreeve.dev/v1alpha1/namespaces/{}/{plural}", space.namespace);
    admin(&["delete", "--raw", &collection]);
}

/// With `rbac.aggregateTenants`. Whatever is added to `view` and `admin` holds for all tests that share the cluster,
/// so what would be added is bound here to people of this test alone. That it would be, the chart's values show.
#[tokio::test]
async fn where_tenants_are_aggregated_too_view_reads_them_and_admin_writes_them() {
    let space = Space::new("people-tenants").await;
    let _operator = Operator::start(&space);
    let namespace = space.namespace.as_str();
    let values = json!({"rbac": {"aggregateTenants": true}, "crds": {"enabled": false}});
    let mut kept = objects(&render("helm", &space, &values).unwrap());
    kept.retain(|object| object["metadata"]["labels"].as_object().is_some_and(aggregates));
    assert_eq!(kept.len(), 2);
    for role in &mut kept {
        let labels = role["metadata"]["labels"].as_object_mut().unwrap();
        labels.retain(|label, _| !label.starts_with(AGGREGATES));
        let file = space.folder().join("role.json");
        std::fs::write(&file, role.to_string()).unwrap();
        run("kubectl", &["create", "-f", file.to_str().unwrap()]);
    }
    let prefix = format!("{namespace}:x-keyreeve");
    for who in ["view", "admin"] {
        let name = format!("{prefix}-{who}");
        let to = format!("--clusterrole={name}");
        let user = format!("--user={who}-{namespace}");
        // Kubernetes' own `admin` has what `view` has.
        let users = [user.as_str(), &format!("--user=admin-{namespace}")];
        let bind = ["create", "rolebinding", who, "-n", namespace, &to];
        run("kubectl", &[&bind, &users[..if who == "view" { 2 } else { 1 }]].concat());
        kept.push(json!({
            "kind": "RoleBinding", "metadata": {"name": who, "namespace": namespace},
            "roleRef": {"kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "User", "name": format!("{who}-{namespace}")}],
        }));
    }
    let may = |who: &str, verb: &str, kind: &str| {
        let ask =
            ["auth", "can-i", verb, kind, "-n", namespace, &format!("--as={who}-{namespace}")];
        String::from_utf8(command("kubectl", &ask).stdout).unwrap().trim() == "yes"
    };
    eventually("the roles are in force", async || {
        may("view", "list", "tenants.keyreeve.dev")
            && may("admin", "create", "tenants.keyreeve.dev")
    })
    .await;
    use_kind(&space, "Tenant", "tenants", &json!({"tenantId": "acme"}));
    until_gone(space.tenants(), "it").await;
    assert!(!may("view", "create", "tenants.keyreeve.dev"));
    for verb in ["get", "list", "create", "patch", "delete"] {
        assert!(!may("admin", verb, "tenantprofiles.keyreeve.dev"), "{verb}");
    }
    let audit_log = setting("KEYREEVE_TEST_AUDIT_LOG");
    Grants { prefix: &prefix, objects: kept, audit_log: audit_log.as_ref(), weakened: false }
        .keep();
}

/// kubectl as somebody with one of Kubernetes' own roles in the test's namespace.
fn can_as(space: &Space, who: &str) -> impl Fn(&[&str]) -> String {
    let user = format!("--as={who}-{}", space.namespace);
    let namespace = space.namespace.clone();
    move |arguments| {
        let raw = arguments.contains(&"--raw");
        let place = ["--namespace", namespace.as_str()];
        let more = [[user.as_str()].as_slice(), if raw { &[] } else { &place }].concat();
        run("kubectl", &[arguments, &more].concat())
    }
}

/// Those who hold `view` and `admin` here hold the chart's roles by Kubernetes' aggregation.
fn keep_grants_of_people(namespace: &str) {
    let admin = setting("KEYREEVE_TEST_KUBECONFIG");
    let mut objects = installed("helm", admin.as_ref(), SYSTEM, "keyreeve");
    objects.retain(|object| object["metadata"]["labels"].as_object().is_some_and(aggregates));
    assert_eq!(objects.len(), 2);
    for who in ["view", "admin"] {
        objects.push(json!({
            "kind": "RoleBinding", "metadata": {"name": who, "namespace": namespace},
            "roleRef": {"kind": "ClusterRole", "name": format!("{SYSTEM}:keyreeve-{who}")},
            "subjects": [{"kind": "User", "name": format!("{who}-{namespace}")}],
        }));
    }
    let audit_log = setting("KEYREEVE_TEST_AUDIT_LOG");
    let prefix = &format!("{SYSTEM}:keyreeve");
    Grants { prefix, objects, audit_log: audit_log.as_ref(), weakened: false }.keep();
}

fn aggregates(labels: &serde_json::Map<String, Value>) -> bool {
    labels.keys().any(|label| label.starts_with(AGGREGATES))
}

/// docs/security.md tells what follows from these.
#[test]
fn a_stolen_token_reaches_secrets_where_the_operator_works_and_no_other_kind() {
    let user = "--as=system:serviceaccount:keyreeve-system:keyreeve";
    let can = |question: &str| {
        let mut ask = vec!["auth", "can-i", user];
        ask.extend(question.split(' '));
        String::from_utf8(command("kubectl", &ask).stdout).unwrap().trim() == "yes"
    };
    for reached in [
        "get secrets -n default",
        "create secrets -n default",
        "patch secrets -n keyreeve-system",
        "delete secrets -n keyreeve-system",
        "patch users.keyreeve.dev -n default",
        "patch tenants.keyreeve.dev --subresource=status -n default",
    ] {
        assert!(can(reached), "{reached}");
    }
    for kept in [
        "patch secrets -n default",
        "delete secrets -n default",
        "get pods -n default",
        "get configmaps -n default",
        "create pods -n keyreeve-system",
        "patch deployments.apps -n keyreeve-system",
        "create serviceaccounts --subresource=token -n keyreeve-system",
        "create roles.rbac.authorization.k8s.io -n keyreeve-system",
        "create rolebindings.rbac.authorization.k8s.io -n keyreeve-system",
        "create clusterrolebindings.rbac.authorization.k8s.io",
        "escalate clusterroles.rbac.authorization.k8s.io",
        "bind clusterroles.rbac.authorization.k8s.io",
        "impersonate users",
        "patch validatingwebhookconfigurations.admissionregistration.k8s.io",
        "patch customresourcedefinitions.apiextensions.k8s.io",
        "patch namespaces",
        "create users.keyreeve.dev -n default",
        "delete tenants.keyreeve.dev -n default",
        "patch tenantprofiles.keyreeve.dev -n default",
    ] {
        assert!(!can(kept), "{kept}");
    }
}

#[tokio::test]
async fn a_release_for_one_namespace_may_do_all_that_it_has_to_do_there() {
    // In a namespace of its own, so that none of its rights covers another.
    let system = Space::new("enough-system").await;
    let space = Space::new("enough").await;
    let keystores = space.another("keystores", &[]).await;
    let namespace = space.namespace.as_str();
    let values = [
        format!("watchNamespaces={{{namespace}}}"),
        format!("keystore.namespace={keystores}"),
        // The owner's id is that of the cluster.
        "ownerId=".into(),
        "webhook.enabled=true".into(),
    ];
    let release = Release::install(&system, "less", &values.each_ref().map(String::as_str));
    let certificate = format!("{}-webhook", release.name);
    let registration = format!("{}.{}", release.name, system.namespace);
    // The API server reaches no Service here.
    let address = Server::new().address;
    let config = json!([{
        "op": "replace", "path": "/webhooks/0/clientConfig",
        "value": {"url": format!("https://{address}/validate")},
    }]);
    let kind = "validatingwebhookconfiguration";
    run("kubectl", &["patch", kind, &registration, "--type=json", "-p", &config.to_string()]);
    let flags = [
        ["--webhook-host", "127.0.0.1"],
        ["--watch-namespace", namespace],
        ["--keystore-namespace", &keystores],
        ["--webhook-service-name", &certificate],
        ["--webhook-configuration", &registration],
        ["--webhook-bind-address", &address],
    ]
    .concat();
    let operator = start(&system, &release, &flags, &["--webhook"]);
    space.make_profile("gold", json!({})).await;
    space.made_tenant("acme", json!({})).await;
    space.rotate("acme", "now").await;
    let rotates = |tenant: &Tenant| !tenant.kids(KeyState::Standby).is_empty();
    space.tenant("acme", "rotating", rotates).await;
    space.made::<User>("ada", json!({"password": {"generate": {}}})).await;
    // An event that comes again is counted.
    for times in 1..=2 {
        space.merge::<User>("ada", json!({"metadata": {"finalizers": null}})).await;
        let has_it = |user: &User| user.finalizers() == [FINALIZER];
        space.see("ada", "held by its finalizer again", has_it).await;
        eventually("it is told", async || {
            space.times_told("ada", "FinalizerRestored").await == times
        })
        .await;
    }
    // The Tenant's namespace is asked for.
    space.remove::<User>("ada").await;

    // The certificate was made, and one that is damaged is made anew.
    assert_eq!(operator.stop().await.code(), Some(0));
    let damage = Patch::Merge(json!({"data": {"tls.crt": ""}}));
    system.api::<Secret>().patch(&certificate, &PatchParams::default(), &damage).await.unwrap();
    let _operator = start(&system, &release, &flags, &["--webhook"]);
    let is_whole = |secret: &Secret| !secret.data.as_ref().unwrap()["tls.crt"].0.is_empty();
    until(system.api::<Secret>(), &certificate, "whole again", is_whole).await;
}

#[tokio::test]
async fn what_cannot_be_read_is_got_to_say_so_everywhere_or_in_one_namespace() {
    const KINDS: [&str; 5] = ["Tenant", "TenantProfile", "Namespace", "Role", "User"];
    let cluster = Cluster::start().await;
    let everywhere = cluster.space("everywhere").await;
    let here = cluster.space("here").await;
    let release = Release::install_on(&cluster, &here, "less", &[]);
    for kind in KINDS {
        cluster.take_any(kind, true).await;
    }
    let api = |space: &Space, kind: &str| {
        let version = GroupVersionKind::gvk("keyreeve.dev", "v1alpha1", kind);
        let resource = ApiResource::from_gvk(&version);
        (
            Api::<DynamicObject>::namespaced_with(
                space.client.clone(),
                &space.namespace,
                &resource,
            ),
            resource,
        )
    };
    for (space, kind) in
        [&everywhere, &here].into_iter().flat_map(|space| KINDS.map(|kind| (space, kind)))
    {
        let (objects, resource) = api(space, kind);
        let spec = match kind {
            "Tenant" => json!({"spec": {"enabled": "perhaps"}}),
            "TenantProfile" => json!({"spec": {"plan": 1}}),
            _ => json!({"spec": {"tenantRef": {"name": "acme"}, "deletionPolicy": 1}}),
        };
        let broken = DynamicObject::new("broken", &resource).within(&space.namespace).data(spec);
        objects.create(&PostParams::default(), &broken).await.unwrap();
    }
    for kind in KINDS {
        cluster.take_any(kind, false).await;
    }
    let _one = Operator::start(&everywhere);
    let namespace = here.namespace.as_str();
    let flags = ["--watch-namespace", namespace, "--keystore-namespace", namespace];
    let _other = start(&here, &release, &flags, &["--owner-id", "less"]);
    for (space, kind) in
        [&everywhere, &here].into_iter().flat_map(|space| KINDS.map(|kind| (space, kind)))
    {
        let (objects, _) = api(space, kind);
        let says = |object: &DynamicObject| {
            object.data["status"]["conditions"].to_string().contains("InvalidObject")
        };
        until(objects, "broken", &format!("reported, of the kind {kind},"), says).await;
    }
}

#[tokio::test]
async fn without_a_right_the_operator_says_at_its_start_which_one_it_lacks() {
    for (name, role, resource, verb, says) in [
        (
            "status",
            "",
            "tenants/status",
            "patch",
            "may not patch tenants.keyreeve.dev/status in the namespace",
        ),
        ("keys", "-keystore", "secrets", "delete", "may not delete secrets in the namespace"),
    ] {
        let space = Space::new(&format!("less-{name}")).await;
        let keystores = space.another("keystores", &[]).await;
        let keystore = format!("keystore.namespace={keystores}");
        let release = Release::install_to_weaken(&space, "less", &[&keystore]);
        let there = if role.is_empty() { &space.namespace } else { &keystores };
        let role = format!("{}:{}{role}", space.namespace, release.name);
        take_away(&space, there, &role, resource, verb).await;
        let flags = ["--watch-namespace", &space.namespace, "--keystore-namespace", &keystores];
        let mut operator = start(&space, &release, &flags, &["--owner-id", "less"]);
        assert_eq!(operator.ended().await.code(), Some(1));
        assert!(operator.log().contains(says), "{}", operator.log());
    }
}

#[tokio::test]
async fn without_the_right_to_read_its_key_a_new_password_waits_and_the_user_says_so() {
    let space = Space::new("less-key").await;
    let people = space.another("people", &[]).await;
    let keystores = space.another("keystores", &[]).await;
    // No right to the release's own namespace but that to this one Secret.
    let values = [
        format!("watchNamespaces={{{people}}}"),
        format!("secrets.namespaces={{{people}}}"),
        format!("keystore.namespace={keystores}"),
    ];
    let release =
        Release::install_to_weaken(&space, "less", &values.each_ref().map(String::as_str));
    let flags = [
        ["--watch-namespace", &people],
        ["--secrets-namespace", &people],
        ["--keystore-namespace", &keystores],
    ]
    .concat();
    let operator = start(&space, &release, &flags, &["--owner-id", "less"]);
    let users = Api::<User>::namespaced(space.client.clone(), &people);
    let spec = json!({"keystore": {"algorithm": "ES256"}});
    space.create_in::<Tenant>(&people, "acme", spec).await;
    let generated = json!({"tenantRef": {"name": "acme"}, "password": {"generate": {}}});
    space.create_in::<User>(&people, "ada", generated.clone()).await;
    until(users.clone(), "ada", "Ready", |user: &User| user.is_ready()).await;
    let given = json!({
        "tenantRef": {"name": "acme"},
        "password": {"secretKeyRef": {"name": "ada-password"}},
    });
    space.create_in::<User>(&people, "bob", given).await;
    until(users.clone(), "bob", "Ready", |user: &User| user.is_ready()).await;
    assert_eq!(operator.stop().await.code(), Some(0));

    let role = format!("{}:{}-fingerprint", space.namespace, release.name);
    take_away(&space, &space.namespace, &role, "secrets", "get").await;
    let _operator = start(&space, &release, &flags, &["--owner-id", "less"]);
    space.create_in::<User>(&people, "eve", generated).await;
    let says = |user: &User| user.message().contains("keyreeve-fingerprint") && !user.is_ready();
    until(users, "eve", "not Ready", says).await;
}

/// Takes one verb out of the rule about this resource.
async fn take_away(space: &Space, namespace: &str, role: &str, resource: &str, verb: &str) {
    let api = Api::<KubeRole>::namespaced(space.client.clone(), namespace);
    let mut rules = api.get(role).await.unwrap().rules.unwrap();
    let lists = |list: &[String], item: &str| list.iter().any(|other| other == item);
    let found = rules.iter_mut().find(|one| {
        lists(one.resources.as_deref().unwrap_or_default(), resource) && lists(&one.verbs, verb)
    });
    found.unwrap().verbs.retain(|other| other != verb);
    rules.retain(|one| !one.verbs.is_empty());
    let change = Patch::Merge(json!({"rules": rules}));
    api.patch(role, &PatchParams::default(), &change).await.unwrap();
}

fn start(space: &Space, release: &Release, flags: &[&str], more: &[&str]) -> Operator {
    let store = format!("sqlite:{}", space.store_file().display());
    let arguments = [
        ["--operator-namespace", &space.namespace],
        ["--store", &store],
        ["--metrics-bind-address", "0"],
        ["--health-probe-bind-address", "0"],
    ];
    Operator::start_as(space, &release.kubeconfig, &[&arguments.concat(), flags, more].concat())
}
