//! What was lost from the store: no object in the cluster tells of that, so who finds it tells the others.

use super::{
    conditions,
    context::Context,
    index::{Kind, ObjectId},
};
use crate::api::Condition;

impl Context {
    /// This object was made anew in the store. What was in it there, and who held it, went with it.
    pub(super) fn was_made_anew(&self, kind: Kind, id: &ObjectId) {
        for (kind, dependent) in self.view.index().dependents(kind, id) {
            self.queues.wake(*kind, dependent);
        }
    }

    /// This object is not in the store as its status says. Where status says that something is wrong, it is being
    /// looked at already.
    pub(super) fn is_missed(&self, kind: Kind, id: &ObjectId, its: &[Condition]) {
        if conditions::is_ready(its) {
            self.queues.wake(kind, id);
        }
    }
}
