//! Profiles: in any order, changed, missing, in other namespaces, locked, by default.

use futures::future::join_all;
use k8s_openapi::{
    api::core::v1::Namespace as KubeNamespace,
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use keyreeve::api::{Effective, Tenant, TenantProfile};
use kube::{
    Api,
    api::{DeleteParams, ListParams, Patch, PatchParams, WatchParams},
};
use serde_json::{Value, json};

use crate::support::{
    Cluster, Conditions, Operator, Space, client, eventually, is_current, setting, until,
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Profile,
    Tenant,
    Store,
}

#[tokio::test]
async fn the_order_in_which_things_come_does_not_matter() {
    use Step::{Profile, Store, Tenant};
    let orders = [
        [Profile, Tenant, Store],
        [Profile, Store, Tenant],
        [Tenant, Profile, Store],
        [Tenant, Store, Profile],
        [Store, Profile, Tenant],
        [Store, Tenant, Profile],
    ];
    let ends = join_all(orders.map(come_about)).await;
    for (order, end) in orders.iter().zip(&ends) {
        assert_eq!(end, &ends[0], "{order:?}");
    }
}

/// Lets the three come in this order and answers what is in force in the end, in status and store.
async fn come_about(order: [Step; 3]) -> (Option<Effective>, Option<Value>) {
    let space = Space::new("order").await;
    let operator = Operator::start(&space);
    operator.works().await;
    let mut stranger = space.database().await;
    stranger.execute("BEGIN EXCLUSIVE").await;
    for done in 1..=order.len() {
        match order[done - 1] {
            Step::Profile => space.make_profile("gold", gold("1h")).await,
            Step::Tenant => {
                space.create::<Tenant>("acme", json!({"profileRef": {"name": "gold"}})).await;
            }
            Step::Store => {
                stranger.execute("ROLLBACK").await;
            }
        }
        let done = &order[..done];
        if done.contains(&Step::Tenant) {
            let reason = match (done.contains(&Step::Profile), done.contains(&Step::Store)) {
                (false, _) => "ProfileNotFound",
                (true, false) => "StoreUnavailable",
                (true, true) => "Synced",
            };
            space
                .tenant("acme", reason, |tenant| tenant.has_reason(reason) && is_current(tenant))
                .await;
        }
    }
    let status = space.ready("acme").await.status.unwrap();
    (status.effective, stranger.acme().await)
}

#[tokio::test]
async fn a_changed_profile_reaches_its_tenants_and_no_others() {
    let space = Space::new("changed").await;
    let _operator = Operator::start(&space);
    space.make_profile("gold", gold("1h")).await;
    let spec = json!({"profileRef": {"name": "gold"}});
    for name in ["one", "two"] {
        space.create::<Tenant>(name, spec.clone()).await;
    }
    space
        .create::<Tenant>(
            "own",
            json!({"profileRef": {"name": "gold"}, "settings": {"ttl": {"session": "3h"}}}),
        )
        .await;
    space.create::<Tenant>("none", json!({})).await;
    for (name, session) in [("one", "1h"), ("two", "1h"), ("own", "3h"), ("none", "10h")] {
        has_session(&space, name, session).await;
    }
    space.merge::<TenantProfile>("gold", json!({"spec": gold("2h")})).await;
    for (name, session) in [("one", "2h"), ("two", "2h"), ("own", "3h"), ("none", "10h")] {
        has_session(&space, name, session).await;
    }
    let rows = space.database().await.tenants().await;
    for (name, session) in [("one", "2h"), ("two", "2h"), ("own", "3h"), ("none", "10h")] {
        let settings: Value =
            serde_json::from_str(rows[name]["settings"].as_str().unwrap()).unwrap();
        assert_eq!(settings["ttl"]["session"], session, "{name}");
    }
}

#[tokio::test]
async fn while_the_profile_is_missing_what_was_in_force_stays_in_force() {
    let space = Space::new("missing").await;
    let operator = Operator::start(&space);
    space.make_profile("gold", gold("1h")).await;
    space.create::<Tenant>("acme", json!({"profileRef": {"name": "gold"}})).await;
    let before = space.ready("acme").await.status.unwrap().effective;
    let mut database = space.database().await;
    let row = database.acme().await;

    space.profiles().delete("gold", &DeleteParams::default()).await.unwrap();
    let waiting = space.tenant("acme", "waiting", waits).await;
    assert_eq!(waiting.condition("Reconciling").unwrap().reason, "ProfileNotFound");
    assert_eq!(waiting.status.unwrap().effective, before);
    assert_eq!(database.acme().await, row);

    space.wipe_status("acme").await;
    let wiped = space.tenant("acme", "waiting after its status was wiped", waits).await;
    assert_eq!(wiped.status.unwrap().effective, before);
    operator.kill();
    space.wipe_status("acme").await;
    let _operator = Operator::start_with(&space, &["--resync", "1s"]);
    let restarted = space.tenant("acme", "waiting after a restart", waits).await;
    assert_eq!(restarted.status.unwrap().effective, before);
    assert_eq!(database.acme().await, row);
    database.execute("UPDATE tenants SET settings = '{}'").await;
    eventually("a resync puts the store right", async || {
        space.database().await.acme().await == row
    })
    .await;

    space.merge::<Tenant>("acme", json!({"spec": {"enabled": false}})).await;
    let edited = space.tenant("acme", "waiting after an edit", waits).await;
    assert_eq!(edited.status.unwrap().enabled, Some(false), "what is the tenant's own is applied");
    space.merge::<Tenant>("acme", json!({"spec": {"enabled": null}})).await;
    space.create::<TenantProfile>("gold", gold("1h")).await;
    assert_eq!(space.ready("acme").await.status.unwrap().effective, before);
    assert_eq!(database.acme().await, row);
}

fn waits(tenant: &Tenant) -> bool {
    tenant.has_reason("ProfileNotFound") && is_current(tenant)
}

#[tokio::test]
async fn a_profile_in_another_namespace_holds_while_it_allows_it() {
    let space = Space::new("grant").await;
    let platform = space.another("platform", &[]).await;
    let operator = Operator::start_with(&space, &["--watch-namespace", &platform]);
    let profiles: Api<TenantProfile> = Api::namespaced(space.client.clone(), &platform);
    space
        .create::<Tenant>("acme", json!({"profileRef": {"name": "gold", "namespace": platform}}))
        .await;
    let not_allowed = |tenant: &Tenant| tenant.has_reason("NotAllowed") && is_current(tenant);
    let missing = space.tenant("acme", "not allowed", not_allowed).await;
    space.create_in::<TenantProfile>(&platform, "gold", gold("1h")).await;
    until(profiles.clone(), "gold", "Accepted", Conditions::is_ready).await;
    let forbidden = space.resync("acme").await;
    let say = |tenant: &Tenant| {
        tenant.condition("Ready").map(|ready| (ready.reason.clone(), ready.message.clone()))
    };
    assert_eq!(forbidden.ready(), Some(("False", "NotAllowed")));
    assert_eq!(say(&forbidden), say(&missing), "nobody learns what others have");

    let change = async |spec: Value| {
        let patch = Patch::Merge(json!({"spec": spec}));
        profiles.patch("gold", &PatchParams::default(), &patch).await.unwrap();
    };
    let grant = json!([{"matchNames": [format!("{}*", &space.namespace)]}]);
    change(json!({"allowedFrom": grant})).await;
    has_session(&space, "acme", "1h").await;
    let mut database = space.database().await;
    let row = database.acme().await;

    let mut withdrawn = gold("2h");
    withdrawn["allowedFrom"] = json!([{"matchNames": ["somebody-else"]}]);
    change(withdrawn).await;
    let without = space.tenant("acme", "not allowed any more", not_allowed).await;
    assert_eq!(say(&without), say(&missing));
    assert_eq!(database.acme().await, row, "the store is left as it is");
    // Status is a hint: what was in force is known without it, and after a restart.
    operator.kill();
    space.wipe_status("acme").await;
    let _operator = Operator::start_with(&space, &["--watch-namespace", &platform]);
    let restarted = space.tenant("acme", "not allowed after a restart", not_allowed).await;
    assert_eq!(restarted.status.unwrap().effective, without.status.unwrap().effective);
    assert_eq!(database.acme().await, row);
    change(json!({"allowedFrom": grant})).await;
    has_session(&space, "acme", "2h").await;
}

#[tokio::test]
async fn the_chart_lets_the_operator_see_the_labels_of_namespaces() {
    let operator = client(setting("KEYREEVE_TEST_OPERATOR_KUBECONFIG").as_ref()).await;
    let namespaces: Api<KubeNamespace> = Api::all(operator);
    let _watch = namespaces.watch_metadata(&WatchParams::default(), "0").await.unwrap();
    assert!(!namespaces.list_metadata(&ListParams::default()).await.unwrap().items.is_empty());
}

/// Labels of namespaces are known only to an operator that watches all of them.
#[tokio::test]
async fn a_profile_is_granted_by_labels_of_the_namespace() {
    let cluster = Cluster::start().await;
    let space = cluster.space("labels").await;
    let platform = space.another("platform", &[]).await;
    let team = space.another("team", &[("tier", "gold")]).await;
    let store = format!("sqlite:{}", space.store_file().display());
    let operator = Operator::start_plain(
        &space,
        &["--store", &store, "--metrics-bind-address", "0", "--health-probe-bind-address", "0"],
    );
    let mut spec = gold("1h");
    spec["allowedFrom"] = json!([{"matchLabels": {"tier": "gold"}}]);
    space.create_in::<TenantProfile>(&platform, "gold", spec).await;
    let reference = json!({"profileRef": {"name": "gold", "namespace": platform}});
    space.create_in::<Tenant>(&team, "with-label", reference.clone()).await;
    space.create_in::<Tenant>(&space.namespace, "without-label", reference).await;
    let tenants: Api<Tenant> = Api::namespaced(space.client.clone(), &team);
    until(tenants.clone(), "with-label", "Ready", Conditions::is_ready).await;
    let not_allowed = |tenant: &Tenant| tenant.has_reason("NotAllowed");
    space.tenant("without-label", "not allowed", not_allowed).await;

    let namespaces: Api<KubeNamespace> = Api::all(space.client.clone());
    let relabel = async |namespace: &str, tier: &str| {
        let patch = Patch::Merge(json!({"metadata": {"labels": {"tier": tier}}}));
        namespaces.patch(namespace, &PatchParams::default(), &patch).await.unwrap();
    };
    relabel(&space.namespace, "gold").await;
    space.ready("without-label").await;
    relabel(&team, "silver").await;
    until(tenants, "with-label", "not allowed any more", not_allowed).await;
    assert!(operator.stop().await.success());

    // Such a cluster may also lack the resource definitions.
    let crds: Api<CustomResourceDefinition> = Api::all(space.client.clone());
    crds.delete("users.keyreeve.dev", &DeleteParams::default()).await.unwrap();
    eventually("Users are served no more", async || {
        crds.get_opt("users.keyreeve.dev").await.unwrap().is_none()
    })
    .await;
    let mut operator = Operator::start_plain(&space, &["--store", &store]);
    assert!(!operator.ended().await.success());
    let log = operator.log();
    let sentence = "keyreeve: the cluster does not know users.keyreeve.dev: install the CRDs first";
    assert!(log.lines().last().unwrap().starts_with(sentence), "{log}");
}

#[tokio::test]
async fn the_default_profile_holds_for_tenants_that_name_none() {
    let space = Space::new("default").await;
    let platform = space.another("platform", &[]).await;
    let default = format!("{platform}/base");
    let _operator = Operator::start_with(
        &space,
        &["--watch-namespace", &platform, "--default-profile", &default],
    );
    space.create::<Tenant>("acme", json!({})).await;
    space.tenant("acme", "waiting for the default profile", waits).await;
    space.create_in::<TenantProfile>(&platform, "base", gold("1h")).await;
    has_session(&space, "acme", "1h").await;
    space.make_profile("own", gold("2h")).await;
    space.create::<Tenant>("other", json!({"profileRef": {"name": "own"}})).await;
    has_session(&space, "other", "2h").await;

    let profiles: Api<TenantProfile> = Api::namespaced(space.client.clone(), &platform);
    let counts = async |tenants: i64| {
        let counts = move |profile: &TenantProfile| {
            profile.status.as_ref().and_then(|status| status.tenants) == Some(tenants)
        };
        until(profiles.clone(), "base", "counting its tenants", counts).await;
    };
    counts(1).await;
    space.merge::<Tenant>("other", json!({"spec": {"profileRef": null}})).await;
    has_session(&space, "other", "1h").await;
    counts(2).await;
    space.delete("other").await;
    space.gone("other").await;
    counts(1).await;
}

#[tokio::test]
async fn a_locked_setting_has_the_value_of_the_profile() {
    let space = Space::new("locked").await;
    let _operator = Operator::start(&space);
    let mut spec = gold("1h");
    spec["locked"] = json!(["settings.ttl"]);
    space.make_profile("gold", spec).await;
    space
        .create::<Tenant>(
            "acme",
            json!({"profileRef": {"name": "gold"}, "settings": {"ttl": {"session": "3h"}, "rememberMe": true}}),
        )
        .await;
    let status = has_session(&space, "acme", "1h").await.status.unwrap();
    assert_eq!(status.overridden, ["settings.ttl.session"]);
    assert_eq!(status.effective.unwrap().settings.remember_me, Some(true), "is not locked");
    space.merge::<TenantProfile>("gold", json!({"spec": {"locked": null}})).await;
    let status = has_session(&space, "acme", "3h").await.status.unwrap();
    assert!(status.overridden.is_empty(), "{:?}", status.overridden);
    // A feature that is off is a lock.
    space
        .merge::<TenantProfile>("gold", json!({"spec": {"planDetails": {"customTokenTtl": false}}}))
        .await;
    let status = has_session(&space, "acme", "1h").await.status.unwrap();
    assert_eq!(status.overridden, ["settings.ttl.session"]);
}

/// A profile that sets how long a session lasts.
fn gold(session: &str) -> Value {
    json!({"settings": {"ttl": {"session": session}}})
}

/// Waits until the Tenant is Ready with this length of a session.
async fn has_session(space: &Space, name: &str, session: &str) -> Tenant {
    space
        .tenant(name, session, |tenant| {
            tenant.is_ready()
                && is_current(tenant)
                && tenant
                    .status
                    .as_ref()
                    .and_then(|status| {
                        status.effective.as_ref()?.settings.ttl.as_ref()?.session.as_ref()
                    })
                    .is_some_and(|found| found.to_string() == session)
        })
        .await
}

#[tokio::test]
async fn however_fast_a_profile_changes_status_ends_with_what_is_in_force() {
    let space = Space::new("fast").await;
    let _operator = Operator::start(&space);
    space.create::<TenantProfile>("gold", json!({})).await;
    space.create::<Tenant>("acme", json!({"profileRef": {"name": "gold"}})).await;
    space.ready("acme").await;
    let mut database = space.database().await;
    for round in 0..20 {
        // There and back, and no time to look in between.
        for session in ["1h", "2h", "1h"] {
            let ttl = json!({"spec": {"settings": {"ttl": {"session": session}}}});
            space.merge::<TenantProfile>("gold", ttl).await;
        }
        let last = format!("{}m", 20 + round);
        let ttl = json!({"spec": {"settings": {"ttl": {"session": last}}}});
        space.merge::<TenantProfile>("gold", ttl).await;
        space
            .tenant("acme", "up to date", |tenant| {
                let status = tenant.status.as_ref().unwrap();
                let ttl = status.effective.as_ref().and_then(|all| all.settings.ttl.clone());
                ttl.and_then(|ttl| ttl.session).is_some_and(|session| session.to_string() == last)
            })
            .await;
        let stored = database.text("SELECT settings ->> '$.ttl.session' FROM tenants").await;
        assert_eq!(stored.as_deref(), Some(last.as_str()));
    }
}
