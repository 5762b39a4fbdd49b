//! Which flags the programs have that documents name, as the programs themselves say.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command as Process,
};

use regex::Regex;

use super::commands::Command;

/// Commands that have commands of their own.
const GROUPS: [&str; 8] = [
    "kubectl auth",
    "kubectl config",
    "kubectl create",
    "kubectl create secret",
    "kubectl rollout",
    "helm get",
    "helm repo",
    "helm show",
];
/// Flags that may stand before the command, with their values.
const LEADING: [&str; 4] = ["-n", "--namespace", "--context", "--kubeconfig"];

/// The flags of commands, asked for once each.
#[derive(Default)]
pub struct Flags {
    known: BTreeMap<String, Option<BTreeSet<String>>>,
}

impl Flags {
    /// What is wrong with a command: that it is not there, or a flag that it does not have.
    pub fn wrong_with(&mut self, command: &Command) -> Option<String> {
        let mut path = command.program.clone();
        let mut words = command.arguments.iter();
        while let Some(word) = words.next() {
            if LEADING.contains(&word.as_str()) {
                words.next();
            } else if word.starts_with('-') {
                // What follows may be its value.
                break;
            } else {
                path = format!("{path} {word}");
                if !GROUPS.contains(&path.as_str()) {
                    break;
                }
            }
        }
        let Some(flags) = self.of(&path) else { return Some(format!("there is no `{path}`")) };
        let given = command.arguments.iter().take_while(|argument| *argument != "--");
        let mut given = given.filter(|argument| argument.len() > 1 && argument.starts_with('-'));
        let unknown = given.find(|argument| !has(flags, argument))?;
        Some(format!("`{path}` has no {unknown}"))
    }

    /// Whether a program has a flag of this name somewhere.
    pub fn is_known(&mut self, path: &str, flag: &str) -> bool {
        self.of(path).is_some_and(|flags| flags.contains(flag))
    }

    fn of(&mut self, path: &str) -> Option<&BTreeSet<String>> {
        self.known.entry(path.to_owned()).or_insert_with(|| asked(path)).as_ref()
    }
}

fn has(flags: &BTreeSet<String>, argument: &str) -> bool {
    match argument.strip_prefix("--") {
        Some(long) => flags.contains(long.split('=').next().unwrap()),
        // `-it` is two, and `-ofile` one with its value.
        None => {
            let mut letters = argument[1..].chars().map(|letter| letter.to_string());
            letters.clone().all(|letter| flags.contains(&letter))
                || letters.next().is_some_and(|letter| flags.contains(&letter))
        }
    }
}

/// The flags that the help of a command lists; none if it is no command.
fn asked(path: &str) -> Option<BTreeSet<String>> {
    let mut words = path.split(' ');
    let program = words.next().unwrap();
    let executable = match program {
        "keyreeve" => env!("CARGO_BIN_EXE_keyreeve"),
        other => other,
    };
    let help = |arguments: &[&str]| -> String {
        let output = Process::new(executable).args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let words: Vec<&str> = words.collect();
    let own = help(&[words.as_slice(), &["--help"]].concat());
    // The help of an unknown command is that of the program.
    let is_named =
        |last: &&str| own.lines().any(|line| line.split_whitespace().any(|word| word == *last));
    let is_command = words.last().is_none_or(is_named) && own.contains(path);
    if !is_command {
        return None;
    }
    let common = if program == "kubectl" { help(&["options"]) } else { String::new() };
    let flag = Regex::new(r"(?m)^\s+(?:-(\w), )?--([\w-]+)").unwrap();
    let mut flags = BTreeSet::from(["help".to_owned(), "h".to_owned()]);
    for text in [&own, &common] {
        for found in flag.captures_iter(text) {
            flags.extend(found.iter().skip(1).flatten().map(|name| name.as_str().to_owned()));
        }
    }
    Some(flags)
}
