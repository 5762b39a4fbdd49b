//! The views are a contract: what is in them is in docs/store-schema.md, and the other way round.

use std::collections::BTreeSet;

use sqlx::Row as _;

use super::{Backend, Sqlite};

#[tokio::test]
async fn views_are_documented() {
    let backend = Sqlite::start().await;
    let rows = sqlx::query(
        "SELECT view.name, field.name FROM sqlite_master AS view, pragma_table_info(view.name) AS field \
         WHERE view.type = 'view'",
    )
    .fetch_all(&mut *backend.hand.lock().await)
    .await
    .unwrap();
    let is: BTreeSet<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();

    let mut documented = BTreeSet::new();
    let mut view = String::new();
    for line in include_str!("../../../../docs/store-schema.md").lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            view = heading.trim_matches('`').into();
        } else if let Some((column, _)) =
            line.strip_prefix("| `").and_then(|line| line.split_once('`'))
        {
            documented.insert((view.clone(), column.into()));
        }
    }
    assert_eq!(is, documented);
    for (_, column) in &is {
        assert!(!column.starts_with("mark_") && column != "memo" && column != "digest");
    }
}
