//! Every example, applied as a reader would: by kubectl, all at once, twice.

use keyreeve::api::{Namespace, Role, Tenant, TenantProfile, User};
use kube::{Api, ResourceExt, api::ListParams};

use crate::support::{Audit, Conditions, Member, Operator, Space, is_current, until};

/// The Kubernetes namespaces that examples/two-tenants brings along.
const BROUGHT: [&str; 3] = ["platform", "team-bank", "team-bakery"];

#[tokio::test]
async fn every_example_becomes_what_it_says() {
    let space = Space::new("examples").await;
    let namespaces = [&[space.namespace.as_str()], &BROUGHT[..]].concat();
    let _operator = Operator::start_with(&space, &["--watch-namespace", &BROUGHT.join(",")]);
    kubectl_apply(&space);
    let mut counts = [0; 5];
    for namespace in namespaces {
        counts[0] += tenants_become(&space, namespace).await;
        counts[1] += profiles_become(&space, namespace).await;
        counts[2] += all_become::<Namespace>(&space, namespace).await;
        counts[3] += all_become::<Role>(&space, namespace).await;
        counts[4] += all_become::<User>(&space, namespace).await;
    }
    assert!(counts.iter().zip([10, 10, 4, 7, 7]).all(|(have, least)| *have >= least), "{counts:?}");
    // Counted at most once a second, after all have become Ready.
    for (namespace, name, users, administrator) in [
        (&*space.namespace, "bundle", 1, "alice"),
        ("team-bank", "bank", 3, "ada"),
        ("team-bakery", "bakery", 3, "carla"),
    ] {
        let counted = |tenant: &Tenant| {
            let status = tenant.status.as_ref().unwrap();
            (status.user_count, status.admin_username.as_deref())
                == (Some(users), Some(administrator))
        };
        until(Api::namespaced(space.client.clone(), namespace), name, "counted", counted).await;
    }
    let mut database = space.database().await;
    assert_eq!(
        database.composites().await,
        [
            "admin > orders/reader",
            "head > payments/approver",
            "owner > shop/seller",
            "payments/approver > accounts/teller"
        ]
    );
    let passwords = "SELECT username FROM v1_credentials ORDER BY 1";
    assert_eq!(database.texts(passwords).await, ["ada", "alice", "ben", "carla"]);
    // Applied again, nothing is to be done.
    let audits = [Audit::begin(&space), Audit::of_operator_in("team-bank")];
    let answer = kubectl_apply(&space);
    // To kubectl, stringData is always a change; to the API server it is none.
    let unchanged =
        |line: &str| line.ends_with("unchanged") || line == "secret/ben-password configured";
    assert!(answer.lines().all(unchanged), "{answer}");
    space.resync("minimal").await;
    for audit in audits {
        let writes: Vec<_> =
            audit.writes().into_iter().filter(|write| !write.ends_with("minimal")).collect();
        assert!(writes.is_empty(), "{writes:?}");
    }
}

/// How many Tenants there are, each of which came to what it says.
async fn tenants_become(space: &Space, namespace: &str) -> usize {
    let api: Api<Tenant> = Api::namespaced(space.client.clone(), namespace);
    let tenants = api.list(&ListParams::default()).await.unwrap().items;
    for tenant in &tenants {
        let is_ready = |tenant: &Tenant| tenant.is_ready() && is_current(tenant);
        let tenant = until(api.clone(), &tenant.name_any(), "Ready", is_ready).await;
        let status = tenant.status.as_ref().unwrap();
        let effective = status.effective.as_ref().unwrap();
        let plan = effective.subscription.plan.as_deref();
        match tenant.name_any().as_str() {
            "suspended" => {
                assert!(tenant.condition("Suspended").is_some());
                assert_eq!(status.enabled, Some(false));
            }
            "locked" => assert_eq!(
                status.overridden,
                ["settings.registerEnabled", "settings.ttl.accessToken"]
            ),
            "with-profile" => assert_eq!(plan, Some("starter")),
            "bank" => assert_eq!(plan, Some("premium")),
            "bakery" => assert_eq!(plan, Some("standard")),
            "full" => assert_eq!(status.tenant_id.as_deref(), Some("acme-corp")),
            _ => assert_eq!(status.enabled, Some(true)),
        }
    }
    tenants.len()
}

/// How many TenantProfiles there are, each of which was accepted.
async fn profiles_become(space: &Space, namespace: &str) -> usize {
    let api: Api<TenantProfile> = Api::namespaced(space.client.clone(), namespace);
    let profiles = api.list(&ListParams::default()).await.unwrap().items;
    for profile in &profiles {
        until(api.clone(), &profile.name_any(), "accepted", TenantProfile::is_ready).await;
    }
    profiles.len()
}

/// How many of a kind there are in tenants, each of which became Ready.
async fn all_become<M: Member>(space: &Space, namespace: &str) -> usize {
    let api: Api<M> = Api::namespaced(space.client.clone(), namespace);
    let members = api.list(&ListParams::default()).await.unwrap().items;
    for member in &members {
        let is_well = |member: &M| member.is_ready() && member.is_told();
        until(api.clone(), &member.name_any(), "Ready", is_well).await;
    }
    members.len()
}

/// What kubectl answers, as README.md calls it. What is in `gitops` is not for kubectl.
fn kubectl_apply(space: &Space) -> String {
    let folder = |name: &str| format!("{}/examples/{name}", env!("CARGO_MANIFEST_DIR"));
    let (profiles, two_tenants) = (folder("profiles"), folder("two-tenants"));
    space.kubectl(&["apply", "-f", &folder("")])
        + &space.kubectl(&["apply", "-R", "-f", &profiles, "-f", &two_tenants])
}
