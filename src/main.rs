//! `keyreeve`: arguments in, a command run, one sentence and a non-zero exit when it cannot be.

use std::process::ExitCode;

use clap::Parser;
use keyreeve::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().execute() {
        Ok(code) => code,
        Err(sentence) => {
            eprintln!("keyreeve: {sentence}");
            ExitCode::FAILURE
        }
    }
}
