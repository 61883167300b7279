//! The statements in `sql/`, and how their rows read: each column by its name, next to the statement that gives it.
//!
//! Knows nothing of what is made of the rows, and asks nothing.

#[macro_use]
mod statement;
mod events;
mod keys;
mod media;
mod rooms;
mod server;
mod stored;

pub(super) use events::*;
pub(super) use keys::*;
pub(super) use media::*;
pub(super) use rooms::*;
pub(super) use server::*;
pub(super) use statement::{Columns, Statement, TypedStatement};
pub(super) use stored::*;

/// A statement by the name of its file in `sql/`, as it is run; `knowing`: over what was looked up before.
pub(super) fn named(name: &str, columns: Columns, knowing: bool) -> Option<Statement> {
    let known = LookedUp { rejections: knowing, versions: knowing };
    if let Some(page) = stored::ALL.iter().find(|page| page.name() == name) {
        return Some(page.statement(columns, known));
    }
    let mut all = [events::all(), keys::all(), media::all(), rooms::all(), server::all()].into_iter().flatten();
    let slots = [("forwarded", keys::forwarded(false)), ("sha256", media::sha256(false))];
    let over = |statement: Statement| {
        Statement { sql: statement::fill(&statement.sql, &slots).into(), ..statement }.over(columns)
    };
    all.find(|statement| statement.name == name).map(over)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_statement_that_has_its_name_and_no_slot_left() {
        for is_there in [false, true] {
            let columns = Columns { state_key: is_there, rejection_reason: is_there, recheck: is_there };
            for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/sql")).unwrap() {
                let path = file.unwrap().path();
                let name = path.file_stem().unwrap().to_str().unwrap();
                if path.is_dir() || name.ends_with("_role") || name.starts_with("reader_role") || name == "stored" {
                    continue;
                }
                for knowing in [false, true] {
                    let statement = named(name, columns, knowing).expect(name);
                    assert!(statement.sql.starts_with(&format!("-- {name}(")), "{}", statement.sql);
                    // an empty array has braces too
                    assert!(!statement.sql.replace("'{}'", "").contains(['{', '}']), "{}", statement.sql);
                    assert_eq!(statement.sql.contains("d.recheck"), is_there && statement.sql.contains("as recheck"));
                }
            }
        }
    }
}
