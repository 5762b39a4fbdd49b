//! What Flux and Helm 4 (kstatus), and Argo CD (our health checks in Lua) make of the five kinds through their life.

use keyreeve::api::{Namespace, Role, Tenant, TenantProfile, User};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::KINDS;
use crate::support::{Operator, Space, argo_health, kstatus, until_gone};

/// A moment in the life of an object, and what each tool has to say of it.
struct Moment {
    what: String,
    object: Value,
    kstatus: &'static str,
    argo: &'static str,
    /// What Argo CD shows has this in it.
    shown: &'static str,
}

/// What each tool says of an object …
#[derive(Clone, Copy)]
struct Expected(&'static str, &'static str, &'static str);

const NOT_SEEN: Expected = Expected("InProgress", "Progressing", "has not looked at it yet");
const READY: Expected = Expected("Current", "Healthy", "");
const GOING: Expected = Expected("Terminating", "Progressing", "Pending deletion");

/// … that waits for what the reason says,
const fn waiting(reason: &'static str) -> Expected {
    Expected("InProgress", "Progressing", reason)
}

/// … or needs a person.
const fn failing(reason: &'static str) -> Expected {
    Expected("Failed", "Degraded", reason)
}

struct Life {
    space: Space,
    moments: Vec<Moment>,
}

impl Life {
    /// Notes an object as it is now.
    async fn note(&mut self, what: &str, kind: &str, name: &str, expected: Expected) {
        let object = self.space.object(kind, name).await;
        self.keep(what, object, expected);
    }

    fn keep(&mut self, what: &str, object: Value, Expected(kstatus, argo, shown): Expected) {
        let what = format!("{what} {} {}", object["kind"], object["metadata"]["name"]);
        self.moments.push(Moment { what, object, kstatus, argo, shown });
    }

    /// Waits until a condition is True, and notes the object.
    async fn comes_to(&mut self, kind: &str, name: &str, condition: &str, expected: Expected) {
        let object = self.space.comes_to(kind, name, condition).await;
        self.keep(condition, object, expected);
    }

    async fn change(&self, kind: &str, name: &str, change: Value) {
        let patch = Patch::Merge(change);
        self.space.of_kind(kind).patch(name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// Has the tools judge all moments.
    fn judge(&self) {
        let objects: Vec<_> = self.moments.iter().map(|moment| &moment.object).collect();
        let judged = kstatus(&objects).into_iter().zip(argo_health(&objects));
        for (moment, (kstatus, argo)) in self.moments.iter().zip(judged) {
            let conditions = &moment.object["status"]["conditions"];
            assert_eq!(
                (kstatus.status.as_str(), argo.status.as_str()),
                (moment.kstatus, moment.argo),
                "{}: {kstatus:?} {argo:?} {conditions:#}",
                moment.what
            );
            assert!(!argo.message.is_empty(), "{}", moment.what);
            assert!(argo.message.contains(moment.shown), "{}: {argo:?}", moment.what);
        }
    }
}

/// An object of each kind, that is well once the plan has what it needs.
const OURS: [(&str, &str); 5] = [
    ("TenantProfile", "gold"),
    ("Tenant", "acme"),
    ("Namespace", "sales"),
    ("Role", "reader"),
    ("User", "ada"),
];

/// What waits for something that is not there.
const WAITING: [(&str, &str); 4] =
    [("Tenant", "orphan"), ("Namespace", "orphan"), ("Role", "orphan"), ("User", "orphan")];

/// What nobody but a person can help.
const WRONG: [(&str, &str); 2] = [("TenantProfile", "weak"), ("Tenant", "weak")];

fn plan(has: bool) -> Value {
    json!({"planDetails": {"userManagement": has, "rbacManagement": has}})
}

async fn apply_all(space: &Space) {
    let short = json!({"settings": {"policies": {"password": {"max": 8}}}});
    let on = |profile: &str| json!({"profileRef": {"name": profile}, "keystore": {"algorithm": "ES256"}});
    space.create::<TenantProfile>("gold", plan(false)).await;
    space.create::<TenantProfile>("weak", short).await;
    for (name, profile) in [("acme", "gold"), ("weak", "weak"), ("orphan", "nobody")] {
        space.create::<Tenant>(name, on(profile)).await;
    }
    for (member, tenant) in [(OURS, "acme"), (OURS.map(|(kind, _)| (kind, "orphan")), "nobody")] {
        let spec = json!({"tenantRef": {"name": tenant}});
        space.create::<Namespace>(member[2].1, spec.clone()).await;
        space.create::<Role>(member[3].1, spec.clone()).await;
        space.create::<User>(member[4].1, spec).await;
    }
}

#[tokio::test]
async fn what_waits_for_an_object_or_judges_it_is_told_the_truth_through_its_whole_life() {
    let mut life = Life { space: Space::new("health").await, moments: Vec::new() };
    apply_all(&life.space).await;
    for (kind, name) in OURS.into_iter().chain(WAITING).chain(WRONG) {
        life.note("new", kind, name, NOT_SEEN).await;
    }

    let operator = Operator::start_refusable(&life.space);
    for (kind, name) in &OURS[..2] {
        life.comes_to(kind, name, "Ready", READY).await;
    }
    for (kind, name) in &OURS[2..] {
        life.comes_to(kind, name, "Stalled", failing("NotInPlan: ")).await;
    }
    for (kind, name) in WAITING {
        life.comes_to(kind, name, "Reconciling", waiting(": spec.")).await;
    }
    for (kind, name) in WRONG {
        life.comes_to(kind, name, "Stalled", failing("PolicyUnsatisfiable: ")).await;
    }

    // The plan changes and with it what is in the tenant, none of which was changed itself.
    life.change("TenantProfile", "gold", json!({"spec": plan(true)})).await;
    for (kind, name) in OURS {
        life.comes_to(kind, name, "Ready", READY).await;
    }

    // Suspended is what the Tenant declares; Paused stops everything.
    let over = json!({"spec": {"subscription": {"expiresAt": "2024-12-31T23:59:59Z"}}});
    life.change("Tenant", "acme", over).await;
    let suspended = Expected("Current", "Healthy", "; Suspended: ");
    life.comes_to("Tenant", "acme", "Suspended", suspended).await;
    let paused = |paused| json!({"metadata": {"annotations": {"keyreeve.dev/paused": paused}}});
    life.change("User", "ada", paused(json!("true"))).await;
    life.comes_to("User", "ada", "Paused", Expected("Current", "Suspended", "paused")).await;
    life.change("User", "ada", json!({"spec": {"firstName": "Ada"}})).await;
    let held = Expected("InProgress", "Suspended", "paused");
    life.note("changed while paused", "User", "ada", held).await;
    life.change("User", "ada", paused(json!(null))).await;
    life.comes_to("User", "ada", "Ready", READY).await;

    // The store takes nothing.
    operator.refuse_writes(true);
    life.change("Role", "reader", json!({"spec": {"description": "reads"}})).await;
    life.comes_to("Role", "reader", "Reconciling", waiting("StoreUnavailable: ")).await;
    operator.refuse_writes(false);
    life.comes_to("Role", "reader", "Ready", READY).await;

    // A change, before the operator has seen it: what is told is of the generation before.
    operator.pause(true);
    let labelled = |label: &str| json!({"spec": {"settings": {"tenantLoginUrl": format!("https://{label}.example/")}}});
    for (kind, name) in [OURS[0], OURS[1], WRONG[0], WRONG[1]] {
        life.change(kind, name, labelled("new")).await;
        life.note("changed", kind, name, NOT_SEEN).await;
    }
    for (kind, name) in [OURS[2], OURS[3], WAITING[1], WAITING[2]] {
        life.change(kind, name, json!({"spec": {"description": "new"}})).await;
        life.note("changed", kind, name, NOT_SEEN).await;
    }
    for (kind, name) in [OURS[4], WAITING[3]] {
        life.change(kind, name, json!({"spec": {"lastName": "New"}})).await;
        life.note("changed", kind, name, NOT_SEEN).await;
    }
    operator.pause(false);
    for (kind, name) in OURS {
        life.comes_to(kind, name, "Ready", READY).await;
    }
    for (kind, name) in WRONG {
        life.comes_to(kind, name, "Stalled", failing("PolicyUnsatisfiable: ")).await;
    }

    // Deleted, and not gone yet. A profile is in no store, so nothing holds it.
    operator.pause(true);
    for (kind, name) in OURS.into_iter().chain(WAITING).chain(WRONG) {
        let api = life.space.of_kind(kind);
        api.delete(name, &DeleteParams::default()).await.unwrap();
        match api.get_opt(name).await.unwrap() {
            Some(_) => life.note("deleted", kind, name, GOING).await,
            None => assert_eq!(kind, "TenantProfile"),
        }
    }
    operator.pause(false);
    for kind in KINDS {
        for name in ["acme", "sales", "reader", "ada", "orphan", "weak"] {
            until_gone(life.space.of_kind(kind), name).await;
        }
    }
    life.judge();
}
