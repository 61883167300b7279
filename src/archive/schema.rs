//! Whether a catalog's schema is ours: asked before anything is read from one, since who hands over an archive may have put a
//! view in place of a table, or a trigger behind one. Derived from `catalog.sql` itself.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::{Error, full_text, indexes, media, outputs, sections};

/// Tables of SQLite's own, which `analyze` makes.
const STATISTICS: [&str; 2] = ["sqlite_stat1", "sqlite_stat4"];

/// Refuses a catalog whose schema is not ours, and names what is not: everything is as `catalog.sql` has it; of the indexes that
/// are made later, and of full-text search, outputs, media and the sections of the list of rooms, any may be missing.
pub(super) fn check(connection: &Connection) -> Result<(), Error> {
    let ours = Connection::open_in_memory()?;
    ours.execute_batch(include_str!("catalog.sql"))?;
    let without = objects(&ours)?;
    indexes::statements().try_for_each(|index| ours.execute_batch(index))?;
    ours.execute_batch(full_text::TABLES)?;
    ours.execute_batch(outputs::TABLES)?;
    ours.execute_batch(media::TABLES)?;
    ours.execute_batch(sections::TABLES)?;
    compare(connection, &objects(&ours)?, &without)
}

/// The same of `decrypted.sqlite`, which has all of its own from the beginning.
pub(super) fn check_decrypted(connection: &Connection) -> Result<(), Error> {
    let ours = Connection::open_in_memory()?;
    ours.execute_batch(include_str!("decrypted.sql"))?;
    let ours = objects(&ours)?;
    compare(connection, &ours, &ours)
}

/// Refuses what is not ours, and what lacks something.
fn compare(connection: &Connection, ours: &Objects, needed: &Objects) -> Result<(), Error> {
    let found = objects(connection)?;
    for (named, definition) in &found {
        if ours.get(named) != Some(definition) {
            let (kind, name) = named;
            return Err(Error::altered(&format!("the {kind}"), name));
        }
    }
    match needed.keys().find(|named| !found.contains_key(*named)) {
        Some((kind, name)) => Err(Error::Altered(format!("no {kind} {name:?}"))),
        None => Ok(()),
    }
}

/// What a schema has, by kind and name.
type Objects = BTreeMap<(String, String), BTreeSet<String>>;

fn objects(connection: &Connection) -> Result<Objects, Error> {
    let mut statement = connection.prepare("select type, name, sql from sqlite_schema")?;
    let mut rows = statement.query([])?;
    let mut objects = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (mut kind, name, sql): (String, String, Option<String>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let Some(sql) = sql else { continue };
        if kind == "table" && STATISTICS.contains(&&*name) {
            continue;
        }
        if sql.trim_start().get(..14).is_some_and(|begin| begin.eq_ignore_ascii_case("create virtual")) {
            "virtual table".clone_into(&mut kind);
        }
        let definition = if kind == "table" { parts(&sql) } else { [plain(&sql)].into() };
        objects.insert((kind, name), definition);
    }
    Ok(objects)
}

/// A definition without comments, and with one space where there is any.
fn plain(sql: &str) -> String {
    let mut plain = String::with_capacity(sql.len());
    let mut quote = None;
    let mut rest = sql;
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        if quote.is_some() {
            plain.push(c);
            quote = quote.filter(|quote| *quote != c);
        } else if rest.starts_with("--") {
            taken = rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("/*") {
            taken = rest.find("*/").map_or(rest.len(), |end| end + 2);
        } else if c.is_whitespace() {
            if !plain.ends_with([' ', '(']) {
                plain.push(' ');
            }
        } else {
            if matches!(c, ',' | ')') && plain.ends_with(' ') {
                plain.pop();
            }
            if matches!(c, '\'' | '"' | '`') {
                quote = Some(c);
            }
            plain.push(c);
        }
        rest = &rest[taken..];
    }
    plain.trim_end().to_owned()
}

/// A table's columns and constraints in any order, since a column that an upgrade adds comes last; and what stands around them.
fn parts(sql: &str) -> BTreeSet<String> {
    let sql = plain(sql);
    let (mut parts, mut part, mut depth, mut quote) = (BTreeSet::new(), String::new(), 0_u32, None);
    for c in sql.chars() {
        match c {
            _ if quote.is_some() => quote = quote.filter(|quote| *quote != c),
            '\'' | '"' | '`' => quote = Some(c),
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let ends = quote.is_none() && matches!((c, depth), (',' | '(', 1) | (')', 0));
        part.push(c);
        if ends {
            // how a part ends says that it is the table's name, a column, or what follows
            let end = if c == '(' { "(" } else { "" };
            parts.insert(part.trim_end_matches(['(', ')', ',']).trim().to_owned() + end);
            part.clear();
        }
    }
    parts.insert(part.trim().to_owned() + ";");
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("catalog.sql")).unwrap();
        connection
    }

    #[test]
    fn ours_is_ours_at_every_time() {
        let connection = catalog();
        check(&connection).unwrap();
        for index in indexes::statements() {
            connection.execute_batch(index).unwrap();
            check(&connection).unwrap();
        }
        connection.execute_batch(full_text::TABLES).unwrap();
        check(&connection).unwrap();
        connection.execute_batch(outputs::TABLES).unwrap();
        check(&connection).unwrap();
        connection.execute_batch(media::TABLES).unwrap();
        check(&connection).unwrap();
        connection.execute_batch(sections::TABLES).unwrap();
        check(&connection).unwrap();
        connection.execute_batch("analyze").unwrap();
        check(&connection).unwrap();
    }

    #[test]
    fn what_is_not_ours_is_named() {
        for (deed, named) in [
            ("create trigger t after insert on run begin delete from line; end", "trigger \"t\""),
            ("drop table file; create view file as select 'rooms' as path, 1 as bytes", "view \"file\""),
            ("create virtual table words using fts5 (word)", "table \"words"),
            ("create virtual table search using fts5 (body, has, content=\"event\")", "table \"search"),
            ("create trigger search_line after update on line begin delete from line; end", "trigger \"search_line"),
            ("drop table file; create virtual table file using fts5 (path, bytes)", "table \"file"),
            ("create index more on run (hex(zeroblob(100000000)))", "index \"more\""),
            ("alter table run add column more text as (hex(zeroblob(100000000)))", "table \"run\""),
            ("alter table run add column more integer", "table \"run\""),
            ("drop view message; create view message as select 1", "view \"message\""),
            ("drop table setting", "no table \"setting\""),
            ("drop table setting; create table setting (name text primary key, value integer)", "table \"setting\""),
            ("drop index room_by_name", "no index \"room_by_name\""),
            ("create index line_id on line (event_id)", "index \"line_id\""),
        ] {
            let connection = catalog();
            connection.execute_batch(deed).unwrap();
            let error = check(&connection).unwrap_err().to_string();
            assert!(error.contains(named), "{deed}: {error}");
        }
    }

    #[test]
    fn a_column_that_is_added_later_is_as_if_it_had_been_there() {
        let table = "create table t (a text not null, -- what it is, (or not)\n  b integer default (1, 2), check (a <> ',)')) strict";
        let columns = parts(table);
        assert_eq!(
            columns,
            parts("create table t (\n b integer default (1, 2),a text not null , check (a <> ',)') ) strict")
        );
        assert_eq!(columns.len(), 5);
        for other in
            ["create table t (a text not null, b integer default (1, 2)) strict", &table.replace(" strict", "")]
        {
            assert_ne!(columns, parts(other), "{other}");
        }
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("create table t (a text not null -- first\n) strict").unwrap();
        connection.execute_batch("alter table t add column b integer not null default 0").unwrap();
        let altered: String = connection.query_row("select sql from sqlite_schema", [], |row| row.get(0)).unwrap();
        let whole = "create table t (\n  b integer not null default 0, -- second\n  a text not null\n) strict";
        let stored = Connection::open_in_memory().unwrap();
        stored.execute_batch(whole).unwrap();
        let whole: String = stored.query_row("select sql from sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!(parts(&altered), parts(&whole), "{altered}");
    }
}
