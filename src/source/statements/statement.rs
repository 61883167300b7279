//! What a statement is, how its rows read, and how it is declared.
//!
//! A statement is run as its file has it, but for what stands in braces there, which is a slot: see [`fill`].

use std::borrow::Cow;

use tokio_postgres::Row;

/// A statement, and the name by which errors and `pg_stat_activity` know it.
pub(in crate::source) struct Statement {
    pub(in crate::source) name: &'static str,
    pub(in crate::source) sql: Cow<'static, str>,
}

/// A statement, and how each of its rows reads.
pub(in crate::source) struct TypedStatement<T> {
    pub(in crate::source) statement: Statement,
    read: fn(&Row) -> Result<T, tokio_postgres::Error>,
}

impl<T> TypedStatement<T> {
    pub(super) const fn new(
        name: &'static str,
        sql: &'static str,
        read: fn(&Row) -> Result<T, tokio_postgres::Error>,
    ) -> TypedStatement<T> {
        TypedStatement { statement: Statement { name, sql: Cow::Borrowed(sql) }, read }
    }

    /// What a row of its answer says.
    pub(in crate::source) fn read(&self, row: &Row) -> Result<T, tokio_postgres::Error> {
        (self.read)(row)
    }

    /// The same statement with its slots filled.
    pub(in crate::source) fn filled(self, slots: &[(&str, &str)]) -> TypedStatement<T> {
        let sql = fill(&self.statement.sql, slots).into();
        TypedStatement { statement: Statement { sql, ..self.statement }, ..self }
    }

    /// The same statement over the columns that a database has.
    pub(in crate::source) fn over(self, columns: Columns) -> TypedStatement<T> {
        TypedStatement { statement: self.statement.over(columns), ..self }
    }
}

impl Statement {
    pub(super) fn over(self, columns: Columns) -> Statement {
        Statement { sql: fill(&self.sql, &columns.slots()).into(), ..self }
    }
}

/// Which columns are there, of those that some of Synapse's versions lack. What is not there is null.
#[derive(Clone, Copy, Debug)]
pub(in crate::source) struct Columns {
    /// `events.state_key`.
    pub(in crate::source) state_key: bool,
    /// `events.rejection_reason`.
    pub(in crate::source) rejection_reason: bool,
    /// `redactions.recheck`.
    pub(in crate::source) recheck: bool,
}

impl Columns {
    pub(super) fn slots(self) -> [(&'static str, &'static str); 3] {
        [
            ("state_key", if self.state_key { "e.state_key" } else { "null::text" }),
            ("rejection_reason", if self.rejection_reason { "e.rejection_reason" } else { "null::text" }),
            ("recheck", if self.recheck { "d.recheck" } else { "null::boolean" }),
        ]
    }
}

/// Puts into each slot, `{name}`, what stands for it. One that has no such name stays, which PostgreSQL does not take.
pub(super) fn fill(template: &str, slots: &[(&str, &str)]) -> String {
    let (mut filled, mut rest) = (String::with_capacity(template.len()), template);
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let slot = after.split_once('}').and_then(|(name, after)| {
            let (_, text) = slots.iter().find(|(slot, _)| *slot == name)?;
            Some((*text, after))
        });
        let (text, after) = slot.unwrap_or(("{", after));
        filled.push_str(text);
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// Declares statements by their files' names, each with the columns of its rows: `ROLE("role") { role: String }` has one, which
/// is all that is read; `SIZES("sizes") { SizesRow { table_name: String, … } }` makes a type of several.
macro_rules! queries {
    ($($(#[$doc:meta])* $constant:ident($name:literal) $row:tt)+) => {
        $(query!($(#[$doc])* $constant $name $row);)+

        /// All statements here.
        pub(super) fn all() -> Vec<Statement> {
            vec![$($constant.statement),+]
        }
    };
}

macro_rules! query {
    ($(#[$doc:meta])* $constant:ident $name:literal { $column:ident: $type:ty }) => {
        $(#[$doc])*
        pub(in crate::source) const $constant: TypedStatement<$type> =
            TypedStatement::new($name, include_str!(concat!("../../../sql/", $name, ".sql")), |row| {
                row.try_get(stringify!($column))
            });
    };
    ($(#[$doc:meta])* $constant:ident $name:literal { $row:ident }) => {
        $(#[$doc])*
        pub(in crate::source) const $constant: TypedStatement<$row> =
            TypedStatement::new($name, include_str!(concat!("../../../sql/", $name, ".sql")), $row::read);
    };
    ($(#[$doc:meta])* $constant:ident $name:literal { $row:ident { $($column:ident: $type:ty),+ $(,)? } }) => {
        query!($(#[$doc])* $constant $name { $row });

        #[doc = concat!("A row of `", $name, ".sql`.")]
        pub(in crate::source) struct $row {
            $(pub(in crate::source) $column: $type,)+
        }

        impl $row {
            fn read(row: &Row) -> Result<$row, tokio_postgres::Error> {
                Ok($row { $($column: row.try_get(stringify!($column))?,)+ })
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_filled_and_nothing_else() {
        let slots = [("a", "{b}"), ("b", "2")];
        assert_eq!(fill("{a} {b}, '{}' {c} {", &slots), "{b} 2, '{}' {c} {");
    }
}
