//! What every store must do, as one list of cases that run against each backend.
//!
//! A new backend implements [`Backend`] for what only it can do from outside
//! the trait, and adds one line to its tests: `conformance!(MyBackend);`.

// This is test code, though it has no `#[test]` of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub(crate) mod administrators;
pub(crate) mod applying;
pub(crate) mod concurrency;
pub(crate) mod deleting;
pub(crate) mod drift;
pub(crate) mod faults;
pub(crate) mod limits;
pub(crate) mod ownership;
pub(crate) mod passwords;
pub(crate) mod relations;
pub(crate) mod samples;
pub(crate) mod settings;
pub(crate) mod unique;
pub(crate) mod values;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use self::faults::Fault;
use super::{Applied, Desired, Expected, Key, Record, RoleName, State, Store};

/// A store of its own for one case, and another hand that works on it from outside.
#[async_trait]
pub(crate) trait Backend: Sized + Send + Sync {
    /// A new, empty store.
    async fn start() -> Self;
    /// The store.
    fn store(&self) -> Arc<dyn Store>;
    /// Something that changes whenever the store writes.
    async fn fingerprint(&self) -> String;
    /// Another hand makes it, with little in it.
    async fn add(&self, key: &Key);
    /// Another hand changes a plain field: name, description or first name.
    async fn edit(&self, key: &Key);
    /// Another hand changes something inside settings, rules or claims.
    async fn edit_nested(&self, key: &Key);
    /// Another hand removes it.
    async fn remove(&self, key: &Key);
    /// Another hand gives a role to a user, or puts it into a role.
    async fn give(&self, holder: &Key, role: &RoleName);
    /// Another hand takes it away.
    async fn take(&self, holder: &Key, role: &RoleName);
    /// Another hand makes those who hold a role administrators.
    async fn appoint(&self, role: &Key);
    /// Another hand gives a user this email address, and says nothing of how it is compared.
    async fn give_email(&self, user: &Key, email: &str);
    /// A user sets a password at the identity provider, which keeps this hash.
    async fn change_password(&self, user: &Key, hash: &str);
    /// All roles that a user holds or a role contains, as another hand sees them, sorted.
    async fn held(&self, holder: &Key) -> Vec<RoleName>;
    /// Another hand takes the mark away.
    async fn unmark(&self, key: &Key);
    /// What is there as others see it, whoever made it: without marks, and without what is carried and acts on nothing.
    async fn seen(&self, key: &Key) -> Value;
    /// Another hand makes a tenant's settings as they were seen.
    async fn put_back(&self, tenant: &Key, seen: &Value);

    /// The same as [`Backend::start`], for whoever disturbs it: with a server or a way to it of its own.
    async fn start_to_disturb() -> Self {
        Self::start().await
    }
    /// What it can suffer, and what of that the error says.
    fn suffers() -> &'static [(Fault, &'static str)];
    /// Lets it suffer that until it is calmed. A cut is made once, at the step of that number of the next write.
    async fn disturb(&self, fault: Fault, step: usize);
    /// Ends what was begun, and answers whether it is known to have struck.
    async fn calm(&self, fault: Fault) -> bool;

    /// Whether the store tells the hashes of passwords, and takes those of every function. An identity
    /// provider that checks passwords itself keeps its hashes to itself, and has functions of its own.
    fn tells_hashes(&self) -> bool {
        true
    }
    /// Whether the id of a user who is there can change. Where it cannot, the user is the one that it was.
    fn ids_change(&self) -> bool {
        true
    }
    /// How many tenants are made at once where there are to be many.
    fn many(&self) -> usize {
        50
    }
}

/// Runs all cases against a [`Backend`], each as a test of its own.
macro_rules! conformance {
    ($backend:ty) => {
        crate::store::conformance::conformance! { $backend;
            applying: created_then_unchanged, nothing_is_written_twice, observed_as_applied,
                rich_to_poor_and_back, updates_name_their_fields, mark_and_memo_are_updates,
                memo_survives, only_what_is_expected, missing_references;
            values: each_field_by_itself, names_in_any_script, names_sort_by_their_bytes,
                large_values, texts_at_the_edge_of_a_column, what_is_too_large,
                a_character_that_ends_strings_elsewhere;
            settings: what_is_enforced_acts_and_the_rest_is_named, off_is_as_if_never_on;
            ownership: adopted_as_found, each_field_of_what_was_adopted,
                another_mark_takes_over, what_was_retained_is_taken_up_again,
                what_lost_its_mark_stays, gone_by_another_hand;
            drift: no_drift_by_ourselves, an_edit_is_drift, a_nested_edit_is_drift,
                what_stays_as_another_hand_made_it_is_noted,
                what_changed_since_it_was_observed_is_left_alone, a_removed_one_is_absent, made_by_hand_is_unmarked;
            relations: none_leaves_all_alone, some_rules_over_marked_roles_only,
                drift_of_roles, a_deleted_role_leaves_its_holders, namespaces_keep_names_apart,
                the_census_counts_everybody;
            deleting: removes_only_its_own, a_tenant_takes_all_with_it,
                a_namespace_takes_its_roles;
            passwords: set_with_a_new_user, set_later, another_ones_stays_as_it_is, the_users_own_wins_a_race,
                former_ones_are_remembered, fewer_are_remembered, nothing_is_set_by_a_refused_apply,
                passwords_go_with_their_user, only_users_have_passwords;
            limits: a_limit_holds_back_the_next, a_lowered_limit_evicts_nobody,
                only_what_is_marked_counts, what_raises_nothing_goes_on,
                each_tenant_has_its_own_counts, the_census_tells_what_counts;
            administrators: by_their_roles, by_what_their_roles_become;
            unique: one_id_for_one_user, one_email_address_for_one_user,
                an_address_given_by_another_hand, addresses_become_free;
            concurrency: fifty_tenants, one_tenant_twenty_times, twenty_users_for_five_seats,
                twenty_namespaces_for_five_seats, twenty_roles_for_five_seats,
                twenty_administrators_for_five_seats, administrators_by_all_ways_at_once;
            faults: each_has_its_class_and_passes, a_cut_at_each_step_of_a_write;
        }
    };
    ($backend:ty; $($module:ident: $($case:ident),+;)+) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let backend = <$backend as crate::store::conformance::Backend>::start().await;
                crate::store::conformance::$module::$case(&backend).await;
            }
        )+)+
    };
}
pub(crate) use conformance;

/// Observes what must be there.
async fn observed(store: &dyn Store, key: &Key) -> Record {
    store.observe(key).await.unwrap().unwrap_or_else(|| panic!("{key:?} is not there"))
}

/// Applies a state over whatever is there, under its sample mark.
async fn put(store: &dyn Store, state: &State) -> Applied {
    let desired = samples::desired(state.clone());
    let record = store.observe(&state.key()).await.unwrap();
    let expected = Expected::as_observed(record.as_ref());
    store.apply(&desired, &expected).await.unwrap()
}

/// Applies a state that is new.
async fn create(store: &dyn Store, state: &State) {
    let desired: Desired = samples::desired(state.clone());
    assert_eq!(store.apply(&desired, &Expected::Absent).await.unwrap(), Applied::Created);
}

/// Asserts that a call failed in this way.
macro_rules! assert_fails {
    ($result:expr, $pattern:pat) => {
        match $result {
            Err($pattern) => {}
            other => panic!("expected {}, got {other:?}", stringify!($pattern)),
        }
    };
}
use assert_fails;
