//! What Flux, Helm 4 and Argo CD make of an object, by their own code (dev/gitops).

use std::{
    fs::File,
    io::{Seek, Write},
    process::{Command, Stdio},
};

use serde::Deserialize;
use serde_json::Value;

/// How Argo CD is told to judge our kinds.
pub const HEALTH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/gitops/argocd/health.yaml");

/// What a tool says of an object.
#[derive(Debug, Deserialize)]
pub struct Judgement {
    pub status: String,
    pub message: String,
}

/// What Flux and Helm 4 make of each of the objects when they wait for it.
pub fn kstatus(objects: &[&Value]) -> Vec<Judgement> {
    judged(Command::new("kstatus"), objects)
}

/// What Argo CD makes of each of them.
pub fn argo_health(objects: &[&Value]) -> Vec<Judgement> {
    let mut command = Command::new("argohealth");
    command.arg(HEALTH);
    judged(command, objects)
}

fn judged(mut command: Command, objects: &[&Value]) -> Vec<Judgement> {
    let mut file: File = tempfile::tempfile().unwrap();
    for object in objects {
        writeln!(file, "{object}").unwrap();
    }
    file.rewind().unwrap();
    let output = command.stdin(Stdio::from(file)).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
    let answers: Vec<_> = answers.map(Result::unwrap).collect();
    assert_eq!(answers.len(), objects.len());
    answers
}
