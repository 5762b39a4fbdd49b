//! Keycloak: what a user costs through the store, against a bare client that makes the same one.

use std::time::Instant;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use keyreeve::store::{
    Applied, Credentials, Expected, Source, Store,
    keycloak::{Address, KeycloakStore, Options},
};
use serde_json::Value;

use crate::{
    Result,
    bare::Bare,
    counter::{Counter, Requests},
    number, sample, setting,
    table::{self, each, median, ratio},
};

const CALLERS: [usize; 2] = [1, 8];
/// What a second look at a user who is as declared may read; it writes nothing.
const READS: usize = 3;
const WAYS: [&str; 3] = ["Keyreeve", "bare: the same import", "bare: POST users, POST role"];

/// What a way took in one round.
#[derive(Clone, Copy)]
struct Taken {
    seconds: f64,
    requests: Requests,
}

/// All that is measured, by one counter, in one realm.
struct Bench {
    counter: Counter,
    store: KeycloakStore,
    bare: Bare,
    role: Value,
    tenant: String,
    users: usize,
}

pub async fn keycloak() -> Result<()> {
    let (users, rounds) = (number("USERS", 50)?, number("ROUNDS", 3)?);
    let bench = Bench::prepare(users).await?;
    let (mut rows, mut run) = (Vec::new(), 1);
    for callers in CALLERS {
        let mut taken = [Vec::new(), Vec::new(), Vec::new()];
        for round in 0..rounds {
            let mut ways = [0, 1, 2];
            ways.rotate_left(round % 3);
            for way in ways {
                run += 1;
                taken[way].push(bench.make_users(way, run, callers).await?);
            }
        }
        for (name, taken_by) in WAYS.iter().zip(&taken) {
            rows.push(bench.row(name, callers, taken_by, &taken[1]));
        }
    }
    table::print(
        &format!(
            "keycloak: {users} new users in one tenant, {rounds} rounds, medians; requests with those for a token"
        ),
        &["way", "callers", "requests/user", "÷ import", "ms/user", "time ÷ import"],
        &rows,
    );
    bench.look_again().await
}

impl Bench {
    async fn prepare(users: usize) -> Result<Self> {
        let counter =
            Counter::before(&setting("KEYREEVE_TEST_KEYCLOAK")?.replace("http://", "")).await?;
        let address = Address::parse(&format!("http://{}", counter.address));
        let credentials = Credentials {
            username: Some(Source::Value(setting("KEYREEVE_TEST_KEYCLOAK_CLIENT_ID")?.into())),
            password: Some(Source::File(setting("KEYREEVE_TEST_KEYCLOAK_SECRET_FILE")?.into())),
        };
        let options = Options::new(address.ok_or("this is no address")?, credentials);
        let store = KeycloakStore::open(&options).await?;
        let tenant = format!("bench-{}", std::process::id());
        sample::make_tenant(&store, &tenant).await?;
        // What is sent for the first one is what the bare client sends for all of its own.
        let (name, id) = ("the-first-one", sample::id(1, 0));
        store.apply(&sample::new_user(&tenant, name, &id), &Expected::Absent).await?;
        let bare = Bare::new(&counter.address, &tenant, &counter.import(), (name, &id))?;
        let role = bare.role().await?;
        Ok(Self { counter, store, bare, role, tenant, users })
    }

    async fn make_users(&self, way: usize, run: usize, callers: usize) -> Result<Taken> {
        self.counter.take();
        let began = Instant::now();
        stream::iter(0..self.users)
            .map(async |number| {
                let (name, id) = (format!("user-{run}-{number}"), sample::id(run, number));
                match way {
                    0 => self.apply(&name, &id).await,
                    1 => self.bare.import(&name, &id).await,
                    _ => self.bare.add(&name, &self.role).await,
                }
            })
            .buffer_unordered(callers)
            .try_for_each(async |()| Ok(()))
            .await?;
        Ok(Taken { seconds: began.elapsed().as_secs_f64(), requests: self.counter.take() })
    }

    /// As the operator does it: it looks, and writes.
    async fn apply(&self, name: &str, id: &str) -> Result<()> {
        let desired = sample::new_user(&self.tenant, name, id);
        let there = self.store.observe(&desired.state.key()).await?;
        self.store.apply(&desired, &Expected::as_observed(there.as_ref())).await?;
        Ok(())
    }

    fn row(&self, name: &str, callers: usize, taken: &[Taken], import: &[Taken]) -> Vec<String> {
        let requests = |taken: &Taken| each(float(taken.requests.all()), self.users);
        let milliseconds = |taken: &Taken| each(taken.seconds * 1000.0, self.users);
        let middle = |of: &dyn Fn(&Taken) -> f64, taken: &[Taken]| {
            median(&taken.iter().map(of).collect::<Vec<_>>())
        };
        let times = taken.iter().zip(import).map(|(one, other)| one.seconds / other.seconds);
        let asked = middle(&requests, taken);
        vec![
            name.into(),
            callers.to_string(),
            format!("{asked:.2}"),
            format!("{:.2}", asked / middle(&requests, import)),
            format!("{:.1}", middle(&milliseconds, taken)),
            ratio(&times.collect::<Vec<_>>()),
        ]
    }

    /// At users who are as declared.
    async fn look_again(&self) -> Result<()> {
        let run = 0;
        self.make_users(0, run, 8).await?;
        let mut rows = Vec::new();
        for callers in CALLERS {
            self.counter.take();
            let began = Instant::now();
            stream::iter(0..self.users)
                .map(async |number| {
                    let name = format!("user-{run}-{number}");
                    let desired = sample::user(&self.tenant, &name, &sample::id(run, number));
                    let there = self.store.observe(&desired.state.key()).await?;
                    match self.store.apply(&desired, &Expected::as_observed(there.as_ref())).await?
                    {
                        Applied::Unchanged => Ok(()),
                        changed => Err(format!("{name} was as declared, and {changed:?}").into()),
                    }
                })
                .buffer_unordered(callers)
                .try_for_each(async |()| Ok::<_, Box<dyn std::error::Error + Send + Sync>>(()))
                .await?;
            let (seconds, requests) = (began.elapsed().as_secs_f64(), self.counter.take());
            if requests.reads > READS * self.users || requests.writes > 0 {
                return Err(format!(
                    "a second look at {} users took {requests:?}: more than {READS} reads each, or a write",
                    self.users
                )
                .into());
            }
            rows.push(vec![
                callers.to_string(),
                format!("{:.2}", each(float(requests.reads), self.users)),
                requests.writes.to_string(),
                requests.tokens.to_string(),
                format!("{:.1}", each(seconds * 1000.0, self.users)),
            ]);
        }
        table::print(
            &format!("keycloak: a second look at {} users who are as declared", self.users),
            &["callers", "reads/user", "writes", "tokens", "ms/user"],
            &rows,
        );
        Ok(())
    }
}

fn float(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::NAN, f64::from)
}
