//! What an operator was started with, as its Deployment says. Pure.

use clap::{
    Command,
    builder::{FalseyValueParser, TypedValueParser},
};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Container, PodSpec},
};
use kube::ResourceExt;

use crate::{controller::Needs, leadership::Place};

/// So much of the release's name is in that of its Service (`keyreeve.webhookService` in the chart).
const SERVICE: usize = 55;

/// What an operator was started with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Its Deployment.
    pub name: String,
    /// That of its Deployment, and so of its ServiceAccount.
    pub namespace: String,
    pub service_account: String,
    /// Its version: the tag of its image if that is one, else what the chart says.
    pub version: Option<String>,
    /// What it must be allowed to do.
    pub needs: Needs,
    pub webhook: Option<Webhook>,
}

/// What its webhook was started with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Webhook {
    /// The Secret with the certificate that it serves, if it can be told.
    pub secret: Option<String>,
    /// The registration, if the operator says in it whom to trust.
    pub configuration: Option<String>,
}

impl Settings {
    /// Reads a Deployment.
    pub fn of(deployment: &Deployment) -> Self {
        let pod = deployment.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
        let empty = PodSpec::default();
        let pod = pod.unwrap_or(&empty);
        let runs = |container: &&Container| {
            container.args.iter().flatten().next().is_some_and(|argument| argument == "run")
        };
        let container = pod.containers.iter().find(runs).or(pod.containers.first());
        let flags = Flags { container };
        let namespace = deployment.namespace().unwrap_or_default();
        let webhook = flags.is_given("--webhook").then(|| {
            let folder = flags.value("--webhook-cert-dir");
            let own = || {
                let service = flags.value("--webhook-service-name");
                Some(service.unwrap_or_else(|| "keyreeve-webhook".into()))
            };
            Webhook {
                secret: folder.map_or_else(own, |folder| mounted_at(pod, container, &folder)),
                configuration: flags.value("--webhook-configuration"),
            }
        });
        // Where it takes itself to be: what it makes for itself, and what it is told nothing else of, is there.
        let operator_namespace = flags
            .value("--operator-namespace")
            .or_else(|| flags.variable("POD_NAMESPACE"))
            .unwrap_or_else(|| namespace.clone());
        let makes_its_own = flags.value("--webhook-cert-dir").is_none();
        let needs = Needs {
            watch_namespaces: flags.values("--watch-namespace"),
            secrets_namespaces: flags.values("--secrets-namespace"),
            keystore_namespace: flags
                .value("--keystore-namespace")
                .unwrap_or_else(|| operator_namespace.clone()),
            asks_for_owner: flags.value("--owner-id").is_none(),
            lease: flags.is_given("--leader-elect").then(|| Place {
                name: flags
                    .value("--leader-elect-resource-name")
                    .unwrap_or_else(|| "keyreeve".into()),
                namespace: flags
                    .value("--leader-elect-resource-namespace")
                    .unwrap_or_else(|| operator_namespace.clone()),
            }),
            webhook_secret: webhook
                .as_ref()
                .filter(|_| makes_its_own)
                .and_then(|webhook| webhook.secret.clone()),
            webhook_configuration: webhook.as_ref().and_then(|w| w.configuration.clone()),
            operator_namespace,
        };
        let image = container.and_then(|container| container.image.as_deref()).unwrap_or_default();
        Self {
            name: deployment.name_any(),
            namespace,
            service_account: pod.service_account_name.clone().unwrap_or_else(|| "default".into()),
            version: version(image)
                .or_else(|| deployment.labels().get("app.kubernetes.io/version").cloned()),
            needs,
            webhook,
        }
    }

    /// The Service in front of its webhook, as the chart calls it: whether it has one or not.
    pub fn webhook_service(&self) -> String {
        let name: String = self.name.chars().take(SERVICE).collect();
        format!("{}-webhook", name.trim_end_matches('-'))
    }

    /// Who it is to the API server.
    pub fn user(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.service_account)
    }
}

/// The version that the tag of an image is; the port of a registry is none, nor is the name of a branch.
fn version(image: &str) -> Option<String> {
    let (_, tag) = image.split('@').next()?.rsplit_once(':')?;
    let numbers: Vec<_> = tag.trim_start_matches('v').split('.').collect();
    let are_numbers = numbers.iter().all(|number| number.parse::<u32>().is_ok());
    (numbers.len() == 3 && are_numbers).then(|| numbers.join("."))
}

/// The Secret that is mounted there.
fn mounted_at(pod: &PodSpec, container: Option<&Container>, folder: &str) -> Option<String> {
    let mut mounts = container?.volume_mounts.iter().flatten();
    let mount = mounts.find(|mount| mount.mount_path == folder)?;
    let volume = pod.volumes.iter().flatten().find(|volume| volume.name == mount.name)?;
    volume.secret.as_ref()?.secret_name.clone()
}

/// The flags of `keyreeve run`, from a container's arguments or, as each has one, its environment.
struct Flags<'a> {
    container: Option<&'a Container>,
}

impl Flags<'_> {
    /// All that is given for a flag that may be repeated or have a list.
    fn values(&self, flag: &str) -> Vec<String> {
        let arguments: Vec<_> =
            self.container.into_iter().flat_map(|c| c.args.iter().flatten()).collect();
        let mut given: Vec<&str> = Vec::new();
        for (at, argument) in arguments.iter().enumerate() {
            if argument.as_str() == flag {
                given.extend(arguments.get(at + 1).map(|next| next.as_str()));
            } else if let Some(value) =
                argument.strip_prefix(flag).and_then(|rest| rest.strip_prefix('='))
            {
                given.push(value);
            }
        }
        let variable = format!("KEYREEVE_{}", flag[2..].replace('-', "_").to_uppercase());
        let variable = self.variable(&variable);
        if given.is_empty() {
            given.extend(variable.as_deref());
        }
        let each = given.iter().flat_map(|value| value.split(','));
        each.filter(|value| !value.is_empty()).map(ToOwned::to_owned).collect()
    }

    /// What the Deployment itself says of an environment variable, the last word if it says it twice. What it
    /// takes from elsewhere, such as the Pod's own namespace, is not looked up.
    fn variable(&self, name: &str) -> Option<String> {
        let mut environment = self.container.into_iter().flat_map(|c| c.env.iter().flatten());
        let said = environment.rfind(|variable| variable.name == name)?;
        said.value.clone().filter(|value| !value.is_empty())
    }

    fn value(&self, flag: &str) -> Option<String> {
        self.values(flag).into_iter().next()
    }

    /// Whether a flag without a value is given: the variable is read as `keyreeve run` reads it.
    fn is_given(&self, flag: &str) -> bool {
        let mut arguments = self.container.into_iter().flat_map(|c| c.args.iter().flatten());
        let says_yes = |value: String| {
            let command = Command::new("keyreeve");
            FalseyValueParser::new().parse_ref(&command, None, value.as_ref()).unwrap_or(true)
        };
        arguments.any(|argument| argument == flag) || self.value(flag).is_some_and(says_yes)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn settings(args: &[&str], env: &Value, image: &str) -> Settings {
        let deployment = serde_json::from_value(json!({
            "metadata": {
                "name": "keyreeve", "namespace": "sys", "labels": {"app.kubernetes.io/version": "1.2.3"},
            },
            "spec": {"selector": {}, "template": {"spec": {
                "serviceAccountName": "account",
                "containers": [
                    {"name": "sidecar", "image": "other:7", "args": ["--watch-namespace=no"]},
                    {"name": "keyreeve", "image": image, "args": args, "env": env,
                     "volumeMounts": [{"name": "certificate", "mountPath": "/etc/webhook"}]},
                ],
                "volumes": [{"name": "certificate", "secret": {"secretName": "served"}}],
            }}},
        }));
        Settings::of(&deployment.unwrap())
    }

    #[test]
    fn flags_are_read_as_the_operator_reads_them() {
        let given = settings(
            &[
                "run",
                "--watch-namespace=a",
                "--watch-namespace",
                "b,c",
                "--owner-id=me",
                "--keystore-namespace=keys",
            ],
            &json!([{"name": "KEYREEVE_SECRETS_NAMESPACE", "value": "d"},
                {"name": "KEYREEVE_WATCH_NAMESPACE", "value": "not-this"},
                {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}]),
            "localhost:5000/keyreeve:0.2.0",
        );
        assert_eq!(given.needs.watch_namespaces, ["a", "b", "c"]);
        assert_eq!(given.needs.secrets_namespaces, ["d"]);
        assert_eq!(given.needs.keystore_namespace, "keys");
        assert!(!given.needs.asks_for_owner);
        assert_eq!((given.webhook, given.version.as_deref()), (None, Some("0.2.0")));
        assert_eq!(given.service_account, "account");

        let plain = settings(&["run"], &json!([]), "localhost:5000/keyreeve@sha256:12");
        assert_eq!(plain.needs.keystore_namespace, "sys");
        assert!(plain.needs.asks_for_owner && plain.needs.watch_namespaces.is_empty());
        assert_eq!(plain.needs.lease, None);
        let one_of_two = settings(&["run", "--leader-elect"], &json!([]), "keyreeve");
        let lease =
            |namespace: &str| Place { namespace: namespace.into(), name: "keyreeve".into() };
        assert_eq!(one_of_two.needs.lease, Some(lease("sys")));
        let elsewhere = ["run", "--leader-elect", "--leader-elect-resource-namespace=leases"];
        let elsewhere = settings(&elsewhere, &json!([]), "keyreeve");
        assert_eq!(elsewhere.needs.lease, Some(lease("leases")));
        let env = json!([{"name": "POD_NAMESPACE", "value": "other"}]);
        for moved in [
            settings(&["run", "--leader-elect", "--operator-namespace=other"], &json!([]), "k"),
            settings(&["run", "--leader-elect"], &env, "k"),
        ] {
            assert_eq!(moved.needs.operator_namespace, "other");
            assert_eq!(moved.needs.keystore_namespace, "other");
            assert_eq!(moved.needs.lease, Some(lease("other")));
            // Its ServiceAccount is where its Pod is.
            assert_eq!(moved.user(), "system:serviceaccount:sys:account");
        }
        assert_eq!(
            (plain.version.as_deref(), plain.user().as_str()),
            (Some("1.2.3"), "system:serviceaccount:sys:account")
        );
    }

    #[test]
    fn the_webhooks_certificate_is_in_its_own_secret_or_in_the_one_that_is_mounted() {
        let own = settings(
            &[
                "run",
                "--webhook",
                "--webhook-service-name=hook",
                "--webhook-configuration=hook.sys",
            ],
            &json!([]),
            "keyreeve",
        );
        assert_eq!(own.needs.webhook_secret.as_deref(), Some("hook"));
        assert_eq!(own.needs.webhook_configuration.as_deref(), Some("hook.sys"));
        assert_eq!(own.webhook.unwrap().secret.as_deref(), Some("hook"));
        let mounted = settings(
            &["run", "--webhook", "--webhook-cert-dir=/etc/webhook"],
            &json!([]),
            "keyreeve",
        );
        assert_eq!(mounted.needs.webhook_secret, None, "somebody else makes it");
        assert_eq!(mounted.webhook.unwrap().secret.as_deref(), Some("served"));
        let by_environment =
            settings(&["run"], &json!([{"name": "KEYREEVE_WEBHOOK", "value": "true"}]), "keyreeve");
        assert_eq!(by_environment.webhook.unwrap().secret.as_deref(), Some("keyreeve-webhook"));
        for (value, is_on) in [
            ("false", false),
            ("False", false),
            ("n", false),
            ("F", false),
            ("NO", false),
            ("off", false),
            ("0", false),
            ("", false),
            ("on", true),
            ("1", true),
            ("anything", true),
        ] {
            let env = json!([{"name": "KEYREEVE_WEBHOOK", "value": value}]);
            assert_eq!(settings(&["run"], &env, "keyreeve").webhook.is_some(), is_on, "{value:?}");
        }
    }
}
