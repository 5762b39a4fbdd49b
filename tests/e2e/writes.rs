//! What a change and a deletion of a Namespace, Role or User costs the API server.

use keyreeve::api::{Namespace, Role, Tenant, User};
use serde_json::{Value, json};

use crate::support::{Audit, Member, Operator, Server, Space, eventually};

#[tokio::test]
async fn a_namespace_takes_one_write_to_change_and_two_to_go() {
    changes_and_goes::<Namespace>("namespace", json!({"description": "Sells"}), &[]).await;
}

#[tokio::test]
async fn a_role_takes_one_write_to_change_and_two_to_go() {
    let change = json!({"description": "All", "administrator": true, "composites": []});
    changes_and_goes::<Role>("role", change, &[]).await;
}

#[tokio::test]
async fn a_user_takes_one_write_to_change_and_two_to_go_and_its_tenant_counts_it_out() {
    let change = json!({"email": "one@acme.example", "claims": {"a": 1}, "roles": []});
    changes_and_goes::<User>("user", change, &["patch tenants/status acme"]).await;
}

/// `beside` is what else is written when it goes.
async fn changes_and_goes<M: Member>(kind: &str, change: Value, beside: &[&str]) {
    let space = Space::new(&format!("writes-{kind}")).await;
    let metrics = Server::new();
    let flags = ["--resync", "1s", "--metrics-bind-address", &metrics.address];
    let _operator = Operator::start_with(&space, &flags);
    space.made_tenant("acme", json!({})).await;
    space.made::<M>("one", json!({})).await;
    for object in ["acme", "one"] {
        space.event(object, "Normal Synced").await;
    }
    let counted = |count: i64| {
        move |tenant: &Tenant| tenant.status.as_ref().unwrap().user_count == Some(count)
    };
    space.tenant("acme", "its users counted", counted(i64::from(kind == "user"))).await;

    let looks = || {
        let labels = format!("controller=\"{kind}\"");
        metrics.metric("controller_runtime_reconcile_total", &labels)
    };
    let looked_at = async || {
        let seen = looks();
        eventually("it was looked at again and again", async || looks() >= seen + 3.0).await;
    };
    let audit = Audit::begin(&space);
    space.change::<M>("one", change).await;
    space.well::<M>("one").await;
    looked_at().await;
    assert_eq!(audit.taken(), [format!("patch {kind}s/status one")]);

    let noted = json!({"metadata": {"annotations": {"example.com/note": "hello"}}});
    space.merge::<M>("one", noted).await;
    looked_at().await;
    assert_eq!(audit.taken().len(), 1, "a note is nothing to the operator");

    let audit = Audit::begin(&space);
    space.remove::<M>("one").await;
    space.event("one", "Normal Removed").await;
    space.tenant("acme", "its users counted", counted(0)).await;
    let is_event = |write: &String| write.starts_with("create events one.");
    // The log may be a little late.
    let count = beside.len() + 2;
    eventually("all writes are in the log", async || audit.taken().len() >= count).await;
    let (events, mut writes): (Vec<_>, Vec<_>) = audit.taken().into_iter().partition(is_event);
    assert_eq!(events.len(), 1, "{events:?}");
    writes.sort();
    let finalizer = format!("patch {kind}s one");
    let mut expected = [beside, &[finalizer.as_str()]].concat();
    expected.sort_unstable();
    assert_eq!(writes, expected);
}
