//! The operator on a real Keycloak (dev/with-keycloak.sh): people log in at once.

mod adoption;
mod browser;
mod hand;
mod login;
mod settings;

use crate::support::{Operator, Space, setting};

pub use hand::Hand;

/// A namespace of one's own with an operator on Keycloak, and the tenant id that only this test has.
async fn start(name: &str) -> (Space, Operator, Hand) {
    let space = Space::new(name).await;
    let operator = operator(&space);
    let hand = Hand::of(&space.namespace);
    (space, operator, hand)
}

/// An operator on Keycloak, with the fewest rights there.
fn operator(space: &Space) -> Operator {
    operator_at(space, &server())
}

/// `HOST:PORT` of the Keycloak that all tests share.
pub fn server() -> String {
    setting("KEYREEVE_TEST_KEYCLOAK").replace("http://", "")
}

/// An operator on the Keycloak that is reached at this address.
pub fn operator_at(space: &Space, address: &str) -> Operator {
    let store = format!("keycloak+http://{address}");
    let file = setting("KEYREEVE_TEST_KEYCLOAK_SECRET_FILE");
    Operator::start_plain(
        space,
        &[
            "--watch-namespace",
            &space.namespace,
            "--store",
            &store,
            "--store-password-file",
            &file,
            "--adoptable",
            "*-live",
            "--metrics-bind-address",
            "0",
            "--health-probe-bind-address",
            "0",
        ],
    )
}
