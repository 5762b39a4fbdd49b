//! The command line: one file a command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod crds;
mod docs;
mod doctor;
mod jwks;
mod leader;
mod opening;
mod operate;
mod run;
mod store;
mod uninstall;
mod webhook;

/// Keyreeve manages identity tenants as Kubernetes resources.
#[derive(Debug, Parser)]
#[command(
    name = "keyreeve",
    version,
    arg_required_else_help = true,
    after_help = "Begin with:\n  \
        keyreeve crds | kubectl apply --server-side -f -\n  \
        keyreeve run --store sqlite:keyreeve.db\n\n\
        `keyreeve run --help` explains every flag."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator until it is told to stop.
    Run(Box<run::Run>),
    /// Print the resource definitions (CRDs), or write them to a folder.
    Crds(crds::Crds),
    Jwks(jwks::Jwks),
    Uninstall(uninstall::Uninstall),
    Doctor(doctor::Doctor),
    /// Write the parts of the documentation that come from the code.
    #[command(hide = true)]
    Docs(docs::Docs),
    /// Print the version.
    Version,
}

impl Cli {
    /// Runs the command that was given, and answers how the program ends.
    ///
    /// # Errors
    /// One sentence that says what went wrong, where, and what to do next.
    pub fn execute(self) -> Result<ExitCode, String> {
        match self.command {
            Command::Doctor(doctor) => return Ok(doctor.execute()),
            Command::Run(run) => run.execute(),
            Command::Crds(crds) => crds.execute(),
            Command::Jwks(jwks) => jwks.execute(),
            Command::Uninstall(uninstall) => uninstall.execute(),
            Command::Docs(docs) => docs.execute(),
            Command::Version => {
                println!("keyreeve {}", env!("CARGO_PKG_VERSION"));
                Ok(())
            }
        }
        .map(|()| ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// Clap finds names that are there twice, and the like, only when it is asked.
    #[test]
    fn flags_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }
}
