//! The user profile of a realm: which attributes its users may have.

use serde_json::{Value, json};

/// Our attributes of users, and how long they may be. Without being declared here they end at 2048
/// characters, and vanish in silence where the realm wants none.
const OURS: [(&str, u32); 6] = [
    ("keyreeve.claims", 900_000),
    ("keyreeve.digest", 255),
    ("keyreeve.managed", 255),
    ("keyreeve.mark", 10_000),
    ("keyreeve.memo", 900_000),
    ("keyreeve.state", 900_000),
];

/// The type of the component that holds a profile.
pub(super) const PROVIDER: &str = "org.keycloak.userprofile.UserProfileProvider";

/// The profile of a realm that we make. Nothing is required: a user without a last name could not
/// log in otherwise.
pub(super) fn ours() -> Value {
    let root = |name: &str, validations: Value| {
        let everybody = json!(["admin", "user"]);
        json!({
            "name": name, "displayName": format!("${{{name}}}"), "multivalued": false,
            "permissions": {"view": everybody, "edit": everybody}, "validations": validations,
        })
    };
    // Names are people's own: none of their characters is forbidden.
    let person = json!({"length": {"max": 255}});
    let mut profile = json!({
        "attributes": [
            root("username", json!({"length": {"min": 1, "max": 255},
                "username-prohibited-characters": {}, "up-username-not-idn-homograph": {}})),
            root("email", json!({"email": {}, "length": {"max": 255}})),
            root("firstName", person.clone()),
            root("lastName", person),
        ],
        "unmanagedAttributePolicy": "ADMIN_EDIT",
    });
    if let Some(with) = with_ours(&profile) {
        profile = with;
    }
    profile
}

/// A profile with a place for what is ours; none if it has one.
pub(super) fn with_ours(profile: &Value) -> Option<Value> {
    let there = profile["attributes"].as_array().cloned().unwrap_or_default();
    let mut attributes = there.clone();
    for (name, longest) in OURS {
        let ours = declaration(name, longest);
        match attributes.iter_mut().find(|attribute| attribute["name"] == name) {
            Some(attribute) if is_enough(attribute, longest) => {}
            Some(attribute) => *attribute = ours,
            None => attributes.push(ours),
        }
    }
    (attributes != there).then(|| {
        let mut profile = profile.clone();
        profile["attributes"] = attributes.into();
        profile
    })
}

/// Only administrators see and write it: who could write it would choose the own claims.
fn declaration(name: &str, longest: u32) -> Value {
    json!({
        "name": name, "multivalued": false,
        "permissions": {"view": ["admin"], "edit": ["admin"]},
        "validations": {"length": {"max": longest}},
    })
}

fn is_enough(attribute: &Value, longest: u32) -> bool {
    attribute["permissions"] == declaration("", longest)["permissions"]
        && attribute["validations"]["length"]["max"].as_u64() >= Some(longest.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_stays() {
        assert_eq!(with_ours(&ours()), None);
        let theirs = json!({"attributes": [{"name": "shoeSize"}], "groups": [1]});
        let with = with_ours(&theirs).unwrap();
        assert_eq!(
            (&with["attributes"][0]["name"], &with["groups"]),
            (&"shoeSize".into(), &json!([1]))
        );
        assert_eq!(with_ours(&with), None);
        for may in ["edit", "view"] {
            let mut loosened = with.clone();
            loosened["attributes"][1]["permissions"][may] = json!(["admin", "user"]);
            assert_eq!(with_ours(&loosened).as_ref(), Some(&with), "nobody else may {may} it");
        }
    }
}
