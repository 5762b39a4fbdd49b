//! Namespaces, Roles and Users, as tests make, await and remove them.

use std::fmt::Debug;

use keyreeve::api::{Condition, LastHandled, Namespace, RECONCILE_ANNOTATION, Role, Tenant, User};
use kube::{Resource, api::DeleteParams, core::NamespaceResourceScope};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Conditions, Database, Operator, Space, until, until_gone};

/// A kind whose objects live in a tenant.
pub trait Member:
    Conditions
    + Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    fn last_handled(&self) -> Option<&LastHandled>;

    /// Whether Ready speaks of the present generation.
    fn is_told(&self) -> bool {
        let told = self.condition("Ready").map(|ready| ready.observed_generation);
        told.is_some() && told == self.meta().generation
    }
}

impl Conditions for Namespace {
    fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default()
    }
}

impl Member for Namespace {
    fn last_handled(&self) -> Option<&LastHandled> {
        self.status.as_ref()?.last_handled.as_ref()
    }
}

impl Conditions for Role {
    fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default()
    }
}

impl Member for Role {
    fn last_handled(&self) -> Option<&LastHandled> {
        self.status.as_ref()?.last_handled.as_ref()
    }
}

impl Conditions for User {
    fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default()
    }
}

impl Member for User {
    fn last_handled(&self) -> Option<&LastHandled> {
        self.status.as_ref()?.last_handled.as_ref()
    }
}

/// References to these in one's own namespace.
pub fn named(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"name": name})).collect()
}

impl Space {
    /// A namespace of one's own with an operator, the tenant `acme`, with more in its spec, and the store's file.
    pub async fn with_acme(name: &str, more: Value) -> (Self, Operator, Database) {
        let space = Self::new(name).await;
        let operator = Operator::start(&space);
        space.made_tenant("acme", more).await;
        let database = space.database().await;
        (space, operator, database)
    }

    /// A Tenant with quick keys, in the store.
    pub async fn made_tenant(&self, name: &str, more: Value) -> Tenant {
        let mut spec = json!({"keystore": {"algorithm": "ES256"}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.create::<Tenant>(name, spec).await;
        self.ready(name).await
    }

    /// An object in the tenant `acme`, with more in its spec, that is Ready.
    pub async fn made<M: Member>(&self, name: &str, more: Value) -> M {
        self.in_acme::<M>(name, more).await;
        self.well(name).await
    }

    /// An object in the tenant `acme`, with more in its spec.
    pub async fn in_acme<M: Member>(&self, name: &str, more: Value) {
        let mut spec = json!({"tenantRef": {"name": "acme"}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.create::<M>(name, spec).await;
    }

    /// Waits until the object is so.
    pub async fn see<M: Member>(
        &self,
        name: &str,
        what: &str,
        is_so: impl Fn(&M) -> bool + Send,
    ) -> M {
        until(self.api(), name, what, is_so).await
    }

    /// Waits until the object is Ready in its present generation.
    pub async fn well<M: Member>(&self, name: &str) -> M {
        self.see(name, "Ready", |member: &M| member.is_ready() && member.is_told()).await
    }

    /// Waits until the object waits for this reason, in its present generation.
    pub async fn waits<M: Member>(&self, name: &str, reason: &str) -> M {
        let waits = |member: &M| member.is_reconciling(reason) && member.is_told();
        self.see(name, &format!("waiting: {reason}"), waits).await
    }

    /// Waits until the object needs a person for this reason, in its present generation.
    pub async fn stalls<M: Member>(&self, name: &str, reason: &str) -> M {
        let stalls = |member: &M| member.is_stalled(reason) && member.is_told();
        self.see(name, &format!("stalled: {reason}"), stalls).await
    }

    /// Asks for a resync now and waits until it was done.
    pub async fn look_again<M: Member>(&self, name: &str) -> M {
        let asked = format!("{:?}", std::time::Instant::now());
        let annotated = json!({"metadata": {"annotations": {RECONCILE_ANNOTATION: asked}}});
        self.merge::<M>(name, annotated).await;
        let done = move |member: &M| {
            member.last_handled().and_then(|handled| handled.reconcile.as_ref()) == Some(&asked)
        };
        self.see(name, "looked at again", done).await
    }

    /// Changes the spec.
    pub async fn change<M: Member>(&self, name: &str, spec: Value) {
        self.merge::<M>(name, json!({"spec": spec})).await;
    }

    /// Deletes an object without waiting.
    pub async fn let_go<M: Member>(&self, name: &str) {
        self.api::<M>().delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Deletes an object and waits until it is gone.
    pub async fn remove<M: Member>(&self, name: &str) {
        self.let_go::<M>(name).await;
        until_gone(self.api::<M>(), name).await;
    }
}
