//! What was lost from the store: no object in the cluster tells of that, so who finds it tells the others.

use super::{
    conditions,
    context::Context,
    index::{Kind, ObjectId},
};
use crate::api::Condition;

impl Context {
    /// Wakes who has to do with an object that was made anew in the store: what was in it there, and who held it, went with it.
    pub(super) fn wake_dependents(&self, kind: Kind, id: &ObjectId) {
        for (kind, dependent) in self.view.index().dependents(kind, id) {
            self.queues.wake(*kind, dependent);
        }
    }

    /// Wakes an object that is not in the store as its status says. Where status says that something is wrong, it is
    /// being looked at already.
    pub(super) fn wake_if_thought_well(&self, kind: Kind, id: &ObjectId, its: &[Condition]) {
        if conditions::is_ready(its) {
            self.queues.wake(kind, id);
        }
    }
}
