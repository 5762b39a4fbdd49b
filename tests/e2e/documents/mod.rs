//! What documents tell people to do is done here as it is written, or at least looked at: commands, resources
//! and the files that they name.
//!
//! A block of commands (```` ```sh ```` or ```` ```console ````) says after the language which of the two: `run=NAME` is run by
//! the test that follows the block of that name, and `skip=WHY` is not, for a reason that stands in [`SKIPPED`].
//! A resource with `file=NAME` is written to that file for the commands that name it.

mod commands;
mod daily;
mod flags;
mod operations;
mod page;
mod reader;
mod resources;
mod start;
mod watched;

use std::collections::BTreeSet;

use regex::Regex;

use crate::support::{CHART, command};
use flags::Flags;
use page::{Block, root};

/// The blocks that are run, by document and name.
const RUN: [(&str, &str); 67] = [
    ("README.md", "first-tenant"),
    ("README.md", "refused"),
    ("README.md", "first-user"),
    ("docs/getting-started.md", "crds"),
    ("docs/getting-started.md", "apply"),
    ("docs/getting-started.md", "login"),
    ("docs/getting-started.md", "compare"),
    ("docs/getting-started.md", "wrong"),
    ("docs/getting-started.md", "clean"),
    ("charts/keyreeve/README.md", "rights-of-people"),
    ("docs/alerts.md", "pods"),
    ("docs/alerts.md", "lease"),
    ("docs/alerts.md", "store"),
    ("docs/alerts.md", "stalled"),
    ("docs/alerts.md", "rotations"),
    ("docs/alerts.md", "suspended"),
    ("docs/gitops.md", "wait"),
    ("docs/gitops.md", "wait-for-what-is-wrong"),
    ("docs/gitops.md", "wait-for-a-release"),
    ("docs/high-availability.md", "lease"),
    ("docs/keys.md", "jwks"),
    ("docs/keys.md", "jwks-by-kubectl"),
    ("docs/keys.md", "kids"),
    ("docs/keys.md", "revoke"),
    ("docs/keys.md", "revoked"),
    ("docs/keys.md", "move"),
    ("docs/passwords.md", "secret"),
    ("docs/passwords.md", "secret-by-stdin"),
    ("docs/passwords.md", "generated"),
    ("docs/tenants.md", "list"),
    ("docs/keys.md", "rotate"),
    ("docs/keys.md", "backup-one"),
    ("docs/keys.md", "restore-one"),
    ("docs/stores.md", "move-from"),
    ("docs/stores.md", "move-to"),
    ("docs/stores.md", "moved"),
    ("docs/troubleshooting.md", "read"),
    ("docs/troubleshooting.md", "look"),
    ("docs/troubleshooting.md", "retain"),
    ("docs/operations.md", "install"),
    ("docs/operations.md", "credentials"),
    ("docs/operations.md", "install-postgres"),
    ("docs/operations.md", "upgrade"),
    ("docs/operations.md", "rollback"),
    ("docs/operations.md", "stop"),
    ("docs/operations.md", "start"),
    ("docs/operations.md", "backup"),
    ("docs/operations.md", "backup-postgres"),
    ("docs/operations.md", "backup-sqlite"),
    ("docs/operations.md", "restore-secrets"),
    ("docs/operations.md", "restore-postgres"),
    ("docs/operations.md", "restore-sqlite"),
    ("docs/operations.md", "see"),
    ("docs/operations.md", "rebuild"),
    ("docs/operations.md", "rebuild-elsewhere"),
    ("docs/operations.md", "rebuild-namespaces"),
    ("docs/operations.md", "rebuild-resources"),
    ("docs/operations.md", "rebuild-status"),
    ("docs/operations.md", "rebuild-see"),
    ("docs/operations.md", "rotate-store"),
    ("docs/operations.md", "rotate-token"),
    ("docs/operations.md", "watched-delete"),
    ("docs/operations.md", "watched-out"),
    ("docs/operations.md", "watched-free"),
    ("docs/operations.md", "uninstall"),
    ("docs/operations.md", "delete-resources"),
    ("docs/operations.md", "delete-rest"),
];

/// Why blocks are not run.
const SKIPPED: [(&str, &str); 11] = [
    ("gitops", "Argo CD and Flux are not run here"),
    ("build", "it compiles the operator, or starts the tests themselves"),
    ("keycloak", "all tests share one Keycloak, which dev/keycloak-lib.sh sets up alike"),
    ("operator", "it runs until it is stopped; the test starts the operator with its own flags"),
    (
        "webhook",
        "the tests of the webhook show it: tests/e2e/webhook.rs, tests/e2e/webhook_certificate.rs",
    ),
    ("install", "docs/operations.md has what is run; that these values are there is checked below"),
    ("pod", "there is no kubelet, so no Pod of the operator has a log"),
    ("doctor", "tests/e2e/doctor.rs shows it"),
    (
        "uninstall",
        "tests/e2e/uninstall.rs shows it; here it would be about the objects of all tests",
    ),
    ("examples", "tests/e2e/examples.rs applies all of them"),
    (
        "repository",
        "the repository is the reader's own; tests/e2e/gitops shows it for examples/gitops",
    ),
];

#[test]
fn every_block_of_commands_is_run_or_says_why_it_is_not() {
    let run: BTreeSet<(String, String)> =
        RUN.iter().map(|(page, name)| ((*page).into(), (*name).into())).collect();
    let (mut found, mut reasons) = (BTreeSet::new(), BTreeSet::new());
    let typed = Regex::new(r"^(\$ )?(kubectl|helm|keyreeve|make|cargo|docker|psql|git) ").unwrap();
    for (page, text) in page::all() {
        for block in page::blocks(&page, &text) {
            let place = block.place();
            if !block.is_shell() {
                let has_commands = || block.text.lines().any(|line| typed.is_match(line));
                assert!(
                    block.language.is_some() || !has_commands(),
                    "{place}: commands stand in ```sh"
                );
                continue;
            }
            match (block.words.get("run"), block.words.get("skip")) {
                (Some(name), None) => {
                    let block = (page.clone(), name.clone());
                    assert!(run.contains(&block), "{place}: no test runs {name}: see RUN");
                    found.insert(block);
                }
                (None, Some(why)) => {
                    let known = SKIPPED.iter().find(|(name, _)| name == why);
                    assert!(known.is_some(), "{place}: skip={why} is no reason in SKIPPED");
                    reasons.insert(why.clone());
                }
                _ => panic!("{place}: say run=NAME, and have a test run it, or skip=WHY"),
            }
        }
    }
    assert_eq!(found, run, "a test runs what no document has");
    assert_eq!(reasons.len(), SKIPPED.len(), "{reasons:?}");
}

#[test]
fn every_command_in_a_document_has_the_flags_that_it_names() {
    let mut flags = Flags::default();
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for (page, text) in page::all() {
        let in_blocks = page::blocks(&page, &text).into_iter().filter(Block::has_commands);
        let in_blocks = in_blocks.map(|block| (block.place(), block.script()));
        let in_prose = page::inline_code(&text).into_iter().map(|code| (page.clone(), code));
        for (place, script) in in_blocks.chain(in_prose) {
            for command in commands::commands(&script) {
                // In prose a program may be named alone.
                if !command.arguments.is_empty() {
                    looked_at += 1;
                    let says = flags.wrong_with(&command);
                    wrong.extend(says.map(|says| format!("{place}: {says}: {command:?}")));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(looked_at > 100, "{looked_at}");
}

/// Flags in prose that are of no program of ours: of cargo, docker, kube-apiserver and their like.
const OTHERS: [&str; 2] = ["test", "locked"];

#[test]
fn every_flag_in_the_prose_of_a_document_is_there() {
    let mut flags = Flags::default();
    let word = Regex::new(r"^--([a-z][a-z-]+)").unwrap();
    let commands = [
        "keyreeve run",
        "keyreeve jwks",
        "keyreeve crds",
        "keyreeve doctor",
        "keyreeve uninstall",
        "kubectl apply",
        "kubectl get",
        "kubectl replace",
        "helm install",
    ];
    let mut found = 0;
    for (page, text) in page::all() {
        for code in page::inline_code(&text) {
            let Some(flag) = word.captures(&code).map(|found| found[1].to_owned()) else {
                continue;
            };
            let is_known = OTHERS.contains(&flag.as_str())
                || commands.iter().any(|command| flags.is_known(command, &flag));
            assert!(is_known, "{page}: there is no --{flag}");
            found += 1;
        }
    }
    assert!(found > 20, "{found}");
}

/// What a document calls `$STORE`, and what `$WATCHED`.
const STORE: &str = "postgres://db.example.com/keyreeve";
const WATCHED: &str = "team-a,team-b";

#[test]
fn every_value_of_the_chart_that_a_command_sets_is_there() {
    let mut set = BTreeSet::new();
    for (page, text) in page::all() {
        for block in page::blocks(&page, &text) {
            for command in commands::commands(&block.script()) {
                let ours = |argument: &String| argument.ends_with("charts/keyreeve");
                if command.program != "helm" || !command.arguments.iter().any(ours) {
                    continue;
                }
                let mut values = Vec::new();
                let mut arguments = command.arguments.iter();
                while let Some(argument) = arguments.next() {
                    if argument == "--set" {
                        let value = arguments.next();
                        values.extend(value.map(|value| {
                            value.replace("$STORE", STORE).replace("$WATCHED", WATCHED)
                        }));
                    }
                }
                set.insert((block.place(), values));
            }
        }
    }
    assert!(set.len() > 5, "{set:?}");
    for (place, values) in set {
        let mut helm = vec!["template", "x", CHART];
        for value in &values {
            helm.extend(["--set", value]);
        }
        let output = command("helm", &helm);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{place}: {values:?}: {error}");
    }
}

#[test]
fn every_make_target_in_a_document_is_there() {
    let makefile = page::text("Makefile");
    let word = Regex::new(r"(?m)^(?:[A-Z]+=\S+ )*make ([a-z][a-z-]*)").unwrap();
    let mut found = 0;
    for (page, text) in page::all() {
        let blocks = page::blocks(&page, &text).into_iter().filter(Block::has_commands);
        let code = page::inline_code(&text).into_iter().chain(blocks.map(|block| block.script()));
        for code in code {
            for target in word.captures_iter(&code).map(|found| found[1].to_owned()) {
                let is_there = makefile.lines().any(|line| line.starts_with(&format!("{target}:")));
                assert!(is_there, "{page}: there is no `make {target}`");
                found += 1;
            }
        }
    }
    assert!(found > 15, "{found}");
}

#[test]
fn every_file_that_a_document_names_is_there() {
    let path =
        Regex::new(r"^(?:\.github|benches|charts|crds|dev|docs|examples|src|tests)/[\w./-]*$")
            .unwrap();
    let mut found = 0;
    for (page, text) in page::all() {
        let in_prose = page::inline_code(&text).into_iter();
        let in_commands = page::blocks(&page, &text).into_iter().flat_map(|block| {
            commands::commands(&block.script()).into_iter().flat_map(|command| command.arguments)
        });
        for named in in_prose.chain(in_commands).filter(|named| path.is_match(named)) {
            assert!(root().join(&named).exists(), "{page}: there is no {named}");
            found += 1;
        }
    }
    assert!(found > 10, "{found}");
}
