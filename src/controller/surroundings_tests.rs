//! What an object would be warned of, beside others that are there.

use std::time::Duration;

use globset::GlobSet;
use kube::{core::DeserializeGuard, runtime::watcher::Event};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::{
    admission::{Judgement, judge},
    controller::{context::Options, informer::Linked, secret_names::SecretNames, view::Writers},
};

/// Objects that were seen.
pub(in crate::controller) struct World {
    pub(in crate::controller) view: View,
    writers: Writers,
}

impl World {
    pub(in crate::controller) fn new() -> Self {
        let options = Options {
            operator_namespace: "system".into(),
            secrets_namespaces: Vec::new(),
            owner: "owner".into(),
            watch_namespaces: Vec::new(),
            keystore_namespace: "keystores".into(),
            default_profile: None,
            take_over_from: Vec::new(),
            adoptable: GlobSet::empty(),
            resync: Duration::from_mins(10),
            max_concurrent_reconciles: 1,
            webhook: None,
        };
        let (mut view, writers) = View::new(&options, 1);
        // As where the webhook answers.
        view.secrets = SecretNames::new(true);
        Self { view, writers }
    }

    /// An object `NAMESPACE/NAME` is there since the given day.
    pub(in crate::controller) fn with(self, kind: &str, id: &str, day: u8, spec: Value) -> Self {
        self.seeing(kind, object(kind, id, day, spec))
    }

    /// The same, of one that is in the store.
    pub(in crate::controller) fn with_stored(self, kind: &str, id: &str, spec: Value) -> Self {
        self.seeing(kind, stored(object(kind, id, 1, spec)))
    }

    fn seeing(mut self, kind: &str, object: Value) -> Self {
        let writers = &mut self.writers;
        match kind {
            "Tenant" => seen::<Tenant>(&self.view, &mut writers.tenants[0], object),
            "TenantProfile" => seen::<TenantProfile>(&self.view, &mut writers.profiles[0], object),
            "Namespace" => seen::<Namespace>(&self.view, &mut writers.namespaces[0], object),
            "Role" => seen::<Role>(&self.view, &mut writers.roles[0], object),
            "User" => seen::<User>(&self.view, &mut writers.users[0], object),
            _ => panic!("{kind}"),
        }
        self
    }

    /// What is said of a new object.
    pub(in crate::controller) fn says(&self, kind: &str, id: &str, spec: Value) -> Vec<String> {
        let Judgement { refused, warnings } =
            judge(kind, &object(kind, id, 20, spec), None, &self.view);
        assert_eq!(refused, None);
        warnings
    }
}

pub(in crate::controller) fn object(kind: &str, id: &str, day: u8, spec: Value) -> Value {
    let (namespace, name) = id.split_once('/').unwrap();
    let mut object = json!({
        "apiVersion": "keyreeve.dev/v1alpha1", "kind": kind,
        "metadata": {
            "namespace": namespace, "name": name, "uid": format!("{kind}-{id}"),
            "creationTimestamp": format!("2030-01-{day:02}T00:00:00Z"),
        },
    });
    object["spec"] = spec;
    object
}

/// As it looks once it is in the store.
pub(in crate::controller) fn stored(mut object: Value) -> Value {
    object["status"] = json!({"store": {"kind": "sqlite", "id": "1"}});
    object
}

fn seen<K: Linked + DeserializeOwned>(
    view: &View,
    writer: &mut kube::runtime::reflector::store::Writer<DeserializeGuard<K>>,
    object: Value,
) {
    let object: K = serde_json::from_value(object).unwrap();
    let id = ObjectId::new(object.namespace().unwrap(), object.name_any());
    view.index().set(K::KIND, &id, object.links());
    writer.apply_watcher_event(&Event::Apply(DeserializeGuard(Ok(object))));
}

pub(in crate::controller) fn in_acme(mut spec: Value) -> Value {
    spec["tenantRef"] = json!({"name": "acme"});
    spec
}

#[test]
fn references_that_lead_nowhere_are_named() {
    let world = World::new();
    let missing = "spec.tenantRef: Tenant acme is not there: create it";
    for kind in ["Namespace", "Role", "User"] {
        assert_eq!(world.says(kind, "a/it", in_acme(json!({}))), [missing], "{kind}");
    }
    let world = world.with("Tenant", "a/acme", 1, json!({}));
    assert_eq!(world.says("User", "a/ada", in_acme(json!({}))), Vec::<String>::new());
    let role = in_acme(json!({
        "namespaceRef": {"name": "sales"}, "composites": [{"name": "reader"}, {"name": "writer"}],
    }));
    assert_eq!(
        world.says("Role", "a/editor", role),
        [
            "spec.namespaceRef: Namespace (namespaces.keyreeve.dev) sales is not there: create it",
            "spec.composites: Role (roles.keyreeve.dev) reader is not there: create it, or take it out",
            "spec.composites: Role (roles.keyreeve.dev) writer is not there: create it, or take it out",
        ]
    );
    let tenant = json!({"profileRef": {"name": "gold"}});
    assert_eq!(
        world.says("Tenant", "a/beta", tenant),
        ["spec.profileRef: TenantProfile gold is not there: create it, or change spec.profileRef"]
    );
}

#[test]
fn missing_and_forbidden_are_alike_across_namespaces() {
    let user = json!({"tenantRef": {"name": "acme", "namespace": "a"}});
    let nowhere = World::new().says("User", "b/ada", user.clone());
    let forbidden =
        World::new().with("Tenant", "a/acme", 1, json!({})).says("User", "b/ada", user.clone());
    assert_eq!(nowhere, forbidden);
    assert!(nowhere[0].contains("allowedFrom does not name the namespace b"), "{nowhere:?}");
    let granted = json!({"allowedFrom": [{"matchNames": ["b"]}]});
    let granted = World::new().with("Tenant", "a/acme", 1, granted).says("User", "b/ada", user);
    assert_eq!(granted, Vec::<String>::new());
}

#[test]
fn what_belongs_to_another_tenant_is_named() {
    let other = json!({"tenantRef": {"name": "beta"}});
    let world = World::new()
        .with("Tenant", "a/acme", 1, json!({}))
        .with("Tenant", "a/beta", 1, json!({}))
        .with("Namespace", "a/sales", 2, other.clone())
        .with("Role", "a/reader", 2, other);
    let role = json!({"namespaceRef": {"name": "sales"}, "composites": [{"name": "reader"}]});
    assert_eq!(
        world.says("Role", "a/editor", in_acme(role)),
        [
            "spec.namespaceRef: sales belongs to another tenant than this object: both must have the same tenantRef",
            "spec.composites: reader belongs to another tenant than this object: both must have the same tenantRef",
        ]
    );
    let user = world.says("User", "a/ada", in_acme(json!({"roles": [{"name": "reader"}]})));
    assert_eq!(
        user,
        [
            "spec.roles: reader belongs to another tenant than this object: both must have the same tenantRef"
        ]
    );
}

#[test]
fn what_a_profile_locks_is_set_in_vain() {
    let profile = json!({
        "locked": ["settings.ttl"],
        "planDetails": {"customPasswordPolicy": false, "rbacManagement": false},
    });
    let gold = json!({"profileRef": {"name": "gold"}});
    let world =
        World::new().with("TenantProfile", "a/gold", 1, profile).with("Tenant", "a/acme", 2, gold);
    let tenant = json!({
        "profileRef": {"name": "gold"},
        "settings": {"rememberMe": true, "ttl": {"session": "1h"}, "policies": {"password": {"min": 8}}},
    });
    assert_eq!(
        world.says("Tenant", "a/beta", tenant),
        [
            "spec.settings.policies.password.min: its TenantProfile locks it, so what is set here has no effect",
            "spec.settings.ttl.session: its TenantProfile locks it, so what is set here has no effect",
        ]
    );
    assert_eq!(
        world.says("Role", "a/reader", in_acme(json!({}))),
        [
            "the plan gold of tenant acme does not have it: planDetails.rbacManagement is false in its TenantProfile. Set it to true there, or delete this object"
        ]
    );
}

#[test]
fn what_tenant_and_profile_make_impossible_together_is_told() {
    let strict = json!({"settings": {"policies": {"password": {"min": 30}}}});
    let world = World::new().with("TenantProfile", "a/strict", 1, strict);
    let mut tenant = json!({
        "profileRef": {"name": "strict"}, "settings": {"policies": {"password": {"max": 20}}},
    });
    let said = world.says("Tenant", "a/acme", tenant.clone());
    assert!(said[0].contains("as it is in force"), "{said:?}");
    tenant["adoptionPolicy"] = json!("Adopt");
    assert_eq!(world.says("Tenant", "a/acme", tenant), Vec::<String>::new());
    let profile = json!({"settings": {"policies": {"password": {"max": 4}}}});
    let said = world.says("TenantProfile", "a/short", profile);
    assert!(said[0].starts_with("a tenant that sets nothing cannot use this profile"), "{said:?}");
}

#[test]
fn a_taken_name_is_told_and_by_whom_within_the_namespace_only() {
    let world = World::new()
        .with("Tenant", "a/acme", 1, json!({"allowedFrom": [{"matchNames": ["b"]}]}))
        .with("Namespace", "a/sales", 2, in_acme(json!({"name": "shop"})))
        .with("Role", "a/reader", 2, in_acme(json!({})));
    let id = json!({"tenantId": "acme"});
    assert_eq!(
        world.says("Tenant", "a/second", id.clone()),
        [
            "tenant id acme is taken by Tenant acme, which came first: delete this Tenant and create it with another spec.tenantId, or delete that one"
        ]
    );
    assert_eq!(
        world.says("Tenant", "b/second", id),
        ["tenant id acme is taken: delete this Tenant and create it with another spec.tenantId"]
    );
    assert_eq!(
        world.says("Namespace", "a/shop", in_acme(json!({}))),
        [
            "namespace shop of tenant acme is taken by Namespace sales, which came first: delete this object and create it with another spec.name, or delete that one"
        ]
    );
    let from_b = json!({"tenantRef": {"name": "acme", "namespace": "a"}, "name": "reader"});
    assert_eq!(
        world.says("Role", "b/other", from_b),
        [
            "role reader of tenant acme is taken: delete this object and create it with another spec.name"
        ]
    );
    // In the identity Namespace the name is free.
    let placed = in_acme(json!({"name": "reader", "namespaceRef": {"name": "sales"}}));
    assert_eq!(world.says("Role", "a/other", placed), Vec::<String>::new());
}

#[test]
fn one_that_is_in_the_store_has_its_name() {
    let world = World::new().with("Tenant", "a/acme", 1, json!({}));
    let second = stored(object("Tenant", "a/second", 20, json!({"tenantId": "acme"})));
    let mut edited = second.clone();
    edited["spec"]["displayName"] = json!("Acme");
    let judgement = judge("Tenant", &edited, Some(&second), &world.view);
    assert_eq!(judgement, Judgement::default());
}

#[test]
fn a_circle_that_a_role_would_close_is_told() {
    let of = |part: &str| in_acme(json!({"composites": [{"name": part}]}));
    let world = World::new()
        .with("Tenant", "a/acme", 1, json!({}))
        .with("Role", "a/hen", 1, of("egg"))
        .with("Role", "a/rooster", 1, of("hen"))
        .with("Role", "a/clerk", 1, in_acme(json!({})));
    let told = |circle: &str| {
        format!(
            "spec.composites: roles contain each other in a circle: {circle}. Take one of them out of another's composites"
        )
    };
    assert_eq!(world.says("Role", "a/egg", of("hen")), [told("egg → hen → egg")]);
    assert_eq!(world.says("Role", "a/egg", of("rooster")), [told("egg → rooster → hen → egg")]);
    assert_eq!(world.says("Role", "a/egg", of("clerk")), [""; 0]);
    // One that is there is judged as it would be.
    let there = world.with("Role", "a/egg", 1, of("clerk"));
    assert_eq!(there.says("Role", "a/egg", of("hen")), [told("egg → hen → egg")]);
    assert_eq!(there.says("Role", "a/clerk", of("egg")), [told("clerk → egg → clerk")]);
}

#[test]
fn a_secret_that_is_not_there_is_told_once_the_secrets_were_listed() {
    let world = World::new().with("Tenant", "a/acme", 1, json!({}));
    let user = in_acme(json!({"password": {"secretKeyRef": {"name": "ada"}}}));
    assert_eq!(world.says("User", "a/ada", user.clone()), [""; 0]);
    world.view.secrets.listed(&None, [ObjectId::new("b", "ada")].into());
    assert_eq!(
        world.says("User", "a/ada", user.clone()),
        ["spec.password.secretKeyRef: the Secret ada is not there: create it"]
    );
    let generated = in_acme(json!({"password": {"generate": {}}}));
    assert_eq!(world.says("User", "a/ada", generated), [""; 0]);
    // Its own message says what becomes of a password that it has.
    let before = stored(object("User", "a/ada", 1, in_acme(json!({}))));
    let after = stored(object("User", "a/ada", 1, user.clone()));
    assert_eq!(judge("User", &after, Some(&before), &world.view), Judgement::default());
    world.view.secrets.add(&None, ObjectId::new("a", "ada"));
    assert_eq!(world.says("User", "a/ada", user), [""; 0]);
}
