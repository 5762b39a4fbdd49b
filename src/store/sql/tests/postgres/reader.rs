//! An identity provider with the rights that docs/stores.md grants, and no others.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{Hand, PASSWORD, PostgresHand};
use crate::store::{
    Expected, Store,
    conformance::samples::{self, desired},
    sql::tests::schema,
};

const DOCUMENTATION: &str = include_str!("../../../../../docs/stores.md");

#[tokio::test]
async fn an_identity_provider_needs_no_more_than_the_documentation_grants() {
    let backend = PostgresHand::start().await;
    for state in samples::rich() {
        backend.store.apply(&desired(state), &Expected::Absent).await.unwrap();
    }
    let (database, name) = (backend.database(), &backend.database().name);
    let idp = format!("{name}_idp");
    backend.sql(&format!("CREATE ROLE {idp} LOGIN PASSWORD '{PASSWORD}'"), &[]).await;
    let mut owner = database.connection().await;
    let grants = DOCUMENTATION.lines().filter_map(|line| line.strip_prefix("GRANT "));
    let grants: Vec<_> = grants.collect();
    assert!(grants.len() > 3, "{grants:?}");
    for grant in grants {
        let grant = grant.replace("DATABASE keyreeve", &format!("DATABASE {name}"));
        let sql = format!("GRANT {}", grant.replace(" idp;", &format!(" {idp};")));
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut owner).await.unwrap();
    }

    let options = database.address().options().username(&idp).password(PASSWORD);
    let mut reader = PgConnection::connect_with(&options).await.unwrap();
    let views: std::collections::BTreeSet<String> = backend
        .hand
        .views()
        .await
        .into_iter()
        .filter_map(|column| column.split_once('.').map(|(view, _)| view.to_owned()))
        .collect();
    for view in &views {
        let sql = format!("SELECT * FROM {view}");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut reader).await.expect(view);
    }
    for sql in
        ["SELECT * FROM users", "UPDATE v1_users SET enabled = TRUE", "DELETE FROM user_roles"]
    {
        let refused = sqlx::raw_sql(sql).execute(&mut reader).await.unwrap_err();
        assert_eq!(refused.as_database_error().unwrap().code().unwrap(), "42501", "{sql}");
    }
    // A person changes a password.
    let mut tx = reader.begin().await.unwrap();
    for hash in ["first", "second"] {
        let statements = schema::example("INSERT INTO user_former_passwords");
        for statement in statements.split_terminator(';') {
            let mut query = sqlx::query(AssertSqlSafe(statement));
            for value in ["acme", "ada", "argon2id", hash, "2026-11-22T09:00:00.000Z"] {
                query = query.bind(value);
            }
            query.execute(&mut *tx).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
    let ada = samples::rich().pop().unwrap().key();
    let last = backend.store.last_passwords(&ada, 9).await.unwrap();
    let last: Vec<&str> = last.iter().map(|hash| hash.as_str()).collect();
    assert_eq!(last, ["second", "first"]);
}
