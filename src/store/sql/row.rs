//! One row: reading it as a [`Record`], comparing it with what is desired, and
//! writing it.
//!
//! Rows are compared as they are stored, JSON by its text. So whatever another
//! hand did to a row, even valid JSON in another form, the operator's next write
//! puts it right, and a value can never differ from itself after a round trip.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    cell::{Cell, Reader, canonical},
    passwords, relations,
    table::{self, Column, Table},
    tx::{self, Fetched, Tx},
};
use crate::{
    api::paths::for_each_difference,
    store::{Desired, Error, Expected, Key, Kind, Mark, Record, RoleName, State},
};

/// The columns beside key and state, in the order in which they are written.
const BOOKKEEPING: [&str; 8] = [
    "mark_owner",
    "mark_kind",
    "mark_namespace",
    "mark_name",
    "mark_uid",
    "memo",
    "digest",
    "updated_at",
];

/// A row as it is, or as it shall be.
pub(super) struct Row {
    pub cells: Vec<Cell>,
    pub mark: Option<Mark>,
    pub memo: Cell,
    pub digest: Cell,
    /// The marked roles that it holds or contains, sorted.
    pub held: Vec<RoleName>,
}

impl Row {
    /// The row that a desired state makes; `held` only matters where roles are managed.
    pub(super) fn of(desired: &Desired) -> Self {
        let cells = table::cells(&desired.state);
        let table = Table::of(desired.state.key().kind());
        Self {
            digest: Cell::Text(digest(table, &cells)),
            cells,
            mark: Some(desired.mark.clone()),
            memo: if desired.memo.is_null() { Cell::Null } else { Cell::json(&desired.memo) },
            held: table::wanted_roles(&desired.state).unwrap_or_default(),
        }
    }

    /// The row under this key.
    pub(super) async fn read(tx: &mut Tx<'_>, key: &Key) -> Result<Option<Self>, Error> {
        let table = Table::of(key.kind());
        let columns: Vec<&str> = columns(table).collect();
        let sql = format!(
            "SELECT {} FROM {} WHERE {}{}",
            columns.join(", "),
            table.name,
            conditions(table.key, 1),
            tx.locking(),
        );
        let values = table::key_values(key);
        let values: Vec<tx::Value<'_>> = values.iter().map(Into::into).collect();
        let Some(row) = tx.row(sql, &values).await? else { return Ok(None) };
        let held = match &table.relation {
            Some(relation) => relations::held(tx, table, relation, key).await?,
            None => Vec::new(),
        };
        Ok(Some(Self {
            cells: table.columns.iter().map(|column| row.cell(column)).collect(),
            mark: mark(&row),
            memo: row.cell(&Column::json("memo")),
            digest: row.cell(&Column::text("digest")),
            held,
        }))
    }

    /// What it says, and whether another hand had a part in it.
    pub(super) async fn record(self, tx: &mut Tx<'_>, key: &Key) -> Result<Record, Error> {
        let table = Table::of(key.kind());
        let mut reader = Reader::new(&self.cells);
        let state = table::state(key, &mut reader, &self.held);
        let changed = if self.mark.is_some() || self.digest != Cell::Null {
            self.digest.as_text() != Some(&digest(table, &self.cells))
        } else {
            // Never written by an operator: only what cannot be read is not as it should be.
            reader.odd()
        };
        let drifted = changed || self.regrouped(tx, key).await?;
        // No part of the state: a password changed by another hand is no drift.
        let credentials = passwords::credentials(tx, key).await?;
        Ok(Record {
            state,
            memo: self.memo(),
            mark: self.mark,
            drifted,
            credentials,
            signing_keys: Vec::new(),
        })
    }

    /// Whether it holds other marked roles than the operator gave it, but for
    /// those that are gone: a deleted role is taken from its holders.
    async fn regrouped(&self, tx: &mut Tx<'_>, key: &Key) -> Result<bool, Error> {
        let table = Table::of(key.kind());
        let managed = table.columns.iter().zip(&self.cells).find_map(|(column, cell)| {
            (table.relation.as_ref()?.managed == column.name).then_some(cell)
        });
        let Some(managed) = managed.and_then(Cell::as_text) else { return Ok(false) };
        let managed: Vec<RoleName> = serde_json::from_str(managed).unwrap_or_default();
        if self.held.iter().any(|role| !managed.contains(role)) {
            return Ok(true);
        }
        for role in managed.iter().filter(|role| !self.held.contains(role)) {
            if relations::is_marked(tx, key.tenant(), role).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// In what the row differs from what it shall be.
    pub(super) fn differences(
        &self,
        table: &Table,
        wanted: &Self,
        roles_managed: bool,
    ) -> Vec<String> {
        let mut fields = Vec::new();
        for ((column, is), shall) in table.columns.iter().zip(&self.cells).zip(&wanted.cells) {
            if is != shall {
                let field = table.field(column);
                let before = fields.len();
                if let (Some(Value::Object(is)), Some(Value::Object(shall))) =
                    (is.as_json(), shall.as_json())
                    && field == column.name
                {
                    for_each_difference(&is, &shall, field, &mut |path| fields.push(path));
                }
                if fields.len() == before {
                    fields.push(field.into());
                }
            }
        }
        if let Some(relation) = &table.relation
            && roles_managed
            && self.held != wanted.held
            && fields.last().map(String::as_str) != Some(relation.field)
        {
            fields.push(relation.field.into());
        }
        // A digest that another hand took away is part of the mark: it says what we wrote.
        if self.mark != wanted.mark || (fields.is_empty() && self.digest != wanted.digest) {
            fields.push("mark".into());
        }
        if self.memo != wanted.memo {
            fields.push("memo".into());
        }
        fields
    }

    /// Whether what is there is what the caller knows of.
    pub(super) fn is_expected(row: Option<&Self>, key: &Key, expected: &Expected) -> bool {
        match (row, expected) {
            (None, Expected::Absent) => true,
            (Some(row), Expected::Unmarked) => row.mark.is_none(),
            (Some(row), Expected::Marked(known)) => row.mark.as_ref() == Some(known),
            (Some(row), Expected::Observed(before)) => {
                row.mark == before.mark
                    && row.memo() == before.memo
                    && row.state(key) == before.state
            }
            _ => false,
        }
    }

    /// What it says.
    fn state(&self, key: &Key) -> State {
        table::state(key, &mut Reader::new(&self.cells), &self.held)
    }

    fn memo(&self) -> Value {
        self.memo.as_json().unwrap_or_default()
    }

    /// Inserts it, or writes it over the one that is there.
    pub(super) async fn write(
        &self,
        tx: &mut Tx<'_>,
        key: &Key,
        exists: bool,
    ) -> Result<(), Error> {
        let table = Table::of(key.kind());
        let columns: Vec<&str> = columns(table).collect();
        let sql = if exists { update(table, &columns) } else { insert(table, &columns) };
        let (key, now) = (table::key_values(key), now());
        let mut values: Vec<tx::Value<'_>> = key.iter().map(Into::into).collect();
        values.extend(self.cells.iter().map(tx::Value::from));
        let mark = self.mark.as_ref();
        let kind = mark.map(|mark| mark.kind.to_string());
        values.extend::<[tx::Value<'_>; 8]>([
            mark.map(|mark| mark.owner.as_str()).into(),
            kind.as_deref().into(),
            mark.map(|mark| mark.namespace.as_str()).into(),
            mark.map(|mark| mark.name.as_str()).into(),
            mark.map(|mark| mark.uid.as_str()).into(),
            (&self.memo).into(),
            (&self.digest).into(),
            (&now).into(),
        ]);
        tx.execute(sql, &values).await?;
        Ok(())
    }
}

/// The columns of state and bookkeeping. Named, because a later schema may have more.
fn columns(table: &Table) -> impl Iterator<Item = &'static str> {
    table.columns.iter().map(|column| column.name).chain(BOOKKEEPING)
}

/// `INSERT` of key, then columns; `created_at` is the `updated_at`, which is the last.
fn insert(table: &Table, columns: &[&str]) -> String {
    let names: Vec<&str> = table.key.iter().chain(columns).copied().collect();
    let values: Vec<String> = (1..=names.len()).map(|n| format!("${n}")).collect();
    format!(
        "INSERT INTO {} ({}, created_at) VALUES ({}, ${})",
        table.name,
        names.join(", "),
        values.join(", "),
        names.len(),
    )
}

/// `UPDATE` of the columns; the key comes first in the parameters.
fn update(table: &Table, columns: &[&str]) -> String {
    let values: Vec<String> = columns
        .iter()
        .zip(table.key.len() + 1..)
        .map(|(column, n)| format!("{column} = ${n}"))
        .collect();
    format!("UPDATE {} SET {} WHERE {}", table.name, values.join(", "), conditions(table.key, 1))
}

/// `a = $1 AND b = $2`, counted from `first`.
pub(super) fn conditions(columns: &[&str], first: usize) -> String {
    let conditions: Vec<String> =
        columns.iter().zip(first..).map(|(column, n)| format!("{column} = ${n}")).collect();
    conditions.join(" AND ")
}

/// The mark on a row; one that is not whole is none.
fn mark(row: &Fetched) -> Option<Mark> {
    let text = |column| row.text(column);
    Some(Mark {
        owner: text("mark_owner")?,
        kind: serde_json::from_value::<Kind>(Value::String(text("mark_kind")?)).ok()?,
        namespace: text("mark_namespace")?,
        name: text("mark_name")?,
        uid: text("mark_uid")?,
    })
}

/// SHA-256 over the canonical JSON of the state's columns.
fn digest(table: &Table, cells: &[Cell]) -> String {
    let columns: BTreeMap<&str, Value> = table
        .columns
        .iter()
        .zip(cells)
        .filter_map(|(column, cell)| Some((column.name, cell.digested(column.form)?)))
        .collect();
    base16ct::lower::encode_string(&Sha256::digest(canonical(&columns)))
}

/// Now, for people who look into the database; nothing is decided by it.
fn now() -> String {
    written(Timestamp::now())
}

/// A time as it is written: RFC 3339 with milliseconds.
pub(super) fn written(time: Timestamp) -> String {
    format!("{time:.3}")
}
