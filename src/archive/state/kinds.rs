//! What the state holds, kind by kind, and where the catalog has it. All SQL that connects the two is made from here. Writes no file.

use rusqlite::types::Value as Cell;
use rusqlite::{Connection, params_from_iter};

use super::super::Error;
use super::super::catalog::key;

/// A kind of records.
pub(super) struct RecordKind {
    /// Its name in the state's file.
    pub(super) name: &'static str,
    /// What tells its records apart.
    pub(super) keys: &'static [&'static str],
    /// What else they hold.
    pub(super) values: &'static [&'static str],
    /// The catalog's rows of it: keys, then values.
    rows: &'static str,
    /// The same of a catalog before version 9, where that has it in other tables.
    before: Option<&'static str>,
    /// Tables whose changes change it.
    noted: &'static [Noted],
    /// It is on the disk before it takes effect.
    pub(super) is_promise: bool,
    /// Puts what is `kept` of it into a new catalog.
    restore: &'static str,
    /// Makes its table, where that is made only when it is first needed.
    made: Option<&'static str>,
}

/// A table that is watched.
struct Noted {
    table: &'static str,
    /// The columns that count.
    columns: &'static str,
    /// Rows that are new or gone count too.
    rows: bool,
    /// The keys of what has changed; `row` is the table's.
    keys: &'static str,
}

macro_rules! plain {
    ($name:literal, [$($key:literal),+], [$($value:literal),*], $columns:literal) => {
        plain!($name, [$($key),+], [$($value),*], $columns, false)
    };
    ($name:literal, [$($key:literal),+], [$($value:literal),*], $columns:literal, $is_promise:literal) => {
        RecordKind {
            name: $name,
            keys: &[$($key),+],
            values: &[$($value),*],
            rows: concat!("select ", $columns, " from ", $name),
            before: None,
            noted: &[Noted {
                table: $name,
                columns: $columns,
                rows: true,
                keys: plain!(@keys $($key),+),
            }],
            is_promise: $is_promise,
            made: None,
            restore: concat!("insert or replace into ", $name, " (", $columns, ") select ", $columns, " from kept_", $name),
        }
    };
    (@keys $first:literal $(, $key:literal)*) => { concat!("select row.", $first $(, ", row.", $key)*) };
}

/// Whether an event has no line.
macro_rules! has_no_line {
    ($id:literal) => {
        concat!("not exists (select 1 from line where id_key = ", key!($id), " and line.event_id = ", $id, ")")
    };
}

/// All kinds. How far streams are read comes after what it depends on.
pub(super) const KINDS: &[RecordKind] = &[
    plain!("server", ["name"], [], "name", true),
    plain!("setting", ["name"], ["value"], "name, value", true),
    RecordKind {
        // it knew of none
        before: Some("select null as user_id where false"),
        ..plain!("erased", ["user_id"], [], "user_id", true)
    },
    RecordKind {
        before: Some("select null as server_name, null as key_id, null as verify_key, null as valid_until where false"),
        ..plain!(
            "server_key",
            ["server_name", "key_id"],
            ["verify_key", "valid_until"],
            "server_name, key_id, verify_key, valid_until"
        )
    },
    RecordKind {
        before: Some("select null as name, null as bytes, null as head where false"),
        ..plain!("chain", ["name"], ["bytes", "head"], "name, bytes, head")
    },
    plain!("selection", ["room_id"], ["mode"], "room_id, mode", true),
    plain!("left_out", ["room_id"], [], "room_id"),
    plain!("first_export", ["stream"], ["head"], "stream, head"),
    plain!("sticky", ["event_id"], ["until"], "event_id, until"),
    RecordKind {
        restore: concat!(
            "insert or replace into waiting (event_id, room_id, since)
             select event_id, room_id, since from kept_waiting kept where ",
            has_no_line!("kept.event_id")
        ),
        ..plain!("waiting", ["event_id"], ["room_id", "since"], "event_id, room_id, since")
    },
    plain!("duplicate", ["event_id"], ["run"], "event_id, run"),
    RecordKind {
        before: Some("select 1, '', '', 0, 0, 2, '', null where false"),
        // which lines it means only the catalog knew
        restore: "insert or replace into erasure (erasure, what, which, whole, lasts, done, at, reason)
                  select erasure, what, which, whole, lasts, case when done = 2 then 2 else 0 end, at, reason from kept_erasure",
        ..plain!(
            "erasure",
            ["erasure"],
            ["what", "which", "whole", "lasts", "done", "at", "reason"],
            "erasure, what, which, whole, lasts, done, at, reason",
            true
        )
    },
    RecordKind {
        before: Some("select '', '', null, 1 where false"),
        ..plain!("tombstone", ["id"], ["kind", "line", "erasure"], "id, kind, line, erasure", true)
    },
    RecordKind {
        before: Some("select '', '', null where false"),
        ..plain!("hold", ["room_id"], ["at", "reason"], "room_id, at, reason", true)
    },
    plain!("ban_redaction", ["room_id", "user_id"], ["event_id", "until"], "room_id, user_id, event_id, until"),
    plain!(
        "run",
        ["run"],
        [
            "version",
            "started",
            "finished",
            "outcome",
            "error",
            "live",
            "backfill",
            "late",
            "soft_failed",
            "rejected",
            "survivors",
            "censored",
            "damaged",
            "versionless",
            "unplaced",
            "known",
            "files",
            "duplicates",
            "waiting",
            "mended",
            "gone"
        ],
        "run, version, started, finished, outcome, error, live, backfill, late, soft_failed, rejected, survivors, censored, damaged, versionless, unplaced, known, files, duplicates, waiting, mended, gone"
    ),
    // what outliers say, which have no line
    RecordKind {
        name: "membership",
        keys: &["room_id", "user_id", "origin_server_ts", "topological_ordering", "event_id"],
        values: &["membership", "displayname"],
        rows: concat!(
            "select room_id, user_id, origin_server_ts, topological_ordering, event_id, membership, displayname
               from membership join room using (room) where ",
            has_no_line!("membership.event_id")
        ),
        before: Some(
            "select room_id, user_id, origin_server_ts, topological_ordering, event_id, membership, displayname
               from membership where not exists (select 1 from event where event_id = membership.event_id)",
        ),
        noted: &[Noted {
            table: "membership",
            columns: "given, redacted, membership", rows: true,
            keys: concat!(
                "select (select room_id from room where room = row.room), row.user_id, row.origin_server_ts,
                        row.topological_ordering, row.event_id where ",
                has_no_line!("row.event_id")
            ),
        }],
        is_promise: false,
        made: None,
        restore: concat!(
            "insert or ignore into room (room_id, directory, has_lines, dirty)
             select distinct room_id, room_directory(room_id), 0, 0 from kept_membership;
             insert or replace into membership
                    (room, user_id, origin_server_ts, topological_ordering, event_id, membership, given, looks)
             select room, user_id, origin_server_ts, topological_ordering, event_id, membership, displayname,
                    nullif(looks(displayname), displayname)
               from kept_membership kept join room using (room_id) where ",
            has_no_line!("kept.event_id")
        ),
    },
    RecordKind {
        name: "room_state",
        keys: &["room_id", "type", "topological_ordering", "origin_server_ts", "event_id"],
        values: &["sender", "content"],
        rows: concat!(
            "select room_id, room_state.type, topological_ordering, origin_server_ts, event_id, sender, content
               from room_state join room using (room) where ",
            has_no_line!("room_state.event_id")
        ),
        before: Some(
            "select room_id, type, topological_ordering, origin_server_ts, event_id, sender, content
               from room_state where not exists (select 1 from event where event_id = room_state.event_id)",
        ),
        noted: &[Noted {
            table: "room_state",
            columns: "given, redacted", rows: true,
            keys: concat!(
                "select (select room_id from room where room = row.room), row.type, row.topological_ordering,
                        row.origin_server_ts, row.event_id where ",
                has_no_line!("row.event_id")
            ),
        }],
        is_promise: false,
        made: None,
        restore: concat!(
            "insert or ignore into room (room_id, directory, has_lines, dirty)
             select distinct room_id, room_directory(room_id), 0, 0 from kept_room_state;
             insert or replace into room_state
                    (room, type, topological_ordering, origin_server_ts, event_id, sender, given)
             select room, kept.type, topological_ordering, origin_server_ts, event_id, sender, content
               from kept_room_state kept join room using (room_id) where ",
            has_no_line!("kept.event_id")
        ),
    },
    // what is known of events beyond their lines; lines are completed with it as they are taken in
    RecordKind {
        name: "event",
        keys: &["event_id"],
        values: &["type", "state_key", "sender", "origin_server_ts", "redacts", "recheck", "rejected", "soft_failed"],
        rows: concat!(
            "select beyond_line.event_id, type, state_key, sender, origin_server_ts, redacts, recheck, rejected, soft_failed
               from beyond_line join event on event.id_key = ",
            key!("beyond_line.event_id"),
            " and event.event_id = beyond_line.event_id"
        ),
        // that one was accepted again, only its line can tell
        before: Some(
            "select event_id, type, state_key, sender, origin_server_ts, redacts, recheck, rejected, soft_failed from event
              where damaged or recheck or rejected or soft_failed or recheck is null and type = 'm.room.redaction'
              group by event_id",
        ),
        noted: &[
            Noted { table: "beyond_line", columns: "event_id", rows: true, keys: "select row.event_id" },
            Noted {
                table: "line",
                columns: "type, state_key, sender, origin_server_ts, rejected, soft_failed", rows: false,
                keys: "select event_id from beyond_line where event_id = row.event_id",
            },
            Noted {
                table: "relation",
                columns: "redacts, recheck", rows: true,
                keys: "select event_id from beyond_line where event_id = (select event_id from line where line = row.line)",
            },
        ],
        is_promise: false,
        made: None,
        restore: concat!(
            "insert or ignore into beyond_line select event_id from kept_event kept where not ",
            has_no_line!("kept.event_id")
        ),
    },
    // which files are in media/
    RecordKind {
        rows: "select mxc, sha256, extension, bytes, lacks from media where sha256 is not null",
        before: Some("select null as mxc, null as sha256, null as extension, null as bytes, null as lacks where false"),
        noted: &[Noted {
            table: "media",
            columns: "sha256, extension, bytes, lacks",
            rows: true,
            keys: "select row.mxc where row.sha256 is not null",
        }],
        made: Some(super::super::media::TABLES),
        ..plain!(
            "media",
            ["mxc"],
            ["sha256", "extension", "bytes", "lacks"],
            "mxc, sha256, extension, bytes, lacks"
        )
    },
    // compared with the files that are there
    RecordKind {
        name: "file",
        keys: &["room_id", "day"],
        values: &["events", "bytes"],
        rows: "select room_id, day, events, bytes from file join room using (room)",
        before: Some(
            "select room_id, substr(path, length('rooms//') + length(directory) + 1,
                                    length(path) - length('rooms//.jsonl') - length(directory)), events, bytes
               from file join room on directory = substr(path, 7, instr(substr(path, 7), '/') - 1)",
        ),
        noted: &[Noted {
            table: "file",
            columns: "events, bytes", rows: true,
            keys: "select room_id, row.day from room where room = row.room",
        }],
        is_promise: false,
        made: None,
        restore: "",
    },
    RecordKind {
        name: "rejudged",
        keys: &["stream"],
        values: &["position"],
        rows: "select 'un_partial_stated_event_stream' as stream, position from rejudged",
        before: None,
        noted: &[Noted { table: "rejudged", columns: "position", rows: true, keys: "select 'un_partial_stated_event_stream'" }],
        is_promise: false,
        made: None,
        restore: "insert into rejudged (position) select position from kept_rejudged",
    },
    RecordKind {
        name: "gaps",
        keys: &["room_id", "stream"],
        values: &["ranges"],
        rows: "select room_id, stream, json_group_array(json_array(first, last, clock)) as ranges
                 from gap group by room_id, stream",
        before: None,
        noted: &[Noted { table: "gap", columns: "first, last, clock", rows: true, keys: "select row.room_id, row.stream" }],
        is_promise: false,
        made: None,
        restore: "insert or replace into gap (room_id, stream, first, last, clock)
                  select room_id, stream, value ->> 0, value ->> 1, value ->> 2
                    from kept_gaps, json_each(kept_gaps.ranges)",
    },
    plain!(
        "watermark",
        ["room_id", "stream"],
        ["position", "anchor", "event_id", "at", "run"],
        "room_id, stream, position, anchor, event_id, at, run"
    ),
];

/// The kind with a name.
pub(super) fn named(name: &str) -> Option<&'static RecordKind> {
    KINDS.iter().find(|kind| kind.name == name)
}

impl RecordKind {
    /// Keys, then values.
    pub(super) fn columns(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().chain(self.values).copied()
    }

    /// Every row of the catalog, one after the other; `is_before_9`: of one before version 9.
    pub(super) fn each(
        &self,
        catalog: &Connection,
        is_before_9: bool,
        mut take: impl FnMut(Vec<Cell>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let rows = self.before.filter(|_| is_before_9).unwrap_or(self.rows);
        if !self.is_there(catalog)? {
            return Ok(());
        }
        let mut statement = catalog.prepare(rows)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            take(cells(row, self.columns().count())?)?;
        }
        Ok(())
    }

    /// Whether the catalog has its table.
    fn is_there(&self, catalog: &Connection) -> Result<bool, Error> {
        if self.made.is_none() {
            return Ok(true);
        }
        let sql = "select exists (select 1 from sqlite_schema where type = 'table' and name = ?1)";
        Ok(catalog.query_row(sql, [self.name], |row| row.get(0))?)
    }

    /// Begins to note what changes in the catalog, in temporary tables of this connection. What it notes is rolled back with what
    /// has changed.
    pub(super) fn watch(&self, catalog: &Connection) -> Result<(), Error> {
        let RecordKind { name, keys, .. } = self;
        let keys = keys.join(", ");
        // not unique: in a trigger the outer statement's way with conflicts holds, not `or ignore`
        catalog.execute_batch(&format!("create temp table if not exists noted_{name} ({keys})"))?;
        if !self.is_there(catalog)? {
            return Ok(());
        }
        for Noted { table, columns, rows, keys } in self.noted {
            let of_rows = [("insert", "new"), ("delete", "old")].into_iter().filter(|_| *rows);
            for (event, row) in of_rows.chain([(&*format!("update of {columns}"), "new")]) {
                let keys = keys.replace("row.", &format!("{row}."));
                let trigger = format!("note_{name}_{table}_{}", &event[..6]);
                catalog.execute_batch(&format!(
                    "create temp trigger if not exists {trigger} after {event} on main.{table}
                     begin insert into noted_{name} {keys}; end"
                ))?;
            }
        }
        Ok(())
    }

    /// What has changed since it was last asked: the keys, and the row if it is there still.
    pub(super) fn changed(
        &self,
        catalog: &Connection,
        mut take: impl FnMut(Vec<Cell>, Option<Vec<Cell>>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let RecordKind { name, keys, .. } = self;
        let mut noted = catalog.prepare_cached(&format!("select distinct * from temp.noted_{name}"))?;
        let mut noted = noted.query([])?;
        let mut any = false;
        while let Some(row) = noted.next()? {
            any = true;
            let keys = cells(row, keys.len())?;
            let mut statement = catalog.prepare_cached(&self.row())?;
            let mut rows = statement.query(params_from_iter(&keys))?;
            let found = rows.next()?.map(|row| cells(row, self.columns().count())).transpose()?;
            take(keys, found)?;
        }
        drop(noted);
        if any {
            catalog.prepare_cached(&format!("delete from temp.noted_{name}"))?.execute([])?;
        }
        Ok(())
    }

    fn row(&self) -> String {
        let condition = || {
            let keys = (1..).zip(self.keys).map(|(at, key)| format!("{key} = ?{at}"));
            keys.collect::<Vec<_>>().join(" and ")
        };
        format!("select * from ({}) where {}", self.rows, condition())
    }

    /// Makes an empty table for what is kept of it.
    pub(super) fn keep(&self, catalog: &Connection) -> Result<(), Error> {
        let RecordKind { name, keys, .. } = self;
        let columns: Vec<&str> = self.columns().collect();
        Ok(catalog.execute_batch(&format!(
            "drop table if exists temp.kept_{name};
             create temp table kept_{name} ({}, primary key ({})) without rowid",
            columns.join(", "),
            keys.join(", ")
        ))?)
    }

    /// Keeps a record, in place of an earlier one.
    pub(super) fn set(&self, catalog: &Connection, record: &[Cell]) -> Result<(), Error> {
        let places = vec!["?"; record.len()].join(", ");
        let sql = format!("insert or replace into temp.kept_{} values ({places})", self.name);
        catalog.prepare_cached(&sql)?.execute(params_from_iter(record))?;
        Ok(())
    }

    /// Keeps none of these keys any more.
    pub(super) fn forget(&self, catalog: &Connection, keys: &[Cell]) -> Result<(), Error> {
        let own = self.keys.iter().map(|key| format!("{key} = ?")).collect::<Vec<_>>().join(" and ");
        let sql = format!("delete from temp.kept_{} where {own}", self.name);
        catalog.prepare_cached(&sql)?.execute(params_from_iter(keys))?;
        Ok(())
    }

    /// Puts what is kept into the catalog, where that has taken in the lines.
    pub(super) fn restore(&self, catalog: &Connection) -> Result<(), Error> {
        if let Some(made) = self.made.filter(|_| !self.is_there(catalog).unwrap_or(true)) {
            let any = format!("select exists (select 1 from temp.kept_{})", self.name);
            if !catalog.query_row(&any, [], |row| row.get::<_, bool>(0))? {
                return Ok(());
            }
            catalog.execute_batch(made)?;
        }
        Ok(catalog.execute_batch(self.restore)?)
    }

    /// Forgets what was kept for a while.
    pub(super) fn drop_kept(&self, catalog: &Connection) -> Result<(), Error> {
        Ok(catalog.execute_batch(&format!("drop table temp.kept_{}", self.name))?)
    }
}

fn cells(row: &rusqlite::Row<'_>, count: usize) -> Result<Vec<Cell>, Error> {
    Ok((0..count).map(|at| row.get(at)).collect::<Result<_, _>>()?)
}
