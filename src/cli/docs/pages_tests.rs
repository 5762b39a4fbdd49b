//! What the pages in docs/ say is looked at here as far as a program can: examples, reasons, links.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;
use serde_json::Value;

use crate::{
    api::{RoleSpec, TenantProfileSpec, UserSpec, schema, validation},
    policy::{Reason, Support, own_rules},
};

/// Conditions beside Ready, by which events about them are called, too.
const CONDITIONS: [&str; 3] = ["Suspended", "PartiallyEnforced", "OverLimit"];
/// Words of others in the form of a reason.
const OTHERS: [&str; 9] = [
    "ServiceAccount",
    "UsernameCaseMapped",
    "ClusterRole",
    "RoleBinding",
    "ReadWriteOnce",
    "IfNotPresent",
    "NotSuspended",
    "NotOverLimit",
    "NotPaused",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).into()
}

/// Every page in docs/, and those beside the README and the chart, by its path from the repository's root.
fn all() -> BTreeMap<PathBuf, String> {
    let mut pages = BTreeMap::new();
    let folders = ["", "docs", "docs/fields", "charts/keyreeve"].map(|folder| root().join(folder));
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let files = files.map(|file| file.unwrap().path());
    for file in files.filter(|file| file.extension().is_some_and(|extension| extension == "md")) {
        let text = fs::read_to_string(&file).unwrap();
        pages.insert(file.strip_prefix(root()).unwrap().to_owned(), text);
    }
    assert!(pages.len() > 10);
    pages
}

/// The objects in the fenced blocks of YAML.
fn examples(page: &str) -> Vec<Value> {
    // After the language there may be more, such as the name of a file.
    let blocks = page.split("\n```yaml").skip(1).map(|rest| {
        let block = rest.split_once('\n').unwrap().1;
        block.split_once("\n```").unwrap().0
    });
    let documents = blocks.flat_map(|block| block.split("\n---\n"));
    documents.map(|document| serde_saphyr::from_str(document).unwrap()).collect()
}

#[test]
fn every_example_is_one_that_the_api_server_and_the_operator_take() {
    let mut kinds = BTreeSet::new();
    for (path, page) in all() {
        let ours: Vec<_> = examples(&page)
            .into_iter()
            .filter(|example| example["apiVersion"] == "keyreeve.dev/v1alpha1")
            .collect();
        let written = page.matches("apiVersion: keyreeve.dev").count();
        assert_eq!(ours.len(), written, "{}: put examples into ```yaml", path.display());
        for example in ours {
            let kind = example["kind"].as_str().unwrap();
            let name = example["metadata"]["name"].as_str().unwrap();
            let what = format!("{}: {kind} {name}", path.display());
            assert_eq!(validation::check(kind, &example, None), [], "{what}");
            let spec = example["spec"].clone();
            let judged = match kind {
                "User" => own_rules::user(&typed::<UserSpec>(spec), name),
                "Role" => own_rules::role(&typed::<RoleSpec>(spec), "default", name),
                "TenantProfile" => {
                    own_rules::profile(&typed::<TenantProfileSpec>(spec), &|_, _| Support::Enforced)
                }
                _ => Ok(()),
            };
            assert_eq!(judged, Ok(()), "{what}");
            kinds.insert(kind.to_owned());
        }
    }
    assert_eq!(kinds.len(), 5, "{kinds:?}");
}

fn typed<T: serde::de::DeserializeOwned>(spec: Value) -> T {
    serde_json::from_value(spec).unwrap()
}

#[test]
fn every_reason_is_explained() {
    let page = super::reasons();
    for reason in Reason::ALL {
        let explanation = reason.explanation().trim();
        assert!(explanation.ends_with('.') && !explanation.contains('|'), "{reason}");
        assert!(page.contains(&format!("\n| `{reason}` | {explanation} |\n")), "{reason}");
    }
}

#[test]
fn every_reason_that_a_page_names_is_there() {
    let words = Regex::new("`([A-Z][a-z]+(?:[A-Z][a-z]+)+)`").unwrap();
    let mut known: BTreeSet<String> = Reason::ALL.iter().map(ToString::to_string).collect();
    known.extend(CONDITIONS.into_iter().chain(OTHERS).map(String::from));
    for crd in schema::crds().unwrap() {
        known.insert(crd.spec.names.kind.clone());
        values(&serde_json::to_value(&crd).unwrap(), &mut known);
    }
    let mut found = 0;
    for (path, page) in all() {
        for word in words.captures_iter(&page).map(|captures| captures[1].to_owned()) {
            assert!(known.contains(&word), "{}: there is no {word}", path.display());
            found += 1;
        }
    }
    assert!(found > 100, "{found}");
}

#[test]
fn every_limit_and_feature_is_in_the_table_as_what_it_is() {
    let page = fs::read_to_string(root().join("docs/profiles.md")).unwrap();
    let crds = schema::crds().unwrap();
    let profile = crds.iter().find(|crd| crd.spec.names.kind == "TenantProfile").unwrap();
    let profile = serde_json::to_value(profile).unwrap();
    let spec = &profile["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let details = &spec["properties"]["planDetails"]["properties"];
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let mut named = 0;
    for (name, field) in details.as_object().unwrap() {
        let row = rows.iter().find(|row| row.contains(&format!("`{name}`"))).unwrap_or_else(|| {
            panic!("docs/profiles.md says nothing of planDetails.{name}");
        });
        let text = field["description"].as_str().unwrap();
        let is_carried = text.contains("Carried, not enforced");
        let kind = row.split(" | ").nth(1).unwrap();
        let says = if is_carried { "carried" } else { "enforced" };
        assert!(kind.ends_with(says), "{row}");
        // What a feature locks stands in its description.
        let locked = text.split('`').skip(1).step_by(2);
        locked.for_each(|path| assert!(row.contains(&format!("`{path}`")), "{row}: {path}"));
        named += 1;
    }
    let in_first_cells = rows.iter().map(|row| row.split(" | ").next().unwrap());
    assert_eq!(in_first_cells.map(|cell| cell.matches('`').count() / 2).sum::<usize>(), named);
}

/// The values of all enums in a schema.
fn values(schema: &Value, into: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Array(values)) = fields.get("enum") {
                into.extend(values.iter().filter_map(Value::as_str).map(String::from));
            }
            fields.values().for_each(|field| values(field, into));
        }
        Value::Array(items) => items.iter().for_each(|item| values(item, into)),
        _ => {}
    }
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let pages = all();
    for (path, page) in &pages {
        for target in link.captures_iter(page).map(|captures| captures[1].to_owned()) {
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let file = match file {
                "" => path.clone(),
                file => resolved(&path.parent().unwrap().join(file)),
            };
            let what = format!("{}: {target}", path.display());
            assert!(root().join(&file).exists(), "{what} is not there");
            if !anchor.is_empty() {
                assert!(anchors(&pages[&file]).contains(anchor), "{what}: no such heading");
            }
        }
    }
}

#[test]
fn every_page_is_in_the_index() {
    let pages = all();
    let index = &pages[Path::new("docs/README.md")];
    for page in pages.keys().filter_map(|page| page.strip_prefix("docs").ok()) {
        let is_there = index.contains(&format!("]({})", page.display()));
        assert!(is_there || page == Path::new("README.md"), "{} is not in it", page.display());
    }
}

/// A path without `..`.
fn resolved(path: &Path) -> PathBuf {
    let mut resolved = PathBuf::new();
    for part in path.components() {
        match part.as_os_str().to_str() {
            Some("..") => {
                resolved.pop();
            }
            _ => resolved.push(part),
        }
    }
    resolved
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| -> String {
        let heading = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        heading.chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_').collect()
    };
    headings.map(anchor).collect()
}
