//! What the operator tells Prometheus: the dashboard and the alerts ask for nothing that is not there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    process::{Command, Stdio},
    time::Instant,
};

use keyreeve::api::{Role, Tenant, User};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{Conditions, Hook, Server, Space, eventually};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/keyreeve/files");
const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs");

/// What Prometheus adds to what it scrapes.
const OF_THE_TARGET: [&str; 2] = ["namespace", "instance"];

/// A series as it is scraped.
#[derive(Debug)]
struct Series {
    name: String,
    labels: BTreeMap<String, String>,
}

/// What an expression looks at, by Prometheus' own parser (dev/promql).
#[derive(Debug, Deserialize)]
struct Looked {
    selectors: Vec<Selector>,
    /// By which it groups or joins.
    labels: Vec<Need>,
}

/// A label that each of these series must have.
#[derive(Debug, Deserialize)]
struct Need {
    label: String,
    series: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Selector {
    series: String,
    matchers: Vec<Matcher>,
}

#[derive(Debug, Deserialize)]
struct Matcher {
    label: String,
    op: String,
    value: String,
}

#[tokio::test]
async fn every_series_of_the_dashboard_and_the_alerts_is_there_after_some_work() {
    let space = Space::new("metrics").await;
    // With PostgreSQL the chart grants the right to a Lease; the store is a file all the same.
    let values =
        ["store.url=postgres://database.example/keyreeve", "store.credentialsSecret=database"];
    let hook = Hook::install_with(&space, &values).await;
    let metrics = Server::new();
    let _operator = hook.start(
        &space,
        &[
            "--metrics-bind-address",
            &metrics.address,
            "--leader-elect",
            "--leader-elect-resource-name",
            "hook-keyreeve",
        ],
    );
    space.create::<Tenant>("acme", json!({})).await;
    space.ready("acme").await;
    space.is_reviewed().await;
    // Ready, Stalled, waiting.
    space.in_acme::<Role>("reader", json!({})).await;
    space.well::<Role>("reader").await;
    space.create::<Tenant>("taken", json!({"tenantId": "acme"})).await;
    space.tenant("taken", "Stalled", |tenant| tenant.is_stalled("Conflict")).await;
    space.create::<User>("ada", json!({"tenantRef": {"name": "nobody"}})).await;
    space.waits::<User>("ada", "TenantNotFound").await;
    // A store that is away, and is there again.
    let aside = space.folder().join("aside.db");
    fs::rename(space.store_file(), &aside).unwrap();
    eventually("it is away", async || {
        metrics.metric("keyreeve_store_up", "sqlite") < 0.5
            && metrics.metric("keyreeve_problems_total", "transient") > 0.5
    })
    .await;
    fs::rename(&aside, space.store_file()).unwrap();
    eventually("it is there", async || metrics.metric("keyreeve_store_up", "sqlite") > 0.5).await;
    space.ready("acme").await;

    let scraped = scrape(&metrics);
    let expressions = expressions();
    assert!(expressions.len() > 40, "{}", expressions.len());
    let mut seen = BTreeSet::new();
    for (of, text, looked) in expressions {
        for selector in &looked.selectors {
            let named: Vec<_> =
                scraped.iter().filter(|series| series.name == selector.series).collect();
            assert!(!named.is_empty(), "{of}: there is no {} in {text}", selector.series);
            let is_it = |series: &&&Series| selector.matchers.iter().all(|m| matches(m, series));
            // What is rejected comes from no API server.
            let rejected = selector.matchers.iter().any(|m| m.value == "rejected");
            assert!(
                rejected || named.iter().any(|s| is_it(&s)),
                "{of}: {selector:?} finds nothing"
            );
            let labels = selector.matchers.iter().map(|matcher| &matcher.label);
            for label in labels.filter(|label| !OF_THE_TARGET.contains(&label.as_str())) {
                assert!(named[0].labels.contains_key(label), "{of}: no label {label} in {text}");
            }
            seen.insert(selector.series.clone());
        }
        for Need { label, series } in &looked.labels {
            if OF_THE_TARGET.contains(&label.as_str()) {
                continue;
            }
            assert!(!series.is_empty(), "{of}: nothing has {label} in {text}");
            for name in series {
                let has = |s: &Series| s.name == *name && s.labels.contains_key(label);
                assert!(scraped.iter().any(has), "{of}: {name} has no label {label} in {text}");
            }
        }
    }
    assert!(seen.len() > 15, "{seen:?}");
    // What is counted is what is there.
    for (name, labels, number) in [
        ("keyreeve_objects", r#"kind="Tenant",state="ready""#, 1.0),
        ("keyreeve_objects", r#"kind="Tenant",state="stalled""#, 1.0),
        ("keyreeve_objects", r#"kind="Role",state="ready""#, 1.0),
        ("keyreeve_not_ready_objects", r#"state="stalled",reason="Conflict""#, 1.0),
        ("keyreeve_not_ready_objects", r#"state="reconciling",reason="TenantNotFound""#, 1.0),
        ("keyreeve_key_rotations", r#"due="later""#, 1.0),
        ("keyreeve_signing_keys", r#"state="active""#, 1.0),
        ("keyreeve_conditions", "", 0.0),
    ] {
        let found = metrics.metric(name, labels);
        assert!((found - number).abs() < 0.5, "{name} {labels}: {found}");
    }
    is_documented(&scraped);
}

#[tokio::test]
async fn no_name_that_people_give_and_no_secret_is_in_a_metric_and_a_scrape_is_quick() {
    let space = Space::new("metrics-names").await;
    let metrics = Server::new();
    let flags = ["--metrics-bind-address", &metrics.address];
    let _operator = crate::support::Operator::start_with(&space, &flags);
    space.create::<Tenant>("canary-tenant", json!({"displayName": "canary-display"})).await;
    space.ready("canary-tenant").await;
    for number in 0..10 {
        let spec =
            json!({"tenantRef": {"name": "canary-tenant"}, "username": format!("canary-{number}")});
        space.create::<User>(&format!("canary-{number}"), spec).await;
    }
    eventually("they are Ready", async || {
        metrics.metric("keyreeve_objects", r#"kind="User",state="ready""#) > 9.5
    })
    .await;
    let (_, before) = metrics.get("/metrics").unwrap();
    assert!(!before.contains("canary") && !before.contains(&space.namespace), "{before}");
    let began = Instant::now();
    (0..50).for_each(|_| drop(metrics.get("/metrics").unwrap()));
    // A few milliseconds each; Prometheus would give each one 10 s.
    assert!(began.elapsed().as_secs() < 30, "50 scrapes took {:?}", began.elapsed());
}

#[test]
fn every_alert_says_what_it_is_about_and_what_to_do() {
    let page = fs::read_to_string(format!("{DOCS}/alerts.md")).unwrap();
    let sections: BTreeSet<_> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let rules = rules();
    for rule in &rules {
        let name = rule["alert"].as_str().unwrap();
        assert!(sections.contains(name), "docs/alerts.md says nothing of {name}");
        for text in ["summary", "description"] {
            let text = rule["annotations"][text].as_str().unwrap();
            assert!(text.len() > 20 && text.ends_with('.'), "{name}: {text}");
        }
        let link = format!("docs/alerts.md#{}", name.to_lowercase());
        assert_eq!(rule["annotations"]["runbook_url"], link.as_str(), "{name}");
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(["critical", "warning", "info"].contains(&severity), "{name}");
    }
    let alerts = rules.iter().map(|rule| rule["alert"].as_str().unwrap()).collect();
    assert_eq!(sections, alerts, "docs/alerts.md has each, and no others");
}

#[test]
fn every_reason_that_an_alert_names_is_there() {
    let page = fs::read_to_string(format!("{DOCS}/reasons.md")).unwrap();
    let mut found = 0;
    for (of, _, looked) in expressions() {
        let matchers = looked.selectors.iter().flat_map(|selector| &selector.matchers);
        for reason in matchers.filter(|m| m.label == "reason").flat_map(|m| m.value.split('|')) {
            assert!(page.contains(&format!("\n| `{reason}` |")), "{of}: there is no {reason}");
            found += 1;
        }
    }
    assert!(found > 10, "{found}");
}

#[test]
fn every_panel_of_the_dashboard_says_what_it_shows_and_asks_the_chosen_prometheus() {
    let dashboard = dashboard();
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_i64().unwrap()), "{panel}");
        if panel["type"] == "row" {
            continue;
        }
        assert!(panel["description"].as_str().unwrap().ends_with('.'), "{}", panel["title"]);
        for asks in panel["targets"].as_array().unwrap().iter().chain([panel]) {
            assert_eq!(asks["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        }
        let place = &panel["gridPos"];
        let right = place["x"].as_i64().unwrap() + place["w"].as_i64().unwrap();
        assert!(right <= 24, "{}", panel["title"]);
    }
    assert!(dashboard["id"].is_null(), "Grafana gives it one when it is imported");
    let variables: Vec<_> = dashboard["templating"]["list"].as_array().unwrap().iter().collect();
    assert_eq!(variables[0]["type"], "datasource");
    assert_eq!(variables[0]["query"], "prometheus");
}

/// Whether the series has the label's value. What Prometheus adds it has, whatever is asked for.
fn matches(matcher: &Matcher, series: &Series) -> bool {
    if OF_THE_TARGET.contains(&matcher.label.as_str()) {
        return true;
    }
    let value = series.labels.get(&matcher.label).map(String::as_str).unwrap_or_default();
    match matcher.op.as_str() {
        "=" => value == matcher.value,
        "!=" => value != matcher.value,
        "=~" => regex(&matcher.value).is_match(value),
        "!~" => !regex(&matcher.value).is_match(value),
        other => panic!("{other}"),
    }
}

fn regex(text: &str) -> regex::Regex {
    regex::Regex::new(&format!("^(?:{text})$")).unwrap()
}

fn scrape(metrics: &Server) -> Vec<Series> {
    let (_, text) = metrics.get("/metrics").unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, _) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let labels = labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty());
            let labels = labels.map(|label| {
                let (name, value) = label.split_once('=').unwrap();
                (name.to_owned(), value.trim_matches('"').to_owned())
            });
            Series { name: name.to_owned(), labels: labels.collect() }
        })
        .collect()
}

/// docs/metrics.md, which is generated from the code, has every metric with its labels.
fn is_documented(scraped: &[Series]) {
    let page = fs::read_to_string(format!("{DOCS}/metrics.md")).unwrap();
    for series in scraped {
        let plain = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| series.name.strip_suffix(end))
            .filter(|name| page.contains(&format!("\n| `{name}` | histogram |")))
            .unwrap_or(&series.name);
        let row = page.lines().find(|line| line.starts_with(&format!("| `{plain}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/metrics.md has no {}", series.name));
        for label in series.labels.keys().filter(|label| *label != "le") {
            assert!(row.contains(&format!("`{label}`")), "{label}: {row}");
        }
    }
}

fn rules() -> Vec<Value> {
    let text = fs::read_to_string(format!("{FILES}/alerts.yaml")).unwrap();
    let file: Value = serde_saphyr::from_str(&text).unwrap();
    let groups = file["groups"].as_array().unwrap();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

fn dashboard() -> Value {
    let text = fs::read_to_string(format!("{FILES}/dashboard.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Every expression, with where it stands and what it looks at.
fn expressions() -> Vec<(String, String, Looked)> {
    let mut all = Vec::new();
    for rule in rules() {
        all.push((rule["alert"].to_string(), rule["expr"].as_str().unwrap().to_owned()));
    }
    for panel in dashboard()["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let text = target["expr"].as_str().unwrap().replace("$__rate_interval", "5m");
            all.push((panel["title"].to_string(), text));
        }
    }
    let mut parser = Command::new("promql")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("dev/with-cluster.sh brings promql");
    let mut input = parser.stdin.take().unwrap();
    for (_, text) in &all {
        writeln!(input, "{}", json!(text)).unwrap();
    }
    drop(input);
    let output = parser.wait_with_output().unwrap();
    assert!(output.status.success(), "an expression is no PromQL");
    let looked = String::from_utf8(output.stdout).unwrap();
    let looked = looked.lines().map(|line| serde_json::from_str(line).unwrap());
    all.into_iter().zip(looked).map(|((of, text), looked)| (of, text, looked)).collect()
}
