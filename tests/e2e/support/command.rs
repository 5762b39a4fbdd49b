//! Commands as a user gives them.

use std::{
    ffi::OsStr,
    fmt::Debug,
    process::{Command, Output},
};

/// The Helm chart.
pub const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/keyreeve");

/// How the command ends; as the administrator, whose KUBECONFIG is set.
pub fn command<A: AsRef<OsStr>>(command: &str, arguments: &[A]) -> Output {
    let output = Command::new(command).args(arguments).output();
    output.unwrap_or_else(|error| panic!("{command} cannot be run: {error}"))
}

/// What the command prints when it succeeds.
pub fn run<A: AsRef<OsStr> + Debug>(name: &str, arguments: &[A]) -> String {
    let output = command(name, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}
