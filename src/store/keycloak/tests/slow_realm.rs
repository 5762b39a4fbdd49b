//! Realms that are slow alone: their own objects say so, and those of other tenants do not notice.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
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

/// As long as in operation: enough for what others ask, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many requests to realms that are slow are under way at a time, of the eight that may be in all.
const AT_A_TIME: u64 = 2;

#[tokio::test]
async fn realms_that_alone_are_slow_do_not_hold_up_another_one() {
    let faults = Faults::start(variable("").replace("http://", "")).await;
    let address = format!("http://{}", faults.address);
    let options = options(&address, "_CLIENT_ID", "_SECRET_FILE");
    let mut store = KeycloakStore::open(&options).await.unwrap();
    store.server.wait_for(PATIENCE);
    let named = |name| format!("r{}-{name}", std::process::id());
    let (slow, other) = (["slow", "slow-too", "slow-as-well"].map(named), named("other"));
    // Of the others it does not matter whether they are there.
    for tenant in [&slow[0], &other] {
        let keys = Some(vec![signing_key()]);
        let realm = Desired { keys, ..samples::desired(samples::tenant(tenant)) };
        let made = unless_broken!(store.apply(&realm, &Expected::Absent), Error::Broken(_));
        assert_eq!(made.unwrap(), Applied::Created);
    }
    let asked = Arc::new(AtomicU64::new(0));
    let (counted, place) = (asked.clone(), format!("/admin/realms/{}", named("slow")));
    faults.act(move |request| {
        if request.contains(&place) {
            counted.fetch_add(1, SeqCst);
            Act::Hang
        } else {
            Act::Pass
        }
    });
    let stuck = |realm: &String, number: usize| {
        samples::role(realm, &samples::wide(&format!("r{number}")), None)
    };
    let found = join_all(slow.each_ref().map(|realm| {
        let (store, role) = (&store, stuck(realm, 0));
        async move { store.observe(&role.key()).await.unwrap_err() }
    }));
    for error in found.await {
        assert_eq!(error.class(), Class::Transient);
        assert!(error.to_string().contains("did not end GET"), "{error}");
    }

    // Twelve go on asking for them, more than may ask at a time.
    asked.store(0, SeqCst);
    let began = Instant::now();
    let asking = join_all((0..12).map(|number| {
        let (store, role) = (&store, stuck(&slow[number % 3], number));
        async move {
            loop {
                let asked = store.apply(&samples::desired(role.clone()), &Expected::Absent).await;
                assert!(matches!(asked, Err(Error::Unavailable(_))), "{asked:?}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }));
    let others = async {
        for number in 0..20 {
            let role = samples::role(&other, &samples::wide(&format!("r{number}")), None);
            let role = samples::desired(role);
            let made = unless_broken!(store.apply(&role, &Expected::Absent), Error::Broken(_));
            assert_eq!(made.unwrap(), Applied::Created);
        }
    };
    tokio::select! {
        _ = asking => unreachable!("they never end"),
        () = others => {}
    }
    let most = AT_A_TIME * (1 + began.elapsed().as_secs() / PATIENCE.as_secs());
    let asked = asked.load(SeqCst);
    assert!((1..=most).contains(&asked), "{asked} of {most}");
    faults.act(|_| Act::Pass);
    let role = samples::desired(stuck(&slow[0], 0));
    let made = unless_broken!(store.apply(&role, &Expected::Absent), Error::Broken(_));
    assert_eq!(made.unwrap(), Applied::Created);
}
