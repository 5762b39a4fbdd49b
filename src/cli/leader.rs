//! The flags of leader election, a part of `keyreeve run`.

use clap::{Args, builder::FalseyValueParser};

use crate::leadership::Place;

/// The flags of leader election.
#[derive(Debug, Args)]
#[group(id = "leader-flags")]
pub(super) struct Flags {
    /// Let one of several replicas work, and the others stand by to take its place. One that is alone needs it not.
    #[arg(long = "leader-elect", env = "KEYREEVE_LEADER_ELECT", value_parser = FalseyValueParser::new(), help_heading = "Leader election")]
    elect: bool,

    /// The Lease by which the leader is elected: the same for all replicas.
    #[arg(
        long = "leader-elect-resource-name",
        env = "KEYREEVE_LEADER_ELECT_RESOURCE_NAME",
        value_name = "NAME",
        default_value = "keyreeve",
        help_heading = "Leader election"
    )]
    resource_name: String,

    /// The namespace of the Lease. Default: that of the operator.
    #[arg(
        long = "leader-elect-resource-namespace",
        env = "KEYREEVE_LEADER_ELECT_RESOURCE_NAMESPACE",
        value_name = "NAMESPACE",
        help_heading = "Leader election"
    )]
    resource_namespace: Option<String>,

    /// What the Lease calls this replica; something at random is put behind it. Default: the name of the host, which is the Pod's.
    #[arg(
        long = "leader-elect-identity",
        env = "KEYREEVE_LEADER_ELECT_IDENTITY",
        value_name = "NAME",
        help_heading = "Leader election"
    )]
    identity: Option<String>,
}

/// How this replica stands for election.
pub(super) struct Candidacy {
    pub(super) place: Place,
    pub(super) identity: String,
}

impl Flags {
    /// How it stands for election, if it does.
    pub(super) fn candidacy(self, operator_namespace: &str) -> Result<Option<Candidacy>, String> {
        if !self.elect {
            return Ok(None);
        }
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let namespace = given(self.resource_namespace);
        let place = Place {
            namespace: namespace.unwrap_or_else(|| operator_namespace.to_owned()),
            name: self.resource_name,
        };
        let host = || rustix::system::uname().nodename().to_string_lossy().into_owned();
        let name = given(self.identity).unwrap_or_else(host);
        // A container that is started again has the name of the one before, and must not be taken for it.
        let mut random = [0; 8];
        getrandom::fill(&mut random)
            .map_err(|error| format!("the system gives no random numbers: {error}"))?;
        let identity = format!("{name}_{}", base16ct::lower::encode_string(&random));
        Ok(Some(Candidacy { place, identity }))
    }
}
