use jiff::SignedDuration;
use k8s_openapi::ByteString;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use serde_json::{Value, json};

use super::{
    super::{line::Verdict, settings},
    *,
};

const HOST: &str = "hook-webhook.sys.svc";

/// An authority, as PEM, and a certificate of it for this name, until 2030.
fn certificates(host: &str) -> (String, String) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    params.not_after = date_time_ymd(2030, 1, 1);
    let certificate = params.signed_by(&KeyPair::generate().unwrap(), &authority).unwrap();
    (authority.pem(), certificate.pem())
}

fn settings() -> Settings {
    Settings {
        name: "hook".into(),
        namespace: "sys".into(),
        webhook: Some(settings::Webhook {
            secret: Some("hook".into()),
            configuration: Some("hook.sys".into()),
        }),
        ..Settings::default()
    }
}

/// The registration as the chart makes it, with this authority and a change.
fn registration(bundle: &str, change: impl Fn(&mut Value)) -> Configuration {
    let mut webhook = json!({
        "name": "validate.keyreeve.dev", "failurePolicy": "Ignore", "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {
            "caBundle": ByteString(bundle.into()),
            "service": {"name": "hook-webhook", "namespace": "sys", "path": "/validate"},
        },
        "rules": [{
            "apiGroups": ["keyreeve.dev"], "apiVersions": ["v1alpha1"], "operations": ["CREATE", "UPDATE"],
            "resources": KINDS,
        }],
    });
    change(&mut webhook);
    serde_json::from_value(json!({"metadata": {"name": "hook.sys"}, "webhooks": [webhook]}))
        .unwrap()
}

fn now() -> Timestamp {
    "2029-12-31T00:00:00Z".parse().unwrap()
}

#[test]
fn one_that_is_registered_and_trusted_is_well() {
    let (bundle, served) = certificates(HOST);
    let found = [registration(&bundle, |_| {})];
    let lines = judge(&settings(), &found, &Ok(served), now());
    assert_eq!((lines.len(), lines[0].verdict), (1, Verdict::Ok), "{lines:?}");
    // Called by URL, as out of the cluster.
    let (bundle, served) = certificates("127.0.0.1");
    let by_url = |webhook: &mut Value| {
        let bundle = webhook["clientConfig"]["caBundle"].take();
        webhook["clientConfig"] =
            json!({"url": "https://127.0.0.1:9443/validate", "caBundle": bundle});
    };
    let lines = judge(&settings(), &[registration(&bundle, by_url)], &Ok(served), now());
    assert_eq!(lines[0].verdict, Verdict::Ok, "{lines:?}");
    let off = Settings { webhook: None, ..settings() };
    assert_eq!(judge(&off, &[], &Err(String::new()), now())[0].verdict, Verdict::Ok);
}

#[test]
fn what_is_wrong_is_named_and_what_to_do() {
    let (bundle, served) = certificates(HOST);
    let (other, _) = certificates(HOST);
    let none = |_: &mut Value| {};
    let fails = |webhook: &mut Value| webhook["failurePolicy"] = json!("Fail");
    let fewer =
        |webhook: &mut Value| webhook["rules"][0]["resources"] = json!(["tenants", "users"]);
    let now = now();
    let later = now + SignedDuration::from_hours(48);
    let is = |registration: Configuration, served: &str, now, says: &str| {
        let lines = judge(&settings(), &[registration], &Ok(served.into()), now);
        assert_eq!((lines.len(), lines[0].verdict), (1, Verdict::Wrong), "{lines:?}");
        assert!(lines[0].says.contains(says) && !lines[0].advice.is_empty(), "{says}: {lines:?}");
    };
    is(registration(&other, none), &served, now, "is not that of the certificate that is served");
    is(registration("", none), &served, now, "its caBundle has no certificate");
    is(registration(&bundle, none), &served, later, "has expired");
    is(registration(&bundle, none), "", now, "there is no certificate to be served");
    is(registration(&bundle, fails), &served, now, "failurePolicy is not Ignore");
    is(
        registration(&bundle, fewer),
        &served,
        now,
        "nothing is sent to it about tenantprofiles, namespaces, roles",
    );
}

#[test]
fn a_certificate_for_another_name_is_named_as_such() {
    let (bundle, served) = certificates("hook.other.svc");
    let lines = judge(&settings(), &[registration(&bundle, |_| {})], &Ok(served), now());
    assert!(lines[0].says.contains("is not for hook-webhook.sys.svc"), "{lines:?}");
}

#[test]
fn a_registration_that_is_missing_or_left_over_is_named() {
    let (bundle, served) = certificates(HOST);
    let lines = judge(&settings(), &[], &Ok(served.clone()), now());
    assert!(lines[0].says.contains("hook.sys is not there"), "{lines:?}");
    let off = Settings { webhook: None, ..settings() };
    let lines = judge(&off, &[registration(&bundle, |_| {})], &Ok(served), now());
    assert!(lines[0].says.contains("does not answer reviews"), "{lines:?}");
    let elsewhere = Settings { namespace: "other".into(), ..off.clone() };
    let beside = Settings { name: "second".into(), ..off };
    for others in [elsewhere, beside] {
        let lines = judge(&others, &[registration(&bundle, |_| {})], &Err(String::new()), now());
        assert_eq!(lines[0].verdict, Verdict::Ok, "it is another operator's: {lines:?}");
    }
    // By cert-manager: the registration is not named, and found by its Service.
    let webhook =
        settings::Webhook { secret: Some("hook-webhook-tls".into()), configuration: None };
    let managed = Settings { webhook: Some(webhook), ..settings() };
    let (bundle, served) = certificates(HOST);
    let lines = judge(&managed, &[registration(&bundle, |_| {})], &Ok(served), now());
    assert_eq!(lines[0].verdict, Verdict::Ok, "{lines:?}");
}

#[test]
fn a_certificate_that_may_not_be_seen_is_no_fault() {
    let (bundle, _) = certificates(HOST);
    let served = Err("you may not get the Secret".to_owned());
    let lines = judge(&settings(), &[registration(&bundle, |_| {})], &served, now());
    assert_eq!((lines.len(), lines[0].verdict), (1, Verdict::Unknown), "{lines:?}");
}
