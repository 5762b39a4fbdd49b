//! The views are a contract: what is in them is in docs/store-schema.md, and the other way round.
//! And the steps to them keep what is there.

use std::collections::BTreeSet;

use super::{Hand, Sql, on_both};
use crate::store::{
    Applied, Desired, Error, Expected, State, Store, Unique,
    conformance::samples::{self, desired, narrow, wide},
};

on_both!(views_are_documented, rows_of_0001_are_as_they_were);

const DOCUMENTATION: &str = include_str!("../../../../docs/store-schema.md");

async fn views_are_documented<H: Hand>(backend: Sql<H>) {
    let is: BTreeSet<String> = backend.hand.views().await.into_iter().collect();

    let mut documented = BTreeSet::new();
    let mut view = String::new();
    for line in DOCUMENTATION.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            view = heading.trim_matches('`').into();
        } else if let Some((column, _)) =
            line.strip_prefix("| `").and_then(|line| line.split_once('`'))
        {
            documented.insert(format!("{view}.{column}"));
        }
    }
    assert_eq!(is, documented);
    for column in &is {
        let (_, column) = column.split_once('.').unwrap();
        assert!(!column.starts_with("mark_") && column != "memo" && column != "digest");
    }
}

/// The example in the documentation that begins so.
pub(super) fn example(beginning: &str) -> String {
    let beginning = format!("    {beginning}");
    let lines = DOCUMENTATION.lines().skip_while(|line| !line.starts_with(&beginning));
    let lines: Vec<&str> = lines.take_while(|line| line.starts_with("    ")).collect();
    assert!(!lines.is_empty(), "{beginning}");
    lines.join("\n")
}

/// A database that the first version made, with what was in it.
async fn rows_of_0001_are_as_they_were<H: Hand>(_: Sql<H>) {
    let Sql { store, hand: _hand } = H::start_from_0001(include_str!("rows_of_0001.sql")).await;
    let ada = samples::user("acme", "ada", None).key();
    let keys = [
        samples::tenant("acme").key(),
        samples::namespace("acme", "billing").key(),
        samples::role("acme", &wide("admin"), None).key(),
        samples::role("acme", &narrow("billing", "boss"), None).key(),
        ada.clone(),
    ];
    for key in keys {
        let record = store.observe(&key).await.unwrap().unwrap();
        assert!(!record.drifted, "{key:?}");
        let again = Desired { memo: record.memo, ..desired(record.state) };
        let ours = Expected::Marked(samples::mark(&key));
        assert_eq!(store.apply(&again, &ours).await.unwrap(), Applied::Unchanged);
    }
    // The next write of a user says how the address is compared.
    let record = store.observe(&ada).await.unwrap().unwrap();
    let State::User(mut user) = record.state else { unreachable!() };
    assert_eq!(user.email.as_deref(), Some("ada@acme.example"));
    assert_eq!(user.roles, Some(vec![narrow("billing", "boss")]));
    user.email_key.clone_from(&user.email);
    let ours = Expected::Marked(samples::mark(&ada));
    let applied = store.apply(&desired(State::User(user)), &ours).await.unwrap();
    assert_eq!(applied, Applied::Updated(vec!["email_key".into()]));
    assert!(!store.observe(&ada).await.unwrap().unwrap().drifted);
    // Of two with one address neither can be adopted while the other has it.
    let State::User(mut twice) = samples::user("acme", "by-hand", None) else { unreachable!() };
    twice.email = Some("both@acme.example".into());
    twice.email_key.clone_from(&twice.email);
    let refused = store.apply(&desired(State::User(twice)), &Expected::Unmarked).await;
    assert!(matches!(refused, Err(Error::Taken(Unique::EmailAddress))), "{refused:?}");
    let census = store.census("acme").await.unwrap();
    assert_eq!((census.users, census.counts.users, census.counts.administrators), (3, 1, 1));
    assert_eq!(census.administrator.as_deref(), Some("ada"));
}
