//! The webhook as people meet it: what they apply is refused or warned of at once, and never held up.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use keyreeve::api::{Namespace, Role, Tenant, TenantProfile, User};
use kube::api::{DeleteParams, DynamicObject, PostParams};
use serde_json::{Value, json};

use crate::support::{
    Audit, Cluster, Conditions, Hook, Operator, Server, Space, Tls, command, eventually, run,
    so_that_the_next_is_younger, until, until_gone,
};

/// A password policy that nobody can satisfy; the CEL rule against it must be away.
fn impossible() -> Value {
    json!({"settings": {"policies": {"password": {"min": 20, "max": 10}}}})
}

const SENTENCE: &str = "spec.settings.policies.password: no password can satisfy it: a password may have at most 10 characters (max) and must have at least 20 (min): raise max, or lower min";

#[tokio::test]
async fn what_is_wrong_by_itself_is_refused_and_what_is_there_stays_editable() {
    let cluster = Cluster::start().await;
    // As with an older CRD, or a rule that CEL cannot say.
    for kind in ["Tenant", "TenantProfile"] {
        cluster.take_any(kind, true).await;
    }
    // The chart has no webhook there, so its operator has no right to one.
    let space = cluster.space_for(cluster.kubeconfig(), "refused").await;
    space.apply("Tenant", "old", impossible(), false).await;
    space.apply("Tenant", "going", impossible(), false).await;
    let hook = Hook::register(&space).await;
    let operator = hook.answers(&space).await;

    for (kind, dry_run) in [("Tenant", true), ("Tenant", false), ("TenantProfile", false)] {
        let refused = space.apply(kind, "new", impossible(), dry_run).await;
        assert_eq!((refused.code, &refused.body["reason"]), (422, &json!("Invalid")));
        let whole =
            format!("admission webhook \"validate.keyreeve.dev\" denied the request: {SENTENCE}");
        assert_eq!(refused.message(), whole);
    }
    let unreadable = json!({"keystore": {"keySize": "large"}});
    let refused = space.apply("Tenant", "new", unreadable, false).await;
    assert!(refused.message().contains("the object cannot be read: "), "{refused:?}");

    // The finalizer was put on through the webhook; metadata can be edited, and spec when it is put right.
    for name in ["old", "going"] {
        let has_finalizer = |tenant: &DynamicObject| tenant.metadata.finalizers.is_some();
        until(space.raw_tenants(), name, "held by its finalizer", has_finalizer).await;
    }
    let annotated = json!({"metadata": {"annotations": {"keyreeve.dev/reconcile": "now"}}});
    assert_eq!(space.ask("PATCH", "tenants/old", &annotated, false).await.code, 200);
    let worse = json!({"spec": {"displayName": "Old"}});
    assert!(space.ask("PATCH", "tenants/old", &worse, false).await.message().contains(SENTENCE));
    let better = json!({"spec": {"settings": {"policies": {"password": {"max": 64}}}}});
    assert_eq!(space.ask("PATCH", "tenants/old", &better, false).await.code, 200);
    // What goes has its finalizer taken off through the webhook.
    space.tenants().delete("going", &DeleteParams::default()).await.unwrap();
    until_gone(space.raw_tenants(), "going").await;

    // The rule holds without the webhook, too, and nobody waits for an operator that is down.
    operator.kill();
    let began = Instant::now();
    for kind in ["Tenant", "TenantProfile"] {
        assert_eq!(space.apply(kind, "new", impossible(), false).await.code, 201, "{kind}");
    }
    // Had it waited for the answer to one of them, that would have been for timeoutSeconds.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let _operator = hook.answers(&space).await;
    let is_stalled = |object: &DynamicObject| {
        let conditions = object.data["status"]["conditions"].as_array();
        conditions.into_iter().flatten().any(|condition| {
            condition["type"] == "Stalled"
                && condition["reason"] == "PolicyUnsatisfiable"
                && condition["message"] == SENTENCE
        })
    };
    for kind in ["Tenant", "TenantProfile"] {
        until(space.of_kind(kind), "new", "stalled in the webhook's words", is_stalled).await;
    }
}

#[tokio::test]
async fn what_depends_on_others_is_taken_with_the_warning_that_status_repeats() {
    let space = Space::new("warned").await;
    let hook = Hook::install(&space).await;
    let _operator = hook.answers(&space).await;
    let locks = json!({"locked": ["settings.ttl"]});
    assert_eq!(space.apply("TenantProfile", "gold", locks, false).await.warnings, [""; 0]);
    space.profile("gold", "Accepted", Conditions::is_ready).await;

    let tenant = json!({
        "profileRef": {"name": "gold"}, "settings": {"ttl": {"session": "1h"}},
        "keystore": {"algorithm": "ES256"},
    });
    let said = space.apply("Tenant", "acme", tenant, false).await;
    assert_eq!(
        (said.code, said.warnings.as_slice()),
        (201, ["spec.settings.ttl.session: its TenantProfile locks it, so what is set here has no effect".to_owned()].as_slice())
    );
    assert_eq!(space.ready("acme").await.status.unwrap().overridden, ["settings.ttl.session"]);

    so_that_the_next_is_younger().await;
    let second = space.apply("Tenant", "second", json!({"tenantId": "acme"}), false).await;
    let stalled = space.tenant("second", "stalled", |tenant| tenant.is_stalled("Conflict")).await;
    // Whose the name is says the mark in the store to status, and the age of both to the webhook.
    assert_eq!(
        second.warnings,
        [
            "tenant id acme is taken by Tenant acme, which came first: delete this Tenant and create it with another spec.tenantId, or delete that one"
        ]
    );
    assert!(stalled.message().starts_with("tenant id acme is taken by Tenant acme"), "{stalled:?}");

    let missing = json!({"tenantRef": {"name": "acme"}, "composites": [{"name": "reader"}]});
    let said = space.apply("Role", "editor", missing, false).await;
    let role = space.waits::<Role>("editor", "RoleNotFound").await;
    assert_eq!(said.warnings, [role.message()]);
    let nowhere = json!({"tenantRef": {"name": "nobody"}});
    let said = space.apply("Namespace", "sales", nowhere.clone(), false).await;
    assert_eq!(
        said.warnings,
        [space.waits::<Namespace>("sales", "TenantNotFound").await.message()]
    );
    let foreign = json!({"tenantRef": {"name": "acme", "namespace": "elsewhere"}});
    let said = space.apply("Namespace", "shop", foreign, false).await;
    assert_eq!(said.warnings, [space.waits::<Namespace>("shop", "NotAllowed").await.message()]);

    // As people see it.
    let file = space.folder().join("user.json");
    let user = json!({
        "apiVersion": "keyreeve.dev/v1alpha1", "kind": "User", "metadata": {"name": "ada"}, "spec": nowhere,
    });
    std::fs::write(&file, user.to_string()).unwrap();
    let apply = ["apply", "--namespace", &space.namespace, "-f", file.to_str().unwrap()];
    let output = command("kubectl", &apply);
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "Warning: spec.tenantRef: Tenant nobody is not there: create it\n"
    );
    assert!(output.status.success());
}

#[tokio::test]
async fn warnings_are_few_and_short() {
    let space = Space::new("many-warnings").await;
    let hook = Hook::install(&space).await;
    let _operator = hook.answers(&space).await;
    let roles: Vec<_> =
        (0..50).map(|number| json!({"name": format!("{number}-{}", "r".repeat(240))})).collect();
    let user = json!({"tenantRef": {"name": "acme"}, "roles": roles});
    let said = space.apply("User", "ada", user, true).await;
    assert_eq!(said.warnings.len(), 10, "{said:?}");
    assert!(said.warnings.iter().all(|warning| warning.len() <= 256), "{said:?}");
    assert!(said.warnings[1].ends_with('…') && said.warnings[9].starts_with("42 more warnings"));
}

#[tokio::test]
async fn it_writes_nothing_but_its_certificate_and_whom_to_trust() {
    let space = Space::new("hook-writes").await;
    let hook = Hook::install(&space).await;
    let audit = Audit::of(&hook.user, None);
    let metrics = Server::new();
    let operator = hook.start(&space, &["--metrics-bind-address", &metrics.address]);
    operator.works().await;
    space.is_reviewed().await;
    let made = [
        format!("create secrets {}", hook.service),
        format!("patch validatingwebhookconfigurations {}", hook.configuration),
    ];
    assert_eq!(audit.writes(), made);
    for (kind, spec) in [
        ("Tenant", json!({"profileRef": {"name": "gold"}})),
        ("TenantProfile", json!({})),
        ("Namespace", json!({"tenantRef": {"name": "acme"}})),
        ("Role", json!({"tenantRef": {"name": "acme"}})),
        ("User", json!({"tenantRef": {"name": "acme"}})),
    ] {
        assert_eq!(space.apply(kind, "tried", spec, true).await.code, 201, "{kind}");
    }
    // Nor does its next start, which finds what this one has made.
    assert!(operator.stop().await.success());
    let operator = hook.start(&space, &["--metrics-bind-address", &metrics.address]);
    operator.works().await;
    eventually("the API server asks the new one", async || {
        space.apply("User", "tried", json!({"tenantRef": {"name": "acme"}}), true).await;
        metrics.metric("controller_runtime_webhook_requests_total", "verdict=\"warned\"") >= 1.0
    })
    .await;
    assert_eq!(audit.writes(), made);
    let label = "code=\"200\",kind=\"User\",verdict=\"warned\"";
    assert!(metrics.metric("controller_runtime_webhook_requests_total", label) >= 1.0);
    assert!(metrics.metric("controller_runtime_webhook_latency_seconds_count", "/validate") >= 1.0);
}

#[tokio::test]
async fn what_is_no_review_is_answered_with_a_sentence_and_harms_nobody() {
    let space = Space::new("garbage").await;
    let hook = Hook::install(&space).await;
    let operator = hook.answers(&space).await;
    let client = Tls::new(&hook.address, &hook.trusted(&space).await.unwrap());
    let review = |request: Value| {
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
            .to_string()
            .into_bytes()
    };
    let request = json!({
        "uid": "1", "kind": {"group": "keyreeve.dev", "version": "v1alpha1", "kind": "Tenant"},
        "resource": {"group": "keyreeve.dev", "version": "v1alpha1", "resource": "tenants"},
        "operation": "CREATE", "userInfo": {},
    });
    let with = |object: Value| {
        let mut request = request.clone();
        request["object"] = object;
        review(request)
    };
    let no_review = "this is no AdmissionReview";
    let deleted = {
        let mut request = request.clone();
        request["operation"] = json!("DELETE");
        review(request)
    };
    let cases: [(&str, &str, Vec<u8>, u16, &str); 13] = [
        ("POST", "/validate", b"garbage".to_vec(), 400, no_review),
        ("POST", "/validate", Vec::new(), 400, no_review),
        ("POST", "/validate", b"{}".to_vec(), 400, no_review),
        ("POST", "/validate", b"[[[".repeat(1000), 400, no_review),
        ("POST", "/validate", vec![0xff; 100], 400, no_review),
        ("POST", "/validate", review(Value::Null), 400, "it has no request"),
        ("POST", "/validate", review(request.clone()), 400, "its request has no object"),
        ("POST", "/validate", vec![b' '; (3 << 20) + 1], 413, "at most 3145728 bytes"),
        ("GET", "/validate", Vec::new(), 405, ""),
        ("POST", "/other", b"{}".to_vec(), 404, ""),
        ("POST", "/validate", with(json!({"spec": {}})), 200, "\"allowed\":true"),
        ("POST", "/validate", with(json!({"spec": 7})), 200, "cannot be read"),
        ("POST", "/validate", deleted, 200, "\"allowed\":true"),
    ];
    for (method, path, body, code, says) in cases {
        let begin = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        let (answered, text) = client.send(method, path, &body).await;
        assert!(answered == code && text.contains(says), "{begin}: {answered} {text}");
        assert!(text.len() < 1000, "{begin}: {text}");
    }
    // No TLS at all, and many that connect and say nothing.
    assert_eq!(Server { address: hook.address.clone() }.get("/validate"), None);
    let idle: Vec<_> = futures::future::join_all((0..200).map(|_| client.connect())).await;
    assert!(idle.iter().all(Result::is_ok));
    let (code, _) = client.send("POST", "/validate", &with(json!({"spec": {}}))).await;
    assert_eq!(code, 200);
    // It does not wait for them when it is told to stop.
    let asked = Instant::now();
    assert!(operator.stop().await.success());
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn what_stands_in_its_way_is_said_at_the_start_or_by_the_probe() {
    let space = Space::new("hook-start").await;
    // As the common release, whose chart has no webhook.
    let store = format!("sqlite:{}", space.store_file().display());
    let arguments = ["--watch-namespace", &space.namespace, "--store", &store, "--webhook"];
    let free = Server::new().address;
    let off = ["--metrics-bind-address", "0", "--health-probe-bind-address", "0"];
    let flags = [["--webhook-configuration", "keyreeve"], ["--webhook-bind-address", &free]];
    let mut operator = Operator::start_as(
        &space,
        &space.operator_kubeconfig,
        &[arguments.as_slice(), &off, &flags.concat()].concat(),
    );
    assert_eq!(operator.ended().await.code(), Some(1));
    let log = operator.log();
    assert!(log.contains("the operator may not get validatingwebhookconfigurations.admissionregistration.k8s.io keyreeve: RBAC does not allow it. The Helm chart grants it"), "{log}");

    let hook = Hook::install(&space).await;
    let taken = std::net::TcpListener::bind(&hook.address).unwrap();
    let mut operator = hook.start(&space, &[]);
    assert_eq!(operator.ended().await.code(), Some(1));
    let log = operator.log();
    assert!(log.contains("--webhook-bind-address") && log.contains("leave --webhook out"), "{log}");
    drop(taken);

    // Somebody else's Secret is left alone.
    let secret = json!({
        "metadata": {"name": hook.service}, "type": "kubernetes.io/tls", "stringData": {"tls.crt": "", "tls.key": ""},
    });
    let secrets = space.api::<Secret>();
    let secret = serde_json::from_value(secret).unwrap();
    let secret = secrets.create(&PostParams::default(), &secret).await.unwrap();
    let probes = Server::new();
    let operator = hook.start(&space, &["--health-probe-bind-address", &probes.address]);
    operator.works().await;
    let sentence = format!(
        "the Secret {}/{} is in the place of the webhook's certificate, and is not the operator's own",
        space.namespace, hook.service
    );
    eventually("it says so", async || operator.log().contains(&sentence)).await;
    let (head, body) = probes.get("/readyz").unwrap();
    assert!(head.starts_with("HTTP/1.1 503") && body.contains("the webhook"), "{head}: {body}");
    let found = secrets.get(&hook.service).await.unwrap();
    assert_eq!(found.metadata.resource_version, secret.metadata.resource_version);
    secrets.delete(&hook.service, &DeleteParams::default()).await.unwrap();
    eventually("it is ready", async || {
        probes.get("/readyz").is_some_and(|(head, _)| head.starts_with("HTTP/1.1 200"))
    })
    .await;
}

#[tokio::test]
async fn its_rights_are_to_one_registration_and_one_secret() {
    let space = Space::new("hook-rights").await;
    let hook = Hook::install(&space).await;
    let namespace = space.namespace.as_str();
    let user = format!("--as={}", hook.user);
    let can = |question: &[&str]| {
        let mut ask = vec!["auth", "can-i", &user];
        ask.extend(question);
        String::from_utf8(command("kubectl", &ask).stdout).unwrap().trim().to_owned()
    };
    let kind = "validatingwebhookconfigurations";
    let own = format!("{kind}/{}", hook.configuration);
    for verb in ["get", "patch"] {
        assert_eq!(can(&[verb, &own]), "yes", "{verb}");
        assert_eq!(can(&[verb, kind]), "no", "{verb}");
        assert_eq!(can(&[verb, &format!("{kind}/another")]), "no", "{verb}");
    }
    for verb in ["create", "update", "delete", "list", "watch"] {
        assert_eq!(can(&[verb, kind]), "no", "{verb}");
    }
    assert_eq!(can(&["list", "tenants.keyreeve.dev", "--all-namespaces"]), "no");
    // Of the namespace with the certificate alone, keystores apart, which are elsewhere in another release.
    let release = "keystore.namespace=elsewhere";
    let chart =
        ["template", "x", crate::support::CHART, "--namespace", namespace, "--set", release];
    let rights = run("helm", &[chart.as_slice(), &["--set", "webhook.enabled=true"]].concat());
    assert!(rights.contains("resourceNames: [x-keyreeve-webhook]"), "{rights}");
}

#[tokio::test]
async fn the_kinds_that_it_judges_are_all_that_there_are() {
    fn plural<K: kube::Resource<DynamicType = ()>>() -> String {
        K::plural(&()).into_owned()
    }
    let space = Space::new("hook-kinds").await;
    let hook = Hook::install(&space).await;
    let found = space.configurations().get(&hook.configuration).await.unwrap();
    let webhook = &found.webhooks.unwrap()[0];
    let mut resources = webhook.rules.as_ref().unwrap()[0].resources.clone().unwrap();
    resources.sort();
    let mut kinds = [
        plural::<Tenant>(),
        plural::<TenantProfile>(),
        plural::<Namespace>(),
        plural::<Role>(),
        plural::<User>(),
    ];
    kinds.sort();
    assert_eq!(resources, kinds);
    assert_eq!(webhook.failure_policy.as_deref(), Some("Ignore"));
    let conditions = webhook.match_conditions.as_ref().unwrap();
    assert_eq!(conditions[0].expression, format!("request.namespace in [\"{}\"]", space.namespace));
}
