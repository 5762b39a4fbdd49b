//! The tenant that an object lives in, as the store has it.

use k8s_openapi::api::core::v1::Namespace as KubeNamespace;
use kube::{Api, ResourceExt};

use super::{
    api_error,
    context::Context,
    index::{Kind, ObjectId},
    references, tenant,
    view::target,
};
use crate::{
    api::{ObjectReference, ReferrerKind},
    policy::{Problem, Reason, effective::Document},
    store::{self, Counted, Key, Limits},
};

/// The tenant that an object lives in.
pub struct Home {
    /// The Tenant.
    pub id: ObjectId,
    /// The tenant id in force.
    pub tenant_id: String,
    /// What is in force in it.
    pub document: Document,
}

impl Home {
    /// Finds the Tenant that an object in `namespace` refers to, in the store as well: there it
    /// carries that Tenant's mark, or else it is another one's of the same id.
    pub async fn of(
        reference: &ObjectReference,
        namespace: &str,
        kind: ReferrerKind,
        context: &Context,
    ) -> Result<Self, Problem> {
        let (id, tenant) = context.view.tenant_of(reference, namespace, kind)?;
        if tenant.metadata.deletion_timestamp.is_some() {
            return Err(Problem::waiting(
                Reason::TenantDeleting,
                format!("Tenant {id} is being deleted: what is in the store stays as it is"),
            ));
        }
        let tenant_id = tenant.tenant_id();
        let mark = context.mark(store::Kind::Tenant, &id, &tenant.uid().unwrap_or_default());
        let record = context.store.observe(&Key::Tenant { tenant: tenant_id.clone() }).await?;
        let document = record
            .filter(|record| record.mark.as_ref() == Some(&mark))
            .and_then(|record| tenant::document(&record.memo));
        let Some(document) = document else {
            return Err(if tenant.was_in().is_some_and(|was| was.id == context.store.id()) {
                // By another hand, so that no status tells of the end of it.
                context.wake_if_thought_well(Kind::Tenant, &id, tenant.conditions());
                Problem::transient(
                    Reason::StoreDependencyMissing,
                    format!(
                        "Tenant {id} was removed or changed in the store, and will be put right there"
                    ),
                )
            } else {
                Problem::waiting(
                    Reason::TenantNotReady,
                    format!("Tenant {id} is not in the store yet: its own status says why"),
                )
            });
        };
        Ok(Self { id, tenant_id, document })
    }

    /// Whether the plan lets roles and identity Namespaces be managed.
    pub fn has_rbac(&self) -> Result<(), Problem> {
        let details = self.document.plan_details.as_ref();
        self.has(details.and_then(|details| details.rbac_management), "rbacManagement")
    }

    /// Whether the plan lets Users be managed.
    pub fn has_users(&self) -> Result<(), Problem> {
        let details = self.document.plan_details.as_ref();
        self.has(details.and_then(|details| details.user_management), "userManagement")
    }

    /// The limits of the plan; none where there is no plan.
    pub fn limits(&self) -> Limits {
        self.document.plan_details.as_ref().map(Limits::from).unwrap_or_default()
    }

    /// Whether there is a seat for one more object that the plan limits. The store makes sure of it;
    /// asked first, it spares a password's work.
    pub async fn has_room_for(&self, counted: Counted, context: &Context) -> Result<(), Problem> {
        let Some(limit) = self.limits().of(counted) else { return Ok(()) };
        let counts = context.store.census(&self.tenant_id).await?.counts;
        if counts.of(counted) < limit {
            return Ok(());
        }
        Err(store::Error::LimitReached { counted, limit }.into())
    }

    /// Whether nobody is forestalled who had a seat before the operator started, if a new one is about to get one.
    /// Who finds no seat anyway is told so at once.
    pub async fn is_turn_of(
        &self,
        newcomer: &ObjectId,
        counted: Counted,
        context: &Context,
    ) -> Result<(), Problem> {
        if self.limits().of(counted).is_none()
            || !context.returning.others(&self.id, counted, newcomer, &context.view)
        {
            return Ok(());
        }
        self.has_room_for(counted, context).await?;
        Err(Problem::transient(
            Reason::SeatsReserved,
            format!(
                "the plan limits the {counted}, and the operator has just started: those that the store had come first"
            ),
        ))
    }

    /// Whether the plan has a feature; one that it says nothing of it has.
    fn has(&self, feature: Option<bool>, name: &str) -> Result<(), Problem> {
        if feature != Some(false) {
            return Ok(());
        }
        let plan = self.document.plan.as_deref().unwrap_or_default();
        Err(Problem::terminal(
            Reason::NotInPlan,
            format!(
                "the plan {plan} of tenant {} does not have it: planDetails.{name} is false in its TenantProfile. Set it to true there, or delete this object",
                self.tenant_id
            ),
        ))
    }

    /// Whether what is referred to belongs to the same tenant.
    pub fn is_that_of(
        &self,
        tenant: &ObjectReference,
        referred: &ObjectId,
        field: &str,
    ) -> Result<(), Problem> {
        if target(tenant, &referred.namespace) == self.id {
            return Ok(());
        }
        Err(Problem::terminal(
            Reason::TenantMismatch,
            format!(
                "{field}: {} belongs to another tenant than this object: both must have the same tenantRef",
                referred.name
            ),
        ))
    }
}

/// The Tenant of an object that is being deleted, if what the object made is to be removed there: not
/// where the Tenant is gone, or goes itself, alone or with its Kubernetes namespace. Its own
/// deletionPolicy then says what becomes of all that is in it.
pub async fn of_deleted(id: &ObjectId, context: &Context) -> Result<Option<String>, Problem> {
    let Some(tenant) = context.view.tenants.get(id) else {
        let is_unseen = context.view.reach.is_unseen(&id.namespace, Kind::Tenant);
        return if is_unseen { Err(references::unreadable(&id.namespace)) } else { Ok(None) };
    };
    if tenant.metadata.deletion_timestamp.is_some() {
        return Ok(None);
    }
    // From the API server: the Tenant's own deletion may come after that of this object.
    let namespaces: Api<KubeNamespace> = Api::all(context.client.clone());
    let namespace = namespaces
        .get_metadata_opt(&id.namespace)
        .await
        .map_err(|error| api_error::problem("reading the Tenant's Kubernetes namespace", &error))?;
    let stays = namespace.is_some_and(|namespace| namespace.metadata.deletion_timestamp.is_none());
    Ok(stays.then(|| tenant.tenant_id()))
}
