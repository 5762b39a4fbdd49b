//! What the user finishes: actions at the next login, and the proof of an email address.
//!
//! Each is asked for once, when its value changes. What the user has done since is not asked
//! again, so what was asked last is remembered with the user's mark in the store.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::email::email;
use crate::api::RequiredAction;

/// What a User says, or last said, of what the user finishes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Asked {
    /// `spec.requiredActions`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub required_actions: Vec<RequiredAction>,
    /// `spec.password.temporary`: the action `UpdatePassword`, asked for anew with each password.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub temporary: bool,
    /// `spec.email`, as written: another address is not verified by what was said of the one before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// `spec.emailVerified`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
}

impl Asked {
    /// The actions that the user shall have still to do, in the order of their names in the schema.
    ///
    /// What is new in the User is added to those that the store has, what it no longer asks for is
    /// taken out, and all others, of which somebody else may have asked, stay as they are.
    #[must_use]
    pub fn required_actions(
        &self,
        last: &Self,
        there: &[RequiredAction],
        new_password: bool,
    ) -> Vec<RequiredAction> {
        let (now, before) = (self.all(), last.all());
        let is_new = |action: &RequiredAction| {
            !before.contains(action)
                || new_password && self.temporary && *action == RequiredAction::UpdatePassword
        };
        let mut actions: Vec<_> = there
            .iter()
            .filter(|action| now.contains(action) || !before.contains(action))
            .chain(now.iter().filter(|action| is_new(action)))
            .copied()
            .collect();
        actions.sort();
        actions.dedup();
        actions
    }

    /// Whether the email address shall count as verified; `there` is what the store has.
    #[must_use]
    pub fn email_verified(&self, last: &Self, there: bool) -> bool {
        let (now, before) = (self.email.as_deref(), last.email.as_deref());
        if let Some(now) = now
            && before.is_none_or(|before| !is_same_address(now, before))
        {
            return self.email_verified.unwrap_or(false);
        }
        match self.email_verified {
            Some(verified) if self.email_verified != last.email_verified => verified,
            _ => there,
        }
    }

    fn all(&self) -> BTreeSet<RequiredAction> {
        let temporary = self.temporary.then_some(RequiredAction::UpdatePassword);
        self.required_actions.iter().copied().chain(temporary).collect()
    }
}

/// Whether both are one address in the form in which addresses are compared: written in another case it
/// is still the one that was verified. What has no such form, as an older rule may have let it through,
/// is compared as written.
fn is_same_address(one: &str, other: &str) -> bool {
    one == other || email(one).is_ok_and(|one| email(other) == Ok(one))
}

#[cfg(test)]
mod tests {
    use RequiredAction::{ConfigureTotp, UpdatePassword, UpdateProfile, VerifyEmail};

    use super::*;

    fn asked(actions: &[RequiredAction], temporary: bool) -> Asked {
        Asked { required_actions: actions.to_vec(), temporary, ..Asked::default() }
    }

    #[test]
    fn actions_are_asked_for_once() {
        let (none, profile) = (asked(&[], false), asked(&[UpdateProfile], false));
        let cases: [(&str, &Asked, &Asked, &[_], bool, &[_]); 11] = [
            ("nothing", &none, &none, &[], false, &[]),
            ("asked for", &none, &profile, &[], false, &[UpdateProfile]),
            ("still to do", &profile, &profile, &[UpdateProfile], false, &[UpdateProfile]),
            ("done by the user", &profile, &profile, &[], false, &[]),
            (
                "one more, the first is done",
                &profile,
                &asked(&[UpdateProfile, ConfigureTotp], false),
                &[],
                false,
                &[ConfigureTotp],
            ),
            ("no longer asked for", &profile, &none, &[UpdateProfile], false, &[]),
            ("asked for by another", &none, &none, &[VerifyEmail], false, &[VerifyEmail]),
            (
                "another's stays",
                &profile,
                &none,
                &[VerifyEmail, UpdateProfile],
                false,
                &[VerifyEmail],
            ),
            ("temporary", &none, &asked(&[], true), &[], true, &[UpdatePassword]),
            (
                "another temporary password",
                &asked(&[], true),
                &asked(&[], true),
                &[],
                true,
                &[UpdatePassword],
            ),
            ("changed by the user", &asked(&[], true), &asked(&[], true), &[], false, &[]),
        ];
        for (what, last, now, there, new_password, expected) in cases {
            assert_eq!(now.required_actions(last, there, new_password), expected, "{what}");
        }
    }

    #[test]
    fn no_actions_do_not_undo_temporary_and_the_other_way_round() {
        let both = asked(&[UpdatePassword], true);
        let there = [UpdatePassword];
        for (what, now, expected) in [
            ("actions taken out", asked(&[], true), &there[..]),
            ("temporary taken out", asked(&[UpdatePassword], false), &there[..]),
            ("both", asked(&[], false), &[]),
        ] {
            assert_eq!(now.required_actions(&both, &there, false), expected, "{what}");
        }
    }

    #[test]
    fn an_address_is_verified_when_its_value_says_so_and_by_the_user_after_that() {
        let say = |email: Option<&str>, email_verified| Asked {
            email: email.map(Into::into),
            email_verified,
            ..Asked::default()
        };
        let (a, b) = (Some("a@x"), Some("b@x"));
        let cases = [
            ("new, nothing said", say(None, None), say(a, None), false, false),
            ("new, verified", say(None, None), say(a, Some(true)), false, true),
            ("verified by the user", say(a, None), say(a, None), true, true),
            (
                "verified by the user, false is old",
                say(a, Some(false)),
                say(a, Some(false)),
                true,
                true,
            ),
            ("said later", say(a, None), say(a, Some(true)), false, true),
            ("taken back", say(a, Some(true)), say(a, Some(false)), true, false),
            ("taken out", say(a, Some(true)), say(a, None), true, true),
            ("another address", say(a, None), say(b, None), true, false),
            ("another address, said of it", say(a, Some(true)), say(b, Some(true)), true, true),
            ("address taken out", say(a, Some(true)), say(None, None), true, true),
        ];
        for (what, last, now, there, expected) in cases {
            assert_eq!(now.email_verified(&last, there), expected, "{what}");
        }
    }

    #[test]
    fn an_address_is_the_same_as_long_as_it_is_compared_alike() {
        let cases = [
            ("as written", "ada@x", "ada@x", true),
            ("in another case", "Ada@x", "ada@x", true),
            ("its domain in another case", "ada@Example.com", "ada@example.COM", true),
            ("in another width", "ＡＤＡ@x", "ada@x", true),
            ("composed otherwise", "Zoe\u{308}@x", "zoë@x", true),
            ("another local part", "ada@x", "bob@x", false),
            ("another domain", "ada@x", "ada@y", false),
            ("what a provider may ignore", "a.da@x", "ada@x", false),
            ("of no form, as written", "ada", "ada", true),
            ("of no form, in another case", "Ada", "ada", false),
            ("only the new one of a form", "ada♥@x", "ada@x", false),
        ];
        for (what, before, now, is_same) in cases {
            let say = |email: &str| Asked { email: Some(email.into()), ..Asked::default() };
            assert_eq!(say(now).email_verified(&say(before), true), is_same, "{what}");
        }
    }
}
