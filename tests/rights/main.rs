//! Least privilege: from the log of all requests of a whole test run, every right that the chart grants was needed, and
//! none was missing. `dev/test.sh` runs this after all other tests, beside the same control plane.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod grants;
mod requests;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use grants::{Grant, Kept, Right};
use requests::Request;

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/keyreeve");

#[test]
fn every_right_of_the_chart_was_needed_and_none_was_missing() {
    let mut grants = BTreeSet::new();
    let mut weakened = BTreeSet::new();
    for kept in kept() {
        if kept.weakened {
            weakened.extend(kept.users());
        }
        grants.extend(kept.grants());
    }
    let logs: BTreeSet<PathBuf> = grants.iter().map(|grant| grant.audit_log.clone()).collect();
    let (mut needed, mut covered, mut forbidden) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    let mut requests = 0;
    for log in &logs {
        let mut of_user: BTreeMap<&str, Vec<&Grant>> = BTreeMap::new();
        for grant in grants.iter().filter(|grant| grant.audit_log == *log) {
            of_user.entry(&grant.user).or_default().push(grant);
        }
        requests::read(log, |request: &Request| {
            let Some(grants) = of_user.get(request.user.as_str()) else { return };
            requests += 1;
            if request.is_forbidden && !weakened.contains(&request.user) {
                forbidden.push(request.to_string());
            }
            let allow: BTreeSet<&Right> = grants
                .iter()
                .filter(|grant| grant.allows(request))
                .map(|grant| &grant.right)
                .collect();
            // Where two rights allow the same, neither is needed for it.
            let one = allow.len() == 1;
            let seen = if one { &mut needed } else { &mut covered };
            seen.extend(allow.into_iter().filter(|right| right.is_used_by(request)).cloned());
        });
    }
    let granted = granted();
    let list = |rights: Vec<&Right>| {
        let lines: Vec<_> = rights.iter().map(ToString::to_string).collect();
        format!("\n  {}", lines.join("\n  "))
    };
    println!("{requests} requests; needed:{}", list(needed.iter().collect()));
    let unused: Vec<_> = granted.iter().filter(|right| !needed.contains(*right)).collect();
    let (spare, unused): (Vec<_>, Vec<_>) =
        unused.into_iter().partition(|right| covered.contains(*right));
    assert!(requests > 0 && !granted.is_empty());
    assert!(
        forbidden.is_empty(),
        "the API server refused, for lack of a right:\n  {}",
        forbidden.join("\n  ")
    );
    assert!(unused.is_empty(), "the chart grants what no test ever used:{}", list(unused));
    assert!(
        spare.is_empty(),
        "the chart grants what another of its rules always allows:{}",
        list(spare)
    );
}

/// What the releases of the tests were granted, and the one that all of them share.
fn kept() -> Vec<Kept> {
    let folder = Path::new(&setting("KEYREEVE_TEST_DIR")).join("grants");
    let files = fs::read_dir(&folder).unwrap_or_else(|error| {
        panic!("{}: {error}; this runs after all other tests, by `make test`", folder.display())
    });
    let mut kept: Vec<_> = files
        .map(|file| file.unwrap().path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "json"))
        .map(|file| serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap())
        .collect();
    let shared = helm(&["get", "manifest", "keyreeve", "--namespace", "keyreeve-system"]);
    kept.push(Kept {
        prefix: "keyreeve-system:keyreeve".into(),
        audit_log: setting("KEYREEVE_TEST_AUDIT_LOG").into(),
        weakened: false,
        objects: grants::objects(&shared),
    });
    kept
}

/// All that the chart grants, whatever its values.
fn granted() -> BTreeSet<Right> {
    let switches = [
        "watchNamespaces={x}",
        "secrets.namespaces={x}",
        "webhook.enabled=true",
        "uninstall.removeFinalizers=true",
        "ownerId=x",
        "rbac.aggregateTenants=true",
        "store.url=postgres://x/x,store.credentialsSecret=x",
    ];
    let mut granted = BTreeSet::new();
    for set in 0..1 << switches.len() {
        let mut template =
            vec!["template", "x", CHART, "--namespace", "x", "--set", "crds.enabled=false"];
        for (bit, switch) in switches.iter().enumerate() {
            if set >> bit & 1 == 1 {
                template.extend(["--set", switch]);
            }
        }
        granted.extend(grants::rights("x:x-keyreeve", &grants::objects(&helm(&template))));
    }
    granted
}

fn helm(arguments: &[&str]) -> String {
    let output = Command::new("helm").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn setting(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: `make test` runs this"))
}
