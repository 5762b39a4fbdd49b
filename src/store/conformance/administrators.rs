//! Who counts as an administrator: by the roles of a user, and by what those are.

use super::{
    Backend, create,
    limits::{held_back, let_in, role, set_up, user},
    samples::{self, narrow, wide},
};
use crate::store::{Applied, Counted, RoleName, State};

const COUNTED: Counted = Counted::Administrators;

/// A user becomes an administrator: by a role, what it contains, or being adopted with it.
pub(crate) async fn by_their_roles(backend: &impl Backend) {
    set_up(backend).await;
    let store = backend.store();
    create(&*store, &samples::namespace("acme", "billing")).await;
    create(&*store, &role("boss", &["admin"])).await;
    let chief = samples::role("acme", &narrow("billing", "chief"), Some(&[wide("boss")]));
    create(&*store, &chief).await;
    create(&*store, &role("plain", &[])).await;
    // Another hand's role and what contains it, in a circle.
    let root = samples::role("acme", &wide("root"), None).key();
    backend.add(&root).await;
    backend.appoint(&root).await;
    create(&*store, &role("by-hand", &[])).await;
    backend.give(&role("by-hand", &[]).key(), &wide("root")).await;
    backend.give(&root, &wide("by-hand")).await;

    // Of the same name, and no administrators.
    create(&*store, &samples::role("acme", &narrow("billing", "admin"), None)).await;
    let confused = samples::role("acme", &wide("confused"), Some(&[narrow("billing", "admin")]));
    create(&*store, &confused).await;
    create(&*store, &samples::tenant("other")).await;
    create(&*store, &samples::administrator("other", "plain")).await;
    let roles = [narrow("billing", "admin"), wide("confused"), wide("plain")];
    let_in(backend, COUNTED, 0, &samples::user("acme", "nobody", Some(&roles))).await;

    for roles in [&[][..], &["plain"]] {
        assert!(matches!(
            let_in(backend, COUNTED, 0, &user("ada", roles)).await,
            Applied::Created | Applied::Updated(_)
        ));
    }
    let holds = |username: &str, role: RoleName| {
        samples::user("acme", username, Some(&[wide("plain"), role]))
    };
    let all = [wide("admin"), wide("boss"), narrow("billing", "chief"), wide("by-hand")];
    for role in all.clone() {
        held_back(backend, COUNTED, 0, &holds("ada", role.clone())).await;
        held_back(backend, COUNTED, 0, &holds("new", role)).await;
    }
    let_in(backend, COUNTED, 1, &holds("ada", wide("by-hand"))).await;
    // She is one already: by which role does not matter, nor how many.
    for role in all {
        let_in(backend, COUNTED, 0, &holds("ada", role)).await;
    }
    let_in(backend, COUNTED, 0, &user("ada", &["admin", "boss"])).await;
    held_back(backend, COUNTED, 1, &user("bob", &["boss"])).await;
    // Being adopted with roles that another hand gave.
    let adopted = samples::user("acme", "carl", None);
    backend.add(&adopted.key()).await;
    backend.give(&adopted.key(), &wide("root")).await;
    held_back(backend, COUNTED, 1, &adopted).await;
    let_in(backend, COUNTED, 2, &adopted).await;
    // Losing it makes room.
    let_in(backend, COUNTED, 0, &user("ada", &["plain"])).await;
    let_in(backend, COUNTED, 2, &user("bob", &["boss"])).await;
    held_back(backend, COUNTED, 2, &user("ada", &["boss"])).await;
}

/// Those who hold a role become administrators, because of what it becomes.
pub(crate) async fn by_what_their_roles_become(backend: &impl Backend) {
    set_up(backend).await;
    let store = backend.store();
    create(&*store, &role("plain", &[])).await;
    create(&*store, &role("team", &[])).await;
    create(&*store, &role("wider-team", &["team"])).await;
    create(&*store, &user("ada", &["team"])).await;
    create(&*store, &user("bob", &["wider-team"])).await;
    create(&*store, &user("zoe", &["admin", "team"])).await;
    // One of those who hold it does not count.
    let by_hand = samples::user("acme", "by-hand", None).key();
    backend.add(&by_hand).await;
    backend.give(&by_hand, &wide("team")).await;

    // By what it contains.
    let_in(backend, COUNTED, 0, &role("team", &["plain"])).await;
    held_back(backend, COUNTED, 2, &role("team", &["plain", "admin"])).await;
    held_back(backend, COUNTED, 2, &role("plain", &["admin"])).await;
    let_in(backend, COUNTED, 3, &role("team", &["plain", "admin"])).await;
    let_in(backend, COUNTED, 0, &role("team", &["admin"])).await;
    let_in(backend, COUNTED, 0, &role("team", &[])).await;
    // By its own word.
    let mut administrators = role("team", &[]);
    let State::Role(team) = &mut administrators else { unreachable!() };
    team.administrator = true;
    held_back(backend, COUNTED, 2, &administrators).await;
    let_in(backend, COUNTED, 3, &administrators).await;
    let_in(backend, COUNTED, 0, &role("team", &[])).await;
    held_back(backend, COUNTED, 2, &administrators).await;
    // Of a role that nobody holds it is nobody's.
    let_in(backend, COUNTED, 0, &samples::administrator("acme", "nobodys")).await;
    let_in(backend, COUNTED, 0, &role("nobodys-either", &["admin"])).await;
    // By being adopted: another hand gave it already.
    let held = samples::administrator("acme", "held");
    backend.add(&held.key()).await;
    backend.give(&user("ada", &[]).key(), &wide("held")).await;
    held_back(backend, COUNTED, 1, &held).await;
    let_in(backend, COUNTED, 2, &held).await;
}
