//! What Namespaces, Roles and Users have in common: they live in a tenant, have a name there, and
//! are marked, adopted, retained and removed alike.

use std::collections::BTreeSet;

use kube::ResourceExt;
use serde_json::{Map, Value};

use super::{
    context::Context,
    deletion,
    driver::{Controlled, Notice, Outcome, Verdict},
    home::{self, Home},
    index::{Link, ObjectId},
    inherit::Memo,
    news::{self, News},
    references,
    view::{self, View, target},
};
use crate::{
    api::{
        AdoptionPolicy, Condition, DeletionPolicy, ObjectReference, ReferrerKind, StoreReference,
    },
    policy::{
        Problem, Reason,
        claim::{self, Claim, Claimant, Mark},
    },
    store::{
        self, Applied, Counted, Deleted, Desired, Expected, Key, NewPassword, Record, RoleState,
        State, Store, UserState,
    },
};

/// An object that lives in a tenant.
pub trait Member: Controlled {
    /// Its kind in the store.
    const STORED: store::Kind;
    /// Its kind as one that refers to a Tenant.
    const REFERS_AS: ReferrerKind;
    /// Its field that says its name, for messages.
    const NAMED_BY: &'static str;

    /// The Tenant that it refers to.
    fn tenant_ref(&self) -> &ObjectReference;
    /// What happens in the store when it is deleted.
    fn deletion_policy(&self) -> Option<DeletionPolicy>;
    /// What happens when the store has it already.
    fn adoption_policy(&self) -> Option<AdoptionPolicy>;
    /// Where it is in the store, in that tenant; none if that is not known any more.
    fn key(&self, tenant_id: &str, context: &Context) -> Option<Key>;
    /// What it is called in the store, for messages.
    fn called(&self) -> String;
    /// The name that it claims in its tenant.
    fn claims(&self) -> Link;
    /// The identity Namespace that it is placed in.
    fn placed_in(&self) -> Option<ObjectId> {
        None
    }
    /// The store that had it, as status says.
    fn was_in(&self) -> Option<&StoreReference>;
    /// Its conditions.
    fn conditions(&self) -> &[Condition];

    /// Whether Ready has this reason, as status says.
    fn has_reason(&self, reason: Reason) -> bool {
        let mut conditions = self.conditions().iter();
        conditions.any(|ready| ready.type_ == "Ready" && ready.reason == reason.as_str())
    }

    /// Whether the store has it, as status says: not one that was there before.
    fn is_in(&self, store: &dyn Store) -> bool {
        self.was_in().is_some_and(|was_in| was_in.id == store.id())
    }
}

/// What a member reads in fields that are called alike in the spec and status of each kind.
macro_rules! fields_alike {
    () => {
        fn tenant_ref(&self) -> &$crate::api::ObjectReference {
            &self.spec.tenant_ref
        }

        fn deletion_policy(&self) -> Option<$crate::api::DeletionPolicy> {
            self.spec.deletion_policy
        }

        fn adoption_policy(&self) -> Option<$crate::api::AdoptionPolicy> {
            self.spec.adoption_policy
        }

        fn was_in(&self) -> Option<&$crate::api::StoreReference> {
            self.status.as_ref()?.store.as_ref()
        }

        fn conditions(&self) -> &[$crate::api::Condition] {
            self.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default()
        }
    };
}
pub(super) use fields_alike;

/// What the store has under a member's name, and how the member comes to it.
pub struct Found<'a> {
    pub mark: Mark,
    pub record: Option<Record>,
    pub claim: Claim,
    pub memo: Memo,
    pub key: Key,
    pub home: &'a Home,
}

impl<'a> Found<'a> {
    /// Finds what the store has, and whether this member may have it: within, the conflict if it may not.
    pub async fn of<M: Member>(
        member: &M,
        id: &ObjectId,
        (key, home): (&Key, &'a Home),
        context: &Context,
    ) -> Result<Result<Self, Problem>, Problem> {
        let record = context.store.observe(key).await?;
        let mark = mark(member, id, context);
        let Link::Claims(name) = member.claims() else { return Ok(Err(unnamed())) };
        let there = record.as_ref().map(|record| record.mark.as_ref());
        let claimants = rivals(member, &name, &home.id, &context.view);
        let (what, otherwise) = called_in(member, &home.tenant_id);
        let claim = claim::decide(
            &mark,
            there,
            claim::Rules {
                what: &what,
                otherwise: &otherwise,
                claimants: &claimants,
                adopt: member.adoption_policy() == Some(AdoptionPolicy::Adopt),
                adoptable: context.options.adoptable.is_match(&home.tenant_id),
                take_over_from: &context.options.take_over_from,
                holder_exists: there.flatten().is_some_and(|mark| {
                    claimants.iter().any(|claimant| {
                        (&claimant.namespace, &claimant.name) == (&mark.namespace, &mark.name)
                    })
                }),
            },
        );
        let claim = match claim {
            Ok(claim) => claim,
            Err(conflict) => return Ok(Err(conflict)),
        };
        if let Some(record) = record.as_ref().filter(|_| !claim.is_new()) {
            context.has_come_back(&mark, &record.state);
        }
        let mut memo = record.as_ref().map(|record| Memo::read(&record.memo)).unwrap_or_default();
        memo.adopted |= claim == Claim::Adopt;
        Ok(Ok(Self { mark, record, claim, memo, key: key.clone(), home }))
    }

    /// The role that the store has.
    pub fn role_state(&self) -> Option<&RoleState> {
        match &self.record.as_ref()?.state {
            State::Role(state) => Some(state),
            _ => None,
        }
    }

    /// The user that the store has.
    pub fn user_state(&self) -> Option<&UserState> {
        match &self.record.as_ref()?.state {
            State::User(state) => Some(state),
            _ => None,
        }
    }

    /// Whether a list was managed and is no longer: what it had put there goes before it is left alone.
    pub fn leaves(&self, list: &str, is_managed: bool) -> bool {
        !is_managed && self.memo.managed.contains(list)
    }

    /// Whether nobody is forestalled who had a seat, if it is new.
    pub async fn is_its_turn(&self, context: &Context) -> Result<(), Problem> {
        let Some(counted) = Counted::of(self.mark.kind) else { return Ok(()) };
        let id = ObjectId::marked(&self.mark);
        if !self.claim.is_new() || context.returning.awaits(self.mark.kind.into(), &id) {
            return Ok(());
        }
        self.home.is_turn_of(&id, counted, context).await
    }

    /// Observes what is in the store by now, after a part was applied. What another hand had changed before
    /// is not forgotten.
    pub async fn observe_again(&mut self, context: &Context) -> Result<(), store::Error> {
        let drifted = self.record.as_ref().is_some_and(|record| record.drifted);
        self.record = context.store.observe(&self.key).await?;
        if let Some(record) = &mut self.record {
            record.drifted |= drifted;
        }
        Ok(())
    }

    /// Brings the store to this state, when it is its turn.
    pub async fn apply(&self, state: State, context: &Context) -> Result<Applied, Problem> {
        self.is_its_turn(context).await?;
        Ok(self.apply_with(state, None, context).await?)
    }

    /// Brings the store to this state, with a password to set. Tells whom it concerns beside those that
    /// the object's own change wakes: who waits for a seat, and the Tenant that counts.
    pub async fn apply_with(
        &self,
        state: State,
        password: Option<NewPassword>,
        context: &Context,
    ) -> Result<Applied, store::Error> {
        let desired = Desired {
            password,
            limits: self.home.limits(),
            ..Desired::new(state, self.mark.clone(), self.memo.write())
        };
        let expected = Expected::as_observed(self.record.as_ref());
        let applied = context.store.apply(&desired, &expected).await?;
        context.has_come_back(&self.mark, &desired.state);
        if applied != Applied::Unchanged {
            context.members_changed(&self.home.id, frees_something(&applied));
        }
        Ok(applied)
    }

    /// The outcome of a member that is in the store.
    pub fn outcome<M: Member>(
        &self,
        member: &M,
        applied: &Applied,
        status: Map<String, Value>,
        not_ready: Option<Problem>,
        context: &Context,
    ) -> Outcome {
        let what = member.called();
        let lost_from = member.was_in().filter(|_| *applied == Applied::Created);
        if lost_from.is_some() {
            let Mark { namespace, name, .. } = &self.mark;
            context.wake_dependents(M::KIND, &ObjectId::new(namespace.as_str(), name.as_str()));
        }
        Outcome {
            status,
            verdict: match not_ready {
                Some(problem) => Verdict::NotReady(problem),
                None => Verdict::Ready {
                    reason: Reason::Synced,
                    message: format!("{what} is in the store as declared"),
                },
            },
            also: Some(Vec::new()),
            notices: news::of(&News {
                what: &what,
                claim: &self.claim,
                applied,
                drifted: self.record.as_ref().is_some_and(|record| record.drifted),
                lost_from,
                store: context.store.as_ref(),
            }),
            look_again: None,
        }
    }
}

/// Makes sure that what the store has under this key was made by that member, to which a field refers. Its
/// status says so, but may be forged: who wrote it would otherwise be given what somebody else has made under
/// the same name.
pub async fn made<M: Member>(
    member: &M,
    id: &ObjectId,
    (key, field): (&Key, &str),
    context: &Context,
) -> Result<(), Problem> {
    let me = mark(member, id, context);
    let there = context.store.observe(key).await?.and_then(|record| record.mark);
    let is_its_own = there.is_some_and(|mark| {
        mark.is_same_object(&me) || context.options.take_over_from.contains(&mark.owner)
    });
    if is_its_own {
        return Ok(());
    }
    // By another hand, so that no status tells of the end of it.
    context.wake_if_thought_well(M::KIND, id, member.conditions());
    Err(Problem::transient(
        Reason::StoreDependencyMissing,
        format!(
            "{field}: {} ({}.keyreeve.dev) {} was removed or changed in the store, and will be put right there",
            M::kind(&()),
            M::plural(&()),
            id.name
        ),
    ))
}

/// The objects that claim a name, this one among them: only those that may. From a Kubernetes namespace
/// that Tenant or Namespace do not allow, nobody could keep a name from others.
pub fn rivals<M: Member>(member: &M, name: &str, tenant: &ObjectId, view: &View) -> Vec<Claimant> {
    let of_tenant =
        view.tenants.get(tenant).map(|tenant| tenant.grants_for(M::REFERS_AS)).unwrap_or_default();
    let place = member.placed_in().map(|id| {
        let grants = view.namespaces.get(&id).and_then(|place| place.spec.allowed_from);
        (id, grants.unwrap_or_default())
    });
    let mut rivals = view.claimants(name);
    rivals.retain(|rival| {
        view.grants(tenant, &of_tenant, &rival.namespace)
            && place.as_ref().is_none_or(|(id, grants)| view.grants(id, grants, &rival.namespace))
    });
    rivals
}

/// What is claimed by a name, and how else the object could be called, for messages.
fn called_in<M: Member>(member: &M, tenant_id: &str) -> (String, String) {
    (
        format!("{} of tenant {tenant_id}", member.called()),
        format!("delete this object and create it with another {}", M::NAMED_BY),
    )
}

/// The conflict of an object that is in no store, and whose name another one has claimed before, for all
/// that the view knows.
pub fn taken<M: Member>(member: &M, me: &Mark, home: &Home, view: &View) -> Option<Problem> {
    let Link::Claims(name) = member.claims() else { return None };
    let (what, otherwise) = called_in(member, &home.tenant_id);
    let claimants = rivals(member, &name, &home.id, view);
    claim::taken_before(me, claimants, (&what, &otherwise))
}

/// The outcome where nothing in the store is this object's: status says nothing of it.
pub fn not_in_store(problem: Problem) -> Outcome {
    Outcome {
        status: Map::new(),
        verdict: Verdict::NotReady(problem),
        also: Some(Vec::new()),
        notices: Vec::new(),
        look_again: None,
    }
}

/// The outcome where nothing in the store is this object's, and it is known what it would be there: status
/// says that, for people who look for it, and no more.
pub fn waits_for(key: &Key, problem: Problem) -> Outcome {
    let mut status = Map::from_iter([("tenantId".to_owned(), key.tenant().into())]);
    let mut put = |field: &str, value: &str| status.insert(field.into(), value.into());
    match key {
        Key::Tenant { .. } => {}
        Key::User { username, .. } => drop(put("username", username)),
        Key::Namespace { name, .. } => drop(put("name", name)),
        Key::Role { role, .. } => {
            put("name", &role.name);
            role.namespace.as_deref().map(|namespace| put("namespace", namespace));
        }
    }
    Outcome { status, ..not_in_store(problem) }
}

/// Whether a write may have given free what others wait for: a seat among the administrators, or an
/// email address.
fn frees_something(applied: &Applied) -> bool {
    const FREEING: [&str; 4] = ["roles", "composites", "administrator", "email_key"];
    match applied {
        Applied::Updated(fields) => fields.iter().any(|field| FREEING.contains(&field.as_str())),
        Applied::Created | Applied::Unchanged => false,
    }
}

/// The links that every member has: to its Tenant, and to the name that it claims there.
pub fn links<M: Member>(member: &M) -> BTreeSet<Link> {
    let namespace = member.namespace().unwrap_or_default();
    let tenant = target(member.tenant_ref(), &namespace);
    let mut links = BTreeSet::from([member.claims(), Link::In(tenant.clone())]);
    if tenant.namespace != namespace {
        links.insert(Link::LooksOutOf(namespace));
    }
    if !is_settled(member) {
        links.insert(Link::WaitsIn(tenant));
    }
    links
}

/// Whether status says that what is declared now is reached.
fn is_settled<M: Member>(member: &M) -> bool {
    let generation = member.meta().generation;
    let ready = member.conditions().iter().find(|condition| condition.type_ == "Ready");
    ready.is_some_and(|ready| {
        ready.status == "True" && Some(ready.observed_generation) == generation
    })
}

/// Removes from the store what a member made; `holding` are the objects in it that hold that back, and `unseen` is a
/// namespace that cannot be read and may have more of them.
pub async fn clean_up<M: Member>(
    member: &M,
    id: &ObjectId,
    (holding, unseen): (&[view::Member], Option<&str>),
    context: &Context,
) -> Result<Vec<Notice>, Problem> {
    let what = member.called();
    let left_alone = |why: &str| {
        vec![Notice::normal(
            Reason::LeftAlone,
            format!("{what} was left as it is in the store: {why}"),
        )]
    };
    if member.deletion_policy() == Some(DeletionPolicy::Retain) {
        if member.was_in().is_none() {
            return Ok(left_alone("nothing there was known to be this object's"));
        }
        let message = format!(
            "{what} is kept in the store, with its mark: an object of the same namespace and name takes it up again"
        );
        return Ok(vec![if deletion::has_waited(member.conditions()) {
            Notice::warning(Reason::Retained, message)
        } else {
            Notice::normal(Reason::Retained, message)
        }]);
    }
    let tenant = target(member.tenant_ref(), &id.namespace);
    let tenant_id = home::of_deleted(&tenant, context).await.map_err(deletion::waits)?;
    let Some(tenant_id) = tenant_id else {
        return Ok(left_alone(
            "its Tenant is gone, or goes too, and what becomes of all in it is said by that one's deletionPolicy",
        ));
    };
    let Some(key) = member.key(&tenant_id, context) else {
        return Ok(left_alone("its place there is not known any more"));
    };
    let mark = mark(member, id, context);
    let record = context.store.observe(&key).await.map_err(deletion::waits)?;
    if record.is_some_and(|record| record.mark.as_ref() == Some(&mark)) {
        if !holding.is_empty() {
            return Err(deletion::blocked(&what, holding, &context.view.granted(holding)));
        }
        if let Some(unseen) = unseen {
            return Err(deletion::waits(references::unreadable(unseen)));
        }
    }
    let deleted = context.store.delete(&key, &mark).await.map_err(deletion::waits)?;
    Ok(match deleted {
        Deleted::Removed => {
            context.members_changed(&tenant, true);
            vec![Notice::normal(Reason::Removed, format!("{what} is gone from the store"))]
        }
        Deleted::NotThere => {
            vec![Notice::normal(Reason::Removed, format!("{what} was not in the store"))]
        }
        Deleted::NotOurs(_) => left_alone("this object did not make it"),
    })
}

fn mark<M: Member>(member: &M, id: &ObjectId, context: &Context) -> Mark {
    context.mark(M::STORED, id, &member.uid().unwrap_or_default())
}

/// A member always claims a name.
fn unnamed() -> Problem {
    Problem::terminal(Reason::InvalidObject, "the object has no name")
}

/// What of a member's status matters to objects that refer to it: which store has it.
pub fn standing<M: Member>(member: &M) -> String {
    member.was_in().map(|store| store.id.clone()).unwrap_or_default()
}
