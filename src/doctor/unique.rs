//! Whether what should be unique is: the collation that indexes of text are ordered by, and keys that are there twice.
//!
//! Looks at the ends of tables only: that it finds nothing does not say that there is nothing.

use super::finding::{Finding, answered, n};
use crate::source::{Collation, Database};

/// How many rows of a table are looked at.
const ROWS: i64 = 5_000;

pub(super) async fn check(database: &Database, findings: &mut Vec<Finding>) {
    if let Some(collation) = answered("collation", database.collation(), findings).await {
        findings.push(self::collation(&collation));
    }
    let lists_rooms = database.schema().suffices_to_list_rooms().is_ok();
    if let Some(keys) = answered("duplicates", database.duplicates(ROWS, lists_rooms), findings).await {
        duplicates(&keys, findings);
    }
}

fn collation(collation: &Collation) -> Finding {
    let check = "collation";
    let Collation { name, recorded, actual } = collation;
    if let (Some(recorded), Some(actual)) = (recorded, actual)
        && recorded != actual
    {
        let what = format!(
            "the indexes were built with version {recorded} of the collation {name}, and the system has version {actual}: they may hide rows, and let in others of a key that is unique"
        );
        return Finding::warning(check, what).remedy("as the database's owner, on the primary: REINDEX DATABASE, which names what is there twice, then ALTER DATABASE … REFRESH COLLATION VERSION");
    }
    let base = name.split(['.', '@']).next().unwrap_or_default();
    if ["C", "POSIX"].contains(&base) {
        return Finding::fine(check, format!("{name}, which no upgrade of the system changes"));
    }
    let known = match recorded {
        Some(version) => format!("still in version {version}, with which the indexes were built"),
        None => "of which nothing tells whether it has changed since the indexes were built".to_owned(),
    };
    Finding::fine(check, format!("{name}, {known}; Synapse asks for C"))
        .remedy("after an upgrade of the system that changes collations, REINDEX DATABASE before Synapse runs again")
}

fn duplicates(keys: &[(String, u64)], findings: &mut Vec<Finding>) {
    let check = "duplicates";
    let before = findings.len();
    for (key, count) in keys.iter().filter(|(_, count)| *count > 0) {
        let table = key.split(' ').next().unwrap_or_default();
        let what =
            format!("{key} should be unique, and among the rows looked at {} of these are there twice", n(*count));
        findings.push(Finding::warning(check, what).remedy(format!(
            "an export takes the rows of a key for one, and names events that have several; on the primary, take out the second rows of {table}, then run: REINDEX TABLE {table};"
        )));
    }
    if findings.len() == before {
        findings.push(Finding::fine(check, format!("none among {} rows of each table", n(ROWS.unsigned_abs()))));
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::*;

    #[test]
    fn a_collation_that_has_changed_is_warned_of_and_another_than_c_is_a_hint() {
        let of = |name: &str, recorded: Option<&str>, actual: Option<&str>| {
            let owned = |version: Option<&str>| version.map(str::to_owned);
            collation(&Collation { name: name.to_owned(), recorded: owned(recorded), actual: owned(actual) })
        };
        let changed = of("en_US.utf8", Some("2.31"), Some("2.36"));
        assert_eq!(changed.severity, Severity::Warning);
        assert!(changed.what.contains("2.31") && changed.what.contains("2.36"), "{changed:?}");
        for (name, version) in [("en_US.utf8", Some("2.36")), ("en_US.utf8", None), ("de", Some("153.14"))] {
            let hint = of(name, version, version);
            assert_eq!((hint.severity, hint.remedy.is_some()), (Severity::Fine, true), "{hint:?}");
        }
        for name in ["C", "POSIX", "C.UTF-8", "C.utf8"] {
            let fine = of(name, None, None);
            assert_eq!((fine.severity, fine.remedy), (Severity::Fine, None));
        }
    }
}
