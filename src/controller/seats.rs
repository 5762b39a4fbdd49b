//! Who is told when the members of a tenant change in the store: those that may wait for what became
//! free, at once, and the Tenant, which counts them, at most once a second.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    context::Context,
    index::{Kind, Link, ObjectId},
    throttle,
};

/// The Tenants that will be woken to count.
#[derive(Clone, Debug, Default)]
pub struct Recounts(Arc<Mutex<HashSet<ObjectId>>>);

impl Recounts {
    /// Whether this is the first to ask for it since the Tenant last counted.
    fn ask(&self, tenant: &ObjectId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant.clone())
    }

    fn begin(&self, tenant: &ObjectId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(tenant);
    }
}

impl Context {
    /// Something in this tenant was written to or removed from the store, which may have given a seat
    /// or a name free.
    pub(super) fn members_changed(&self, tenant: &ObjectId, frees: bool) {
        if frees {
            self.wake_waiting(tenant);
        }
        if self.recounts.ask(tenant) {
            let (recounts, queues, tenant) =
                (self.recounts.clone(), self.queues.clone(), tenant.clone());
            tokio::spawn(async move {
                tokio::time::sleep(throttle::PERIOD).await;
                recounts.begin(&tenant);
                queues.wake(Kind::Tenant, &tenant);
            });
        }
    }

    /// Wakes who waits for something in this tenant. Whoever was refused before now is known to wait, or is being
    /// looked at and will be again.
    pub(super) fn wake_waiting(&self, tenant: &ObjectId) {
        let waiting = Link::WaitsIn(tenant.clone());
        for (kind, id) in self.view.index().with(&waiting) {
            self.queues.wake(*kind, id);
        }
    }
}
