//! A realm that alone is slow: its own objects say so, and those of other tenants do not notice.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use futures::future::join_all;

use super::{
    faults::{Act, Faults},
    hand::{options, unless_broken, variable},
    renamed::signing_key,
};
use crate::{
    policy::Class,
    store::{
        Applied, Desired, Error, Expected, Store, conformance::samples, keycloak::KeycloakStore,
    },
};

/// Long enough for what others ask, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_realm_that_alone_is_slow_does_not_hold_up_another_one() {
    let faults = Faults::start(variable("").replace("http://", "")).await;
    let address = format!("http://{}", faults.address);
    let options = options(&address, "_CLIENT_ID", "_SECRET_FILE");
    let mut store = KeycloakStore::open(&options).await.unwrap();
    store.server.wait_for(PATIENCE);
    let store = Arc::new(store);
    let [slow, other] = ["slow", "other"].map(|name| format!("r{}-{name}", std::process::id()));
    for tenant in [&slow, &other] {
        let keys = Some(vec![signing_key()]);
        let realm = Desired { keys, ..samples::desired(samples::tenant(tenant)) };
        let made = unless_broken!(store.apply(&realm, &Expected::Absent), Error::Broken(_));
        assert_eq!(made.unwrap(), Applied::Created);
    }
    let place = format!("/admin/realms/{slow}");
    faults.act(move |request| if request.contains(&place) { Act::Hang } else { Act::Pass });
    let stuck = |number: usize| samples::role(&slow, &samples::wide(&format!("r{number}")), None);
    let error = store.observe(&stuck(0).key()).await.unwrap_err();
    assert_eq!(error.class(), Class::Transient);
    assert!(error.to_string().contains("did not end GET"), "{error}");

    // Twelve go on asking for it, more than may ask at a time.
    let is_over = Arc::new(AtomicBool::new(false));
    let asking = (0..12).map(|number| {
        let (store, is_over, role) = (store.clone(), is_over.clone(), stuck(number));
        tokio::spawn(async move {
            while !is_over.load(SeqCst) {
                let asked = store.apply(&samples::desired(role.clone()), &Expected::Absent).await;
                assert!(matches!(asked, Err(Error::Unavailable(_))), "{asked:?}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
    });
    let asking: Vec<_> = asking.collect();
    for number in 0..20 {
        let role = samples::role(&other, &samples::wide(&format!("r{number}")), None);
        let role = samples::desired(role);
        let made = unless_broken!(store.apply(&role, &Expected::Absent), Error::Broken(_));
        assert_eq!(made.unwrap(), Applied::Created);
    }
    is_over.store(true, SeqCst);
    for asked in join_all(asking).await {
        asked.unwrap();
    }
    faults.act(|_| Act::Pass);
    let made = store.apply(&samples::desired(stuck(0)), &Expected::Absent).await;
    assert_eq!(made.unwrap(), Applied::Created);
}
