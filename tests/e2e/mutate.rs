//! Mutate and revert: whatever field of a spec is changed and changed back, the store comes back
//! to what it was, with the operator's own notes in it, time stamps apart.
//!
//! The fields follow from the schemas, so a new one is covered by itself or fails the test. Each
//! kind is tried twice: on an object that has as little set as can be, and on one that has everything.

mod document;
mod dump;
mod fields;
mod subject;

use std::sync::Arc;

use keyreeve::api::{Namespace, Role, Tenant, User};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use self::{
    document::fill,
    fields::{Targets, fields},
    subject::Subject,
};
use crate::{
    schema::samples::{KINDS, spec_schema},
    support::{Member, Operator, Space},
};

/// Fields that are not tried with all below them, each with its reason.
const EXCEPTIONS: [(&str, &str); 14] = [
    ("tenantId", "immutable"),
    ("tenantRef", "immutable"),
    ("namespaceRef", "immutable"),
    ("name", "immutable"),
    ("username", "immutable"),
    ("id", "immutable"),
    ("adoptionPolicy", "decides what becomes of what was there before the object"),
    ("deletionPolicy", "decides what is left after the object"),
    ("keystore.algorithm", "another one makes another key, and the first stays published"),
    ("keystore.keySize", "another one makes another key, and the first stays published"),
    ("keystore.revoke", "a key that was revoked stays revoked"),
    ("password", "the store keeps the former ones, and a new one is made at random"),
    ("requiredActions", "asked for once: what is asked for again is what the user has not done"),
    ("emailVerified", "asked for once: the store keeps what the user proved"),
];

/// Fields that the store does not change with, each with its reason.
const UNSTORED: [(&str, &str); 6] = [
    ("allowedFrom", "says who may refer to the object, not what it is"),
    ("locked", "says what a tenant may set, not what it has"),
    ("settings.apiVersion", "has one value, which is the built-in one"),
    ("profileRef.namespace", "the same object, with its Kubernetes namespace"),
    ("roles.0.namespace", "the same object, with its Kubernetes namespace"),
    ("composites.0.namespace", "the same object, with its Kubernetes namespace"),
];

fn is_listed(list: &[(&str, &str)], path: &str) -> bool {
    let below = |listed: &str| {
        path.strip_prefix(listed).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    list.iter().any(|(listed, _)| below(listed))
}

fn is_exception(path: &str) -> bool {
    is_listed(&EXCEPTIONS, path)
}

fn is_unstored(path: &str) -> bool {
    is_listed(&UNSTORED, path)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_comes_back_to_what_it_was_when_a_change_of_any_field_is_taken_back() {
    let space = Arc::new(Space::new("mutate").await);
    let operator = Operator::start(&space);
    let tried = KINDS.iter().flat_map(|kind| [(kind, "small"), (kind, "rich")]);
    let mut running = JoinSet::new();
    for ((kind, plural), size) in tried {
        let space = space.clone();
        running.spawn(async move {
            let began = std::time::Instant::now();
            let (count, faults) = try_all(space, kind, plural, size == "rich").await;
            println!("{kind} {size}: {count} fields in {:.1?}", began.elapsed());
            faults
        });
    }
    let mut faults = Vec::new();
    while let Some(found) = running.join_next().await {
        faults.extend(found.unwrap());
    }
    println!("{:.1} s of CPU", operator.cpu_seconds());
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_exception_is_a_field() {
    let targets = Targets { names: ["a".into(), "b".into()], namespace: "c".into() };
    let of_all = KINDS.iter().flat_map(|(kind, _)| fields(&spec_schema(kind), &targets));
    let paths: Vec<_> = of_all.map(|field| field.path).collect();
    for (path, reason) in EXCEPTIONS.iter().chain(&UNSTORED) {
        assert!(paths.iter().any(|other| other == path), "{path} ({reason}) is no field");
    }
}

/// Tries every field of a kind; answers how many there are, and the faults.
async fn try_all(
    space: Arc<Space>,
    kind: &'static str,
    plural: &'static str,
    is_rich: bool,
) -> (usize, Vec<String>) {
    let schema = spec_schema(kind);
    let tenant = format!("{}-{}", kind.to_lowercase(), if is_rich { "rich" } else { "small" });
    let targets = Targets {
        names: ["first", "second"].map(|name| format!("{tenant}-{name}")),
        namespace: space.namespace.clone(),
    };
    let mut fields = fields(&schema, &targets);
    let mut base = least(kind, &tenant, is_rich);
    let mut faults = Vec::new();
    if is_rich {
        let unset = fill(kind, &mut base, &fields, &is_exception);
        faults.extend(
            unset.iter().map(|path| {
                format!("{kind}: no value was found for {path}, and it is no exception")
            }),
        );
        fields.retain(|field| !unset.contains(&field.path));
        // The others go from the small object, but for those that have no other value here.
        for field in &mut fields {
            field.goes &= field.is_in_list_or_map() || field.is_group || field.values.len() == 1;
        }
    } else {
        // What is in a list comes with the list, and a group with what is in it.
        fields.retain(|field| !field.is_in_list_or_map() && !field.is_group);
    }
    fields.retain(|field| !is_exception(&field.path));
    let name = if kind == "Tenant" { tenant.clone() } else { format!("{tenant}-own") };
    make(&space, kind, &name, &tenant, &targets, base.clone()).await;
    let count = fields.len();
    let subject = Subject { space, kind, plural, name, tenant, base };
    faults.extend(subject.mutate(fields, is_unstored).await);
    (count, faults)
}

/// What an object has in any case.
fn least(kind: &str, tenant: &str, is_rich: bool) -> Value {
    let mut spec = match kind {
        "Tenant" => json!({"keystore": {"algorithm": "ES256"}}),
        "TenantProfile" => json!({}),
        _ => json!({"tenantRef": {"name": tenant}}),
    };
    match kind {
        "Role" if is_rich => spec["namespaceRef"] = json!({"name": format!("{tenant}-sales")}),
        "User" if is_rich => {
            spec["password"] = json!({"generate": {}});
            spec["requiredActions"] = json!(["UpdateProfile"]);
        }
        _ => {}
    }
    spec
}

/// Makes an object with its tenant and all that it may refer to, and waits until they are Ready.
async fn make(space: &Space, kind: &str, name: &str, tenant: &str, targets: &Targets, spec: Value) {
    match kind {
        "Tenant" => {
            for target in &targets.names {
                space.make_profile(target, json!({"plan": target})).await;
            }
            space.create::<Tenant>(name, spec).await;
            space.ready(name).await;
        }
        "TenantProfile" => {
            space.make_profile(name, spec).await;
            space.create::<Tenant>(tenant, json!({"profileRef": {"name": name}})).await;
            space.ready(tenant).await;
        }
        _ => {
            space.made_tenant(tenant, json!({})).await;
            let of_tenant = || json!({"tenantRef": {"name": tenant}});
            make_member::<Namespace>(space, &format!("{tenant}-sales"), of_tenant()).await;
            for target in &targets.names {
                make_member::<Role>(space, target, of_tenant()).await;
            }
            match kind {
                "Namespace" => make_member::<Namespace>(space, name, spec).await,
                "Role" => make_member::<Role>(space, name, spec).await,
                _ => make_member::<User>(space, name, spec).await,
            }
        }
    }
}

async fn make_member<M: Member>(space: &Space, name: &str, spec: Value) {
    space.create::<M>(name, spec).await;
    space.well::<M>(name).await;
}
