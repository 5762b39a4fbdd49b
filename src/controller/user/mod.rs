//! Users: find the tenant and the roles, decide whose the name is and what the password shall be, apply
//! it to the store, report.

mod desired;
mod less;
mod password;
mod report;
mod seats;

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use kube::ResourceExt;

use super::{
    cache::Guarded,
    context::Context,
    driver::{Controlled, Notice, Outcome},
    home::Home,
    index::{Kind, Link, ObjectId},
    informer::Linked,
    inherit::Memo,
    member::{self, Found, Member},
    role_list::RoleList,
    view::{View, target},
};
use crate::{
    api::{ReferrerKind, User},
    policy::{
        Class, Problem, Reason,
        claim::{self, Mark},
        email, own_rules, username,
    },
    store::{self, Counted, Key, RoleName, State, Unique, UserState},
};
pub(super) use password::secret_missing;

use password::PasswordOutcome;
use report::report;

/// The list that memos name when it is managed.
const ROLES: &str = "roles";
/// The field of that list, for messages.
const ROLES_FIELD: &str = "spec.roles";

impl User {
    /// The username in force.
    fn username(&self) -> Result<String, Problem> {
        username::in_force(&self.spec, &self.name_any())
            .map_err(|violation| Problem::terminal(Reason::InvalidSpec, violation.to_string()))
    }

    /// The username in force, or as it is written where there is none.
    fn username_for_people(&self) -> String {
        self.username()
            .unwrap_or_else(|_| self.spec.username.clone().unwrap_or_else(|| self.name_any()))
    }

    /// The email address that it claims, in the form in which addresses are compared.
    fn email_key(&self) -> Option<String> {
        email::email(self.spec.email.as_deref()?).ok()
    }

    fn claims_email(&self, email_key: &str) -> String {
        let tenant = target(&self.spec.tenant_ref, &self.namespace().unwrap_or_default());
        format!("{tenant}/email/{email_key}")
    }
}

impl Linked for User {
    const KIND: Kind = Kind::User;

    fn links(&self) -> BTreeSet<Link> {
        let own = self.namespace().unwrap_or_default();
        let mut links = member::links(self);
        links.extend(self.email_key().map(|email| Link::Claims(self.claims_email(&email))));
        for role in self.spec.roles.iter().flatten().map(|role| target(role, &own)) {
            if role.namespace != own {
                links.insert(Link::LooksOutOf(own.clone()));
            }
            links.insert(Link::RefersTo(Kind::Role, role));
        }
        let secret = self.password_place().map(|place| ObjectId::new(own, place.secret));
        links.extend(secret.map(Link::UsesSecret));
        links
    }

    fn standing(&self) -> String {
        member::standing(self)
    }
}

impl Member for User {
    const STORED: store::Kind = store::Kind::User;
    const REFERS_AS: ReferrerKind = ReferrerKind::User;
    const NAMED_BY: &'static str = "spec.username";

    member::fields_alike!();

    fn key(&self, tenant_id: &str, _: &Context) -> Option<Key> {
        Some(Key::User { tenant: tenant_id.into(), username: self.username().ok()? })
    }

    fn called(&self) -> String {
        format!("user {}", self.username_for_people())
    }

    fn claims(&self) -> Link {
        let tenant = target(&self.spec.tenant_ref, &self.namespace().unwrap_or_default());
        Link::Claims(format!("{tenant}/user/{}", self.username_for_people()))
    }
}

#[async_trait]
impl Controlled for User {
    const IN_STORE: bool = true;

    fn latest(view: &View, id: &ObjectId) -> Option<Arc<Guarded<Self>>> {
        view.users.get_guarded(id)
    }

    async fn reconcile(
        &self,
        id: &ObjectId,
        broken: Option<Problem>,
        context: &Context,
    ) -> Result<Outcome, Problem> {
        // Resolve.
        let wrong = broken.or_else(|| own_rules::user(&self.spec, &id.name).err());
        let instead = |problem: Problem| match &wrong {
            // What passes by itself is tried again soon: what takes rights away may be waiting behind it.
            Some(wrong) if problem.class != Class::Transient => wrong.clone(),
            _ => problem,
        };
        let (key, home) = self.place(id, context).await.map_err(instead)?;
        let wrong = wrong.clone().or_else(|| home.has_users().err());
        let found = Found::of(self, id, (&key, &home), context).await.map_err(instead)?;
        let mut found = match found {
            Ok(found) => found,
            Err(conflict) => return Ok(self.not_in_store(&key, instead(conflict))),
        };

        // Decide, apply, report.
        let done = match wrong {
            Some(problem) => Err(problem),
            None => self.bring_about(id, &mut found, context).await,
        };
        match done {
            // What an older status says of a store is not true here.
            Err(problem) if found.claim.is_new() => Ok(self.not_in_store(&key, problem)),
            // What was decided is out of date, and so is what it would take away.
            Err(problem) if problem.reason == Reason::StoreChanged => Err(problem),
            Err(problem) => self.take_away(problem, id, &mut found, context).await,
            done => done,
        }
    }

    async fn clean_up(&self, id: &ObjectId, context: &Context) -> Result<Vec<Notice>, Problem> {
        member::clean_up(self, id, (&[], None), context).await
    }
}

/// What a reconcile decided.
struct Decided {
    state: UserState,
    memo: Memo,
    password: PasswordOutcome,
    /// The roles that are waited for.
    missing: Option<Problem>,
}

impl User {
    /// The tenant that it is in, and where it is in the store.
    async fn place(&self, id: &ObjectId, context: &Context) -> Result<(Key, Home), Problem> {
        let username = self.username()?;
        let tenant = &self.spec.tenant_ref;
        let home = Home::of(tenant, &id.namespace, ReferrerKind::User, context).await?;
        Ok((Key::User { tenant: home.tenant_id.clone(), username }, home))
    }

    /// Brings the store to what is declared.
    async fn bring_about(
        &self,
        id: &ObjectId,
        found: &mut Found<'_>,
        context: &Context,
    ) -> Result<Outcome, Problem> {
        // Decide.
        let decided = self.decide(id, found, context).await?;

        // Apply.
        if found.leaves(ROLES, decided.state.roles.is_some())
            && let Some(there) = found.user_state()
        {
            let emptied = UserState { roles: Some(Vec::new()), ..there.clone() };
            found.apply(State::User(emptied), context).await?;
            found.observe_again(context).await?;
        }
        found.memo = decided.memo;
        let password = decided.password.new.clone();
        let seated = seats::apply(found, decided.state, password, context).await;
        let seated = seated.map_err(|error| self.refused(error, found.home, &context.view))?;

        // Report.
        let status = report(&seated.state, &decided.password, found, context);
        let not_ready = first_to_mend([decided.password.problem, seated.problem, decided.missing]);
        let mut outcome = found.outcome(self, &seated.applied, status, not_ready, context);
        outcome.also = Some(decided.password.also);
        outcome.notices.extend(decided.password.notices);
        Ok(outcome)
    }

    /// What the store shall have. One that is not in the store yet comes there whole or not at all.
    async fn decide(
        &self,
        id: &ObjectId,
        found: &Found<'_>,
        context: &Context,
    ) -> Result<Decided, Problem> {
        let is_new = found.claim.is_new();
        self.email_is_free(found, context)?;
        if is_new && self.spec.password.is_some() {
            found.home.has_room_for(Counted::Users, context).await?;
        }
        let (roles, missing) = self.resolve_roles(id, found, context).await?;
        let password = self.password(id, found, context).await?;
        if is_new && let Some(problem) = password.problem {
            return Err(problem);
        }
        found.is_its_turn(context).await?;
        let (state, memo) = self.desired(found, roles, &password)?;
        Ok(Decided { state, memo, password, missing })
    }

    /// The roles that it shall hold, if it manages any, and what is still missing.
    async fn resolve_roles(
        &self,
        id: &ObjectId,
        found: &Found<'_>,
        context: &Context,
    ) -> Result<(Option<Vec<RoleName>>, Option<Problem>), Problem> {
        let Some(references) = &self.spec.roles else { return Ok((None, None)) };
        let held = found.user_state().and_then(|there| there.roles.clone()).unwrap_or_default();
        let list = RoleList { field: ROLES_FIELD, references, held: &held };
        let (roles, missing) = list.resolve(id, found.home, context).await?;
        let (roles, reserved) = seats::leave(found.home, id, &held, roles, context).await;
        Ok((Some(roles), first_to_mend([missing, reserved])))
    }

    /// Whether it may have its email address: it has it already, or no older User claims it. The store
    /// makes sure of it.
    fn email_is_free(&self, found: &Found<'_>, context: &Context) -> Result<(), Problem> {
        let there = found.user_state().and_then(|there| there.email_key.as_ref());
        if there == self.email_key().as_ref() {
            return Ok(());
        }
        self.email_taken(&found.mark, found.home, &context.view).map_or(Ok(()), Err)
    }

    /// The conflict with an older User that claims its email address, for all that the view knows.
    pub(super) fn email_taken(&self, me: &Mark, home: &Home, view: &View) -> Option<Problem> {
        let email = self.email_key()?;
        let claimants = member::rivals(self, &self.claims_email(&email), &home.id, view);
        let what = format!("spec.email: the address {email} in tenant {}", home.tenant_id);
        claim::taken_before(me, claimants, (&what, "set another spec.email"))
    }

    /// Why the store refuses it: with the field, and who else claims the address if that may be named.
    fn refused(&self, error: store::Error, home: &Home, view: &View) -> Problem {
        let store::Error::Taken(what) = error else { return error.into() };
        let problem = Problem::from(error);
        if what == Unique::Id {
            return Problem { message: format!("spec.id: {}", problem.message), ..problem };
        }
        let claim = self.email_key().map(|email| self.claims_email(&email)).unwrap_or_default();
        let (uid, own) = (self.uid().unwrap_or_default(), self.namespace().unwrap_or_default());
        let mut others = member::rivals(self, &claim, &home.id, view).into_iter();
        let near = others.find(|other| other.uid != uid && other.namespace == own);
        let by = near.map(|other| format!(" (User {} claims it)", other.name)).unwrap_or_default();
        Problem { message: format!("spec.email: {}{by}", problem.message), ..problem }
    }

    /// The outcome where nothing in the store is this User's. The id stays in status: it comes back with
    /// the user.
    fn not_in_store(&self, key: &Key, problem: Problem) -> Outcome {
        let mut outcome = member::waits_for(key, problem);
        let id = self.status.as_ref().and_then(|status| status.id.clone());
        outcome.status.extend(id.map(|id| ("id".to_owned(), id.into())));
        outcome
    }
}

/// Of several problems, the first that needs a person, or else the first.
fn first_to_mend<const N: usize>(problems: [Option<Problem>; N]) -> Option<Problem> {
    let mut problems: Vec<_> = problems.into_iter().flatten().collect();
    problems.sort_by_key(|problem| !problem.is_stalled());
    problems.into_iter().next()
}
