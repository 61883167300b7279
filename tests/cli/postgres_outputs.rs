//! The output in another PostgreSQL: that it says what the archive says, once, whatever happened; what it refuses; and that what is erased
//! is gone from it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::outputs::{edit, stories};
use crate::support::archive::TestArchive;
use crate::support::story::{DAY, EventRow, NOON};
use crate::support::{Cluster, Database, Shape, standby::query};
use crate::{Ended, command, ended, export, run, server, text};

/// A server that is not Synapse's.
fn elsewhere() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::start)
}

fn warehouse() -> Database {
    elsewhere().database("warehouse", Shape::Empty)
}

/// A database as an output's address.
fn address(database: &Database) -> String {
    format!("postgres:{}", database.dsn())
}

fn output(archive: &Path, words: &[&str]) -> Ended {
    let (verb, rest) = words.split_first().expect("a verb");
    run(&[&["output", verb, "--archive", text(archive)], rest].concat())
}

fn add(archive: &Path, name: &str, to: &Database, more: &[&str]) {
    output(archive, &[&["add", name, &address(to)], more].concat()).with(0);
}

/// The rows of a table or a view, by a column that is another in each.
fn rows(database: &Database, table: &str, key: &str) -> BTreeMap<String, Value> {
    let sql = format!("select coalesce(json_agg(it), '[]') from synapse_archive.{table} it");
    let all: Vec<Value> = serde_json::from_str(&database.query_one_text(&sql)).expect("it is JSON");
    let count = all.len();
    let rows: BTreeMap<String, Value> =
        all.into_iter().map(|row| (row[key].as_str().expect("a text").to_owned(), row)).collect();
    assert_eq!(rows.len(), count, "{key} is another in each row");
    rows
}

fn events(database: &Database) -> BTreeMap<String, Value> {
    rows(database, "event", "event_id")
}

/// All that the tables say, but for how far they are.
fn said(database: &Database) -> String {
    let of = |table: &str| {
        let sql = format!(
            "select coalesce(string_agg(it::text, e'\\n' order by it::text), '') from synapse_archive.{table} it"
        );
        database.query_one_text(&sql)
    };
    ["event", "room", "member", "message"].map(of).join("\n\n")
}

fn with_content(id: i64, content: &str) -> EventRow {
    EventRow { content: content.to_owned(), ..EventRow::at(id) }
}

/// Holds what the two outputs say of an event against one another.
fn assert_as_in_parquet(events: &BTreeMap<String, Value>, parquet: &Path) {
    let of_parquet = crate::outputs::events(parquet);
    assert!(events.keys().eq(of_parquet.keys()));
    for (id, row) in &of_parquet {
        for column in
            ["room_id", "type", "sender", "origin_server_ts_sent", "stream_ordering", "redacted_by", "edited_by"]
        {
            let value = &events[id][column];
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            assert_eq!(row.get(column).map_or("null", String::as_str), value, "{id} {column}");
        }
        // where PostgreSQL cannot hold it
        if !["$11", "$30"].contains(&id.as_str()) {
            assert_eq!(row.get("body").map(String::as_str), events[id]["body"].as_str(), "{id}");
        }
    }
}

#[test]
fn what_it_says_is_what_was_sent_whatever_jsonb_makes_of_that() {
    let (database, archive, to) = (server(), TestArchive::new(), warehouse());
    let contents = [
        (10, r#"{"msgtype":"m.text","body":"Zo\u00eb \ud83d\udcac C:\\temp\\new \\N"}"#, true),
        (11, r#"{"msgtype":"m.text","body":"a\u0000b"}"#, false),
        (12, r#"{"msgtype":"m.text","body":"lone \ud83d"}"#, false),
        (13, r#"{"msgtype":"m.text","body":"far","n":1e400000}"#, false),
        (14, r#"{"msgtype":"m.text","body":"other","n":[-0,1e2]}"#, true),
        (15, r#"{"msgtype":"m.text","body":"first","body":"last"}"#, true),
        (16, r#"{"msgtype":"m.text","body":"precise","n":1.50,"big":123456789012345678901234567890}"#, true),
    ];
    for (id, content, _) in contents {
        database.event(with_content(id, content));
    }
    let deep = format!(r#"{{"body":"deep","d":{}{}}}"#, "[".repeat(600), "]".repeat(600));
    database.event(with_content(17, &deep));
    let long_number = format!(r#"{{"body":"long","n":1.{}e-9000}}"#, "0".repeat(9_000));
    database.event(with_content(18, &long_number));
    // which no index can hold, as it cannot be made shorter
    let digits = (0..).map(|n: u64| format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).take(500);
    let long_id = format!("${}", digits.collect::<String>());
    let related = json!({"body": "it", "m.relates_to": {"rel_type": "m.reference", "event_id": long_id}});
    database.event(with_content(19, &related.to_string()));
    for (id, ts) in [(20, -5), (21, 253_402_300_800_000), (22, 4_102_444_800_000), (23, 1_000)] {
        database.event(EventRow { ts: Some(ts), ..EventRow::message(id, "when") });
    }
    database.event(EventRow { rejected: Some("no".to_owned()), ..EventRow::message(24, "refused") });
    database.event(EventRow::message(25, "a secret"));
    database.event(edit(26, "$25", "an edited secret"));
    database.redaction("$25", EventRow { content: "{}".to_owned(), ..EventRow::at(27) });
    database.event(EventRow::message(28, "before"));
    database.event(edit(29, "$28", "after"));
    database.event(EventRow::state(30, "m.room.name", "", &json!({"name": "The \u{0} room"})));
    export(&database, archive.path(), &["--hide-erased"]);
    let parquet = tempfile::tempdir().unwrap();
    let to_parquet = format!("parquet:{}", text(parquet.path()));
    output(archive.path(), &["add", "lake", &to_parquet]).with(0);
    add(archive.path(), "pg", &to, &[]);
    output(archive.path(), &["list"]).with(0);
    output(archive.path(), &["run"]).with(0);

    let events = events(&to);
    assert_as_in_parquet(&events, parquet.path());
    for (id, content, fits) in contents
        .iter()
        .map(|(id, content, fits)| (id, *content, *fits))
        .chain([(&17, &*deep, false), (&18, &*long_number, false)])
    {
        let event = &events[&format!("${id}")];
        if event["damaged"] == true {
            // what is no PDU has no content anywhere
            assert!([12, 13, 17].contains(id) && event["content"].is_null() && event["content_text"].is_null(), "{id}");
            continue;
        }
        assert_eq!(event["content"].is_null(), !fits, "{id}");
        let exact = event["content_text"].as_str().unwrap_or_default();
        let is_same = [10, 16].contains(id);
        assert_eq!(exact, if is_same { "" } else { content }, "{id}");
    }
    assert_eq!(events["$10"]["content"]["body"], "Zoë 💬 C:\\temp\\new \\N");
    assert_eq!(events["$10"]["body"], "Zoë 💬 C:\\temp\\new \\N");
    assert_eq!(events["$15"]["content"]["body"], "last");
    let exact: Value = serde_json::from_str(events["$19"]["exact"].as_str().unwrap()).unwrap();
    assert_eq!((&events["$19"]["relates_to"], &exact), (&Value::Null, &json!({"relates_to": long_id})));
    assert_eq!(events["$11"]["body"], "a\u{fffd}b");
    assert!(events["$11"]["exact"].as_str().unwrap().contains(r#""body":"a\u0000b""#));
    assert_eq!(events["$30"]["body"], "The \u{fffd} room");
    assert_eq!(rows(&to, "room", "room_id").len(), 1);
    // when
    let place = |id: &str| {
        let sql = format!("select tableoid::regclass || ' ' || month || ' ' || coalesce(day::text, '-')
            || ' ' || coalesce((extract(epoch from origin_server_ts) * 1000)::bigint::text, '-') from synapse_archive.event where event_id = '{id}'");
        to.query_one_text(&sql).replace("synapse_archive.", "")
    };
    assert_eq!(place("$28"), format!("event_2026_11 2026-11 2026-11-22 {}", NOON + 28_000));
    assert_eq!(
        (place("$20"), place("$21")),
        ("event_undated undated - -".to_owned(), "event_undated undated - -".to_owned())
    );
    assert_eq!(place("$22"), "event_other 2100-01 2100-01-01 4102444800000");
    assert_eq!(place("$23"), "event_other 1970-01 1970-01-01 1000");
    // withheld
    assert!(!events.contains_key("$24"));
    for id in ["$25", "$26"] {
        assert!(["body", "content", "content_text", "exact"].iter().all(|column| events[id][column].is_null()), "{id}");
    }
    let messages = rows(&to, "message", "event_id");
    assert_eq!((&messages["$28"]["body"], &messages["$28"]["edited_by"]), (&json!("after"), &json!("$29")));
    assert!(!messages.contains_key("$29") && !messages.contains_key("$25"));
    // nothing is written where nothing has changed
    let written =
        "select sum(n_tup_ins + n_tup_upd + n_tup_del) from pg_stat_user_tables where schemaname = 'synapse_archive'";
    to.execute("select pg_sleep(1.1)");
    let before = to.query_one_text(written);
    output(archive.path(), &["run", "pg"]).with(0);
    output(archive.path(), &["run", "pg", "--anew"]).with(0);
    to.execute("select pg_sleep(1.1)");
    let parts = to.query_one_text("select count(*) from synapse_archive.part").parse::<u64>().unwrap();
    let [before, after] = [before, to.query_one_text(written)].map(|count| count.parse::<u64>().unwrap());
    // but how far it is, when all was made anew
    assert_eq!(after - before, 2 * parts);
}

#[test]
fn it_is_the_same_by_any_path_and_after_a_restore_of_either_side() {
    let (database, archive, to, at_once) = (server(), TestArchive::new(), warehouse(), warehouse());
    let stories = stories(&database);
    export(&database, archive.path(), &["--hide-erased"]).with(0);
    add(archive.path(), "pg", &to, &[]);
    output(archive.path(), &["run"]).with(0);
    let mut dumps = Vec::new();
    for (number, story) in stories.iter().enumerate() {
        story();
        export(&database, archive.path(), &["--no-markdown"]);
        let before = said(&to);
        output(archive.path(), &["run", "pg"]).with(0);
        assert_ne!(said(&to), before, "{number}");
        add(archive.path(), "at-once", &at_once, &[]);
        output(archive.path(), &["run", "at-once"]).with(0);
        assert_eq!(said(&to), said(&at_once), "{number}");
        output(archive.path(), &["remove", "at-once"]).with(0);
        at_once.execute("drop schema synapse_archive cascade");
        dumps.push(to.dump());
    }
    let right = said(&to);
    // of a database that was restored from a backup it is told what it lacks
    for dump in dumps.iter().take(dumps.len() - 1) {
        to.execute("drop schema synapse_archive cascade");
        to.psql(dump);
        assert_ne!(said(&to), right);
        output(archive.path(), &["run", "pg"]).with(0);
        assert_eq!(said(&to), right);
    }
    // and of a catalog that was made anew
    run(&["rebuild", "--archive", text(archive.path())]).with(0);
    output(archive.path(), &["run", "pg"]).with(0);
    assert_eq!(said(&to), right);
    // one that has lost all says so
    to.execute("drop schema synapse_archive cascade");
    output(archive.path(), &["run", "pg"]).with(1).saying("nothing of it any more");
    output(archive.path(), &["run", "pg", "--anew"]).with(0);
    assert_eq!(said(&to), right);
}

#[test]
fn what_it_refuses_and_that_failing_leaves_the_export_alone() {
    let (database, archive, to) = (server(), TestArchive::new(), warehouse());
    export(&database, archive.path(), &["--hide-erased"]).with(0);
    let refused = |address: &str, code: i32, why: &str| {
        let ended = output(archive.path(), &["add", "pg", address]).with(code).saying(why);
        assert!(!ended.stderr.contains("hunter2"), "{ended:?}");
    };
    refused(&address(&database), 1, "database of Synapse's");
    let before = database.dump();
    let open = to.url().replace("postgres@", "postgres:hunter2@");
    refused(&open, 1, "has a password in it");
    refused(&format!("postgres:{} password=hunter2", to.dsn()), 1, "has a password in it");
    refused("postgres://ali@h", 1, "does not say in which database");
    refused("host=h password=hunter2", 2, "an output is parquet:DIR or postgres://");
    refused("mysql://ali:hunter2@h/d", 2, "an output is parquet:DIR or postgres://");
    refused("postgres:host=h dbname=d colour=hunter2", 1, "cannot use the address");
    to.execute("create schema synapse_archive; create table synapse_archive.theirs ()");
    refused(&address(&to), 1, "another's");
    to.execute("drop schema synapse_archive cascade");
    // the variables speak of Synapse's database
    let url = to.url();
    let mut command = command();
    command.args(["output", "add", "--archive", text(archive.path()), "pg", &url, "--on-export"]);
    ended(command.env("PGHOST", "nowhere.invalid").env("PGPASSWORD", "hunter2").env("PGDATABASE", "no_such")).with(0);
    export(&database, archive.path(), &[]).with(0);
    assert_eq!(events(&to).len(), 5);
    assert_eq!(database.dump(), before);
    let kept = archive.one("select group_concat(value) from setting");
    assert!(kept.contains(&url) && !kept.contains("hunter2"));

    // two archives do not share one
    let other = TestArchive::new();
    export(&database, other.path(), &["--hide-erased"]).with(0);
    output(other.path(), &["add", "pg", &url]).with(1).saying("another's");
    // what it has may become Synapse's later
    to.execute("create table events (); create table event_json ()");
    database.event(EventRow::message(10, "more"));
    export(&database, archive.path(), &[]).with(3).saying("pg is not up to date").saying("database of Synapse's");
    assert_eq!((archive.lines().len(), events(&to).len()), (6, 5));
    to.execute("drop table events, event_json");
    // or lose its room
    to.execute("alter table synapse_archive.event rename column body to said");
    export(&database, archive.path(), &[]).with(3).saying("cannot write to the database");
    to.execute("alter table synapse_archive.event rename column said to body");
    export(&database, archive.path(), &[]).with(0);
    assert_eq!(events(&to).len(), 6);
}

#[test]
fn the_role_of_the_script_suffices_and_readers_can_be_let_in() {
    let (database, archive, to) = (server(), TestArchive::new(), warehouse());
    let script = include_str!("../../sql/output_role.sql");
    let said = database.try_psql(script);
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("is Synapse's: no role was made"), "{said}");
    for _ in 0..2 {
        let done = to.try_psql(script);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    export(&database, archive.path(), &["--hide-erased"]).with(0);
    let dsn = to.dsn().replace("user=postgres", "user=synapse_archive");
    output(archive.path(), &["add", "pg", &format!("postgres:{dsn}")]).with(0);
    output(archive.path(), &["run"]).with(0);
    to.execute("create role analyst login; grant usage on schema synapse_archive to analyst;
                grant select on all tables in schema synapse_archive to analyst;
                alter default privileges for role synapse_archive in schema synapse_archive grant select on tables to analyst");
    database.event(EventRow { ts: Some(NOON + 400 * DAY), ..EventRow::message(10, "in another month") });
    database.event(edit(11, "$10", "edited"));
    export(&database, archive.path(), &[]).with(0);
    output(archive.path(), &["run"]).with(0);
    let analyst = to.dsn().replace("user=postgres", "user=analyst");
    query(&analyst, "select body from synapse_archive.message; select name from synapse_archive.room").unwrap();
    assert!(query(&analyst, "delete from synapse_archive.event").is_err());
    assert_eq!(events(&to).len(), 7);
}

#[test]
fn what_is_erased_is_gone_once_nobody_reads_what_was_before() {
    let (database, archive, to) = (server(), TestArchive::new(), warehouse());
    database.event(EventRow::message(10, "a secret"));
    database.event(edit(11, "$10", "another secret"));
    database.event(EventRow::message(12, "well"));
    export(&database, archive.path(), &["--hide-erased"]).with(0);
    add(archive.path(), "pg", &to, &[]);
    output(archive.path(), &["run"]).with(0);
    let erase = |event: &str| run(&["erase", "--archive", text(archive.path()), "--event", event, "--yes"]);
    let doctor = || {
        let arguments = ["doctor", "--database", &database.dsn(), "--archive", text(archive.path())];
        run(&arguments).stdout.contains("pending: pg")
    };
    let dead = || {
        let sql = "select coalesce(sum(n_dead_tup), 0) from pg_stat_user_tables where schemaname = 'synapse_archive' and relname like 'event%'";
        to.query_one_text(sql)
    };
    erase("$10").with(0);
    assert!(!said(&to).contains("secret"));
    assert!(!doctor());
    assert_eq!(
        (dead(), to.query_one_text("select count(*) from synapse_archive.to_vacuum")),
        ("0".to_owned(), "0".to_owned())
    );

    // somebody reads
    let reader = Reading::of(&to);
    erase("$12").with(3).saying("pending: pg");
    assert!(doctor());
    assert!(!said(&to).contains("well"));
    assert_ne!(dead(), "0");
    output(archive.path(), &["run"]).with(1).saying("pending: pg");
    drop(reader);
    output(archive.path(), &["run"]).with(0);
    assert!(!doctor());
    assert_eq!(dead(), "0");

    // it is away
    database.event(EventRow::message(13, "more of it"));
    export(&database, archive.path(), &[]).with(0);
    output(archive.path(), &["run"]).with(0);
    to.execute("alter schema synapse_archive rename to elsewhere");
    erase("$13").with(3).saying("pending: pg");
    to.execute("alter schema elsewhere rename to synapse_archive");
    assert!(doctor() && said(&to).contains("more of it"));
    assert!(output(archive.path(), &["list"]).with(0).stdout.contains("may still have what was erased"));
    // an export goes on with what is pending, though it feeds no output otherwise
    export(&database, archive.path(), &[]).with(0);
    assert!(!doctor() && !said(&to).contains("more of it"));
    assert!(!output(archive.path(), &["list"]).with(0).stdout.contains("what was erased"));
    let removed = output(archive.path(), &["remove", "pg"]).with(0);
    assert!(!removed.stderr.contains("what was erased"), "{removed:?}");

    // one that is forgotten before
    let place = tempfile::tempdir().unwrap();
    let lake = place.path().join("lake");
    output(archive.path(), &["add", "lake", &format!("parquet:{}", text(&lake))]).with(0);
    output(archive.path(), &["run"]).with(0);
    std::fs::rename(&lake, place.path().join("away")).unwrap();
    erase("$1").with(3).saying("pending: lake");
    output(archive.path(), &["remove", "lake"]).with(0).saying("may still have what was erased");
}

/// Somebody who reads what there was when he began.
struct Reading(std::process::Child);

impl Reading {
    fn of(database: &Database) -> Reading {
        use std::io::{BufRead as _, Write as _};
        let mut psql = std::process::Command::new(database.psql_program());
        psql.args(["-XAtq", "-d", &database.dsn()]).env_clear();
        let mut psql = psql
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("there is psql");
        let sql = "begin isolation level repeatable read; select count(*) from synapse_archive.event;\n";
        psql.stdin.as_mut().expect("piped").write_all(sql.as_bytes()).expect("psql reads");
        let mut count = String::new();
        let mut said = std::io::BufReader::new(psql.stdout.as_mut().expect("piped"));
        said.read_line(&mut count).expect("psql answers");
        assert!(count.trim().parse::<u64>().is_ok(), "{count}");
        Reading(psql)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().ok();
    }
}

/// Killed whenever it may be, it is as if it had not been.
#[test]
fn a_run_that_is_killed_is_gone_on_with() {
    let (database, archive, to, at_once) = (server(), TestArchive::new(), warehouse(), warehouse());
    for id in 10..250 {
        let ts = Some(NOON - id * DAY);
        database.event(EventRow { ts, ..EventRow::message(id, "said") });
    }
    export(&database, archive.path(), &["--hide-erased", "--no-markdown", "--no-search"]).with(0);
    add(archive.path(), "pg", &to, &[]);
    let mut unfinished = 0;
    for wait in std::iter::successors(Some(40), |wait| Some(wait * 4 / 3)) {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_synapse-export"));
        command.args(["output", "run", "--archive", text(archive.path())]).stderr(std::process::Stdio::null());
        let mut child = command.env_clear().spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(wait));
        if child.try_wait().unwrap().is_some_and(|status| status.success()) {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let made = "select count(*) from synapse_archive.part";
        let made = query(&to.dsn(), made).map_or(0, |rows| rows.parse::<u64>().unwrap_or(0));
        unfinished += usize::from(made > 0);
    }
    assert!(unfinished > 0, "it was never killed in the middle");
    add(archive.path(), "at-once", &at_once, &[]);
    output(archive.path(), &["run"]).with(0);
    assert_eq!(said(&to), said(&at_once));
    assert_eq!(events(&to).len(), 245);
}

#[test]
fn an_event_that_moves_to_another_day_is_there_once() {
    let (database, archive, to) = (server(), TestArchive::new(), warehouse());
    database.event(EventRow::message(10, "here"));
    database.event(EventRow { ts: Some(NOON + DAY), ..EventRow::message(11, "there") });
    export(&database, archive.path(), &["--hide-erased"]).with(0);
    add(archive.path(), "pg", &to, &[]);
    output(archive.path(), &["run"]).with(0);
    let right = said(&to);
    // as if it had been of another day, which is not among the parts
    to.execute(
        "update synapse_archive.event set day = '2026-11-25' where event_id = '$11';
                delete from synapse_archive.part where part = '2026-11-23'",
    );
    assert_ne!(said(&to), right);
    output(archive.path(), &["run"]).with(0);
    assert_eq!(said(&to), right);
}
