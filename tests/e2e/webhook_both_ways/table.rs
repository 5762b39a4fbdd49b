//! The objects, in the order in which they come, and what becomes of each.

use serde_json::{Value, json};

use End::{Named, Overridden, Ready, Refused, Turns, Unfit, Waits, Warned};

/// What becomes of an object in the end.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// It is well.
    Ready,
    /// It is well, and warned that what it sets at this path has no effect; status lists it.
    Overridden(&'static str),
    /// It is taken without a warning, and not Ready for this reason.
    Waits(&'static str),
    /// As [`Self::Warned`] for the first reason when it comes, and not Ready for the second in the end.
    Turns(&'static str, &'static str),
    /// It is taken with a warning, and not Ready for this reason, in the same words.
    Warned(&'static str),
    /// It is taken with a warning that begins so, and not Ready for this reason: status knows more.
    Named(&'static str, &'static str),
    /// It is refused, and Stalled for this reason where nobody refuses it.
    Refused(&'static str),
    /// The API server refuses it, whoever else is asked.
    Unfit,
}

/// An object and its end.
pub struct Row {
    pub kind: &'static str,
    pub name: &'static str,
    pub spec: Value,
    pub end: End,
}

/// The Secret `weak` holds a password that no policy allows.
pub const WEAK: (&str, &[u8]) = ("weak", b"tiny");

/// What is in the tenant `acme`, and in others with plans and rules of their own.
pub fn rows() -> Vec<Row> {
    let mut rows = tenants();
    rows.extend(roles());
    rows.extend(users());
    rows.extend(plans());
    rows
}

fn row(kind: &'static str, name: &'static str, spec: Value, end: End) -> Row {
    Row { kind, name, spec, end }
}

/// One that lives in a tenant.
fn member(kind: &'static str, name: &'static str, tenant: &str, mut spec: Value, end: End) -> Row {
    spec["tenantRef"] = json!({"name": tenant});
    row(kind, name, spec, end)
}

fn named(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"name": name})).collect()
}

/// A Tenant with quick keys, with more in its spec.
fn tenant(name: &'static str, mut spec: Value, end: End) -> Row {
    spec["keystore"] = json!({"algorithm": "ES256"});
    row("Tenant", name, spec, end)
}

fn profile(name: &'static str, spec: Value, end: End) -> Row {
    row("TenantProfile", name, spec, end)
}

fn using(profile: &str) -> Value {
    json!({"profileRef": {"name": profile}})
}

/// Settings with this password policy.
fn password(policy: &Value) -> Value {
    json!({"settings": {"policies": {"password": policy}}})
}

fn tenants() -> Vec<Row> {
    let with_ttl = |mut spec: Value| {
        spec["settings"] = json!({"ttl": {"session": "2h"}});
        spec
    };
    let mut wide = password(&json!({"min": 30}));
    wide["profileRef"] = json!({"name": "narrow"});
    vec![
        tenant("acme", json!({}), Ready),
        tenant(
            "second",
            json!({"tenantId": "acme"}),
            Named("Conflict", "tenant id acme is taken by Tenant acme"),
        ),
        tenant("early-bird", using("nowhere"), Warned("ProfileNotFound")),
        profile("locking", with_ttl(json!({"locked": ["settings.ttl"]})), Ready),
        tenant("locked", with_ttl(using("locking")), Overridden("settings.ttl.session")),
        // By itself, with the built-in values, and with a tenant.
        profile("impossible", password(&json!({"min": 20, "max": 10})), Unfit),
        tenant("impossible", password(&json!({"min": 20, "max": 10})), Unfit),
        profile("short", password(&json!({"max": 8})), Warned("PolicyUnsatisfiable")),
        tenant("shortened", using("short"), Warned("PolicyUnsatisfiable")),
        profile("narrow", password(&json!({"max": 20})), Ready),
        tenant("wide", wide, Warned("PolicyUnsatisfiable")),
        profile(
            "hasty",
            json!({"keystore": {"rotationPeriod": "12h"}}),
            Warned("PublishBeforeTooLong"),
        ),
    ]
}

fn roles() -> Vec<Row> {
    let role = |name, spec, end| member("Role", name, "acme", spec, end);
    let of = |names: &[&str]| json!({"composites": named(names)});
    vec![
        tenant("other", json!({}), Ready),
        member("Role", "foreigner", "other", json!({}), Ready),
        member("Namespace", "sales", "acme", json!({}), Ready),
        member("Namespace", "nowhere", "nobody", json!({}), Warned("TenantNotFound")),
        role("clerk", json!({"namespaceRef": {"name": "sales"}}), Ready),
        role("boss", of(&["clerk"]), Ready),
        role("itself", of(&["itself"]), Refused("RoleCycle")),
        role("hen", of(&["egg"]), Turns("RoleNotFound", "RoleCycle")),
        role("egg", of(&["hen"]), Warned("RoleCycle")),
        role("early", of(&["late"]), Warned("RoleNotFound")),
        role("placed", json!({"namespaceRef": {"name": "late"}}), Warned("NamespaceNotFound")),
        role(
            "double",
            json!({"name": "boss"}),
            Named("Conflict", "role boss of tenant acme is taken by Role boss"),
        ),
        role("mixed", of(&["foreigner"]), Warned("TenantMismatch")),
        member(
            "Role",
            "astray",
            "other",
            json!({"namespaceRef": {"name": "sales"}}),
            Warned("TenantMismatch"),
        ),
    ]
}

fn users() -> Vec<Row> {
    let user = |name, spec, end| member("User", name, "acme", spec, end);
    let secret = |name: &str| json!({"password": {"secretKeyRef": {"name": name}}});
    let deep = (0..9).fold(json!(1), |inner, _| json!([inner]));
    let ada = json!({
        "username": "Ada", "email": "Ada@Example.com", "roles": named(&["boss"]), "claims": {"a": [{"b": 1}]},
    });
    let elsewhere = json!({"tenantRef": {"name": "acme", "namespace": "elsewhere"}});
    vec![
        user("ada", ada, Ready),
        user(
            "twice",
            json!({"username": "ａＤＡ"}),
            Named("Conflict", "user ada of tenant acme is taken by User ada"),
        ),
        user("same", json!({"email": "ada@example.COM"}), Warned("Conflict")),
        user("heart", json!({"username": "a♥b"}), Refused("InvalidSpec")),
        user("long", json!({"username": "İ".repeat(128)}), Refused("InvalidSpec")),
        user("dotted", json!({"email": "ada@example.com."}), Refused("InvalidSpec")),
        user("null", json!({"claims": {"a": {"b": null}}}), Refused("InvalidSpec")),
        user("deep", json!({"claims": {"a": deep}}), Refused("InvalidSpec")),
        user("large", json!({"claims": {"a": "x".repeat(40_000)}}), Refused("InvalidSpec")),
        user("nameless", secret("a..b"), Refused("InvalidSpec")),
        user(
            "several",
            json!({"username": "a♥b", "email": "ada@example.com."}),
            Refused("InvalidSpec"),
        ),
        user("spaced", json!({"username": "a b"}), Unfit),
        user("waits", secret("later"), Warned("PasswordSecretMissing")),
        user("weak", secret(WEAK.0), Waits("PasswordRejected")),
        user("holds", json!({"roles": named(&["late"])}), Warned("RoleNotFound")),
        user("crossed", json!({"roles": named(&["foreigner"])}), Warned("TenantMismatch")),
        row("User", "foreign", elsewhere, Warned("NotAllowed")),
    ]
}

fn plans() -> Vec<Row> {
    let plan = |name, details: Value| profile(name, json!({"planDetails": details}), Ready);
    let nothing = || json!({});
    let ruling = || json!({"roles": named(&["admin"])});
    vec![
        plan("bare", json!({"userManagement": false, "rbacManagement": false})),
        tenant("plain", using("bare"), Ready),
        member("User", "unplanned", "plain", nothing(), Warned("NotInPlan")),
        member("Role", "unplanned", "plain", nothing(), Warned("NotInPlan")),
        member("Namespace", "unplanned", "plain", nothing(), Warned("NotInPlan")),
        plan("small", json!({"maxUsers": 1, "maxRoles": 1, "maxNamespaces": 1})),
        tenant("full", using("small"), Ready),
        member("User", "first", "full", nothing(), Ready),
        member("User", "next", "full", nothing(), Warned("QuotaExceeded")),
        member("Role", "first", "full", nothing(), Ready),
        member("Role", "next", "full", nothing(), Warned("QuotaExceeded")),
        member("Namespace", "first", "full", nothing(), Ready),
        member("Namespace", "next", "full", nothing(), Warned("QuotaExceeded")),
        plan("ruled", json!({"administrators": 1})),
        tenant("ruled", using("ruled"), Ready),
        member("Role", "admin", "ruled", json!({"administrator": true}), Ready),
        member("User", "chief", "ruled", ruling(), Ready),
        member(
            "User",
            "deputy",
            "ruled",
            ruling(),
            Named("QuotaExceeded", "spec.roles: the plan allows 1"),
        ),
    ]
}
