//! Synapse's tables: a version that is known, columns and indexes that are there, and what Synapse is still doing to them.
//!
//! What is there decides, found in PostgreSQL's catalogs; a version alone never does.

use std::collections::BTreeSet;

use super::finding::{Finding, answered, n, named};
use crate::source::{Database, Index, Problem, Schema};

/// Versions of Synapse's tables that real servers of these releases had.
const KNOWN: [(i32, &str); 4] = [(70, "1.60"), (80, "1.90"), (86, "1.113"), (94, "1.163")];

/// Background updates that change what is read here, and how that shows.
const UPDATES: [(&str, &str); 11] = [
    ("populate_stream_ordering2", STREAM_ORDERING),
    ("index_stream_ordering2", STREAM_ORDERING),
    ("index_stream_ordering2_room_order", STREAM_ORDERING),
    ("index_stream_ordering2_contains_url", STREAM_ORDERING),
    ("index_stream_ordering2_room_stream", STREAM_ORDERING),
    ("index_stream_ordering2_ts", STREAM_ORDERING),
    ("replace_stream_ordering_column", STREAM_ORDERING),
    (
        "events_populate_state_key_rejections",
        "older events have no state_key and rejection_reason yet, which are therefore taken from their JSON and from rejections",
    ),
    ("add_rooms_room_version_column", "rooms do not all have their version yet, and their lines say null"),
    (
        "current_state_events_membership",
        "current_state_events.membership is not filled yet: `rooms` may count too few members",
    ),
    ("events_jump_to_date_index", "its index is not there yet: `rooms` counts more slowly"),
];
const STREAM_ORDERING: &str = "events.stream_ordering is being moved to a larger column; in the moment when Synapse exchanges them \
     an export may fail, and the next one goes on from there";

/// What must be found by index, and by which columns; and whether an export does so.
const INDEXES: [(&str, &[&str], bool); 18] = [
    ("events", &["stream_ordering"], true),
    ("events", &["room_id", "stream_ordering"], true),
    ("events", &["event_id"], true),
    ("event_json", &["event_id"], true),
    ("ex_outlier_stream", &["event_stream_ordering"], true),
    ("rejections", &["event_id"], true),
    ("redactions", &["event_id"], true),
    ("rooms", &["room_id"], true),
    ("room_ban_redactions", &["room_id", "user_id"], true),
    ("un_partial_stated_event_stream", &["stream_id"], true),
    ("events", &["room_id", "topological_ordering", "stream_ordering"], false),
    ("redactions", &["redacts"], false),
    ("room_aliases", &["room_alias"], false),
    ("room_aliases", &["room_id"], false),
    ("users", &["name"], false),
    ("current_state_events", &["room_id", "type", "state_key"], false),
    ("room_memberships", &["event_id"], false),
    ("room_memberships", &["room_id"], false),
];

/// Checks the tables; false: there is nothing that could be exported.
pub(super) async fn check(database: &Database, findings: &mut Vec<Finding>) -> bool {
    let schema = database.schema();
    let needed = schema.suffices_to_export();
    let suffices = needed.is_ok();
    match needed {
        Ok(()) => tables(schema, findings),
        Err(problem) => {
            let is_synapse = !matches!(problem, Problem::Missing(..));
            findings.push(lacking(Finding::error, "an export", problem));
            if !is_synapse {
                return false;
            }
        }
    }
    if schema.can_read("schema_version", "version") {
        if let Some(version) = answered("schema version", database.schema_version(), findings).await {
            findings.push(self::version(version));
        }
    } else {
        findings.push(hidden("schema version", schema, "schema_version", &["version"]));
    }
    if schema.can_read("background_updates", "update_name") {
        if let Some(pending) = answered("background updates", database.background_updates(), findings).await {
            findings.push(updates(&pending));
        }
    } else {
        findings.push(hidden("background updates", schema, "background_updates", &["update_name"]));
    }
    let wanted: BTreeSet<&str> =
        INDEXES.map(|(table, ..)| table).into_iter().filter(|table| schema.has(table)).collect();
    let wanted: Vec<&str> = wanted.into_iter().collect();
    if let Some(found) = answered("indexes", database.indexes(&wanted), findings).await {
        indexes(&wanted, &found, findings);
    }
    suffices
}

/// A check that may not be made, with the grant that would allow it.
pub(super) fn hidden(check: &'static str, schema: &Schema, table: &str, columns: &[&str]) -> Finding {
    if schema.has(table) {
        let what = format!("the role may not read {table}");
        Finding::unknown(check, what).remedy(format!("{} (sql/reader_role.sql does)", schema.grant(table, columns)))
    } else {
        Finding::unknown(check, format!("there is no table {table}"))
    }
}

fn tables(schema: &Schema, findings: &mut Vec<Finding>) {
    let what = "every table and column that an export needs is there, and the role may read it";
    findings.push(Finding::fine("tables", what));
    if let Err(problem) = schema.suffices_to_list_rooms() {
        findings.push(lacking(Finding::warning, "`rooms`, and `room` by name or with --state,", problem));
    }
    if let Err(problem) = schema.suffices_for_bans() {
        findings.push(lacking(Finding::warning, "hiding in transcripts what bans have redacted", problem));
    }
    if let Err(problem) = schema.suffices_for_un_partial_stated() {
        findings.push(lacking(Finding::warning, "hiding in transcripts what Synapse has rejected later", problem));
    }
    if let Err(problem) = schema.suffices_for_erased() {
        findings.push(lacking(Finding::warning, "leaving out what erased users said", problem));
    }
    let lacks: Vec<&str> =
        ["state_key", "rejection_reason"].into_iter().filter(|column| !schema.can_read("events", column)).collect();
    if !lacks.is_empty() {
        let what = format!("events has no {}: taken from the JSON and from rejections instead", lacks.join(" and no "));
        findings.push(Finding::fine("tables", what));
    }
    if !schema.can_read("users", "name") && !schema.can_read("local_current_membership", "user_id") {
        let what = "no local user can be read: what a purge left behind of local messages is not exported";
        findings.push(Finding::warning("tables", what).remedy(schema.grant("users", &["name"])));
    }
}

fn lacking(found: fn(&'static str, String) -> Finding, what: &str, problem: Problem) -> Finding {
    let hint = problem.hint();
    let what = match problem {
        Problem::Missing(missing, _) => format!("{what} needs what is not there: {missing}"),
        Problem::Unreadable { tables, .. } => format!("{what} needs tables that the role may not read: {tables}"),
        // it is Synapse's that is looked at
        Problem::NoBridge => problem.to_string(),
        Problem::Unexpected(what) => format!("the database answered with other types than Synapse's: {what}"),
    };
    Finding { remedy: hint, ..found("tables", what) }
}

fn version(version: Option<i32>) -> Finding {
    let check = "schema version";
    let Some(version) = version else { return Finding::unknown(check, "schema_version is empty") };
    if let Some((_, release)) = KNOWN.iter().find(|(known, _)| *known == version) {
        return Finding::fine(check, format!("{version}, as Synapse {release} has it"));
    }
    let before = KNOWN.iter().rev().find(|(known, _)| *known < version);
    let after = KNOWN.iter().find(|(known, _)| *known > version);
    match (before, after) {
        (Some((_, before)), Some((_, after))) => {
            Finding::fine(check, format!("{version}, between those of Synapse {before} and {after}"))
        }
        (None, _) => Finding::warning(check, format!("{version}, older than that of Synapse 1.60, before which nothing is tested"))
            .remedy("upgrade Synapse; until then, compare what an export has with what clients see"),
        (_, None) => Finding::warning(
            check,
            format!("{version}, newer than that of Synapse 1.163, after which nothing is tested; probably fine, since columns are detected"),
        )
        .remedy("look for a newer synapse-export"),
    }
}

fn updates(pending: &[String]) -> Finding {
    let check = "background updates";
    let ours: Vec<&str> = pending.iter().map(String::as_str).filter(|name| effect(name).is_some()).collect();
    let mut effects: Vec<&str> = ours.iter().copied().filter_map(effect).collect();
    effects.dedup();
    match (pending.len() as u64, ours.is_empty()) {
        (0, _) => Finding::fine(check, "none is pending"),
        (count, true) => Finding::fine(check, format!("{} pending, none of which matters to an export", n(count))),
        (count, false) => {
            let what =
                format!("{} of {} pending matter ({}): {}", ours.len(), n(count), named(&ours), effects.join("; "));
            Finding::warning(check, what)
                .remedy("exports are right all the same; let Synapse run until it is done with them")
        }
    }
}

fn effect(name: &str) -> Option<&'static str> {
    UPDATES.iter().find(|(update, _)| *update == name).map(|(_, effect)| *effect)
}

fn indexes(tables: &[&str], found: &[Index], findings: &mut Vec<Finding>) {
    let before = findings.len();
    for (table, columns, is_for_export) in INDEXES {
        let mut fitting =
            found.iter().filter(|index| index.table == table && !index.is_partial && index.columns == columns);
        if !tables.contains(&table) || fitting.clone().any(|index| index.is_valid) {
            continue;
        }
        let on = format!("{table} ({})", columns.join(", "));
        let found = if is_for_export { Finding::error } else { Finding::warning };
        let slow = if is_for_export { "an export" } else { "`room` or `rooms`" };
        findings.push(match fitting.next() {
            Some(Index { name, .. }) => {
                found("indexes", format!("the index {name} on {on} is not valid: {slow} reads the whole table again and again"))
                    .remedy(format!("as the table's owner, on the primary, run: REINDEX INDEX CONCURRENTLY {name};"))
            }
            None => found("indexes", format!("there is no index on {on}: {slow} reads the whole table again and again"))
                .remedy(format!("Synapse makes it: see whether one of its background updates is at it; else run: CREATE INDEX CONCURRENTLY ON {on};")),
        });
    }
    if findings.len() == before {
        findings.push(Finding::fine("indexes", "every index that is needed is there and valid"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::*;

    #[test]
    fn a_version_is_placed_between_those_that_are_known() {
        for (number, kind, said) in [
            (Some(69), Severity::Warning, "older"),
            (Some(70), Severity::Fine, "as Synapse 1.60 has it"),
            (Some(71), Severity::Fine, "between those of Synapse 1.60 and 1.90"),
            (Some(93), Severity::Fine, "between those of Synapse 1.113 and 1.163"),
            (Some(94), Severity::Fine, "as Synapse 1.163 has it"),
            (Some(95), Severity::Warning, "probably fine"),
            (None, Severity::Unknown, "empty"),
        ] {
            let finding = version(number);
            assert_eq!(finding.severity, kind, "{finding:?}");
            assert!(finding.what.contains(said), "{finding:?}");
        }
    }

    #[test]
    fn only_updates_of_what_is_read_matter() {
        let of = |names: &[&str]| updates(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&[]).severity, Severity::Fine);
        assert_eq!(of(&["threads_backfill", "delayed_events_idx"]).severity, Severity::Fine);
        let finding = of(&["index_stream_ordering2_ts", "replace_stream_ordering_column", "threads_backfill"]);
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.what.starts_with("2 of 3 pending matter"), "{finding:?}");
        assert_eq!(finding.what.matches("larger column").count(), 1, "{finding:?}");
    }
}
