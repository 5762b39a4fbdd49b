//! Writes of many calls in one transaction.

use futures::future::join_all;

use super::{Hand, Sql, on_both, postgres::until};
use crate::store::{
    Applied, Deleted, Desired, Error, Expected, Limits, State, Store,
    conformance::{
        Backend as _,
        faults::Fault,
        samples::{self, desired, wide},
    },
    sql::{
        SqlStore,
        deletion::{Deletion, USERS},
        writes::{Write, Writes, Written},
    },
};

on_both!(
    one_that_fails_fails_alone,
    more_than_one_batch,
    fifty_at_once_take_few_transactions,
    who_gave_up_is_not_written,
    a_large_tenant_goes_in_parts,
    one_that_takes_no_writes_is_found_out
);

fn apply(state: State) -> Write {
    Write::Apply(Box::new(desired(state)), Expected::Absent)
}

async fn one_that_fails_fails_alone<H: Hand>(backend: Sql<H>) {
    let acme = samples::tenant("acme");
    backend.store.apply(&desired(acme.clone()), &Expected::Absent).await.unwrap();
    let with_id = |name: &str, id: &str| {
        let State::User(mut user) = samples::user("acme", name, None) else { unreachable!() };
        user.id = id.into();
        State::User(user)
    };
    let seats = |state: State| {
        let limits = Limits { users: Some(2), ..Limits::default() };
        Write::Apply(Box::new(Desired { limits, ..desired(state) }), Expected::Absent)
    };
    let ada = samples::user("acme", "ada", None);
    let writes = [
        apply(with_id("ada", "one")),
        apply(with_id("bob", "one")),
        apply(samples::user("acme", "carl", Some(&[wide("missing")]))),
        apply(with_id("dora", "two")),
        seats(with_id("emil", "three")),
        Write::Delete(ada.key(), samples::mark(&acme.key())),
        Write::Delete(samples::user("acme", "nobody", None).key(), samples::mark(&ada.key())),
        apply(samples::namespace("acme", "billing")),
    ];
    // As they come, in one transaction: the second waits until the first has written.
    let queue = Writes::new(1, 50);
    let results = join_all(writes.map(|write| queue.make(&backend.store.engine, write))).await;
    let results: Vec<String> = results
        .into_iter()
        .map(|result| match result {
            Ok(Written::Applied(applied)) => format!("{applied:?}"),
            Ok(Written::Deleted(Deletion::Done(Deleted::NotOurs(_)))) => "NotOurs".into(),
            Ok(Written::Deleted(Deletion::Done(deleted))) => format!("{deleted:?}"),
            Ok(Written::Deleted(Deletion::Begun)) => "Begun".into(),
            Err(error) => error.to_string(),
        })
        .collect();
    assert_eq!(
        results,
        [
            "Created",
            "another user has this id: choose another one",
            "the store does not have the role missing of tenant acme yet",
            "Created",
            "the plan allows 2 users (planDetails.maxUsers), and there are as many: raise the limit in the TenantProfile, or delete one of them",
            "NotOurs",
            "NotThere",
            "Created",
        ]
    );
    let census = backend.store.census("acme").await.unwrap();
    assert_eq!((census.users, census.counts.namespaces), (2, 1));
}

async fn more_than_one_batch<H: Hand>(backend: Sql<H>) {
    let queue = Writes::new(1, 3);
    let tenants = (0..10).map(|n| samples::tenant(&format!("tenant-{n}")));
    let results =
        join_all(tenants.map(|tenant| queue.make(&backend.store.engine, apply(tenant)))).await;
    for result in results {
        assert!(matches!(result, Ok(Written::Applied(Applied::Created))), "{result:?}");
    }
}

/// Those of one queue take two: who comes first is written alone, and all others wait for that.
async fn fifty_at_once_take_few_transactions<H: Hand>(backend: Sql<H>) {
    let SqlStore { engine, writes, .. } = &*backend.store;
    writes.make(engine, apply(samples::tenant("acme"))).await.unwrap();
    let before = backend.hand.transactions().await;
    let tenants = (0..50).map(|n| samples::tenant(&format!("tenant-{n}")));
    for result in join_all(tenants.map(|tenant| writes.make(engine, apply(tenant)))).await {
        assert!(matches!(result, Ok(Written::Applied(Applied::Created))), "{result:?}");
    }
    let made = backend.hand.transactions().await - before;
    let queues = engine.writers();
    assert!((queues..=2 * queues).contains(&made), "{made} transactions of {queues} queues");
}

async fn who_gave_up_is_not_written<H: Hand>(backend: Sql<H>) {
    let queue = Writes::new(1, 50);
    let [first, second, third] = ["one", "two", "three"].map(samples::tenant);
    let engine = &backend.store.engine;
    let mut given_up = Box::pin(queue.make(engine, apply(second.clone())));
    let (first_result, third_result) = {
        let first = queue.make(engine, apply(first));
        let third = async {
            // It is in the queue, and its turn has not come.
            assert!(futures::poll!(&mut given_up).is_pending());
            drop(given_up);
            queue.make(engine, apply(third)).await
        };
        futures::join!(first, third)
    };
    assert!(first_result.is_ok() && third_result.is_ok());
    assert_eq!(backend.store.observe(&second.key()).await.unwrap(), None);
    let again = backend.store.apply(&desired(second), &Expected::Absent).await;
    assert!(matches!(again, Ok(Applied::Created)), "{again:?}");
    let raced = queue.make(engine, apply(samples::tenant("one"))).await;
    assert!(matches!(raced, Err(Error::Raced)), "{raced:?}");
}

/// Others have their turn between two parts, and none of them comes near the time that a statement may take.
async fn a_large_tenant_goes_in_parts<H: Hand>(backend: Sql<H>) {
    for tenant in ["acme", "other"] {
        let tenant = samples::tenant(tenant);
        backend.store.apply(&desired(tenant.clone()), &Expected::Absent).await.unwrap();
        let users = format!(
            "WITH RECURSIVE numbers (n) AS \
             (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2 * {USERS}) \
             INSERT INTO users (tenant_id, username, id) SELECT $1, 'user-' || n, 'id-' || n FROM numbers"
        );
        backend.sql(&users, &[tenant.key().tenant()]).await;
    }
    let acme = samples::tenant("acme").key();
    let part = || async {
        let delete = Write::Delete(acme.clone(), samples::mark(&acme));
        let queue = Writes::new(1, 50);
        let Ok(Written::Deleted(deletion)) = queue.make(&backend.store.engine, delete).await else {
            panic!("it was not deleted");
        };
        (deletion, backend.store.census("acme").await.unwrap().users)
    };
    assert_eq!(part().await, (Deletion::Begun, u64::from(USERS) + 1));
    // Whoever takes the mark away meanwhile keeps the rest.
    backend.unmark(&acme).await;
    assert_eq!(part().await, (Deletion::Done(Deleted::NotOurs(None)), u64::from(USERS) + 1));
    let other = samples::tenant("other").key();
    let deleted = backend.store.delete(&other, &samples::mark(&other)).await.unwrap();
    assert_eq!(deleted, Deleted::Removed);
    assert_eq!(backend.store.observe(&other).await.unwrap(), None);
}

/// Where nothing can be written the store is looked after, though all can be read.
async fn one_that_takes_no_writes_is_found_out<H: Hand>(_: Sql<H>) {
    let backend = H::start_to_disturb().await;
    let (acme, other) = (desired(samples::tenant("acme")), desired(samples::tenant("other")));
    backend.store.apply(&acme, &Expected::Absent).await.unwrap();
    let before = backend.fingerprint().await;
    backend.store.check().await.unwrap();
    assert_eq!(backend.fingerprint().await, before, "nobody writes to see whether that goes");
    H::disturb(&backend, Fault::ReadOnly, 0).await;
    let refused = backend.store.apply(&other, &Expected::Absent).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    assert!(backend.store.observe(&acme.state.key()).await.unwrap().is_some());
    let Err(Error::Unavailable(why)) = backend.store.check().await else { panic!("it is well") };
    assert!(why.contains("read-only"), "{why}");
    H::calm(&backend, Fault::ReadOnly).await;
    // Its connections may have to be made anew.
    until("it takes writes again", async || backend.store.check().await.is_ok()).await;
    assert!(backend.hand.texts("SELECT name FROM meta WHERE name = 'check'", &[]).await.is_empty());
}
