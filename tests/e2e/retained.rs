//! What `deletionPolicy: Retain` leaves in PostgreSQL and in Keycloak, and who takes it up again. (SQLite is in the modules
//! of the kinds.)

use keyreeve::api::{Namespace, Role, Tenant, User};
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::{
    keycloak::{self, Hand},
    support::{Operator, Postgres, Space, named},
};

/// Makes one of each kind; answers the user's id and the key that signs.
async fn make(space: &Space, tenant: &Value) -> (String, String) {
    space.create::<Tenant>("acme", tenant.clone()).await;
    let retain = |more: Value| {
        let mut spec = json!({"deletionPolicy": "Retain"});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    space.in_acme::<Namespace>("sales", retain(json!({"description": "Stays"}))).await;
    space.in_acme::<Role>("clerk", retain(json!({"namespaceRef": {"name": "sales"}}))).await;
    let ada = retain(json!({"email": "ada@acme.example", "roles": named(&["clerk"])}));
    space.in_acme::<User>("ada", ada).await;
    let tenant = space.ready("acme").await;
    space.well::<Namespace>("sales").await;
    space.well::<Role>("clerk").await;
    let ada = space.well::<User>("ada").await;
    (ada.status.unwrap().id.unwrap(), tenant.status.unwrap().keystore[0].key.kid.clone())
}

/// All four are made, deleted, and made again; `there` says what the store has, in such a way that another one of the
/// same name is told from it.
async fn all_stays_and_is_found_again(
    space: &Space,
    tenant: Value,
    there: impl AsyncFn() -> Vec<String>,
) {
    let made = make(space, &tenant).await;
    let uids = uids(space).await;
    let before = there().await;
    assert_eq!(before.len(), 5, "{before:?}");

    space.remove::<User>("ada").await;
    space.remove::<Role>("clerk").await;
    space.remove::<Namespace>("sales").await;
    space.delete("acme").await;
    space.gone("acme").await;
    for name in ["ada", "clerk", "sales", "acme"] {
        space.event(name, "Normal Retained").await;
    }
    assert_eq!(there().await, before);

    assert_eq!(make(space, &tenant).await, made, "the same user and the same key");
    for name in ["ada", "clerk", "sales", "acme"] {
        space.event(name, "Normal TakenOver").await;
    }
    assert_eq!(there().await, before);
    let again = self::uids(space).await;
    assert!(uids.iter().all(|uid| !again.contains(uid)), "{uids:?} {again:?}");
}

async fn uids(space: &Space) -> [String; 4] {
    [
        space.tenants().get("acme").await.unwrap().uid().unwrap(),
        space.api::<Namespace>().get("sales").await.unwrap().uid().unwrap(),
        space.api::<Role>().get("clerk").await.unwrap().uid().unwrap(),
        space.api::<User>().get("ada").await.unwrap().uid().unwrap(),
    ]
}

#[tokio::test]
async fn what_is_retained_in_postgresql_is_taken_up_again() {
    let space = Space::new("retain-pg").await;
    let postgres = Postgres::start(&space).await;
    let flags = postgres.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let _operator = Operator::start_with(&space, &flags);
    let rows = "SELECT 'tenant ' || tenant_id || ' ' || created_at FROM tenants \
                UNION ALL SELECT 'namespace ' || name || ' ' || created_at FROM namespaces \
                UNION ALL SELECT 'role ' || namespace || '/' || name || ' ' || created_at FROM roles \
                UNION ALL SELECT 'user ' || username || ' ' || created_at FROM users \
                UNION ALL SELECT username || ' > ' || role_name FROM user_roles ORDER BY 1";
    let tenant = json!({"keystore": {"algorithm": "ES256"}});
    all_stays_and_is_found_again(&space, tenant, async || postgres.texts(rows).await).await;
}

#[tokio::test]
async fn what_is_retained_in_keycloak_is_taken_up_again() {
    let space = Space::new("retain-kc").await;
    let _operator = keycloak::operator_at(&space, &keycloak::server());
    let hand = Hand::of(&space.namespace);
    let id = |object: &Value| object["id"].as_str().unwrap().to_owned();
    let there = async || {
        let client = hand.here("GET", "/clients?clientId=ns%3Asales", None)[0].clone();
        let client = id(&client);
        let role = hand.here("GET", &format!("/clients/{client}/roles/clerk"), None);
        let ada = id(&hand.user("ada"));
        let held = format!("/users/{ada}/role-mappings/clients/{client}");
        let held = hand.here("GET", &held, None).to_string();
        vec![id(&hand.here("GET", "", None)), client, id(&role), ada, held]
    };
    let tenant = json!({"tenantId": space.namespace});
    all_stays_and_is_found_again(&space, tenant, there).await;
}
