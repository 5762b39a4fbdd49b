//! Every example, applied as a reader would: by kubectl, all at once, twice.

use std::process::Command;

use keyreeve::api::{Namespace, Role, TenantProfile};
use kube::{ResourceExt, api::ListParams};

use crate::support::{Audit, Conditions, Operator, Space, setting};

#[tokio::test]
async fn every_example_becomes_what_it_says() {
    let space = Space::new("examples").await;
    let _operator = Operator::start(&space);
    kubectl_apply(&space);
    let tenants = space.tenants().list(&ListParams::default()).await.unwrap();
    assert!(tenants.items.len() >= 7, "{}", tenants.items.len());
    for tenant in tenants {
        let tenant = space.ready(&tenant.name_any()).await;
        let status = tenant.status.as_ref().unwrap();
        let effective = status.effective.as_ref().unwrap();
        match tenant.name_any().as_str() {
            "suspended" => {
                assert!(tenant.condition("Suspended").is_some());
                assert_eq!(status.enabled, Some(false));
            }
            "locked" => assert_eq!(
                status.overridden,
                ["settings.registerEnabled", "settings.ttl.accessToken"]
            ),
            "with-profile" => assert_eq!(effective.subscription.plan.as_deref(), Some("starter")),
            "full" => assert_eq!(status.tenant_id.as_deref(), Some("acme-corp")),
            _ => assert_eq!(status.enabled, Some(true)),
        }
    }
    for profile in space.profiles().list(&ListParams::default()).await.unwrap() {
        space.profile(&profile.name_any(), "accepted", TenantProfile::is_ready).await;
    }
    let everywhere = ListParams::default();
    for namespace in space.api::<Namespace>().list(&everywhere).await.unwrap() {
        space.well::<Namespace>(&namespace.name_any()).await;
    }
    for role in space.api::<Role>().list(&everywhere).await.unwrap() {
        space.well::<Role>(&role.name_any()).await;
    }
    let composites = space.database().await.composites().await;
    assert_eq!(composites, ["admin > orders/reader"]);
    // Applied again, nothing is to be done.
    let audit = Audit::begin(&space);
    let answer = kubectl_apply(&space);
    assert!(answer.lines().all(|line| line.ends_with("unchanged")), "{answer}");
    space.resync("minimal").await;
    let writes: Vec<_> =
        audit.writes().into_iter().filter(|write| !write.ends_with("minimal")).collect();
    assert!(writes.is_empty(), "{writes:?}");
}

/// What kubectl answers.
fn kubectl_apply(space: &Space) -> String {
    let output = Command::new("kubectl")
        .env("KUBECONFIG", setting("KEYREEVE_TEST_KUBECONFIG"))
        .args(["apply", "--namespace", &space.namespace, "--recursive", "--filename"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/examples"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
