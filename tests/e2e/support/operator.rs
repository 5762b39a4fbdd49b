//! The real operator: a process of its own with the token of the chart's ServiceAccount.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use super::{PATIENCE, Space, eventually};

/// What it logs when it has seen everything once.
pub(super) const WORKS: &str = "the caches are filled";

/// A running operator; dropped, it is killed.
pub struct Operator {
    child: Child,
    log: PathBuf,
    /// Where its part of the log begins.
    from: usize,
}

impl Operator {
    /// Starts an operator for the test's namespace on the test's store.
    pub fn start(space: &Space) -> Self {
        Self::start_with(space, &[])
    }

    /// Starts it with more flags; what they repeat they replace.
    pub fn start_with(space: &Space, flags: &[&str]) -> Self {
        Self::spawn(space, &[], &Self::arguments(space, flags))
    }

    fn arguments(space: &Space, flags: &[&str]) -> Vec<String> {
        let store = format!("sqlite:{}", space.store_file().display());
        let mut arguments = vec!["--watch-namespace", &space.namespace];
        for (default, value) in [
            ("--store", store.as_str()),
            ("--metrics-bind-address", "0"),
            ("--health-probe-bind-address", "0"),
            ("--resync", "10m"),
        ] {
            if !flags.contains(&default) {
                arguments.extend([default, value]);
            }
        }
        arguments.extend(flags);
        arguments.into_iter().map(ToOwned::to_owned).collect()
    }

    /// Starts it so that [`Operator::refuse_writes`] fails its writes instead of ending it.
    pub fn start_refusable(space: &Space) -> Self {
        // Its log goes through another process, which is not refused.
        let wrapper = ["bash", "-c", r#"trap "" XFSZ; exec "$0" "$@" 2> >(cat >&2)"#];
        Self::spawn(space, &wrapper, &Self::arguments(space, &[]))
    }

    /// Starts it with these flags alone.
    pub fn start_plain(space: &Space, arguments: &[&str]) -> Self {
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        Self::spawn(space, &[], &arguments)
    }

    /// Starts it with these flags alone, as whom the kubeconfig names.
    pub fn start_as(space: &Space, kubeconfig: &Path, arguments: &[&str]) -> Self {
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        Self::spawn_as(space, kubeconfig, &[], &arguments)
    }

    fn spawn(space: &Space, wrapper: &[&str], arguments: &[String]) -> Self {
        let mut all: Vec<String> = vec!["--log-level".into(), "info,keyreeve=debug".into()];
        if !arguments.iter().any(|argument| argument == "--log-format") {
            all.extend(["--log-format".into(), "text".into()]);
        }
        all.extend_from_slice(arguments);
        Self::spawn_as(space, &space.operator_kubeconfig, wrapper, &all)
    }

    /// Starts one of several with these flags alone: with a log of its own, and more in its environment.
    pub fn start_apart(
        space: &Space,
        name: &str,
        kubeconfig: &Path,
        environment: &[(&str, &str)],
        arguments: &[&str],
    ) -> Self {
        let log = space.folder().join(format!("{name}.log"));
        let mut all = ["--log-level", "info,keyreeve=debug", "--log-format", "text"].to_vec();
        all.extend(arguments);
        let all: Vec<_> = all.iter().map(ToString::to_string).collect();
        Self::spawn_with(space, (log, kubeconfig), environment, &[], &all)
    }

    fn spawn_as(space: &Space, kubeconfig: &Path, wrapper: &[&str], arguments: &[String]) -> Self {
        let log = space.folder().join("operator.log");
        Self::spawn_with(space, (log, kubeconfig), &[], wrapper, arguments)
    }

    fn spawn_with(
        space: &Space,
        (log, kubeconfig): (PathBuf, &Path),
        environment: &[(&str, &str)],
        wrapper: &[&str],
        arguments: &[String],
    ) -> Self {
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let from = file.metadata().unwrap().len().try_into().unwrap();
        let command = [wrapper, &[env!("CARGO_BIN_EXE_keyreeve")]].concat();
        let child = Command::new(command[0])
            .args(&command[1..])
            .arg("run")
            .args(arguments)
            .env("KUBECONFIG", kubeconfig)
            .env("HOME", space.folder())
            .env("POD_NAMESPACE", "keyreeve-system")
            // Tenants of different tests have the same names.
            .env("KEYREEVE_KEYSTORE_NAMESPACE", &space.namespace)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .unwrap();
        Self { child, log, from }
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap().split_off(self.from)
    }

    /// Waits until it has seen everything once, and reconciles.
    pub async fn works(&self) {
        eventually("the operator works", async || self.log().contains(WORKS)).await;
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How long it has computed.
    pub fn cpu_seconds(&self) -> f64 {
        /// As Linux counts, on every machine that people have.
        const TICKS_A_SECOND: f64 = 100.0;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        // After the name, which is in parentheses: user and system time are the 12th and 13th.
        let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks: u32 = fields[11..13].iter().map(|ticks| ticks.parse::<u32>().unwrap()).sum();
        f64::from(ticks) / TICKS_A_SECOND
    }

    /// From now on no file takes its writes, as on a broken disk; or they do again.
    pub fn refuse_writes(&self, refuse: bool) {
        // The soft limit alone: only that can be raised again.
        let limit = if refuse { "--fsize=0:" } else { "--fsize=unlimited:" };
        let limited =
            Command::new("prlimit").args(["--pid", &self.id().to_string(), limit]).status();
        assert!(limited.unwrap().success());
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// SIGSTOP, or it goes on.
    pub fn pause(&self, pause: bool) {
        let signal = if pause { "-STOP" } else { "-CONT" };
        let status = Command::new("kill").args([signal, &self.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and how it ended.
    pub async fn stop(mut self) -> ExitStatus {
        let listens = async {
            while !self.listens() {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, listens).await.unwrap();
        let terminated =
            Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(terminated.success());
        self.ended().await
    }

    /// Whether it has a handler for SIGTERM: before, that ends it as it ends any process.
    fn listens(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(caught.trim(), 16).unwrap() & (1 << (15 - 1)) != 0
    }

    /// Waits until it ends by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "the operator does not end:\n{}",
                self.log()
            );
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<_> = log.lines().rev().take(60).collect();
            eprintln!(
                "the operator's log ends:\n{}",
                tail.into_iter().rev().collect::<Vec<_>>().join("\n")
            );
        }
    }
}
