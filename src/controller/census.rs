//! Counts the objects in the caches, for the metrics. It reads and copies nothing: ten thousand objects take
//! some milliseconds.

use std::fmt::Debug;

use jiff::Timestamp;
use kube::Resource;

use super::{cache::Cache, member::Member, view::View};
use crate::{
    api::{Condition, TenantProfile},
    policy::next_rotation::NextRotation,
    telemetry::Objects,
};

/// How the objects stand that the watches last saw.
#[must_use]
pub fn objects(view: &View, now: Timestamp) -> Objects {
    let mut objects = Objects::default();
    count(&mut objects, "Tenant", &view.tenants, |tenant, objects| {
        let Some(status) = &tenant.status else { return &[] };
        let in_force = status.effective.as_ref().map(|effective| &effective.keystore);
        let next = in_force.and_then(|keystore| NextRotation::of(&status.keystore, keystore, now));
        objects.count_keys(&status.keystore, next);
        &status.conditions
    });
    count(&mut objects, "TenantProfile", &view.profiles, |profile: &TenantProfile, _| {
        profile.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default()
    });
    count(&mut objects, "Namespace", &view.namespaces, |namespace, _| namespace.conditions());
    count(&mut objects, "Role", &view.roles, |role, _| role.conditions());
    count(&mut objects, "User", &view.users, |user, _| user.conditions());
    objects
}

/// Counts the objects of one kind, by their conditions.
fn count<K>(
    objects: &mut Objects,
    kind: &'static str,
    cache: &Cache<K>,
    conditions: impl for<'a> Fn(&'a K, &mut Objects) -> &'a [Condition],
) where
    K: Resource<DynamicType = ()> + Clone + Debug,
{
    cache.each_guarded(|object| {
        let is_deleting = object.meta().deletion_timestamp.is_some();
        match &object.0 {
            Ok(readable) => {
                let conditions = conditions(readable, objects);
                objects.count(kind, conditions, is_deleting);
            }
            Err(_) => objects.count_unreadable(kind, is_deleting),
        }
    });
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::*;
    use crate::controller::surroundings::tests::World;

    #[test]
    fn ten_thousand_objects_are_counted_in_a_moment() {
        let mut world = World::new().with("Tenant", "team/acme", 1, json!({}));
        for number in 0..10_000 {
            let spec = json!({"tenantRef": {"name": "acme"}});
            world = world.with_stored("User", &format!("team/user-{number}"), spec);
        }
        let count = || objects(&world.view, Timestamp::UNIX_EPOCH);
        let counted = count();
        // The shortest time, because others work on this machine.
        let times = (0..9).map(|_| {
            let began = Instant::now();
            count();
            began.elapsed()
        });
        let took = times.min().unwrap();
        let mut expected = Objects::default();
        expected.count("Tenant", &[], false);
        (0..10_000).for_each(|_| expected.count("User", &[], false));
        assert_eq!(counted, expected);
        assert!(took < Duration::from_millis(500), "{took:?}");
    }
}
