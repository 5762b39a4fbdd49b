//! What is unique among the users of a tenant, beside their names: ids and email addresses.

use super::{Backend, create, put, samples};
use crate::store::{
    Applied, Deleted, Error, Expected, State, Store, Unique, conformance::samples::desired,
};

/// A user with this email address, which people may write in other ways.
fn with_email(tenant: &str, username: &str, email: &str) -> State {
    let State::User(mut user) = samples::user(tenant, username, None) else { unreachable!() };
    user.email = Some(email.into());
    user.email_key = Some(email.to_lowercase());
    State::User(user)
}

/// Two tenants, and users of the first.
async fn set_up(backend: &impl Backend, users: &[State]) {
    let store = backend.store();
    for state in [&[samples::tenant("acme"), samples::tenant("other")], users].concat() {
        create(&*store, &state).await;
    }
}

/// Asserts that the store refuses this state, and is none the worse for it.
async fn refused(backend: &impl Backend, state: &State, field: Unique) {
    let (store, key) = (backend.store(), state.key());
    let (before, record) = (backend.fingerprint().await, store.observe(&key).await.unwrap());
    let expected = Expected::as_observed(record.as_ref());
    match store.apply(&desired(state.clone()), &expected).await {
        Err(Error::Taken(taken)) => assert_eq!(taken, field),
        other => panic!("{state:?}: {other:?}"),
    }
    assert_eq!(store.observe(&key).await.unwrap(), record);
    assert_eq!(backend.fingerprint().await, before);
}

async fn remove(store: &dyn Store, state: &State) {
    let key = state.key();
    assert_eq!(store.delete(&key, &samples::mark(&key)).await.unwrap(), Deleted::Removed);
}

pub(crate) async fn one_id_for_one_user(backend: &impl Backend) {
    let ada = samples::user("acme", "ada", None);
    set_up(backend, std::slice::from_ref(&ada)).await;
    let with_id = |tenant, id: &str| {
        let State::User(mut bob) = samples::user(tenant, "bob", None) else { unreachable!() };
        bob.id = id.into();
        State::User(bob)
    };
    refused(backend, &with_id("acme", "id-of-ada"), Unique::Id).await;
    create(&*backend.store(), &with_id("other", "id-of-ada")).await;
    create(&*backend.store(), &with_id("acme", "id-of-bob")).await;
    refused(backend, &with_id("acme", "id-of-ada"), Unique::Id).await;
    remove(&*backend.store(), &ada).await;
    if backend.ids_change() {
        let applied = put(&*backend.store(), &with_id("acme", "id-of-ada")).await;
        assert_eq!(applied, Applied::Updated(vec!["id".into()]));
    }
}

pub(crate) async fn one_email_address_for_one_user(backend: &impl Backend) {
    let ada = with_email("acme", "ada", "Post@Acme.Example");
    set_up(backend, &[ada.clone(), samples::user("acme", "carl", None)]).await;
    for email in ["Post@Acme.Example", "post@acme.example"] {
        refused(backend, &with_email("acme", "bob", email), Unique::EmailAddress).await;
        // Nor can one who is there already take it.
        refused(backend, &with_email("acme", "carl", email), Unique::EmailAddress).await;
    }
    // Having none is nothing to have twice.
    for name in ["dora", "emil"] {
        create(&*backend.store(), &samples::user("acme", name, None)).await;
    }
    create(&*backend.store(), &with_email("other", "bob", "post@acme.example")).await;
    // It is no other user who has one's own.
    assert_eq!(put(&*backend.store(), &ada).await, Applied::Unchanged);
    let again = with_email("acme", "ada", "post@ACME.example");
    assert_eq!(put(&*backend.store(), &again).await, Applied::Updated(vec!["email".into()]));
}

pub(crate) async fn an_address_given_by_another_hand(backend: &impl Backend) {
    let store = backend.store();
    let (ada, zoe) =
        (with_email("acme", "ada", "ada@acme.example"), samples::user("acme", "zoe", None));
    set_up(backend, &[ada.clone(), zoe]).await;
    let by_hand = samples::user("acme", "by-hand", None).key();
    backend.add(&by_hand).await;
    backend.give_email(&by_hand, "POST@acme.example").await;
    for email in ["Post@Acme.example", "post@acme.example"] {
        refused(backend, &with_email("acme", "bob", email), Unique::EmailAddress).await;
        refused(backend, &with_email("acme", "zoe", email), Unique::EmailAddress).await;
    }
    create(&*store, &with_email("acme", "bob", "bob@acme.example")).await;
    create(&*store, &with_email("other", "bob", "post@acme.example")).await;
    // Not every database knows the lower case of every letter.
    for (n, email) in (1..).zip(["ÉVA@Acme.example", "éva@acme.example"]) {
        let eva = samples::user("acme", &format!("eva-{n}"), None).key();
        backend.add(&eva).await;
        backend.give_email(&eva, email).await;
        refused(backend, &with_email("acme", "bob", "ÉVA@ACME.example"), Unique::EmailAddress)
            .await;
        backend.remove(&eva).await;
    }
    // A user who is adopted keeps the address; it is nobody else's.
    let adopted = with_email("acme", "by-hand", "post@acme.example");
    assert!(matches!(put(&*store, &adopted).await, Applied::Updated(_)));
    refused(backend, &with_email("acme", "zoe", "post@acme.example"), Unique::EmailAddress).await;
    // Whoever has an address keeps it, also when another hand gives it to a second one.
    let second = samples::user("acme", "second", None).key();
    backend.add(&second).await;
    backend.give_email(&second, "ada@acme.example").await;
    let State::User(mut ada) = ada else { unreachable!() };
    ada.first_name = Some("Ada".into());
    let applied = put(&*store, &State::User(ada)).await;
    assert_eq!(applied, Applied::Updated(vec!["first_name".into()]));
}

pub(crate) async fn addresses_become_free(backend: &impl Backend) {
    let store = backend.store();
    let address = "post@acme.example";
    set_up(backend, &[with_email("acme", "ada", address)]).await;
    put(&*store, &with_email("acme", "ada", "ada@acme.example")).await;
    let bob = with_email("acme", "bob", address);
    create(&*store, &bob).await;
    refused(backend, &with_email("acme", "ada", address), Unique::EmailAddress).await;
    remove(&*store, &bob).await;
    put(&*store, &with_email("acme", "ada", address)).await;
    refused(backend, &bob, Unique::EmailAddress).await;
    put(&*store, &samples::user("acme", "ada", None)).await;
    create(&*store, &bob).await;
}
