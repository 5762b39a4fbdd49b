//! `keyreeve doctor`: looks at an installation from outside, and says what is wrong and what to do.
//!
//! [`look`] reads, and the others judge what was read: pure functions over plain values.

mod crds;
mod line;
mod look;
mod namespaces;
mod objects;
mod operator;
mod permissions;
mod settings;
mod webhook;

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{Client, Config};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use self::{
    line::{Check, Line, Verdict, counted},
    look::Looked,
    settings::Settings,
};
use crate::{api::schema, leadership::Place};

/// How long the API server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long nothing is asked between two looks at the Lease.
const PAUSE: Duration = Duration::from_secs(1);

/// What to do about what could not be looked at.
const ASK: &str = "ask as somebody who may, or for the right to";

/// Look at an installation, say what is wrong and what to do about it.
///
/// It finds the cluster as kubectl does (KUBECONFIG, ~/.kube/config), or from a
/// ServiceAccount when it runs in a Pod. It looks at the CRDs, the operator's Deployment, what its
/// ServiceAccount may do, the store (as the objects tell it), the webhook, and the
/// objects, and changes nothing. What you may not look at, it says.
///
/// Exit code: 0 all is well, 1 something is wrong, 2 something could not be looked at.
#[derive(Debug, Args)]
pub struct Doctor {
    /// The namespace that the operator runs in. Default: all, by the label app.kubernetes.io/name=keyreeve.
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,

    /// The name of the operator's Deployment, if it has not that label.
    #[arg(long, value_name = "NAME", requires = "namespace")]
    deployment: Option<String>,

    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// How it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// All that was found.
#[derive(Debug, Serialize)]
struct Report {
    /// The version of this program, which is that of the CRDs that it knows.
    version: &'static str,
    /// Who asked.
    user: String,
    lines: Vec<Line>,
}

impl Doctor {
    pub fn execute(self) -> ExitCode {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let looked = match runtime {
            Ok(runtime) => runtime.block_on(self.look()),
            Err(error) => Err(format!("the runtime cannot be started: {error}")),
        };
        let printed = looked.and_then(|report| {
            let text = match self.output {
                Output::Text => report.text(),
                Output::Json => report.json()?,
            };
            match io::stdout().write_all(text.as_bytes()) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    Err(format!("the report cannot be printed: {error}"))
                }
                _ => Ok(report.exit_code()),
            }
        });
        let code = printed.unwrap_or_else(|sentence| {
            eprintln!("keyreeve: {sentence}");
            2
        });
        ExitCode::from(code)
    }

    async fn look(&self) -> Looked<Report> {
        let mut config = Config::infer()
            .await
            .map_err(|error| format!("no cluster is configured: {error}. Set KUBECONFIG"))?;
        config.connect_timeout = Some(PATIENCE);
        config.read_timeout = Some(PATIENCE);
        let client = Client::try_from(config)
            .map_err(|error| format!("the cluster's configuration cannot be used: {error}"))?;
        let user = look::user(&client).await?;
        let mut lines = Vec::new();
        let expected = schema::crds().map_err(|error| error.to_string())?;
        lines.extend(match look::crds(&client, &expected).await {
            Ok(found) => crds::judge(&expected, &found),
            Err(why) => vec![Line::unknown(Check::Crds, why, ASK)],
        });
        let (namespace, name) = (self.namespace.as_deref(), self.deployment.as_deref());
        match look::deployments(&client, namespace, name).await {
            Ok(found) if found.is_empty() => {
                let place =
                    namespace.map_or("anywhere".into(), |name| format!("in the namespace {name}"));
                lines.push(operator::missing(&place));
                lines.extend(of_objects(look::objects(&client, &[]).await, false));
            }
            Ok(found) => {
                for deployment in found {
                    lines.extend(of_operator(&client, &deployment, &user).await);
                }
            }
            Err(why) => {
                lines.push(Line::unknown(Check::Operator, why, ASK));
                lines.extend(of_objects(look::objects(&client, &[]).await, false));
            }
        }
        Ok(Report { version: env!("CARGO_PKG_VERSION"), user, lines })
    }
}

/// What is to be said of one operator, and of all that it looks after.
async fn of_operator(client: &Client, deployment: &Deployment, asking: &str) -> Vec<Line> {
    let settings = Settings::of(deployment);
    let mut lines = match look::pods(client, deployment).await {
        Ok(pods) => operator::judge(&settings, deployment, &pods),
        Err(why) => vec![Line::unknown(Check::Operator, why, ASK)],
    };
    // Where none of it is ready, or is wanted, that has been said.
    let mut works = deployment.status.as_ref().and_then(|status| status.ready_replicas) > Some(0);
    if let Some(place) = settings.needs.lease.as_ref().filter(|_| works) {
        let trouble = of_lease(client, place)
            .await
            .unwrap_or_else(|why| Some(Line::unknown(Check::Operator, why, ASK)));
        works = trouble.is_none();
        lines.extend(trouble);
    }
    let watched = &settings.needs.watch_namespaces;
    let objects = look::objects(client, watched).await;
    let listed = [watched.as_slice(), &settings.needs.secrets_namespaces].concat();
    let listed: Vec<_> = listed.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let spaces = look::spaces(client, &listed).await.unwrap_or_else(|why| {
        lines.push(Line::unknown(Check::Operator, why, ASK));
        Vec::new()
    });
    lines.extend(match look::rights(client, &settings, asking).await {
        Ok(asked) => {
            let seen = objects.as_deref().unwrap_or_default();
            let mut lines = namespaces::judge(&spaces, &asked, seen);
            let asked = namespaces::worth_telling(&spaces, asked);
            lines.extend(permissions::judge(&settings.user(), &asked));
            lines
        }
        Err(why) => vec![Line::unknown(Check::Permissions, why, ASK)],
    });
    lines.extend(match look::registrations(client).await {
        Ok(found) => {
            let served = look::served(client, &settings).await;
            webhook::judge(&settings, &found, &served, Timestamp::now())
        }
        Err(why) => vec![Line::unknown(Check::Webhook, why, ASK)],
    });
    lines.extend(of_objects(objects, works));
    lines
}

/// Looks at the Lease until it is renewed, which a leader does every 2 seconds. Says what is wrong if it is not.
async fn of_lease(client: &Client, place: &Place) -> Looked<Option<Line>> {
    let before = look::lease(client, place).await?;
    let end = Instant::now() + operator::RENEWS;
    loop {
        sleep(PAUSE).await;
        let after = look::lease(client, place).await?;
        if operator::is_led(before.as_ref(), after.as_ref()) {
            return Ok(None);
        }
        if Instant::now() > end {
            return Ok(Some(operator::not_led(&place.name, after.as_ref())));
        }
    }
}

/// What the objects say, and whether an operator is seen to work that would say it.
fn of_objects(objects: Looked<Vec<objects::Object>>, works: bool) -> Vec<Line> {
    match objects {
        Ok(found) => {
            let mut lines = objects::judge_store(&found, works);
            lines.extend(objects::judge(&found, Timestamp::now()));
            lines
        }
        Err(why) => vec![Line::unknown(Check::Objects, why, ASK)],
    }
}

impl Report {
    fn number(&self, verdict: Verdict) -> usize {
        self.lines.iter().filter(|line| line.verdict == verdict).count()
    }

    fn exit_code(&self) -> u8 {
        if self.number(Verdict::Wrong) > 0 {
            1
        } else if self.number(Verdict::Unknown) > 0 {
            2
        } else {
            0
        }
    }

    fn text(&self) -> String {
        let mut text = format!("keyreeve {} looks around as {}\n\n", self.version, self.user);
        for line in &self.lines {
            let verdict = match line.verdict {
                Verdict::Ok => "ok",
                Verdict::Wrong => "WRONG",
                Verdict::Unknown => "unknown",
            };
            // Writing to a String does not fail.
            let _ = writeln!(text, "{verdict:<8} {:<12} {}", line.check.as_str(), line.says);
            if !line.advice.is_empty() {
                let _ = writeln!(text, "{:22}→ {}", "", line.advice);
            }
        }
        let (wrong, unknown) = (self.number(Verdict::Wrong), self.number(Verdict::Unknown));
        let told = if wrong + unknown == 0 {
            "all is well".to_owned()
        } else {
            format!(
                "{} wrong, {} could not be looked at",
                counted(wrong, "thing"),
                counted(unknown, "thing")
            )
        };
        let _ = writeln!(text, "\n{told}");
        text
    }

    fn json(&self) -> Result<String, String> {
        let text = serde_json::to_string_pretty(self);
        text.map(|text| text + "\n")
            .map_err(|error| format!("the report cannot be written as JSON: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(lines: Vec<Line>) -> Report {
        Report { version: "1", user: "me".into(), lines }
    }

    #[test]
    fn the_exit_code_is_that_of_the_worst() {
        let ok = || Line::ok(Check::Store, "it is there");
        let wrong = || Line::wrong(Check::Webhook, "it is gone", "put it back");
        let unknown = || Line::unknown(Check::Operator, "you may not look", "ask");
        for (lines, code, closes) in [
            (vec![ok()], 0, "all is well"),
            (vec![ok(), unknown()], 2, "0 things wrong, 1 thing could not be looked at"),
            (
                vec![wrong(), unknown(), ok(), wrong()],
                1,
                "2 things wrong, 1 thing could not be looked at",
            ),
        ] {
            let report = report(lines);
            assert_eq!(report.exit_code(), code);
            assert!(report.text().ends_with(&format!("\n{closes}\n")), "{}", report.text());
        }
    }

    #[test]
    fn people_read_what_is_wrong_and_below_it_what_to_do() {
        let report = report(vec![Line::wrong(Check::Webhook, "it is gone", "put it back")]);
        let lines = "WRONG    Webhook      it is gone\n                      → put it back\n";
        assert!(report.text().contains(lines), "{}", report.text());
        let json: serde_json::Value = serde_json::from_str(&report.json().unwrap()).unwrap();
        assert_eq!(json["lines"][0]["verdict"], "wrong");
        assert_eq!(json["lines"][0]["check"], "Webhook");
    }
}
