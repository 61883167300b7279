//! What is said on stderr: as lines for people, or as a JSON object on each line for programs.

use serde_json::Value;
use std::collections::BTreeSet;

use crate::support::Database;
use crate::support::archive::TestArchive;
use crate::support::story::{EventRow, ROOM};
use crate::{Ended, command, ended, export, run, server, text};

/// What was said, after a look at what holds for every line.
#[track_caller]
fn lines(ended: &Ended) -> Vec<Value> {
    let line = |line: &str| -> Value {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let level = line["level"].as_str().expect("it has a level");
        assert!(["error", "warn", "info", "debug"].contains(&level), "{line}");
        assert!(line["message"].as_str().is_some_and(|message| !message.is_empty()), "{line}");
        let time = line["time"].as_str().expect("it has a time");
        chrono::DateTime::parse_from_rfc3339(time).expect("it is as RFC 3339 has it");
        line
    };
    ended.stderr.lines().map(line).collect()
}

/// The only line of a level that has this in its message.
#[track_caller]
fn the<'a>(lines: &'a [Value], level: &str, part: &str) -> &'a Value {
    let said = |line: &&Value| line["level"] == level && line["message"].as_str().is_some_and(|it| it.contains(part));
    let found: Vec<_> = lines.iter().filter(said).collect();
    let [only] = found[..] else { panic!("{} lines of {level} say {part:?}: {lines:#?}", found.len()) };
    only
}

/// A server on which one event is damaged, one room takes long, and the history of another ends the session.
fn bad_server() -> Database {
    let database = server();
    database.event(EventRow { json: Some("secret\u{1b} nonsense".to_owned()), ..EventRow::at(4) });
    for (id, room_id) in [(5, "!slow:here.test"), (-3, "!deadly:here.test")] {
        database.room(room_id, "10");
        database.event(EventRow::at(id).within(room_id));
    }
    database.execute(
        "alter table rooms rename to rooms_; \
         create function obstacle(id text) returns boolean language plpgsql as $$ begin \
             if id = '!slow:here.test' then perform pg_sleep(5.1); end if; \
             return id <> '!deadly:here.test' or pg_terminate_backend(pg_backend_pid()); end $$; \
         create view rooms as select * from rooms_ where obstacle(room_id)",
    );
    database
}

#[test]
fn programs_get_an_object_on_each_line() {
    let (database, archive) = (bad_server(), TestArchive::new());
    let format = ["--log-format", "json"];
    let said = lines(&export(&database, archive.path(), &[&format[..], &["--retry-for", "1s"]].concat()).with(75));
    let damaged = the(&said, "warn", "event $4");
    assert_eq!((&damaged["event_id"], &damaged["room_id"]), (&"$4".into(), &ROOM.into()));
    let progress = the(&said, "info", " %: ");
    assert_eq!(
        (&progress["events"], &progress["stream"], &progress["position"]),
        (&5.into(), &"live".into(), &5.into())
    );
    assert!(progress["part"].as_f64().is_some_and(|part| 0.0 < part && part < 1.0), "{progress}");
    let retries: Vec<&Value> = said.iter().filter(|line| line["attempts"].is_u64()).collect();
    assert!(!retries.is_empty() && retries[0]["attempts"] == 1, "{said:#?}");
    let mut reasons = BTreeSet::new();
    for retry in retries {
        assert_eq!(retry["level"], "info");
        let (reason, _) = retry["message"].as_str().unwrap().split_once("; trying again").unwrap();
        assert!(reasons.insert(reason.to_owned()), "said again: {retry}");
    }
    let error = the(&said, "error", "gave up after");
    assert!(error["exit"] == 75 && error["message"].as_str().unwrap().contains("terminating connection"), "{error}");
    assert_eq!(said.last(), Some(error));

    database.execute("drop view rooms; alter table rooms_ rename to rooms");
    let archive = TestArchive::new();
    let more = [&format[..], &["--log-level", "debug"]].concat();
    let ended = export(&database, archive.path(), &more).with(3);
    assert!(!ended.stderr.contains("secret") && !ended.stderr.contains('\u{1b}'));
    let said = lines(&ended);
    assert_eq!(the(&said, "info", "exporting all rooms")["server"], "here.test");
    let page = said.iter().find(|line| line["statement"] == "page_live").unwrap();
    assert!(page["level"] == "debug" && page["rows"] == 5 && page["seconds"].is_f64(), "{page}");
    let commits = said.iter().filter(|line| line["message"] == "commit").map(|line| line["events"].as_u64().unwrap());
    assert_eq!(commits.sum::<u64>(), 8);
    let summary = the(&said, "info", "8 new events");
    for (key, value) in
        [("run", 1), ("events", 8), ("live", 5), ("backfill", 3), ("files", 3), ("damaged", 1), ("late", 0)]
    {
        assert_eq!(summary[key], value, "{key}: {summary}");
    }
    assert_eq!(archive.one("select outcome from run"), "damaged", "as in the log");
    assert!(summary["outcome"] == "damaged" && summary["seconds"].is_f64(), "{summary}");
}

#[test]
fn every_command_keeps_to_the_format() {
    let (database, archive) = (server(), TestArchive::new());
    let dsn = database.dsn();
    let (database_at, archive_at) = (["--database", &*dsn], ["--archive", text(archive.path())]);
    let said = |arguments: &[&str], code: i32| {
        let mut command = command();
        command.envs([("SYNAPSE_EXPORT_LOG_FORMAT", "json"), ("SYNAPSE_EXPORT_LOG_LEVEL", "debug")]);
        lines(&ended(command.args(arguments)).with(code))
    };
    for (arguments, code, level, part) in [
        ([&["export"], &database_at[..], &archive_at[..]].concat(), 0, "debug", "commit"),
        ([&["room", ROOM], &database_at[..]].concat(), 0, "info", "5 events of"),
        ([&["room", "nobody's"], &database_at[..]].concat(), 1, "error", "no room is called"),
        ([&["room", ROOM, "--format", "markdown"], &database_at[..]].concat(), 0, "debug", "commit"),
        ([&["rooms", "--sort", "events", "--no-counts"], &database_at[..]].concat(), 2, "error", "--no-counts"),
        ([&["render", "--all"], &archive_at[..]].concat(), 0, "info", "rendered 1 room-day"),
        ([&["watermark", "reset"], &archive_at[..]].concat(), 2, "error", "give --yes"),
        ([&["watermark", "reset", "--yes"], &archive_at[..]].concat(), 0, "info", "reset: the next export"),
        (
            [&["export", "--exclude-room", "!none:here.test"], &database_at[..], &archive_at[..]].concat(),
            0,
            "warn",
            "has no room",
        ),
        (
            [&["export", "--database", "host=h sslmode=perhaps"], &archive_at[..]].concat(),
            2,
            "error",
            "'sslmode' must be",
        ),
    ] {
        let said = said(&arguments, code);
        let found = the(&said, level, part);
        assert!(level != "error" || found["exit"] == code, "{found}");
    }
    for (name, code) in [("rooms", 0), ("doctor", 10)] {
        let said = said(&[&[name], &database_at[..]].concat(), code);
        let statements = said.iter().filter(|line| line["message"] == "statement");
        assert!(statements.clone().count() > 2 && said.iter().all(|line| line["level"] == "debug"), "{said:#?}");
    }
}

#[test]
fn as_much_is_said_as_was_asked_for() {
    let database = server();
    database.event(EventRow { json: Some("nonsense".to_owned()), ..EventRow::at(4) });
    for (more, expected) in [
        (&["--log-level", "error"][..], [false, false, false]),
        (&["--log-level", "warn"], [true, false, false]),
        (&["--quiet"], [true, false, false]),
        (&["--quiet", "--log-level", "debug"], [true, false, false]),
        (&["--quiet", "--log-level", "error"], [false, false, false]),
        (&[], [true, true, false]),
        (&["--log-level", "info"], [true, true, false]),
        (&["--log-level", "debug"], [true, true, true]),
    ] {
        let archive = TestArchive::new();
        let said = export(&database, archive.path(), more).with(3).stderr;
        let parts = [
            "warning: event $4 in !room:here.test: ",
            "done, but some rows are damaged: 6 new events",
            "statement=\"page_live\" rows=4",
        ];
        assert_eq!(parts.map(|part| said.contains(part)), expected, "{more:?}: {said}");
        export(&database, archive.path(), &[more, &["--all-rooms", "--room", ROOM]].concat()).with(2);
        let failed = run(&[&["watermark", "show", "--archive", "/nowhere"], more].concat()).with(1).stderr;
        assert!(failed.starts_with("synapse-export: /nowhere is no archive"), "{more:?}: {failed}");
    }
    run(&["rooms", "--log-level", "loud"]).with(2).saying("error, warn, info or debug");
    run(&["rooms", "--log-format", "xml"]).with(2).saying("text, json");
}

#[test]
fn events_cost_their_rows_and_not_the_span_of_their_ids() {
    let database = server();
    database.room("!other:here.test", "10");
    database.execute(&format!(
        "insert into events (stream_ordering, topological_ordering, event_id, type, room_id, sender, origin_server_ts,
                             received_ts, processed, outlier)
         select i * 2000000, i, '$' || i * 2000000, 'm.room.message',
                case when i % 2 = 0 then '{ROOM}' else '!other:here.test' end, '@alice:here.test', 1795348800000 + i,
                1795348800000 + i, true, false
           from generate_series(1, 200) i;
         insert into event_json (event_id, room_id, internal_metadata, json)
         select event_id, room_id, '{{}}', '{{}}' from events where stream_ordering >= 2000000;
         insert into ex_outlier_stream (event_stream_ordering, event_id, state_group)
         select stream_ordering + 1, event_id, 1 from events where stream_ordering >= 2000000"
    ));
    for (rooms, events) in [(&[][..], 205), (&["--room", "!other:here.test"], 100), (&["--room", ROOM], 105)] {
        let archive = TestArchive::new();
        let options = [&["--log-format", "json", "--log-level", "debug", "--no-markdown"], rooms].concat();
        let said = lines(&export(&database, archive.path(), &options).with(0));
        let statements: Vec<&str> = said.iter().filter_map(|line| line["statement"].as_str()).collect();
        let count = |name: &str| statements.iter().filter(|it| **it == name).count();
        // one for each stream; and of 400 million ids that nobody has, in 200 gaps, a few at a time
        assert_eq!(count("deoutliered"), 2, "{rooms:?}");
        assert!((1..=25).contains(&(count("probe") + count("room_probe"))), "{rooms:?}: {statements:?}");
        assert_eq!(archive.lines().len(), events, "{rooms:?}");
    }
}
