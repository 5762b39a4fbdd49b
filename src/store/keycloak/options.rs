//! Where Keycloak is, and how it is spoken to.

use std::path::PathBuf;

use crate::{leadership::Term, store::Credentials};

/// As many requests are under way at a time, unless it is said otherwise.
pub const CONCURRENCY: usize = 8;

/// Where Keycloak is: `keycloak+https://host[:port][/path]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Whether it is spoken to over TLS.
    pub is_secure: bool,
    /// Host, port and path, without a slash at the end.
    pub rest: String,
}

/// All that is needed to open it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it is.
    pub address: Address,
    /// Who the operator is there: the id and the secret of its client in the realm master.
    pub credentials: Credentials,
    /// A PEM file with the certificates to trust; those of the system without one.
    pub ca_file: Option<PathBuf>,
    /// Whether it may be spoken to without TLS beyond loopback.
    pub allow_http: bool,
    /// How many requests may be under way at a time.
    pub concurrency: usize,
    /// For how long: Keycloak cannot tell a leader of the past from that of today, so each request goes by this.
    pub term: Term,
}

impl Address {
    /// Reads what follows `keycloak+`; none if it is of another form, or carries credentials.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let (is_secure, rest) = match url.split_once("://")? {
            ("https", rest) => (true, rest),
            ("http", rest) => (false, rest),
            _ => return None,
        };
        let rest = rest.trim_end_matches('/');
        let authority = rest.split('/').next().unwrap_or_default();
        let is_plain = !rest.contains(['@', '?', '#', ' ']);
        (is_plain && !authority.is_empty() && !authority.starts_with(':'))
            .then(|| Self { is_secure, rest: rest.into() })
    }

    /// Whether nobody else can listen in: it is over TLS, or on this machine.
    #[must_use]
    pub fn is_private(&self) -> bool {
        let authority = self.rest.split('/').next().unwrap_or_default();
        let host = match authority.strip_prefix('[') {
            Some(v6) => v6.split(']').next().unwrap_or_default(),
            None => authority.split(':').next().unwrap_or_default(),
        };
        let is_loopback =
            host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        self.is_secure || is_loopback || host == "localhost"
    }
}

impl Options {
    /// The store at this address, with no more said of it.
    #[must_use]
    pub fn new(address: Address, credentials: Credentials) -> Self {
        Self {
            address,
            credentials,
            ca_file: None,
            allow_http: false,
            concurrency: CONCURRENCY,
            term: Term::unlimited(),
        }
    }

    pub(super) fn base_url(&self) -> String {
        let scheme = if self.address.is_secure { "https" } else { "http" };
        format!("{scheme}://{}", self.address.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (url, is_private) in [
            ("https://id.example", true),
            ("https://id.example:8443/auth/", true),
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080", true),
            ("http://localhost/auth", true),
            ("http://id.example", false),
            ("http://10.0.0.1:8080", false),
            ("http://127.0.0.1.example", false),
        ] {
            assert_eq!(Address::parse(url).unwrap().is_private(), is_private, "{url}");
        }
        for url in ["", "https://", "https://:80", "ftp://x", "https://me:secret@id", "https://a?b"]
        {
            assert_eq!(Address::parse(url), None, "{url}");
        }
    }
}
