//! The state of a tenant that the store shall have, and what is remembered with it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::{
    api::{
        Organization, Tenant,
        paths::{for_each_leaf, insert},
    },
    controller::{inherit::Inherit, snapshot::as_map},
    policy::{
        effective::Document,
        ledger::Ledger,
        short_id,
        subscription::{self, Standing},
    },
    store::TenantState,
};

/// What is remembered with a tenant's mark in the store.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Memo {
    /// Whether the tenant was there before us: what was never set stays as found.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
    /// In an adopted tenant: the paths that were ever set.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub ever_set: BTreeSet<String>,
    /// In an adopted tenant that never said `enabled`: whether it was found enabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found_enabled: Option<bool>,
    /// What was last in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<Document>,
    /// The public signing keys, so that a keystore that was lost is known to have been there.
    #[serde(skip_serializing_if = "no_keys")]
    pub ledger: Ledger,
    /// Since when the keystore is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keystore_missing: Option<Timestamp>,
}

impl Memo {
    /// Reads what was remembered, each part for itself.
    ///
    /// Of what is ours and remembers nothing that can be read, it is taken that it was adopted:
    /// then nothing of it is overwritten that nobody sets.
    pub fn read(memo: &Value) -> Self {
        fn part<T: DeserializeOwned>(memo: &Value, name: &str) -> Option<T> {
            memo.get(name).and_then(|part| serde_json::from_value(part.clone()).ok())
        }
        Self {
            adopted: part(memo, "adopted").unwrap_or(!memo.is_object()),
            ever_set: part(memo, "everSet").unwrap_or_default(),
            found_enabled: part(memo, "foundEnabled"),
            document: part(memo, "document"),
            ledger: part(memo, "ledger").unwrap_or_default(),
            keystore_missing: part(memo, "keystoreMissing"),
        }
    }

    /// As the store keeps it.
    pub fn write(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Remembers what is in force now.
    pub fn remember(&mut self, document: &Document) {
        if self.adopted {
            self.ever_set.extend(document.set_paths().cloned());
        }
        self.document = Some(document.clone());
    }
}

/// The state that the store shall have.
///
/// What lies outside the settings follows the same rule as they: what an adopted
/// tenant never set stays as found.
pub fn state(
    tenant: &Tenant,
    tenant_id: &str,
    document: &Document,
    found: Option<&TenantState>,
    memo: &mut Memo,
    now: Timestamp,
) -> TenantState {
    let spec = &tenant.spec;
    let suspended =
        matches!(subscription::standing(spec.subscription.as_ref(), now), Standing::Expired(_));
    let found = found.filter(|_| memo.adopted);
    if let Some(found) = found
        && (!found.suspended || memo.found_enabled.is_none())
    {
        // While it is suspended it is disabled by us.
        memo.found_enabled = Some(found.enabled);
    }
    let found_enabled = memo.found_enabled;
    let mut inherit = Inherit { ever_set: &mut memo.ever_set, adopted: found.is_some() };
    let organization = inherit.organization(
        spec.organization.as_ref().unwrap_or(&Organization::default()),
        found.map(|found| &found.organization),
    );
    let enabled = inherit.of("enabled", spec.enabled.as_ref(), found_enabled).unwrap_or(true);
    TenantState {
        tenant_id: tenant_id.to_owned(),
        short_id: short_id::of(tenant_id),
        display_name: inherit.of(
            "displayName",
            spec.display_name.as_ref(),
            found.and_then(|found| found.display_name.clone()),
        ),
        type_: inherit.of("type", spec.type_.as_ref(), found.and_then(|found| found.type_.clone())),
        region: inherit.of(
            "region",
            spec.region.as_ref(),
            found.and_then(|found| found.region.clone()),
        ),
        domain: inherit.of(
            "domain",
            spec.domain.as_ref(),
            found.and_then(|found| found.domain.clone()),
        ),
        enabled: enabled && !suspended,
        suspended,
        organization,
        settings: document.settings.clone(),
        keystore: document.keystore.clone(),
        subscription: inherit
            .of(
                "subscription",
                own_subscription(tenant, document).as_ref(),
                found.map(|found| found.subscription.clone()),
            )
            .unwrap_or_default(),
    }
}

impl Inherit<'_> {
    /// Each part of the organisation for itself.
    fn organization(&mut self, own: &Organization, found: Option<&Organization>) -> Organization {
        let mut merged = Map::new();
        if let Some(found) = found.filter(|_| self.adopted) {
            for_each_leaf(&as_map(found), "", &mut |path, value| {
                if !self.ever_set.contains(&format!("organization.{path}")) {
                    insert(&mut merged, path, value.clone());
                }
            });
        }
        for_each_leaf(&as_map(own), "", &mut |path, value| {
            if self.adopted {
                self.ever_set.insert(format!("organization.{path}"));
            }
            insert(&mut merged, path, value.clone());
        });
        serde_json::from_value(Value::Object(merged)).unwrap_or_default()
    }
}

/// Plan, dates and notes; none if there is nothing to say.
fn own_subscription(tenant: &Tenant, document: &Document) -> Option<Map<String, Value>> {
    let subscription = tenant.spec.subscription.clone().unwrap_or_default();
    let Value::Object(mut map) = json!({
        "plan": document.plan,
        "planDetails": document.plan_details,
        "issuedAt": subscription.issued_at,
        "expiresAt": subscription.expires_at,
        "metadata": subscription.metadata,
    }) else {
        return None;
    };
    map.retain(|_, value| !value.is_null());
    (!map.is_empty()).then_some(map)
}

fn no_keys(ledger: &Ledger) -> bool {
    *ledger == Ledger::default()
}
