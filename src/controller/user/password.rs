//! A User's password: from its Secret into the store, when the Secret's author wants a change.

use getrandom::SysRng;
use kube::{Resource as _, ResourceExt as _};
use rand_core::UnwrapErr;
use zeroize::Zeroizing;

use crate::{
    api::{HashFunction, PasswordPolicy, PasswordSource, User},
    controller::{
        conditions::Also, context::Context, driver::Notice, index::ObjectId, inherit::PasswordMemo,
        member::Found,
    },
    password::{HashError, Hashed},
    policy::{
        Problem, Reason,
        fingerprint::{self, Change},
        own_rules, password,
    },
    store::{Key, NewPassword},
};

/// The field that names a Secret of one's own, for messages.
const SECRET_FIELD: &str = "spec.password.secretKeyRef";
/// The key in the Secret where the spec names none.
const DEFAULT_KEY: &str = "password";
/// The length of a generated password where the spec says none.
const DEFAULT_LENGTH: u32 = 24;

/// Where a password comes from.
pub struct Place {
    /// The Secret's name, in the User's namespace.
    pub secret: String,
    key: String,
    /// The length of the password, if the operator makes it.
    generated: Option<u32>,
    /// The field, for messages.
    field: &'static str,
}

/// What is to be done about a password, and what there is to say of it.
#[derive(Default)]
pub struct PasswordOutcome {
    /// The password to set.
    pub new: Option<NewPassword>,
    /// What to remember once the store has it.
    pub memo: Option<PasswordMemo>,
    /// Why it cannot be as declared; what the store has stays.
    pub problem: Option<Problem>,
    /// What else is true.
    pub also: Vec<Also>,
    /// What is told once the store has it.
    pub notices: Vec<Notice>,
}

impl From<Problem> for PasswordOutcome {
    fn from(problem: Problem) -> Self {
        Self { problem: Some(problem), ..Self::default() }
    }
}

/// What the Secret holds.
enum Content {
    /// A password.
    Password(Zeroizing<String>),
    /// None: the Secret or the key in it is not there, as the sentence says.
    Missing(String),
}

impl User {
    /// Where its password comes from.
    pub(super) fn password_place(&self) -> Option<Place> {
        let PasswordSource { secret_key_ref, generate, .. } = self.spec.password.as_ref()?;
        Some(match (secret_key_ref, generate) {
            (Some(reference), _) => Place {
                secret: reference.name.clone(),
                key: reference.key.clone().unwrap_or_else(|| DEFAULT_KEY.into()),
                generated: None,
                field: SECRET_FIELD,
            },
            (None, generate) => {
                let generate = generate.clone().unwrap_or_default();
                Place {
                    secret: own_rules::generated_secret_name(&generate, &self.name_any()),
                    key: generate.key.unwrap_or_else(|| DEFAULT_KEY.into()),
                    generated: Some(generate.length.unwrap_or(DEFAULT_LENGTH)),
                    field: "spec.password.generate",
                }
            }
        })
    }

    /// Decides about the password. What is wrong with it alone is in the outcome: the rest of the User
    /// goes on without it.
    pub(super) async fn password(
        &self,
        id: &ObjectId,
        found: &Found<'_>,
        context: &Context,
    ) -> Result<PasswordOutcome, Problem> {
        let Some(place) = self.password_place() else { return Ok(PasswordOutcome::default()) };
        let setting = Setting { user: self, id, place, found, context };
        match setting.decide().await {
            Err(problem) if problem.reason == Reason::ApiError => Err(problem),
            decided => Ok(decided.unwrap_or_else(PasswordOutcome::from)),
        }
    }
}

/// One look at one password.
struct Setting<'a> {
    user: &'a User,
    id: &'a ObjectId,
    place: Place,
    found: &'a Found<'a>,
    context: &'a Context,
}

impl Setting<'_> {
    async fn decide(&self) -> Result<PasswordOutcome, Problem> {
        let last = self.found.memo.user.as_ref().and_then(|user| user.password.as_ref());
        let is_place = |last: &PasswordMemo| last.secret == self.place.to_string();
        let was_used = last.is_some_and(is_place);
        let password = match self.content(was_used).await? {
            Content::Password(password) => password,
            Content::Missing(message) if was_used => {
                let message =
                    format!("{message}. The user keeps the password that was set from it");
                let reason = Reason::PasswordSecretMissing;
                let also = vec![Also { type_: reason.as_str(), reason, message }];
                return Ok(PasswordOutcome { also, ..PasswordOutcome::default() });
            }
            Content::Missing(message) => {
                return Err(Problem::waiting(Reason::PasswordSecretMissing, message));
            }
        };
        let Key::User { tenant, username } = &self.found.key else {
            return Ok(PasswordOutcome::default());
        };
        let fingerprint =
            self.context.passwords.fingerprint_key().await?.of(tenant, username, &password);
        let is_new = self.found.claim.is_new();
        let credentials = self.found.record.iter().flat_map(|record| &record.credentials);
        let has_password = credentials.into_iter().any(|there| there.type_ == "password");
        let change = fingerprint::change(
            &fingerprint,
            last.map(|last| &last.fingerprint),
            is_new,
            has_password,
        );
        let memo = Some(PasswordMemo { secret: self.place.to_string(), fingerprint });
        let secret = &self.place.secret;
        match change {
            Change::Nothing => Ok(PasswordOutcome { memo, ..PasswordOutcome::default() }),
            Change::Record => {
                let notice = Notice::warning(
                    Reason::PasswordNotSet,
                    format!(
                        "the password in the Secret {secret} was not set, because the user has one of which is not known whether it came from there: change the Secret to set it"
                    ),
                );
                let notices = vec![notice];
                Ok(PasswordOutcome { memo, notices, ..PasswordOutcome::default() })
            }
            Change::Set => {
                let new = Some(self.hashed(password, is_new).await?);
                let message = format!("the password was set from the Secret {secret}");
                let notices = vec![Notice::normal(Reason::PasswordSet, message)];
                Ok(PasswordOutcome { new, memo, notices, ..PasswordOutcome::default() })
            }
        }
    }

    /// What the Secret holds; one that the operator makes is made, unless it was used before.
    async fn content(&self, was_used: bool) -> Result<Content, Problem> {
        let Place { secret, key, generated, field } = &self.place;
        let place = ObjectId::new(&self.id.namespace, secret);
        let Some(found) = self.context.passwords.read(&place, key).await? else {
            return match generated {
                Some(length) if !was_used => self.generate(&place, *length).await,
                Some(_) => Ok(Content::Missing(format!(
                    "{field}: the Secret {secret} was deleted: set another secretName to have a new password made"
                ))),
                None => Ok(Content::Missing(secret_missing(secret))),
            };
        };
        let uid = self.user.uid().unwrap_or_default();
        if generated.is_some() && !found.owners.contains(&uid) {
            return Err(Problem::terminal(
                Reason::PasswordSecretConflict,
                format!(
                    "{field}: there is a Secret {secret} that was not made for this User: delete it if nothing needs it, or set another secretName, or refer to it by secretKeyRef"
                ),
            ));
        }
        let Some(value) = found.value else {
            return Ok(Content::Missing(format!(
                "{field}: the Secret {secret} has no key {key}: add it"
            )));
        };
        let rejected = |why: &str| {
            let message = format!("{field}: what the Secret {secret} holds under {key} {why}");
            Problem::terminal(Reason::PasswordRejected, message)
        };
        if value.len() > password::MAX_BYTES {
            let most = password::MAX_BYTES;
            return Err(rejected(&format!("is too long for a password: at most {most} bytes")));
        }
        match std::str::from_utf8(&value) {
            Ok(password) => Ok(Content::Password(Zeroizing::new(password.into()))),
            Err(_) => Err(rejected("is not text in UTF-8: a password must be")),
        }
    }

    /// Makes the Secret with a password that satisfies the policy.
    async fn generate(&self, place: &ObjectId, length: u32) -> Result<Content, Problem> {
        let (policy, function) = self.policy();
        let password = password::generate(&policy, function, length, &mut UnwrapErr(SysRng))?;
        let owner = self
            .user
            .controller_owner_ref(&())
            .ok_or_else(|| Problem::transient(Reason::ApiError, "the User has no UID yet"))?;
        self.context.passwords.create(place, &self.place.key, &password, owner).await?;
        Ok(Content::Password(password))
    }

    /// The password as the store takes it, if policy and history let it pass.
    async fn hashed(
        &self,
        password: Zeroizing<String>,
        is_new: bool,
    ) -> Result<NewPassword, Problem> {
        let (policy, function) = self.policy();
        let from = |problem: Problem| Problem {
            message: format!(
                "{} (Secret {}): {}",
                self.place.field, self.place.secret, problem.message
            ),
            ..problem
        };
        password::check(&policy, function, &password).map_err(from)?;
        let history = usize::try_from(policy.history.unwrap_or(0)).unwrap_or_default();
        let hasher = &self.context.passwords.hasher;
        if history > 0 && !is_new {
            for hash in self.context.store.last_passwords(&self.found.key, history).await? {
                if hasher.verify(password.clone(), hash).await.map_err(not_hashed)? {
                    return Err(from(Problem::terminal(
                        Reason::PasswordRejected,
                        format!(
                            "the password is one of the last {history} passwords of the user, which the policy does not allow (settings.policies.password.history): choose another"
                        ),
                    )));
                }
            }
        }
        let made = match self.context.store.password_cost() {
            Some(cost) => hasher.hash_at(password, cost).await,
            None => hasher.hash(password, function).await,
        };
        let Hashed { phc, algorithm } = made.map_err(not_hashed)?;
        Ok(NewPassword {
            hash: phc,
            algorithm,
            created_at: self.context.clock.now(),
            remembered: history,
        })
    }

    /// What is in force in the tenant.
    fn policy(&self) -> (PasswordPolicy, HashFunction) {
        let settings = self.found.home.document.typed_settings();
        let policies = settings.policies.unwrap_or_default();
        (
            policies.password.unwrap_or_default(),
            settings.hash_function.unwrap_or(HashFunction::Argon2),
        )
    }
}

/// What status says where a password's Secret is not there, and the webhook.
pub(in crate::controller) fn secret_missing(secret: &str) -> String {
    format!("{SECRET_FIELD}: the Secret {secret} is not there: create it")
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.secret, self.key)
    }
}

/// The computation broke off.
#[allow(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn not_hashed(error: HashError) -> Problem {
    Problem::transient(Reason::ApiError, format!("the password could not be hashed: {error}"))
}
