//! What a plan limits, and the counts that are held against it.
//!
//! Only what carries a mark counts: what was made by another hand takes nobody's seat.

use std::fmt;

use super::claim::Kind;
use crate::api::PlanDetails;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Counted {
    Users,
    Namespaces,
    Roles,
    /// Users who hold an administrator role, directly or through composites.
    Administrators,
}

impl Counted {
    /// All that is counted.
    pub const ALL: [Self; 4] = [Self::Users, Self::Namespaces, Self::Roles, Self::Administrators];

    /// What one more object of a kind counts as, if that is limited.
    #[must_use]
    pub const fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Tenant => None,
            Kind::Namespace => Some(Self::Namespaces),
            Kind::Role => Some(Self::Roles),
            Kind::User => Some(Self::Users),
        }
    }

    /// The limit's name in `planDetails`.
    #[must_use]
    pub const fn limit(self) -> &'static str {
        match self {
            Self::Users => "maxUsers",
            Self::Namespaces => "maxNamespaces",
            Self::Roles => "maxRoles",
            Self::Administrators => "administrators",
        }
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Users => "users",
            Self::Namespaces => "namespaces",
            Self::Roles => "roles",
            Self::Administrators => "administrators",
        })
    }
}

/// How many of each there may be in a tenant; none is unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Limits {
    pub users: Option<u64>,
    pub namespaces: Option<u64>,
    pub roles: Option<u64>,
    pub administrators: Option<u64>,
}

impl Limits {
    /// The limit on one of them.
    #[must_use]
    pub const fn of(&self, counted: Counted) -> Option<u64> {
        match counted {
            Counted::Users => self.users,
            Counted::Namespaces => self.namespaces,
            Counted::Roles => self.roles,
            Counted::Administrators => self.administrators,
        }
    }
}

impl From<&PlanDetails> for Limits {
    fn from(plan: &PlanDetails) -> Self {
        Self {
            users: plan.max_users.map(Into::into),
            namespaces: plan.max_namespaces.map(Into::into),
            roles: plan.max_roles.map(Into::into),
            administrators: plan.administrators.map(Into::into),
        }
    }
}

/// How many of each there are in a tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Counts {
    pub users: u64,
    pub namespaces: u64,
    pub roles: u64,
    pub administrators: u64,
}

impl Counts {
    /// The count of one of them.
    #[must_use]
    pub const fn of(&self, counted: Counted) -> u64 {
        match counted {
            Counted::Users => self.users,
            Counted::Namespaces => self.namespaces,
            Counted::Roles => self.roles,
            Counted::Administrators => self.administrators,
        }
    }

    /// What is above its limit, with the limit.
    #[must_use]
    pub fn above(&self, limits: &Limits) -> Vec<(Counted, u64)> {
        Counted::ALL
            .into_iter()
            .filter_map(|counted| Some((counted, limits.of(counted)?)))
            .filter(|(counted, limit)| self.of(*counted) > *limit)
            .collect()
    }

    /// What going from these counts to `after` would put above its limit, or further above it. A limit
    /// that was lowered evicts nobody, and what leaves the count as it is goes on.
    #[must_use]
    pub fn exceeded(&self, after: &Self, limits: &Limits) -> Option<(Counted, u64)> {
        after.above(limits).into_iter().find(|(counted, _)| after.of(*counted) > self.of(*counted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_holds_back_what_is_new_and_evicts_nobody() {
        let users = |users| Counts { users, ..Counts::default() };
        let limit = |users| Limits { users, ..Limits::default() };
        let cases = [
            ("unlimited", 9, 10, None, false),
            ("below", 1, 2, Some(2), false),
            ("one too many", 2, 3, Some(2), true),
            ("off", 0, 1, Some(0), true),
            ("lowered, as it was", 5, 5, Some(2), false),
            ("lowered, fewer", 5, 4, Some(2), false),
            ("lowered, more", 5, 6, Some(2), true),
        ];
        for (what, before, after, allowed, refused) in cases {
            let exceeded = users(before).exceeded(&users(after), &limit(allowed));
            assert_eq!(exceeded.is_some(), refused, "{what}");
        }
    }

    #[test]
    fn each_count_has_its_own_limit() {
        let limits =
            Limits { users: Some(1), namespaces: Some(2), roles: Some(3), administrators: Some(4) };
        let counts = Counts { users: 2, namespaces: 3, roles: 4, administrators: 5 };
        let above = counts.above(&limits);
        assert_eq!(above, Counted::ALL.into_iter().zip(1..).collect::<Vec<_>>());
    }
}
