//! Commands as a user gives them.

use std::{ffi::OsStr, fmt::Debug, process::Command};

/// The Helm chart.
pub const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/keyreeve");

/// What the command prints; as the administrator, whose KUBECONFIG is set.
pub fn run<A: AsRef<OsStr> + Debug>(command: &str, arguments: &[A]) -> String {
    let output = Command::new(command).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{command} cannot be run: {error}"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command} {arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}
