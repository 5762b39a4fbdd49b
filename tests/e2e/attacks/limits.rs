//! Limits that Eve wants to raise for her own tenant.

use keyreeve::api::{Tenant, TenantProfile, User};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::Attack;
use crate::support::{Conditions, until};

impl Attack {
    async fn eve_changes_her_tenant(&self, spec: Value) {
        let patch = Patch::Merge(json!({"spec": spec}));
        self.eves::<Tenant>().patch("evil", &PatchParams::default(), &patch).await.unwrap();
    }

    async fn evil_is(&self, what: &str, is_so: impl Fn(&Tenant) -> bool + Send) -> Tenant {
        let is_told = |tenant: &Tenant| {
            let ready = tenant.condition("Ready");
            ready.is_some_and(|ready| Some(ready.observed_generation) == tenant.metadata.generation)
        };
        until(self.eves(), "evil", what, move |tenant: &Tenant| is_told(tenant) && is_so(tenant))
            .await
    }

    /// Eve's second user waits for a seat still, after another look.
    async fn there_is_one_seat(&mut self, now: &str) {
        let asked = json!({"metadata": {"annotations": {"keyreeve.dev/reconcile": now}}});
        let patch = Patch::Merge(asked);
        self.eves::<User>().patch("second", &PatchParams::default(), &patch).await.unwrap();
        let looked = |user: &User| {
            let status = user.status.as_ref().unwrap();
            let handled = status.last_handled.as_ref();
            handled.and_then(|handled| handled.reconcile.as_deref()) == Some(now)
        };
        let second = until(self.eves(), "second", "looked at again", looked).await;
        assert_eq!(second.ready(), Some(("False", "QuotaExceeded")), "{now}");
        assert_eq!(self.database.users().await, ["evil/first"], "{now}");
    }
}

/// A profile of one's own is used by whoever may create TenantProfiles: that RBAC keeps this from teams is what the
/// platform's limits stand on, and the last part shows it.
#[tokio::test]
async fn a_tenant_cannot_raise_its_own_limits() {
    let flags = |alice: &str| vec!["--default-profile".to_owned(), format!("{alice}/base")];
    let mut attack = Attack::with("att-limits", flags).await;
    attack.space.make_profile("generous", json!({"planDetails": {"maxUsers": 100}})).await;
    attack.make_evil().await;
    attack.eve_creates_at_home::<User>("first", json!({})).await;
    attack.eves_is_well::<User>("first").await;
    attack.eve_creates_at_home::<User>("second", json!({})).await;
    attack.denied::<User>("second", "QuotaExceeded").await;

    // Limits are no part of a Tenant: strictly asked, the API server says so, and else it drops them.
    let limits = json!({"planDetails": {"maxUsers": 100}});
    let raised = json!({"subscription": limits, "planDetails": limits["planDetails"]});
    let strict = PatchParams::default().validation_strict();
    let patch = Patch::Merge(json!({"spec": raised}));
    let refused =
        attack.eves::<Tenant>().patch("evil", &strict, &patch).await.unwrap_err().to_string();
    assert!(refused.contains("unknown field"), "{refused}");
    attack.eve_changes_her_tenant(raised).await;
    attack.there_is_one_seat("with limits in the Tenant").await;

    let told = attack.evil_is("Ready", Conditions::is_ready).await.status.unwrap().effective;
    let mut forged = json!(told);
    forged["subscription"]["planDetails"] = json!({"maxUsers": 100});
    attack.forge::<Tenant>("evil", json!({"effective": forged})).await;
    attack.there_is_one_seat("with limits in status").await;
    let right = |tenant: &Tenant| tenant.status.as_ref().unwrap().effective == told;
    attack.evil_is("put right", right).await;
    attack.there_is_one_seat("after status was put right").await;

    for (profile, reason) in
        [(json!({"name": "nobodys"}), "ProfileNotFound"), (attack.alices("generous"), "NotAllowed")]
    {
        attack.eve_changes_her_tenant(json!({"profileRef": null})).await;
        attack.eve_changes_her_tenant(json!({"profileRef": profile})).await;
        attack.evil_is(reason, |tenant| tenant.has_reason(reason)).await;
        attack.there_is_one_seat(reason).await;
    }
    attack.eve_changes_her_tenant(json!({"profileRef": null})).await;
    attack.evil_is("Ready with the default profile", Conditions::is_ready).await;
    attack.there_is_one_seat("with the default profile").await;

    // Whoever may create profiles has no limits but their own …
    let own = json!({"planDetails": {"maxUsers": 2}});
    attack.space.create_in::<TenantProfile>(&attack.eve, "own", own).await;
    attack.eve_changes_her_tenant(json!({"profileRef": {"name": "own"}})).await;
    attack.eves_is_well::<User>("second").await;
    // … and is under the platform's again without it: nobody is evicted, and nobody let in.
    attack.eve_changes_her_tenant(json!({"profileRef": null})).await;
    let over = |tenant: &Tenant| tenant.condition("OverLimit").is_some();
    attack.evil_is("over its limit", over).await;
    attack.eve_creates_at_home::<User>("third", json!({})).await;
    attack.denied::<User>("third", "QuotaExceeded").await;
    assert_eq!(attack.database.users().await, ["evil/first", "evil/second"]);
}
