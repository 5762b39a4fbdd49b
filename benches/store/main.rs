//! `make bench`: what writing users to the stores costs. It compares two ways in one run, turn by turn, and prints
//! their ratio: the machine and what else it does count less in it than in the absolute figures, which stand beside it.
//!
//! `dev/bench.sh` starts the servers and says which stores. It is no test: nothing depends on what comes out.

mod bare;
mod counter;
mod keycloak;
mod sample;
mod sql;
mod table;

use std::{env, error::Error, process::ExitCode};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const STORES: [&str; 3] = ["sqlite", "postgres", "keycloak"];

#[tokio::main]
async fn main() -> ExitCode {
    // Cargo says `--bench` to every benchmark.
    let mut stores: Vec<String> = env::args().skip(1).filter(|name| name != "--bench").collect();
    if stores.is_empty() {
        stores = STORES.map(Into::into).into();
    }
    for store in stores {
        let measured = match store.as_str() {
            "sqlite" => sql::sqlite().await,
            "postgres" => sql::postgres().await,
            "keycloak" => keycloak::keycloak().await,
            other => Err(format!("there is no store {other:?} to measure: {STORES:?}").into()),
        };
        if let Err(error) = measured {
            eprintln!("{store}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// A number that may be set in the environment.
fn number(name: &str, otherwise: usize) -> Result<usize> {
    match env::var(name) {
        Ok(number) if !number.is_empty() => {
            let number = number.parse().ok().filter(|number| *number > 0);
            number.ok_or_else(|| format!("{name} is a number of at least 1").into())
        }
        _ => Ok(otherwise),
    }
}

/// What `dev/bench.sh` sets.
fn setting(name: &str) -> Result<String> {
    env::var(name).map_err(|_| format!("{name} is not set: run this by dev/bench.sh").into())
}
