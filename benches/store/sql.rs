//! SQLite and PostgreSQL: writes of many callers in one transaction, against a transaction for each.

use std::time::Instant;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use keyreeve::store::{Credentials, Expected, Source, Store, StoreUrl, sql::SqlStore};

use crate::{
    Result, number, sample, setting,
    table::{self, each, median, ratio},
};

/// How many call at the same time: as the operator does unless it is told otherwise, and many.
const CALLERS: [usize; 2] = [4, 64];

pub async fn sqlite() -> Result<()> {
    compare("sqlite", async || {
        // A file of its own each time, on the disk that the program is built on.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let store = SqlStore::open_sqlite(&folder.path().join("store.db")).await?;
        Ok((store, Some(folder)))
    })
    .await
}

pub async fn postgres() -> Result<()> {
    let url = format!("postgres://{}/postgres", setting("KEYREEVE_TEST_POSTGRES")?);
    let StoreUrl::Postgres(address) = url.parse()? else {
        return Err("this is the address of another store".into());
    };
    let username = Some(Source::Value("postgres".to_owned().into()));
    let credentials = Credentials { username, password: None };
    compare("postgres", async || {
        Ok((SqlStore::open_postgres(&address, &credentials).await?, None::<()>))
    })
    .await
}

/// Users a second, one transaction each and batched, in rounds that take turns in who begins.
async fn compare<T>(name: &str, open: impl AsyncFn() -> Result<(SqlStore, T)>) -> Result<()> {
    let (users, rounds) = (number("USERS", 300)?, number("ROUNDS", 5)?);
    let (mut rows, mut run) = (Vec::new(), 0);
    for callers in CALLERS {
        // Single, then batched.
        let mut seconds = [Vec::new(), Vec::new()];
        for round in 0..rounds {
            let mut ways = [0, 1];
            ways.rotate_left(round % 2);
            for way in ways {
                run += 1;
                let (store, kept) = open().await?;
                let store = if way == 0 { store.with_batches_of(1) } else { store };
                seconds[way].push(make_users(&store, run, users, callers).await?);
                drop((store, kept));
            }
        }
        let rate = |seconds: &[f64]| format!("{:.0}", 1.0 / each(median(seconds), users));
        let [single, batched] = &seconds;
        let ratios: Vec<f64> = single.iter().zip(batched).map(|(one, many)| one / many).collect();
        rows.push(vec![callers.to_string(), rate(single), rate(batched), ratio(&ratios)]);
    }
    table::print(
        &format!("{name}: {users} new users in one tenant, {rounds} rounds, medians"),
        &["callers", "single, users/s", "batched, users/s", "batched ÷ single"],
        &rows,
    );
    Ok(())
}

/// How many seconds it takes; they are counted afterwards.
async fn make_users(store: &SqlStore, run: usize, users: usize, callers: usize) -> Result<f64> {
    let tenant = format!("tenant-{run}");
    sample::make_tenant(store, &tenant).await?;
    let all: Vec<_> = (0..users)
        .map(|number| {
            sample::new_user(&tenant, &format!("user-{number}"), &sample::id(run, number))
        })
        .collect();
    let began = Instant::now();
    stream::iter(&all)
        .map(|user| store.apply(user, &Expected::Absent))
        .buffer_unordered(callers)
        .try_for_each(async |_| Ok(()))
        .await?;
    let seconds = began.elapsed().as_secs_f64();
    let there = store.census(&tenant).await?.users;
    if there != u64::try_from(users)? {
        return Err(format!("{there} users are there and not {users}").into());
    }
    Ok(seconds)
}
