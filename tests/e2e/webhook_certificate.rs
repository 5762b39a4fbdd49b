//! The webhook's certificate: one for all replicas, renewed in time, or from files; never with a restart.

use std::{fs, path::Path};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;

use crate::support::{Hook, Server, Space, Tls, Turned, TurnedClock, eventually, webhook_of};

const DAY: SignedDuration = SignedDuration::from_hours(24);

#[tokio::test]
async fn replicas_that_start_at_once_agree_on_one_certificate() {
    let space = Space::new("replicas").await;
    let hook = Hook::install(&space).await;
    let addresses: Vec<_> =
        (0..4).map(|_| Server::new().address).chain([hook.address.clone()]).collect();
    let operators: Vec<_> = addresses
        .iter()
        .enumerate()
        .map(|(number, address)| {
            // One store has one operator.
            let store = space.folder().join(format!("{number}.db"));
            hook.start_at(&space, address, &store, &[])
        })
        .collect();
    for operator in &operators {
        operator.works().await;
    }
    space.is_reviewed().await;
    let trusted = hook.trusted(&space).await.unwrap();
    assert_eq!(hook.part(&space, "ca.crt").await.unwrap(), trusted);
    assert_eq!(trusted.matches("BEGIN CERTIFICATE").count(), 1);
    let mut served = Vec::new();
    for address in &addresses {
        let client = Tls::new(address, &trusted);
        eventually("it serves", async || client.certificate().await.is_ok()).await;
        served.push(client.certificate().await.unwrap());
    }
    served.dedup();
    assert_eq!(served.len(), 1, "all serve the same");
    let secret = space.api::<Secret>().get(&hook.service).await.unwrap();
    assert_eq!(secret.type_.as_deref(), Some("kubernetes.io/tls"));
    // No private key is in a log.
    for operator in &operators {
        assert!(!operator.log().contains("PRIVATE KEY"));
    }
}

#[tokio::test]
async fn it_is_renewed_in_time_and_another_hand_is_put_right_without_a_restart() {
    let space = Space::new("renewal").await;
    let hook = Hook::install(&space).await;
    // So long ago that the certificate, which still holds now, is due.
    let clock = TurnedClock::at(Timestamp::now() - 61 * DAY);
    let options = webhook_of(&hook, &space, None);
    let operator = Turned::start_with(&space, &clock, &hook.kubeconfig, Some(options)).await;
    space.is_reviewed().await;
    let trusted = hook.trusted(&space).await.unwrap();
    let client = Tls::new(&hook.address, &trusted);
    let first = client.certificate().await.unwrap();

    clock.turn(61 * DAY);
    eventually("it is renewed", async || client.certificate().await.unwrap() != first).await;
    let second = client.certificate().await.unwrap();
    assert_eq!(hook.trusted(&space).await.unwrap(), trusted, "the authority stays");
    space.is_reviewed().await;

    // Another hand.
    let name = json!({"webhooks": [{"name": "validate.keyreeve.dev", "clientConfig": {"caBundle": null}}]});
    let configurations = space.configurations();
    let emptied = Patch::Strategic(name);
    configurations.patch(&hook.configuration, &PatchParams::default(), &emptied).await.unwrap();
    eventually("it is put right", async || hook.trusted(&space).await.as_ref() == Some(&trusted))
        .await;
    assert_eq!(client.certificate().await.unwrap(), second);
    space.api::<Secret>().delete(&hook.service, &DeleteParams::default()).await.unwrap();
    eventually("it is made anew", async || {
        let part = hook.part(&space, "ca.crt").await;
        part.is_some() && part.as_ref() != Some(&trusted) && hook.trusted(&space).await == part
    })
    .await;
    space.is_reviewed().await;
    operator.stop().await;
}

#[tokio::test]
async fn a_new_authority_is_trusted_before_it_is_needed_and_the_old_one_until_it_ends() {
    let space = Space::new("authority").await;
    let hook = Hook::install(&space).await;
    let now = Timestamp::now();
    let clock = TurnedClock::at(now - 250 * DAY);
    let options = webhook_of(&hook, &space, None);
    let operator = Turned::start_with(&space, &clock, &hook.kubeconfig, Some(options)).await;
    eventually("it is trusted", async || hook.trusted(&space).await.is_some()).await;
    let old = hook.trusted(&space).await.unwrap();
    let certificate = async || hook.part(&space, "tls.crt").await.unwrap();

    // The certificate is renewed on the way, and again by the old authority.
    let before = certificate().await;
    clock.turn(200 * DAY);
    eventually("the certificate is renewed", async || certificate().await != before).await;
    let signed_by_the_old = certificate().await;
    assert_eq!(hook.trusted(&space).await.unwrap(), old);

    clock.turn(45 * DAY);
    eventually("there is a new authority", async || hook.trusted(&space).await.unwrap() != old)
        .await;
    let both = hook.trusted(&space).await.unwrap();
    assert!(both.ends_with(&old) && both.matches("BEGIN").count() == 2, "{both}");
    assert_eq!(certificate().await, signed_by_the_old, "it is good as it is");
    space.is_reviewed().await;
    let new = both.strip_suffix(&old).unwrap();
    assert!(Tls::new(&hook.address, new).connect().await.is_err(), "nothing needs it yet");

    clock.turn(20 * DAY);
    eventually("the certificate is renewed", async || certificate().await != signed_by_the_old)
        .await;
    let client = Tls::new(&hook.address, new);
    // Its clock is 15 days ahead by now, and so is the certificate.
    assert_eq!(hook.trusted(&space).await.unwrap(), both);
    assert!(client.connect().await.unwrap_err().to_string().contains("not valid yet"));

    clock.turn(105 * DAY);
    eventually("the old one is let go", async || hook.trusted(&space).await.unwrap() == new).await;
    operator.stop().await;
}

#[tokio::test]
async fn files_are_served_and_exchanged_while_it_runs() {
    let space = Space::new("hook-files").await;
    let hook = Hook::install(&space).await;
    let folder = space.folder().join("certificate");
    fs::create_dir(&folder).unwrap();
    let options = webhook_of(&hook, &space, Some(folder.clone()));
    let clock = TurnedClock::at(Timestamp::now());
    let operator = Turned::start_with(&space, &clock, &hook.kubeconfig, Some(options)).await;
    let first = write(&folder, true);
    space.is_reviewed().await;
    let served = |trusted: String| {
        let client = Tls::new(&hook.address, &trusted);
        async move { client.certificate().await }
    };
    assert!(served(first.clone()).await.is_ok());
    assert_eq!(hook.trusted(&space).await.unwrap(), first);

    let second = write(&folder, true);
    eventually("the new one is served", async || served(second.clone()).await.is_ok()).await;
    eventually("it is trusted", async || hook.trusted(&space).await.as_ref() == Some(&second))
        .await;
    space.is_reviewed().await;

    // It made no Secret.
    assert!(space.api::<Secret>().get_opt(&hook.service).await.unwrap().is_none());
    operator.stop().await;
}

#[tokio::test]
async fn the_program_reads_files_again_by_itself() {
    let space = Space::new("hook-dir").await;
    let hook = Hook::install(&space).await;
    let folder = space.folder().join("certificate");
    fs::create_dir(&folder).unwrap();
    let first = write(&folder, false);
    let directory = folder.to_str().unwrap();
    let operator =
        hook.start(&space, &["--webhook-cert-dir", directory, "--webhook-configuration", ""]);
    operator.works().await;
    let client = Tls::new(&hook.address, &first);
    eventually("it is served", async || client.connect().await.is_ok()).await;
    fs::write(folder.join("tls.key"), "half").unwrap();
    eventually("it is said", async || operator.log().contains("The one before is served")).await;
    assert!(client.connect().await.is_ok());
    let second = write(&folder, false);
    let client = Tls::new(&hook.address, &second);
    eventually("the new one is served", async || client.connect().await.is_ok()).await;
    assert!(hook.trusted(&space).await.is_none(), "cert-manager says whom to trust");
    let api: Api<Secret> = space.api();
    assert!(api.get_opt(&hook.service).await.unwrap().is_none());
}

/// Writes a certificate for this machine, and answers whom to trust for it.
fn write(folder: &Path, with_authority: bool) -> String {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
    fs::write(folder.join("tls.crt"), &certificate).unwrap();
    if with_authority {
        fs::write(folder.join("ca.crt"), &certificate).unwrap();
    }
    certificate
}
