//! What rules say beyond types and bounds.

use keyreeve::api::Duration;
use regex::Regex;
use serde_json::{Value, json};

use super::{
    samples::{Place, object, spec_schema},
    server::{Case, Expect},
};

/// The bounds of a duration in several notations, and what is none.
pub fn durations(place: &Place<'_>) -> Vec<Case> {
    let Place { schema, path, with, .. } = place;
    let Some(rule) = schema
        .pointer("/x-kubernetes-validations/0/rule")
        .and_then(Value::as_str)
        .filter(|rule| rule.starts_with("duration(self)"))
    else {
        return Vec::new();
    };
    // What the rules are is pinned beside the schema; here it is whether they do as they say.
    let bounds: Vec<u64> = Regex::new("(>|<)= duration\\('(\\w+)'\\)")
        .unwrap()
        .captures_iter(rule)
        .map(|found| found[2].parse::<Duration>().unwrap().as_secs())
        .collect();
    let [min, max] = bounds[..] else { panic!("{path}: {rule}") };
    let is_off_allowed = rule.contains("== duration('0s')") || min == 0;
    let notations = |seconds: u64| {
        [
            format!("{seconds}s"),
            format!("{}m{}s", seconds / 60, seconds % 60),
            format!("{}h{}m{}s", seconds / 3600, seconds / 60 % 60, seconds % 60),
            Duration::from_secs(seconds).to_string(),
        ]
    };
    let fitting = [min, min + 1, max - 1, max].into_iter().flat_map(notations);
    let mut refused: Vec<_> = notations(max + 1).into();
    match min.checked_sub(1) {
        Some(0) | None => {}
        Some(less) => refused.extend(notations(less)),
    }
    // More digits of minutes than are read, whatever they come to.
    let is_long = |text: &String| {
        text.split_once('m').is_some_and(|(minutes, _)| minutes.len() > 7 && !minutes.contains('h'))
    };
    let (long, mut accepted): (Vec<_>, Vec<_>) = fitting.partition(is_long);
    refused.extend(long);
    if is_off_allowed { &mut accepted } else { &mut refused }.push("0s".into());
    refused.extend(
        [
            "", "0", "5", "90", "h", "1.5h", "-1h", "+1h", "1d", "1w", "1h1h", "5s1m", "1 h",
            " 1h", "1h ", "1H", "100ms", "1µs", "1000000h", "PT1H", "1h\n", "１h",
        ]
        .map(str::to_owned),
    );
    let accepted = accepted
        .into_iter()
        .map(|text| Case::accepted(format!("{path}: {text}"), with(text.into())));
    accepted
        .chain(
            refused
                .into_iter()
                .map(|text| Case::refused(format!("{path}: {text:?}"), path, with(text.into()))),
        )
        .collect()
}

/// The tables.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    passwords(&mut cases);
    keystores(&mut cases);
    subscriptions(&mut cases);
    addresses(&mut cases);
    names(&mut cases);
    users(&mut cases);
    paths(&mut cases);
    grants(&mut cases);
    cases
}

fn tenant(spec: Value) -> Value {
    object("Tenant", "sample", spec)
}

fn accept(cases: &mut Vec<Case>, object: Value) {
    cases.push(Case::accepted(object["spec"].to_string(), object));
}

fn refuse(cases: &mut Vec<Case>, path: &str, says: &str, object: Value) {
    cases.push(Case {
        what: object["spec"].to_string(),
        object,
        old: None,
        expect: Expect::RefusedSaying(path.into(), says.into()),
    });
}

fn passwords(cases: &mut Vec<Case>) {
    let with = |policy: &Value| tenant(json!({"settings": {"policies": {"password": policy}}}));
    for policy in [
        json!({"max": 12, "min": 12}),
        json!({"max": 0, "min": 128}),
        json!({"min": 128}),
        json!({"max": 6, "lowerCase": 1, "upperCase": 2, "number": 3}),
        json!({"max": 7, "lowerCase": 1, "upperCase": 2, "number": 3, "customChars": "!"}),
        // A letter or a digit of customChars costs nothing beside the others.
        json!({"max": 6, "lowerCase": 1, "upperCase": 2, "number": 3, "customChars": "a1"}),
        json!({"max": 6, "number": 6, "customChars": ""}),
        json!({"max": 1, "customChars": "!"}),
    ] {
        accept(cases, with(&policy));
    }
    for policy in [
        json!({"max": 11, "min": 12}),
        json!({"max": 5, "lowerCase": 1, "upperCase": 2, "number": 3}),
        json!({"max": 6, "lowerCase": 1, "upperCase": 2, "number": 3, "customChars": "!"}),
        json!({"max": 1, "number": 1, "customChars": "é"}),
    ] {
        let path = "spec.settings.policies.password.max";
        refuse(cases, path, "no password could satisfy it", with(&policy));
    }
    accept(cases, with(&json!({"customChars": " !\u{a0}é𝒳"})));
    for custom in ["!\n", "\t", "\u{7f}!", "!\u{85}?"] {
        let path = "spec.settings.policies.password.customChars";
        refuse(cases, path, r"match '^\P{Cc}*$'", with(&json!({"customChars": custom})));
    }
    let hashed_by = |function: &str, policy: &Value| {
        tenant(json!({"settings": {"hashFunction": function, "policies": {"password": policy}}}))
    };
    accept(cases, tenant(json!({"settings": {"hashFunction": "bcrypt", "policies": {}}})));
    for policy in [json!({}), json!({"min": 72, "lowerCase": 32, "upperCase": 32, "number": 8})] {
        accept(cases, hashed_by("bcrypt", &policy));
    }
    for policy in [json!({"min": 73}), json!({"lowerCase": 32, "upperCase": 32, "number": 9})] {
        accept(cases, hashed_by("argon2", &policy));
        accept(cases, with(&policy));
        let path = "spec.settings.policies.password";
        refuse(cases, path, "at most 72 with hashFunction bcrypt", hashed_by("bcrypt", &policy));
    }
}

fn keystores(cases: &mut Vec<Case>) {
    let with = |keystore: &Value| tenant(json!({"keystore": keystore}));
    for keystore in [
        json!({"rotationPeriod": "1h", "publishBefore": "59m59s"}),
        json!({"rotationPeriod": "0s", "publishBefore": "24h"}),
        json!({"publishBefore": "24h"}),
        json!({"keySize": 4096}),
        json!({"keySize": 4096, "algorithm": "PS256"}),
    ] {
        accept(cases, with(&keystore));
    }
    for keystore in [
        json!({"rotationPeriod": "1h", "publishBefore": "1h"}),
        json!({"rotationPeriod": "1h", "publishBefore": "60m"}),
        json!({"rotationPeriod": "1h", "publishBefore": "3601s"}),
    ] {
        refuse(
            cases,
            "spec.keystore.publishBefore",
            "shorter than rotationPeriod",
            with(&keystore),
        );
    }
    for algorithm in ["ES256", "ES384", "EdDSA"] {
        let keystore = json!({"keySize": 2048, "algorithm": algorithm});
        refuse(cases, "spec.keystore.keySize", "RSA", with(&keystore));
    }
    let profile = json!({"keystore": {"rotationPeriod": "1h", "publishBefore": "1h"}});
    let profile = object("TenantProfile", "sample", profile);
    refuse(cases, "spec.keystore.publishBefore", "shorter than rotationPeriod", profile);
    let profile = object("TenantProfile", "sample", json!({"keystore": {"revoke": ["a"]}}));
    refuse(cases, "spec.keystore.revoke", "field", profile);
}

fn subscriptions(cases: &mut Vec<Case>) {
    let with = |subscription: &Value| tenant(json!({"subscription": subscription}));
    for time in [
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00.5Z",
        "2026-01-01T00:00:00.123456789Z",
        "2026-01-01T00:00:00+03:00",
        "2026-01-01T00:00:00-23:59",
        "2024-02-29T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "9998-12-31T23:59:59Z",
    ] {
        accept(cases, with(&json!({"issuedAt": time})));
        accept(cases, with(&json!({"expiresAt": time})));
    }
    for time in [
        "",
        "now",
        "2026-01-01",
        "2026-01-01T00:00Z",
        "2026-01-01T00:00:00",
        "2026-01-01 00:00:00Z",
        "2026-01-01t00:00:00z",
        "2026-01-01T00:00:00,5Z",
        "2026-01-01T00:00:00.1234567890Z",
        "2026-01-01T00:00:00+0300",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:60Z",
        "2026-01-01T24:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "20260101T000000Z",
        "-2026-01-01T00:00:00Z",
        "12026-01-01T00:00:00Z",
        "9999-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "1767225600",
    ] {
        refuse(cases, "spec.subscription.expiresAt", "", with(&json!({"expiresAt": time})));
    }
    let (first, second) = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z");
    accept(cases, with(&json!({"issuedAt": first, "expiresAt": second})));
    // The same moment, written otherwise.
    for end in [first, "2025-12-31T23:00:00-01:00", "2025-01-01T00:00:00Z"] {
        let subscription = json!({"issuedAt": first, "expiresAt": end});
        refuse(cases, "spec.subscription.expiresAt", "after issuedAt", with(&subscription));
    }
    for name in ["a", "A-b_c.9", &"a".repeat(63)] {
        accept(cases, with(&json!({"metadata": {name: "x"}})));
    }
    for name in ["", "-a", "a-", "a b", "a/b", "é", "a\n", "\u{0}", &"a".repeat(64)] {
        let subscription = json!({"metadata": {name: "x"}});
        refuse(cases, "spec.subscription.metadata", "1 to 63", with(&subscription));
    }
}

fn addresses(cases: &mut Vec<Case>) {
    let with = |list: &[&str]| {
        tenant(json!({"settings": {"policies": {"bruteForce": {"whiteList": list}}}}))
    };
    for address in [
        "192.0.2.7",
        "0.0.0.0",
        "192.0.2.0/24",
        "192.0.2.7/24",
        "0.0.0.0/0",
        "192.0.2.7/32",
        "::",
        "::/0",
        "2001:db8::/32",
        "2001:DB8::1",
        "fe80::1",
        "2001:db8:0:0:0:0:0:1/128",
    ] {
        accept(cases, with(&[address]));
    }
    for address in [
        "localhost",
        "192.0.2",
        "192.0.2.256",
        "192.0.2.07",
        "192.0.2.7/33",
        "192.0.2.0/08",
        "192.0.2.0/+8",
        "192.0.2.0/",
        "192.0.2.0/255.255.255.0",
        " 192.0.2.7",
        "192.0.2.7\n",
        "::ffff:192.0.2.7",
        "::ffff:192.0.2.0/120",
        "fe80::1%eth0",
        "2001:db8::/129",
        "2001:db8::1::2",
        "[::1]",
        "192.0.2.7:80",
        "0x7f.1",
    ] {
        refuse(cases, "spec.settings.policies.bruteForce.whiteList", "", with(&[address]));
        refuse(
            cases,
            "spec.settings.policies.bruteForce.whiteList",
            "",
            with(&["192.0.2.1", address]),
        );
    }
}

fn names(cases: &mut Vec<Case>) {
    for id in ["abc", "a-c", "0-0", &"a".repeat(48)] {
        accept(cases, tenant(json!({"tenantId": id})));
    }
    for id in ["", "ab", "Abc", "a.c", "-ab", "ab-", "a_c", "äbc", "abc\n", &"a".repeat(49)] {
        refuse(cases, "spec.tenantId", "", tenant(json!({"tenantId": id})));
    }
    refuse(cases, "spec.tenantId", "reserved", tenant(json!({"tenantId": "master"})));
    for path in ["settings", "settings.ttl", "settings.ttl.session", "keystore.algorithm"] {
        accept(cases, object("TenantProfile", "sample", json!({"locked": [path]})));
    }
    for path in ["", "ttl", "settings.nonsense", "settings.ttl.", "keystore.revoke", "spec.enabled"]
    {
        let profile = object("TenantProfile", "sample", json!({"locked": [path]}));
        refuse(cases, "spec.locked", "", profile);
    }
}

fn users(cases: &mut Vec<Case>) {
    let with = |more: Value| {
        let mut spec = json!({"tenantRef": {"name": "acme"}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        object("User", "sample", spec)
    };
    for more in [
        json!({"email": "a@b", "emailVerified": true}),
        json!({"emailVerified": false}),
        json!({"password": {"generate": {}}}),
        json!({"password": {"secretKeyRef": {"name": "a"}, "temporary": true}}),
        json!({"claims": {"a": {"b": [1, 1.5, true, "c", {"d": {}}]}, "Email": "x", "": "x", "a\u{0}": "\u{0}"}}),
        json!({"claims": {}}),
        json!({"roles": [], "requiredActions": [], "authenticationProviders": []}),
        // What the schema knows of the reserved names, it knows for the rule alone.
        json!({"claims": {"a": {"sub": "x", "email": "x"}}}),
    ] {
        accept(cases, with(more));
    }
    for username in ["a b", " a", "a\u{a0}", "a\n"] {
        let says = "must have no spaces and no control characters";
        refuse(cases, "spec.username", says, with(json!({"username": username})));
    }
    for email in ["", "ada", "@x", "ada@", "a@b@c", "a da@x", "ada@x\t"] {
        let says = "must be one email address, such as ada@example.com, without spaces";
        refuse(cases, "spec.email", says, with(json!({"email": email})));
    }
    refuse(cases, "spec.emailVerified", "needs email", with(json!({"emailVerified": true})));
    for password in [
        json!({}),
        json!({"temporary": true}),
        json!({"generate": {}, "secretKeyRef": {"name": "a"}}),
    ] {
        refuse(cases, "spec.password", "exactly one of", with(json!({"password": password})));
    }
    let schema = spec_schema("User");
    let reserved = schema["properties"]["claims"]["properties"].as_object().unwrap();
    assert_eq!(reserved.len(), 9);
    for claim in reserved.keys() {
        let claims = json!({"claims": {claim: "x", "a": "b"}});
        refuse(cases, "spec.claims", "fields or issuers of their own", with(claims));
        // Refused by type before the rule is looked at.
        refuse(cases, "spec.claims", "", with(json!({"claims": {claim: {"a": "b"}}})));
    }
}

fn paths(cases: &mut Vec<Case>) {
    let with = |path: &str| {
        let rules = json!([{"paths": ["/", path], "methods": ["GET"]}]);
        object("Role", "sample", json!({"tenantRef": {"name": "acme"}, "rules": rules}))
    };
    for path in ["/", "/*", "*", "/a/b", "/a*", "/é?=%20"] {
        accept(cases, with(path));
    }
    for path in ["a", "**", "/*/a", "/a b", "/\u{2028}", "/a\n", "https://a/b"] {
        let says =
            "must begin with / and have no spaces, and * at its end if at all; or be * alone";
        refuse(cases, "spec.rules[0].paths[1]", says, with(path));
    }
}

fn grants(cases: &mut Vec<Case>) {
    for kind in ["Tenant", "TenantProfile", "Namespace", "Role"] {
        let with = |grant: &Value| {
            let mut spec = json!({"allowedFrom": [grant]});
            if ["Namespace", "Role"].contains(&kind) {
                spec["tenantRef"] = json!({"name": "acme"});
            }
            object(kind, "sample", spec)
        };
        for name in ["a", "team-a", "team-*", "*", "a*", "team-a*", "0", &"a".repeat(63)] {
            accept(cases, with(&json!({"matchNames": [name]})));
        }
        for name in ["", "**", "*a", "a*b", "Team", "-a", "a-", "a.b", "a b", &"a".repeat(64)] {
            refuse(
                cases,
                "spec.allowedFrom[0].matchNames[0]",
                "",
                with(&json!({"matchNames": [name]})),
            );
        }
        let prefixed = format!("{}/{}", "a".repeat(253), "a".repeat(63));
        for key in ["a", "example.com/team", "app.kubernetes.io/name", "A_b", &prefixed] {
            accept(cases, with(&json!({"matchLabels": {key: "x"}})));
            accept(cases, with(&json!({"matchLabels": {key: ""}})));
        }
        for key in ["", "a/", "/a", "a/b/c", "a b", "a\n", "é", "-a", &"a".repeat(64)] {
            refuse(
                cases,
                "spec.allowedFrom[0].matchLabels",
                "labels",
                with(&json!({"matchLabels": {key: "x"}})),
            );
        }
        refuse(cases, "spec.allowedFrom[0]", "needs matchNames or matchLabels", with(&json!({})));
    }
    let kinds = json!({"allowedFrom": [{"kinds": ["User"]}]});
    refuse(cases, "spec.allowedFrom[0]", "needs matchNames or matchLabels", tenant(kinds));
}
