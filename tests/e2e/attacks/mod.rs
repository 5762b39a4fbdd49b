//! What a team with rights in its own Kubernetes namespace may try against another team, and what becomes of it:
//! it is denied, and the store and the other team's objects are as before. The webhook is off.
//!
//! Alice's team has the tenant `acme` in the test's namespace; Eve has a namespace and the tenant `evil` beside it.
//! Status can be forged by whoever may patch it, which RBAC keeps from teams; the tests do it as the administrator.

mod limits;
mod marks;
mod names;
mod roles;
mod secrets;
mod status;

use std::fmt::Debug;

use keyreeve::api::{Tenant, TenantProfile};
use kube::{
    Api, Resource,
    api::{DeleteParams, Patch, PatchParams},
    core::NamespaceResourceScope,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::support::{Conditions, Database, Member, Operator, Space, until, until_gone};

/// Alice's tenant, and Eve beside it.
struct Attack {
    /// Before the space, in whose folder it logs, so that a failure can show the log.
    _operator: Operator,
    /// Alice's.
    space: Space,
    /// Eve's Kubernetes namespace.
    eve: String,
    database: Database,
}

impl Attack {
    /// Begins with the tenant `acme`, in which Eve may do nothing yet.
    async fn new(name: &str) -> Self {
        Self::with(name, |_| Vec::new()).await
    }

    /// Begins so with more flags for the operator, which may name Alice's namespace.
    async fn with(name: &str, flags: impl Fn(&str) -> Vec<String>) -> Self {
        let space = Space::new(name).await;
        let eve = space.another_for_keystores("eve").await;
        let flags = flags(&space.namespace);
        let flags = flags.iter().map(String::as_str);
        let flags: Vec<_> = ["--watch-namespace", &eve].into_iter().chain(flags).collect();
        // What the platform gives to Tenants that name no profile, where a flag says so.
        space.create::<TenantProfile>("base", json!({"planDetails": {"maxUsers": 1}})).await;
        let operator = Operator::start_with(&space, &flags);
        space.made_tenant("acme", json!({})).await;
        let database = space.database().await;
        Self { _operator: operator, space, eve, database }
    }

    /// What names Eve's namespace, and no other.
    fn to_eve(&self) -> Value {
        json!([{"matchNames": [self.eve]}])
    }

    /// Alice lets Eve have Users, Roles and Namespaces in her tenant.
    async fn let_eve_in(&self) {
        let change = json!({"spec": {"allowedFrom": self.to_eve()}});
        self.space.merge::<Tenant>("acme", change).await;
        self.space.ready("acme").await;
    }

    /// Eve makes a tenant of her own.
    async fn make_evil(&self) {
        let spec = json!({"keystore": {"algorithm": "ES256"}});
        self.space.create_in::<Tenant>(&self.eve, "evil", spec).await;
        until(self.eves::<Tenant>(), "evil", "Ready", Conditions::is_ready).await;
    }

    /// A reference to an object of Alice's.
    fn alices(&self, name: &str) -> Value {
        json!({"name": name, "namespace": self.space.namespace})
    }

    /// Eve's objects.
    fn eves<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.space.client.clone(), &self.eve)
    }

    /// Eve creates an object in Alice's tenant, with more in its spec.
    async fn eve_creates<M: Member>(&self, name: &str, more: Value) {
        let spec = json_with(json!({"tenantRef": self.alices("acme")}), more);
        self.space.create_in::<M>(&self.eve, name, spec).await;
    }

    /// Eve creates an object in her own tenant, with more in its spec.
    async fn eve_creates_at_home<M: Member>(&self, name: &str, more: Value) {
        self.eve_creates::<M>(name, json_with(json!({"tenantRef": {"name": "evil"}}), more)).await;
    }

    /// Eve changes a spec.
    async fn eve_changes<M: Member>(&self, name: &str, spec: Value) {
        let patch = Patch::Merge(json!({"spec": spec}));
        self.eves::<M>().patch(name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// Waits until Eve's object is well.
    async fn eves_is_well<M: Member>(&self, name: &str) -> M {
        until(self.eves(), name, "Ready", |member: &M| member.is_ready() && member.is_told()).await
    }

    /// Waits until Eve's object is denied what it wants, for this reason.
    async fn denied<M: Member>(&self, name: &str, reason: &str) -> M {
        let denied = |member: &M| member.ready() == Some(("False", reason)) && member.is_told();
        until(self.eves(), name, &format!("denied: {reason}"), denied).await
    }

    /// Waits until Eve's object is denied a name that is taken, without a word of whose it is.
    async fn is_taken<M: Member>(&self, name: &str, others: &[&str]) {
        let told = self.denied::<M>(name, "Conflict").await;
        let message = told.message();
        assert!(message.contains("taken"), "{message}");
        for other in others.iter().chain([&self.space.namespace.as_str()]) {
            // Eve's own namespace begins with Alice's.
            let message = message.replace(&self.eve, "");
            assert!(!message.contains(other), "{message}");
        }
    }

    /// Deletes Eve's object and waits until it is gone.
    async fn eve_removes<K>(&self, name: &str)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + 'static,
    {
        self.eves::<K>().delete(name, &DeleteParams::default()).await.unwrap();
        until_gone(self.eves::<K>(), name).await;
    }

    /// Writes into the status of Eve's object.
    async fn forge<K>(&self, name: &str, status: Value)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + Serialize
            + DeserializeOwned,
    {
        let patch = Patch::Merge(json!({"status": status}));
        self.eves::<K>().patch_status(name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// The store, as the status of what is in it names it.
    async fn store(&self) -> Value {
        json!(self.space.ready("acme").await.status.unwrap().store)
    }

    /// All that the store has of users, roles and namespaces, whose it is, and who holds and contains what.
    async fn everything(&mut self) -> Vec<String> {
        self.database
            .texts(
                "SELECT json_array('user', tenant_id, username, id, email, enabled, claims, mark_owner, mark_namespace, \
                        mark_name, mark_uid) FROM users \
                 UNION ALL SELECT json_array('role', tenant_id, namespace, name, description, administrator, rules, \
                        mark_owner, mark_namespace, mark_name, mark_uid) FROM roles \
                 UNION ALL SELECT json_array('namespace', tenant_id, name, description, mark_owner, mark_namespace, \
                        mark_name, mark_uid) FROM namespaces \
                 UNION ALL SELECT json_array('holds', tenant_id, username, role_namespace, role_name) FROM user_roles \
                 UNION ALL SELECT json_array('contains', tenant_id, namespace, name, role_namespace, role_name) \
                        FROM role_composites \
                 ORDER BY 1",
            )
            .await
    }
}

/// The one with what the other has.
fn json_with(mut one: Value, other: Value) -> Value {
    if let (Value::Object(one), Value::Object(other)) = (&mut one, other) {
        one.extend(other);
    }
    one
}

/// References to Roles in one's own namespace.
fn named(roles: &[&str]) -> Value {
    roles.iter().map(|name| json!({"name": name})).collect()
}
