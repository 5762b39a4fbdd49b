//! Every reason that a condition of ours, or an event about it, can carry.
//!
//! Programs rely on the names, and people look them up in docs/reasons.md, which
//! is made from here: each says when it is given and what to do. (Events also
//! tell of conditions that come and go beside Ready, by the condition's own name.)

/// Makes the enum, its names and its texts from one table, so that none is missing.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Why a condition is as it is, in one CamelCase word.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[doc = $doc])+ $name,)+ }

        impl Reason {
            /// All reasons, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The word itself.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// The reason of this name, if it is one of ours.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.as_str() == name)
            }

            /// When it is given and what to do.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc,)+),)+ }
            }
        }
    };
}

reasons! {
    /// The declared state is reached and is in the store.
    Synced,
    /// The declared state holds: objects that refer to this one find it.
    Accepted,
    /// A deletion waits for objects that are still in the tenant or identity Namespace: delete those that the message names,
    /// or set deletionPolicy to Retain.
    DeletionBlocked,
    /// The TenantProfile is not there: create it, or change profileRef. What was in force stays in force.
    ProfileNotFound,
    /// The Tenant is not there: create it.
    TenantNotFound,
    /// The Tenant is not in the store yet, or is in conflict: its own status says why.
    TenantNotReady,
    /// The Tenant is being deleted. What is in the store stays as it is.
    TenantDeleting,
    /// What an object refers to belongs to another tenant than the object: refer to one of the same tenant.
    TenantMismatch,
    /// The identity Namespace is not there, or not in the store yet: create it, or look at its own status.
    NamespaceNotFound,
    /// A Role is not there, or not in the store yet: create it, look at its own status, or take it out of the list.
    RoleNotFound,
    /// Roles contain each other in a circle, which the message names: take one of them out of another's composites.
    RoleCycle,
    /// The tenant's plan does not have this: the message names the feature. Change the plan, or delete the object.
    NotInPlan,
    /// The plan's limit is reached: the message names it. It is let in when one that counts is deleted or the limit is
    /// raised, in the TenantProfile's planDetails; or delete this object.
    QuotaExceeded,
    /// The operator has just started, and the plan has a limit: those that the store had before come first. It ends within
    /// seconds, once they were looked at; if not, one of them says why.
    SeatsReserved,
    /// There are more than the plan allows, because its limit was lowered: nobody is evicted, and nobody is let in.
    /// Delete some, or raise the limit that the message names.
    OverLimit,
    /// What is referred to in another Kubernetes namespace is not there, or its allowedFrom does not name
    /// this namespace: ask its owner. What was in force stays in force.
    NotAllowed,
    /// The name is taken in the store: the message says what to do, and by whom it is taken if that is in the
    /// same Kubernetes namespace or another owner.
    Conflict,
    /// The object breaks a rule that its schema cannot state, or that is newer than the object: edit the field that
    /// the message names.
    InvalidSpec,
    /// The object cannot be read at all: edit the field that the message names.
    InvalidObject,
    /// No password could satisfy the policy of one object, or the one that tenant and profile make together: change what
    /// the message names.
    PolicyUnsatisfiable,
    /// The password may not be set: the message says what it must have. Put another one into its Secret, or loosen the
    /// tenant's password policy. A user that has a password keeps it.
    PasswordRejected,
    /// A key would have to be published for longer than it is in use: shorten publishBefore or lengthen
    /// rotationPeriod, in the Tenant or its profile.
    PublishBeforeTooLong,
    /// The Secret with the tenant's signing keys is gone. It is waited for, for 5 minutes, because a restore may be
    /// under way; then new keys are made. Restore it if you can.
    KeystoreMissing,
    /// The Secret with the signing keys was gone for too long: the tenant signs with a new key, and the public keys
    /// of the lost ones stay published until what they signed has expired.
    KeystoreLost,
    /// The Secret with the signing keys is an older one than before: keys that came after it are lost, and their
    /// public halves stay published until what they signed has expired.
    KeystoreRestored,
    /// There is a Secret in the place of the tenant's keystore that this Tenant did not make: look where it comes
    /// from, and delete it if nothing needs it.
    KeystoreConflict,
    /// The Secret with the signing keys was edited or truncated: restore it from a backup; or delete it, and new
    /// keys are made 5 minutes later.
    KeystoreDamaged,
    /// A signing key could not be made: it is tried again by itself.
    KeyNotMade,
    /// A key is published, and will sign when it has been published for publishBefore.
    KeyPublished,
    /// A key has taken over and signs.
    KeyRotated,
    /// A key was revoked, as keystore.revoke says: it is out of the JWKS for good.
    KeyRevoked,
    /// A key is no longer published: what it signed has expired, or it never signed.
    KeyRemoved,
    /// A rotation waits, because there are 20 keys already: shorten or lengthen the duration that the message names.
    TooManyKeys,
    /// The Secret that a User's password comes from, or the key in it, is not there: create it. A user that has the
    /// password already keeps it.
    PasswordSecretMissing,
    /// There is a Secret in the place of a password that is to be generated, and it was not made for this User: delete
    /// it if nothing needs it, or choose another name.
    PasswordSecretConflict,
    /// The operator may not read Secrets in the User's namespace: add it to the chart's value secrets.namespaces, or
    /// take spec.password out of the User.
    SecretsForbidden,
    /// The Secret keyreeve-fingerprint in the operator's namespace, by which passwords are compared, was edited: restore
    /// it; or delete it, and no user's password is set before its Secret changes.
    PasswordKeyDamaged,
    /// A user's password was set from its Secret.
    PasswordSet,
    /// A user's password was not set from its Secret, because nothing tells whether it is an older one than the user's
    /// own: change the Secret to set it.
    PasswordNotSet,
    /// The store cannot do what a Tenant or profile sets: unset it or switch it off.
    UnsupportedByStore,
    /// The store is away, locked, full or read-only: it is tried again by itself; the message says what it answered.
    StoreUnavailable,
    /// Another operator has taken the store over, and the one that says so writes no more: stop one of the two; the other
    /// goes on when it is restarted.
    StoreTakenOver,
    /// Another hand wrote to the store at the same moment: it is tried again by itself.
    StoreChanged,
    /// What this object refers to was there, and the store does not have it any more, or not as it was: it is tried
    /// again by itself.
    StoreDependencyMissing,
    /// The store does not let the operator do this: give it the right that the message names; it is tried again by
    /// itself.
    ForbiddenByStore,
    /// The store refuses the object, and will refuse it again: the message says why.
    RefusedByStore,
    /// The Kubernetes API answered with an error: it is tried again by itself.
    ApiError,
    /// The annotation keyreeve.dev/paused stops everything but deletion: remove it to go on.
    Paused,
    /// The subscription has expired: the tenant is disabled in the store, and its data is kept. Renew
    /// subscription.expiresAt.
    SubscriptionExpired,
    /// The store keeps the settings that the message names but does not enforce them: protect the accounts by other
    /// means, or use a store that does.
    NotEnforced,
    /// Another hand had changed or removed the object in the store: it was put right. Declare the change instead.
    DriftCorrected,
    /// The finalizer had been removed by hand: it was put back.
    FinalizerRestored,
    /// What the store had without a mark was adopted.
    Adopted,
    /// What the store had under the mark of another owner, or of this object before a restore, was taken over.
    TakenOver,
    /// The object was deleted and what it made is kept in the store, with its mark.
    Retained,
    /// The object was deleted and what it made is gone from the store.
    Removed,
    /// The object was deleted and nothing was removed from the store: what is there was not made by this object, or
    /// its Tenant is gone, or goes too and says itself what becomes of all that is in it.
    LeftAlone,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
