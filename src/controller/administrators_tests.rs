//! Who would be one administrator too many.

use serde_json::{Value, json};

use crate::{
    admission::{Judgement, judge},
    controller::surroundings::tests::{World, in_acme, object, stored},
};

const NO_SEAT: &str = "the plan allows 1 administrators (planDetails.administrators), and there are as many: raise the limit in the TenantProfile, or take the role from one of them";

/// The tenant `acme`, whose plan allows one administrator, and the Roles `admin`, which makes such, `boss`,
/// which contains it, and `clerk`.
fn one_administrator() -> World {
    let parts = |names: &[&str]| -> Value {
        names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>().into()
    };
    World::new()
        .with("TenantProfile", "a/small", 1, json!({"planDetails": {"administrators": 1}}))
        .with("Tenant", "a/acme", 1, json!({"profileRef": {"name": "small"}}))
        .with_stored("Role", "a/admin", in_acme(json!({"administrator": true})))
        .with_stored("Role", "a/boss", in_acme(json!({"composites": parts(&["admin"])})))
        .with_stored("Role", "a/clerk", in_acme(json!({})))
}

fn holding(role: &str) -> Value {
    in_acme(json!({"roles": [{"name": role}]}))
}

#[test]
fn a_user_who_would_be_one_administrator_too_many_is_told() {
    let none: [&str; 0] = [];
    // One that is not in the store takes no seat.
    let world = one_administrator().with("User", "a/waits", 1, holding("admin"));
    assert_eq!(world.says("User", "a/bob", holding("boss")), none);
    let world = world.with_stored("User", "a/ada", holding("boss"));
    let without_the_role = format!("spec.roles: {NO_SEAT}");
    assert_eq!(
        world.says("User", "a/bob", holding("admin")),
        std::slice::from_ref(&without_the_role)
    );
    assert_eq!(world.says("User", "a/bob", holding("boss")), [without_the_role]);
    assert_eq!(world.says("User", "a/bob", holding("clerk")), none);
    // Whoever is one already, stays one.
    let before = stored(object("User", "a/ada", 1, holding("boss")));
    let after = stored(object("User", "a/ada", 1, holding("admin")));
    assert_eq!(judge("User", &after, Some(&before), &world.view), Judgement::default());
    // Nor is one of another tenant.
    let mut other = holding("admin");
    other["tenantRef"] = json!({"name": "beta"});
    let world = one_administrator().with_stored("User", "a/far", other);
    assert_eq!(world.says("User", "a/bob", holding("admin")), none);
}

#[test]
fn a_role_that_would_make_one_administrator_too_many_is_told() {
    let world = one_administrator().with_stored("User", "a/ada", holding("admin")).with_stored(
        "User",
        "a/bob",
        holding("clerk"),
    );
    let before = stored(object("Role", "a/clerk", 1, in_acme(json!({}))));
    let said = |world: &World, change: Value| {
        let after = stored(object("Role", "a/clerk", 1, in_acme(change)));
        judge("Role", &after, Some(&before), &world.view).warnings
    };
    assert_eq!(said(&world, json!({"administrator": true})), [NO_SEAT]);
    assert_eq!(said(&world, json!({"composites": [{"name": "boss"}]})), [NO_SEAT]);
    assert_eq!(said(&world, json!({"description": "They keep the books."})), [""; 0]);
    // Who holds it only through another one, counts as well; nobody who does, none.
    let chief = in_acme(json!({"composites": [{"name": "clerk"}]}));
    let through = one_administrator().with_stored("Role", "a/chief", chief).with_stored(
        "User",
        "a/ada",
        holding("admin"),
    );
    assert_eq!(said(&through, json!({"administrator": true})), [""; 0]);
    let through = through.with_stored("User", "a/bob", holding("chief"));
    assert_eq!(said(&through, json!({"administrator": true})), [NO_SEAT]);
}
