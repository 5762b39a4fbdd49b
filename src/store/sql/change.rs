//! One change: a state to reach, compared with what is there, and written.

use super::{census, emails, limits, passwords, relations, row::Row, table, table::Table, tx::Tx};
use crate::store::{Applied, Desired, Error, Expected, Key, NewPassword, RoleName, State};

/// A state to reach, as a row.
pub(super) struct Change<'a> {
    pub desired: &'a Desired,
    pub key: Key,
    pub row: Row,
    roles_managed: bool,
}

/// What is there, and in what it differs.
pub(super) struct Found {
    pub row: Option<Row>,
    differs: Vec<String>,
}

impl<'a> Change<'a> {
    pub(super) fn of(desired: &'a Desired) -> Self {
        Self {
            desired,
            key: desired.state.key(),
            row: Row::of(desired),
            roles_managed: table::wanted_roles(&desired.state).is_some(),
        }
    }

    /// Compares it with what is there, and checks that it can be made.
    pub(super) async fn find(&self, tx: &mut Tx<'_>, expected: &Expected) -> Result<Found, Error> {
        let row = Row::read(tx, &self.key).await?;
        if !Row::is_expected(row.as_ref(), &self.key, expected) {
            return Err(Error::Raced);
        }
        // Whoever set a password meanwhile keeps it.
        if let (Some(_), Expected::Observed(before)) = (self.password(), expected)
            && passwords::credentials(tx, &self.key).await? != before.credentials
        {
            return Err(Error::Raced);
        }
        relations::check(tx, &self.key, &self.row.held).await?;
        Ok(self.compared_with(row))
    }

    /// Compares it with a row.
    pub(super) fn compared_with(&self, row: Option<Row>) -> Found {
        let table = Table::of(self.key.kind());
        let mut differs = Vec::new();
        if let Some(row) = &row {
            differs = row.differences(table, &self.row, self.roles_managed);
            differs.extend(self.password().map(|_| "password".into()));
        }
        Found { row, differs }
    }

    /// The password to set, if there is one.
    fn password(&self) -> Option<&'a NewPassword> {
        self.desired.password.as_ref().filter(|_| matches!(self.key, Key::User { .. }))
    }

    /// Writes it, unless it would go beyond a limit.
    pub(super) async fn make(&self, tx: &mut Tx<'_>, found: &Found) -> Result<(), Error> {
        if found.is_unchanged() {
            return Ok(());
        }
        let counted = limits::raised(self, found);
        let before = census::count(tx, self.key.tenant(), &counted).await?;
        self.write(tx, found).await?;
        let after = census::count(tx, self.key.tenant(), &counted).await?;
        match before.exceeded(&after, &self.desired.limits) {
            Some((counted, limit)) => Err(Error::LimitReached { counted, limit }),
            None => Ok(()),
        }
    }

    async fn write(&self, tx: &mut Tx<'_>, found: &Found) -> Result<(), Error> {
        if let State::User(user) = &self.desired.state
            && found.changes("email_key")
        {
            emails::check(tx, user).await?;
        }
        self.row.write(tx, &self.key, found.row.is_some()).await?;
        let table = Table::of(self.key.kind());
        if let Some(relation) = &table.relation
            && self.roles_managed
        {
            let roles = (found.held(), &*self.row.held);
            relations::write(tx, table, relation, &self.key, roles).await?;
        }
        if let Some(password) = self.password() {
            passwords::set(tx, &self.key, password).await?;
        }
        Ok(())
    }
}

impl Found {
    pub(super) fn is_unchanged(&self) -> bool {
        self.row.is_some() && self.differs.is_empty()
    }

    /// Whether this field is not as it shall be.
    pub(super) fn changes(&self, field: &str) -> bool {
        self.row.is_none() || self.differs.iter().any(|differs| differs == field)
    }

    /// The marked roles that it holds or contains, sorted.
    pub(super) fn held(&self) -> &[RoleName] {
        self.row.as_ref().map_or(&[], |row| &row.held)
    }

    pub(super) fn applied(self) -> Applied {
        match self.row {
            None => Applied::Created,
            Some(_) if self.differs.is_empty() => Applied::Unchanged,
            Some(_) => Applied::Updated(self.differs),
        }
    }
}
