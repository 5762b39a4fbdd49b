//! The same objects with the webhook and without: what it takes ends the same, what it refuses is Stalled with the
//! same sentence where it is off, and what it warns of is what status says.

mod table;

use std::collections::BTreeMap;

use futures::join;
use keyreeve::api::{Tenant, User};
use kube::{
    Api,
    core::{ApiResource, DynamicObject},
};
use serde_json::{Value, json};

use self::table::{End, Row, WEAK, rows};
use crate::support::{Hook, Operator, Space, eventually, so_that_the_next_is_younger, until};

impl Space {
    /// Waits until Ready has this reason, and answers all conditions without times, and what is overridden.
    async fn ends(&self, kind: &str, name: &str, reason: &str) -> Value {
        let object = until(self.of_kind(kind), name, reason, |object| has(object, reason)).await;
        self.told(&object)
    }

    fn told(&self, object: &DynamicObject) -> Value {
        let mut conditions = object.data["status"]["conditions"].clone();
        for condition in conditions.as_array_mut().unwrap() {
            condition.as_object_mut().unwrap().remove("lastTransitionTime");
        }
        let told =
            json!({"conditions": conditions, "overridden": object.data["status"]["overridden"]});
        let text = told.to_string().replace(&self.namespace, "NAMESPACE");
        serde_json::from_str(&text).unwrap()
    }

    /// What the webhook warns of, for which its caches may need a moment, until that is so.
    async fn is_warned(
        &self,
        Row { kind, name, spec, .. }: &Row,
        is_so: impl Fn(&[String]) -> bool,
    ) {
        eventually(&format!("{kind} {name} is warned"), async || {
            let said = self.apply(kind, name, spec.clone(), true).await;
            assert_eq!(said.code, 201, "{kind} {name}: {said:?}");
            let warnings = said.warnings.iter();
            is_so(
                &warnings
                    .map(|text| text.replace(&self.namespace, "NAMESPACE"))
                    .collect::<Vec<_>>(),
            )
        })
        .await;
    }
}

/// Whether Ready has this reason, in the object's present generation.
fn has(object: &DynamicObject, reason: &str) -> bool {
    let conditions = object.data["status"]["conditions"].as_array();
    let ready = conditions.and_then(|all| all.iter().find(|one| one["type"] == "Ready"));
    ready.is_some_and(|ready| {
        ready["reason"] == reason
            && ready["observedGeneration"] == json!(object.metadata.generation)
    })
}

/// Ready's message.
fn message(told: &Value) -> &str {
    let mut all = told["conditions"].as_array().unwrap().iter();
    all.find(|one| one["type"] == "Ready").unwrap()["message"].as_str().unwrap()
}

/// Ready's reason when the next object comes, and in the end; none of one that nobody takes.
fn reasons(Row { kind, end, .. }: &Row) -> Option<(&'static str, &'static str)> {
    match *end {
        End::Ready | End::Overridden(_) if *kind == "TenantProfile" => {
            Some(("Accepted", "Accepted"))
        }
        End::Ready | End::Overridden(_) => Some(("Synced", "Synced")),
        End::Turns(first, last) => Some((first, last)),
        End::Waits(reason) | End::Warned(reason) | End::Named(reason, _) | End::Refused(reason) => {
            Some((reason, reason))
        }
        End::Unfit => None,
    }
}

#[tokio::test]
async fn with_the_webhook_and_without_all_ends_the_same() {
    let (with, without) = join!(Space::new("both-with"), Space::new("both-without"));
    let hook = Hook::install(&with).await;
    let _operators = (hook.answers(&with).await, Operator::start(&without));
    for space in [&with, &without] {
        space.make_secret(WEAK.0, &[("password", WEAK.1)]).await;
    }
    let mut refusals = BTreeMap::new();
    for row in rows() {
        let Row { kind, name, spec, end } = &row;
        let place = format!("{kind} {name}");
        if reasons(&row).is_some_and(|(first, _)| first == "Conflict") {
            so_that_the_next_is_younger().await;
        }
        let plain = without.apply(kind, name, spec.clone(), false).await;
        let Some((first, _)) = reasons(&row) else {
            let answer = with.apply(kind, name, spec.clone(), false).await;
            assert_eq!((plain.code, answer.code), (422, 422), "{place}: {plain:?} {answer:?}");
            assert_eq!(plain.message(), answer.message(), "{place}");
            continue;
        };
        assert_eq!((plain.code, plain.warnings.len()), (201, 0), "{place}: {plain:?}");
        // What is decided by age or by what is there is decided before the next one comes.
        let alone = without.ends(kind, name, first).await;
        match end {
            End::Warned(_) | End::Turns(..) => {
                with.is_warned(&row, |said| said.contains(&message(&alone).to_owned())).await;
            }
            End::Named(_, begin) => {
                with.is_warned(&row, |said| said.iter().any(|text| text.starts_with(begin))).await;
            }
            End::Overridden(path) => {
                let begin = format!("spec.{path}: its TenantProfile locks it");
                with.is_warned(&row, |said| said.iter().any(|text| text.starts_with(&begin))).await;
                assert_eq!(alone["overridden"], json!([path]), "{place}");
            }
            _ => {}
        }
        let answer = with.apply(kind, name, spec.clone(), false).await;
        if let End::Refused(_) = end {
            assert_eq!(answer.code, 422, "{place}: {answer:?}");
            let (_, sentence) = answer.message().split_once("denied the request: ").unwrap();
            refusals.insert(place, sentence.to_owned());
            continue;
        }
        assert_eq!(answer.code, 201, "{place}: {answer:?}");
        if let End::Ready | End::Waits(_) = end {
            assert_eq!(answer.warnings, [""; 0], "{place}");
        }
        with.ends(kind, name, first).await;
    }
    for row in rows() {
        let Row { kind, name, end, .. } = &row;
        let place = format!("{kind} {name}");
        let Some((_, last)) = reasons(&row) else { continue };
        let alone = without.ends(kind, name, last).await;
        if let End::Refused(_) = end {
            assert_eq!(message(&alone), refusals[&place], "{place}");
            assert!(alone.to_string().contains("\"Stalled\""), "{place}: {alone}");
            assert!(with.of_kind(kind).get_opt(name).await.unwrap().is_none(), "{place}");
        } else {
            assert_eq!(with.ends(kind, name, last).await, alone, "{place}");
        }
    }
    let (mut with, mut without) = (with.database().await, without.database().await);
    assert_eq!(with.tenants().await, without.tenants().await);
    for (one, other) in [
        (with.users().await, without.users().await),
        (with.roles().await, without.roles().await),
        (with.grants().await, without.grants().await),
        (with.composites().await, without.composites().await),
        (with.namespaces().await, without.namespaces().await),
    ] {
        assert!(!one.is_empty());
        assert_eq!(one, other);
    }
}

/// A grant that was there and is withdrawn, on one side; answers what the object's status says then.
async fn withdrawn(space: &Space, team: &str, is_warned: bool) -> Value {
    let spec = json!({"allowedFrom": [{"matchNames": [team]}], "keystore": {"algorithm": "ES256"}});
    space.apply("Tenant", "acme", spec, false).await;
    space.ends("Tenant", "acme", "Synced").await;
    let reference = json!({"name": "acme", "namespace": space.namespace});
    space.create_in::<User>(team, "ada", json!({"tenantRef": reference})).await;
    let users: Api<DynamicObject> =
        Api::namespaced_with(space.client.clone(), team, &ApiResource::erase::<User>(&()));
    until(users.clone(), "ada", "Ready", |user| has(user, "Synced")).await;
    space.merge::<Tenant>("acme", json!({"spec": {"allowedFrom": null}})).await;
    let user = until(users.clone(), "ada", "NotAllowed", |user| has(user, "NotAllowed")).await;
    let told = space.told(&user);
    // A change of it is taken all the same, and told so.
    let path = format!("/apis/keyreeve.dev/v1alpha1/namespaces/{team}/users/ada");
    let answer = space.send("PATCH", &path, &json!({"spec": {"firstName": "Ada"}})).await;
    assert_eq!(answer.code, 200, "{answer:?}");
    let warnings: Vec<_> =
        answer.warnings.iter().map(|text| text.replace(&space.namespace, "NAMESPACE")).collect();
    assert_eq!(warnings, if is_warned { vec![message(&told).to_owned()] } else { Vec::new() });
    told
}

#[tokio::test]
async fn a_withdrawn_grant_is_told_alike_and_leaves_the_store_as_it_is() {
    let (with, without) = join!(Space::new("grant-with"), Space::new("grant-without"));
    let (one, other) = join!(with.another("team", &[]), without.another("team", &[]));
    let watched = format!("watchNamespaces={{{},{one}}}", with.namespace);
    let hook = Hook::install_with(&with, &[&watched]).await;
    let operator = hook.start(&with, &["--watch-namespace", &one]);
    operator.works().await;
    with.is_reviewed().await;
    let _operator = Operator::start_with(&without, &["--watch-namespace", &other]);
    let ends = join!(withdrawn(&with, &one, true), withdrawn(&without, &other, false));
    assert_eq!(ends.0, ends.1);
    for space in [&with, &without] {
        assert_eq!(space.database().await.users().await, ["acme/ada"]);
    }
}
