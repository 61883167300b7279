//! A server whose transcripts hang together: each of its three chapters changes what the days before show.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::shim::run;
use crate::state::{State, copy, state};
use crate::support::story::{EventRow, NOON};
use crate::support::{Database, Shape, cluster};

/// In every message, and in no error.
pub(crate) const SAID: &str = "confidential";

const DAY: i64 = 86_400_000;
const OFFICE: &str = "!office:here.test";
const LAB: &str = "!lab:here.test";
const NEW: &str = "!new:here.test";

/// The servers, and archives as they are after each chapter.
pub(crate) struct Told {
    dsns: [String; 3],
    states: Vec<State>,
    directory: TempDir,
    _servers: [Database; 3],
}

impl Told {
    /// One for all tests that run, gone with the last of them.
    pub(crate) fn get() -> Arc<Told> {
        static TOLD: Mutex<Weak<Told>> = Mutex::new(Weak::new());
        let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
        told.upgrade().unwrap_or_else(|| {
            let new = Arc::new(Told::tell());
            *told = Arc::downgrade(&new);
            new
        })
    }

    fn tell() -> Told {
        let servers = servers();
        let dsns = servers.each_ref().map(Database::dsn);
        let mut told = Told { dsns, states: Vec::new(), directory: tempfile::tempdir().unwrap(), _servers: servers };
        for chapters in 1..=3 {
            let archive = told.archive(chapters);
            if chapters > 1 {
                copy(&told.archive(chapters - 1), &archive);
            }
            run(&archive, None, &told.export(chapters)).with(0);
            told.states.push(state(&archive));
        }
        told
    }

    /// The archive after so many chapters; a test works on a copy.
    pub(crate) fn archive(&self, chapters: usize) -> PathBuf {
        self.directory.path().join(format!("after {chapters}"))
    }

    /// What is in it.
    pub(crate) fn state(&self, chapters: usize) -> &State {
        &self.states[chapters - 1]
    }

    /// The arguments of an export after so many chapters.
    pub(crate) fn export(&self, chapters: usize) -> [&str; 4] {
        ["export", "--quiet", "--database", &self.dsns[chapters - 1]]
    }
}

/// The server after each chapter.
fn servers() -> [Database; 3] {
    [1, 2, 3].map(|chapters| {
        let database = cluster().database("faults", Shape::V1_163);
        database.user("@alice:here.test");
        for chapter in &[first, second, third][..chapters] {
            chapter(&database);
        }
        database
    })
}

fn on(day: i64, row: EventRow) -> EventRow {
    EventRow { ts: Some(NOON + day * DAY + 1000 * row.stream_ordering), ..row }
}

fn says(id: i64, what: &str) -> EventRow {
    EventRow { room_id: OFFICE.to_owned(), ..EventRow::message(id, &format!("{SAID} {what}")) }
}

fn about(id: i64, relation: &Value, more: &Value) -> EventRow {
    let mut content = json!({"msgtype": "m.text", "body": format!("{SAID} * {id}"), "m.relates_to": relation});
    content.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    EventRow { room_id: OFFICE.to_owned(), content: content.to_string(), ..EventRow::at(id) }
}

fn joins(id: i64, name: &str) -> EventRow {
    EventRow::state(id, "m.room.member", "@alice:here.test", &json!({"membership": "join", "displayname": name}))
}

fn named(id: i64, name: &str) -> EventRow {
    EventRow::state(id, "m.room.name", "", &json!({ "name": name }))
}

fn first(database: &Database) {
    database.room(OFFICE, "10");
    database.room(LAB, "10");
    database.event(named(1, "Office").within(OFFICE));
    database.event(joins(2, "Alice").within(OFFICE));
    database.event(says(3, "one"));
    database.event(says(4, "a typo"));
    database.event(says(5, "a secret"));
    // 6 and 7 come late
    database.event(on(1, says(8, "the day after")));
    let reply = json!({"m.in_reply_to": {"event_id": "$4"}});
    database.event(on(1, about(9, &reply, &json!({}))));
    database.event(joins(10, "Alice").within(LAB));
    database.event(named(11, "Lab").within(LAB));
    database.event(says(12, "in the lab").within(LAB));
    database.redaction("$5", EventRow { content: "{}".to_owned(), ..EventRow::at(13).within(OFFICE) });
    database.event(EventRow { outlier: true, ..EventRow::member(14, "@carol:far.test", "join").within(OFFICE) });
    database.event(on(-1, says(-1, "before all")));
}

fn second(database: &Database) {
    database.room(NEW, "10");
    database.event(says(6, "late"));
    let edit = json!({"rel_type": "m.replace", "event_id": "$4"});
    let text = json!({"m.new_content": {"msgtype": "m.text", "body": format!("{SAID}, no typo")}});
    database.event(on(1, about(7, &edit, &text)));
    let reaction = json!({"rel_type": "m.annotation", "event_id": "$3", "key": "👍"});
    let reaction = EventRow { event_type: "m.reaction".to_owned(), ..about(20, &reaction, &json!({})) };
    database.event(on(2, reaction));
    database.redaction("$8", on(2, EventRow { content: "{}".to_owned(), ..EventRow::at(21).within(OFFICE) }));
    database.event(on(2, named(22, "Main office").within(OFFICE)));
    database.event(on(1, joins(23, "Alice B.").within(LAB)));
    // a second room of that name, so that both links change
    database.event(on(1, named(24, "Lab").within(NEW)));
    database.event(on(1, says(25, "in the new lab").within(NEW)));
    database.de_outlier("$14", 26);
    database.event(on(-2, says(-2, "long before")));
}

/// A name is taken back, and a shared one is shared no more.
fn third(database: &Database) {
    database.event(on(3, named(30, "Office").within(OFFICE)));
    database.event(on(3, named(31, "New lab").within(NEW)));
    database.redaction("$9", on(3, EventRow { content: "{}".to_owned(), ..EventRow::at(32).within(OFFICE) }));
}

/// Another server: one room, one message on each of forty days.
pub(crate) fn many_days() -> Database {
    let database = cluster().database("days", Shape::V1_163);
    database.user("@alice:here.test");
    database.room(LAB, "10");
    (1..=40).for_each(|day| database.event(on(day, says(day, "today").within(LAB))));
    database
}
