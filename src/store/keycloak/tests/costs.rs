//! How many requests each operation costs, as docs/stores-keycloak.md has it in a table.

use serde_json::{Value, json};

use super::{
    backend::Keycloak,
    login::{in_state, new_key, password},
    renamed::signing_key,
};
use crate::{
    api::{Algorithm, AuthenticationProvider, KeyState, defaults},
    store::{
        Applied, Deleted, Desired, Error, Expected, Key, SigningKey, State, Store as _,
        conformance::{
            Backend,
            samples::{self, narrow, wide},
        },
        keycloak::{KeycloakStore, keys::component_id},
    },
};

const DOC: &str = include_str!("../../../../docs/stores-keycloak.md");

/// A tenant in a Keycloak, and what was done in it.
struct Costs {
    backend: Keycloak,
    realm: String,
    /// The rows of the table.
    rows: Vec<String>,
}

impl Costs {
    async fn start() -> Self {
        let backend = Keycloak::start().await;
        let realm = backend.realm();
        Self { backend, realm, rows: Vec::new() }
    }

    fn store(&self) -> &KeycloakStore {
        &self.backend.renamed.store
    }

    /// Requests that were answered well: reads and writes of a look at it, and of what follows from that.
    ///
    /// What breaks while Keycloak makes realms for other tests is done anew, and the new attempt counted.
    async fn of(&self, desired: &Desired) -> (u64, u64, Applied) {
        for _ in 0..4 {
            let before = self.store().server.requests().both();
            let record = self.store().observe(&desired.state.key()).await.unwrap();
            let expected = Expected::as_observed(record.as_ref());
            match self.store().apply(desired, &expected).await {
                Err(Error::Broken(_)) => {}
                applied => {
                    let after = self.store().server.requests().both();
                    return (after.0 - before.0, after.1 - before.1, applied.unwrap());
                }
            }
        }
        panic!("{:?} breaks each time", desired.state.key());
    }

    fn row(&mut self, what: &str, (reads, writes): (u64, u64)) {
        self.rows.push(format!("| {what} | {reads} | {writes} |"));
    }

    /// Does something for the first time, which must write, and then looks again, which must not.
    async fn write(&mut self, what: &str, desired: &Desired) {
        let (reads, writes, applied) = self.of(desired).await;
        assert_ne!(applied, Applied::Unchanged, "{what}");
        self.row(what, (reads, writes));
    }

    async fn steady(&mut self, what: &str, desired: &Desired) {
        let (reads, writes, applied) = self.of(desired).await;
        assert_eq!((writes, applied), (0, Applied::Unchanged), "{what}");
        self.row(what, (reads, writes));
    }

    async fn delete(&mut self, what: &str, key: &Key) {
        for _ in 0..4 {
            let before = self.store().server.requests().both();
            self.store().observe(key).await.unwrap().unwrap();
            let deleted = self.store().delete(key, &samples::mark(key)).await;
            if matches!(deleted, Err(Error::Broken(_))) {
                continue;
            }
            assert_eq!(deleted.unwrap(), Deleted::Removed);
            let after = self.store().server.requests().both();
            self.row(what, (after.0 - before.0, after.1 - before.1));
            return;
        }
        panic!("{key:?} breaks each time");
    }

    /// The tenant with all settings, these among them, and these keys.
    fn tenant(&self, settings: &Value, keys: &[SigningKey]) -> Desired {
        let built_in = defaults::tenant_settings();
        let mut all = samples::object(built_in["settings"].clone());
        all.extend(samples::object(settings.clone()));
        let State::Tenant(mut state) = samples::tenant(&self.realm) else { unreachable!() };
        state.enabled = true;
        state.settings = all;
        Desired { keys: Some(keys.to_vec()), ..samples::desired(State::Tenant(state)) }
    }

    fn user(&self, change: impl FnOnce(&mut crate::store::UserState)) -> Desired {
        let State::User(mut user) = samples::user(&self.realm, "ada", Some(&[])) else {
            unreachable!()
        };
        user.id = component_id(&self.realm, "ada");
        user.email = Some("ada@acme.example".into());
        user.claims.insert("department".into(), "sales".into());
        change(&mut user);
        samples::desired(State::User(user))
    }
}

#[tokio::test]
async fn each_operation_costs_what_the_documentation_says() {
    let mut costs = Costs::start().await;
    let first = signing_key();
    let there = |key: &SigningKey, state| SigningKey { private: None, ..in_state(key, state) };
    let active = [there(&first, KeyState::Active)];
    let nothing = json!({});
    let beside = json!({"extraScopes": ["orders:read"], "userSelfDeletion": {"enabled": true}});
    let realm = costs.realm.clone();

    let made = costs.tenant(&nothing, std::slice::from_ref(&first));
    costs.write("a new Tenant", &made).await;
    let plain = costs.tenant(&nothing, &active);
    costs.steady("a Tenant as declared", &plain).await;
    costs
        .write(
            "a changed setting of a Tenant",
            &costs.tenant(&json!({"rememberMe": true}), &active),
        )
        .await;
    costs.of(&plain).await;
    costs.write("`extraScopes` and `userSelfDeletion` on", &costs.tenant(&beside, &active)).await;
    costs.steady("a Tenant as declared, with both of them", &costs.tenant(&beside, &active)).await;
    costs.write("both of them off again", &plain).await;
    let second = new_key(Algorithm::RS256, KeyState::Standby, 10);
    let waiting = [active[0].clone(), second.clone()];
    costs.write("the next key of a Tenant is published", &costs.tenant(&nothing, &waiting)).await;
    let rotated = [there(&first, KeyState::Retired), there(&second, KeyState::Active)];
    costs
        .write("it signs, and the one before only verifies", &costs.tenant(&nothing, &rotated))
        .await;
    let alone = [there(&second, KeyState::Active)];
    costs.write("the one before goes", &costs.tenant(&nothing, &alone)).await;

    let namespace = |text: &str| {
        let State::Namespace(mut state) = samples::namespace(&realm, "orders") else {
            unreachable!()
        };
        state.description = Some(text.into());
        samples::desired(State::Namespace(state))
    };
    costs.write("a new Namespace", &namespace("one")).await;
    costs.steady("a Namespace as declared", &namespace("one")).await;
    costs.write("a changed Namespace", &namespace("two")).await;

    let role = |name, text: &str| {
        let State::Role(mut state) = samples::role(&realm, &name, None) else { unreachable!() };
        state.description = Some(text.into());
        samples::desired(State::Role(state))
    };
    let clerk = || narrow("orders", "clerk");
    costs.write("a new Role", &role(wide("viewer"), "one")).await;
    costs.steady("a Role as declared", &role(wide("viewer"), "one")).await;
    costs.write("a changed Role", &role(wide("viewer"), "two")).await;
    costs.write("a new Role in a Namespace", &role(clerk(), "one")).await;
    let boss = |parts: &[_]| samples::desired(samples::role(&realm, &wide("boss"), Some(parts)));
    costs.write("a new Role that contains one", &boss(&[wide("viewer")])).await;
    costs.steady("a Role as declared that contains others", &boss(&[wide("viewer")])).await;
    costs.write("a Role that contains one more", &boss(&[wide("viewer"), clerk()])).await;

    costs.write("a new User", &costs.user(|_| ())).await;
    costs.steady("a User as declared", &costs.user(|_| ())).await;
    let stock = |user: &mut crate::store::UserState| {
        user.claims.insert("department".into(), "stock".into());
    };
    costs.write("a changed claim of a User", &costs.user(stock)).await;
    let holds = costs.user(|user| {
        stock(user);
        user.roles = Some(vec![wide("viewer")]);
    });
    costs.write("an added role of a User", &holds).await;
    costs.steady("a User as declared who has roles", &holds).await;
    costs.write("a removed role of a User", &costs.user(stock)).await;
    let linked = costs.user(|user| {
        stock(user);
        let link = AuthenticationProvider { name: "x".into(), user_id: "1".into(), username: None };
        user.authentication_providers = vec![link];
    });
    costs.write("an added authentication provider of a User", &linked).await;
    costs.write("a removed authentication provider of a User", &costs.user(stock)).await;
    let new_password = Some(password("correct horse battery").await);
    let with_password = Desired { password: new_password, ..costs.user(stock) };
    costs.write("a new password of a User", &with_password).await;
    let ada = with_password.state.key();
    costs.delete("a deleted User", &ada).await;
    costs.delete("a deleted Role", &role(wide("viewer"), "").state.key()).await;
    costs.delete("a deleted Namespace", &namespace("").state.key()).await;
    costs.delete("a deleted Tenant", &plain.state.key()).await;

    let table = costs.rows.join("\n");
    assert!(DOC.contains(&table), "docs/stores-keycloak.md should have these rows:\n{table}");
}
