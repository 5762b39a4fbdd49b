use super::*;
use crate::{
    api::Algorithm,
    policy::{
        claim::Kind,
        ledger::{KeyType, Schedule},
        rotation::{self, FirstKey},
    },
};

const ES256: KeyType = KeyType { algorithm: Algorithm::ES256, size: 2048 };

fn mark_of(name: &str) -> Mark {
    Mark {
        owner: "cluster/keyreeve-system".into(),
        kind: Kind::Tenant,
        namespace: "team-a".into(),
        name: name.into(),
        uid: "1".into(),
    }
}

/// What is due after the ledger of a tenant whose keys are to be rotated.
fn next(ledger: &Ledger, request: &str) -> (Ledger, Option<PrivateKey>) {
    let hour = crate::api::Duration::from_secs(3600);
    let shown = ledger.keys.iter().map(|key| key.kid().to_owned()).collect();
    let plan = rotation::plan(
        ledger,
        &rotation::Inputs {
            wanted: ES256,
            schedule: Schedule {
                rotation_period: hour,
                publish_before: crate::api::Duration::default(),
                retain_for: hour,
                longest_token: hour,
            },
            revoke: &[],
            rotate: Some(request),
            first: FirstKey::Signs,
            shown: &shown,
            now: "2030-01-01T00:00:00Z".parse().unwrap(),
        },
    );
    let Some(new) = plan.new else { return (plan.ledger, None) };
    let key = PrivateKey::generate(new.key_type).unwrap();
    (plan.with_key(new, key.jwk().clone()), Some(key))
}

/// A Secret with a key that signs and one that will.
fn two_keys() -> (Secret, Ledger) {
    let (first, key) = next(&Ledger::default(), "first");
    let mut secret = new("acme", &mark_of("acme"), &first, &key.unwrap());
    let (second, key) = next(&first, "second");
    apply(&mut secret, &patch("1", &mark_of("acme"), &first, &second, key.as_ref()));
    (secret, second)
}

/// As the API server does.
fn apply(secret: &mut Secret, patch: &Value) {
    let data = secret.data.as_mut().unwrap();
    for name in patch["data"].as_object().unwrap().keys() {
        data.remove(name);
    }
    for (name, text) in patch["stringData"].as_object().unwrap() {
        data.insert(name.clone(), ByteString(text.as_str().unwrap().as_bytes().to_vec()));
    }
}

#[test]
fn what_is_written_is_read_and_only_needed_private_halves_are_there() {
    let (mut secret, ledger) = two_keys();
    assert_eq!(read(&secret).unwrap(), ledger);
    assert_eq!(mark(&secret.metadata), Some(mark_of("acme")));
    assert_eq!(name("acme"), "keystore-acme");
    assert_eq!(tenant_of("keystore-acme"), Some("acme"));
    let pems = |secret: &Secret| {
        let names = secret.data.as_ref().unwrap().keys();
        names.filter(|name| name.contains(".pem")).cloned().collect::<BTreeSet<_>>()
    };
    assert_eq!(pems(&secret).len(), 2);
    let (third, key) = next(&ledger, "second");
    assert!(key.is_none(), "the second takes over");
    apply(&mut secret, &patch("2", &mark_of("acme"), &ledger, &third, None));
    assert_eq!(read(&secret).unwrap(), third);
    assert_eq!(pems(&secret), BTreeSet::from([pem_name(third.active().unwrap().kid())]));
}

#[test]
fn what_another_hand_did_is_noticed_and_not_quoted() {
    let (whole, ledger) = two_keys();
    let (active, standby) = (ledger.keys[0].kid().to_owned(), ledger.keys[1].kid().to_owned());
    let (one, other) = (pem_name(&active), pem_name(&standby));
    let pem = |name: &String| whole.data.as_ref().unwrap()[name].0.clone();
    let edited = |edit: &dyn Fn(&mut BTreeMap<String, ByteString>)| {
        let mut secret = whole.clone();
        edit(secret.data.as_mut().unwrap());
        read(&secret).unwrap_err()
    };
    let with = |name: &str, value: Vec<u8>| {
        edited(&|data| {
            data.insert(name.to_owned(), ByteString(value.clone()));
        })
    };
    let without = |name: &str| {
        edited(&|data| {
            data.remove(name);
        })
    };
    for name in [LEDGER, ACTIVE, &one, &other] {
        assert_eq!(without(name), Damage::Missing(name.into()));
    }
    let half = pem(&one)[..60].to_vec();
    assert_eq!(with(&one, half), Damage::Differs(one.clone()));
    assert_eq!(with(&one, pem(&other)), Damage::Differs(one.clone()), "another key");
    assert_eq!(with(&one, vec![0xff, 0xfe]), Damage::Differs(one.clone()));
    assert_eq!(with(ACTIVE, standby.into_bytes()), Damage::Differs(ACTIVE.into()));
    assert_eq!(with("extra.pem", pem(&one)), Damage::Unexpected("extra.pem".into()));
    let damage = with(LEDGER, pem(&one));
    assert_eq!(damage, Damage::Ledger { line: 1, column: 2 });
    assert_eq!(damage.to_string(), "keys.json cannot be read (line 1, column 2)");

    let mut both = ledger.clone();
    both.keys[1].key.state = KeyState::Active;
    assert!(with(LEDGER, as_json(&both).into_bytes()).to_string().contains("2 Active"));
    let mut forged = ledger.clone();
    forged.keys[0].key.key.kid = "my-own-name".into();
    assert!(
        with(LEDGER, as_json(&forged).into_bytes()).to_string().contains("not as the operator")
    );
    // The thumbprint says nothing of these, and all of them are published.
    let edits: [fn(&mut crate::api::Jwk); 4] = [
        |jwk| jwk.n = Some("private".into()),
        |jwk| jwk.e = Some("private".into()),
        |jwk| jwk.alg = "private".into(),
        |jwk| jwk.use_ = "private".into(),
    ];
    for edit in edits {
        let mut beside = ledger.clone();
        edit(&mut beside.keys[0].key.key);
        let damage = with(LEDGER, as_json(&beside).into_bytes()).to_string();
        assert_eq!(damage, "keys.json has a key that is not as the operator makes them");
    }
    let mut none = ledger;
    none.keys.clear();
    assert!(with(LEDGER, as_json(&none).into_bytes()).to_string().contains("0 Active"));
    let opaque = Secret { type_: Some("Opaque".into()), ..whole.clone() };
    assert_eq!(read(&opaque).unwrap_err(), Damage::Type("Opaque".into()));
}
