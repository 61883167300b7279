//! `synapse-export doctor`: what it finds, how bad it says that is, and whether its remedies help.

mod support;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;
use synapse_export::archive::Archive;

use support::archive::{TestArchive, entries};
use support::story::{EventRow, ROOM};
use support::{Cluster, Database, Shape, cluster};

/// What a run of `doctor` said.
struct Said {
    code: i32,
    all: Value,
}

impl Said {
    fn findings(&self, check: &str) -> Vec<&Value> {
        let all = self.all["findings"].as_array().expect("there are findings");
        all.iter().filter(|finding| finding["check"] == check).collect()
    }

    /// The finding of a check that says something, and is as bad as expected.
    #[track_caller]
    fn found(&self, check: &str, kind: &str, part: &str) -> &Value {
        let fits = |it: &&&Value| it["kind"] == kind && it["what"].as_str().is_some_and(|what| what.contains(part));
        let findings = self.findings(check);
        findings.iter().find(fits).unwrap_or_else(|| panic!("no {kind} in {check} says {part:?}: {:#}", self.all))
    }

    #[track_caller]
    fn remedy(&self, check: &str, kind: &str, part: &str) -> String {
        self.found(check, kind, part)["remedy"].as_str().expect("there is a remedy").to_owned()
    }

    #[track_caller]
    fn with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{:#}", self.all);
        self
    }
}

fn command(arguments: &[&str]) -> (i32, String, String) {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_synapse-export"));
    let output = command.env_clear().arg("doctor").args(arguments).output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it speaks UTF-8");
    (output.status.code().expect("it ends by itself"), text(output.stdout), text(output.stderr))
}

/// Runs it with `--json`, after a look at what holds for everything it says.
#[track_caller]
fn doctor(dsn: &str, archive: Option<&Path>) -> Said {
    let mut arguments = vec!["--database", dsn];
    arguments.extend(archive.map(|path| ["--archive", path.to_str().expect("UTF-8")]).into_iter().flatten());
    let (text_code, text, _) = command(&arguments);
    let (code, json, stderr) = command(&[&arguments[..], &["--json"]].concat());
    assert_eq!((text_code, &*stderr), (code, ""));
    for secret in ["hello", "a secret", "pass word"] {
        assert!(!text.contains(secret) && !json.contains(secret), "{text}");
    }
    let all: Value = serde_json::from_str(&json).expect("it is JSON");
    let keys = |value: &Value| value.as_object().map(|it| it.keys().cloned().collect::<Vec<_>>().join(" "));
    assert_eq!(keys(&all).as_deref(), Some("estimate findings version worst"));
    let rank = |kind: &Value| ["error", "warning", "unknown", "fine"].iter().position(|known| kind == known);
    let mut ranks = Vec::new();
    for finding in all["findings"].as_array().expect("an array") {
        assert_eq!(keys(finding).as_deref(), Some("check kind remedy what"));
        assert!(finding["remedy"].is_string() || finding["remedy"].is_null());
        assert!(
            !["error", "warning"].iter().any(|kind| finding["kind"] == *kind)
                || finding["remedy"].is_string()
                || finding["check"] == "archive"
        );
        ranks.push(rank(&finding["kind"]).expect("one of four"));
    }
    assert!(ranks.is_sorted(), "the worst is not first: {all:#}");
    assert_eq!(rank(&all["worst"]), ranks.first().copied());
    assert_eq!(code, [11, 10, 0, 0][ranks[0]], "{all:#}");
    assert_eq!(text.lines().filter(|line| !line.starts_with(' ')).count(), ranks.len(), "{text}");
    Said { code, all }
}

fn server(shape: Shape) -> Database {
    let database = cluster().database("doctor", shape);
    database.user("@alice:here.test");
    database.room(ROOM, "10");
    database.events([1, 2, 3, -1, -2]);
    database.execute("analyze");
    database
}

/// A role of this database's own that may do what `sql/reader_role.sql` allows.
struct Reader<'a>(&'a Database, String);

impl<'a> Reader<'a> {
    fn of(database: &'a Database) -> Self {
        let role = format!("reader_of_{}", database.query_one_text("select current_database()"));
        database.psql(&include_str!("../sql/reader_role.sql").replace("synapse_export", &role));
        Reader(database, role)
    }

    fn dsn(&self) -> String {
        self.0.dsn().replace("user=postgres", &format!("user={}", self.1))
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let role = &self.1;
        self.0.execute(&format!("drop owned by {role}; drop role {role}"));
    }
}

#[test]
fn a_sound_server_and_archive_are_fine_for_the_reader_role() {
    for (shape, version) in [(Shape::V1_60, "1.60"), (Shape::V1_90, "1.90"), (Shape::V1_163, "1.163")] {
        let (database, archive) = (server(shape), TestArchive::new());
        archive.export(&database);
        archive.render();
        let reader = Reader::of(&database);
        database.execute("delete from background_updates");
        let said = doctor(&reader.dsn(), Some(archive.path())).with(0);
        // nobody has given it the server's own key, which is in no table
        let findings = said.all["findings"].as_array().expect("findings");
        let off: Vec<&Value> = findings.iter().filter(|finding| finding["kind"] != "fine").collect();
        assert!(off.len() == 1 && off[0]["check"] == "server's keys" && off[0]["kind"] == "unknown", "{off:#?}");
        said.found("schema version", "fine", &format!("as Synapse {version} has it"));
        said.found("watermark", "fine", "live 3, with 0 ids to come, backfill 2, with 0 ids to come");
        said.found("redactions", "fine", "none is waiting");
        assert_eq!(said.all["estimate"]["events"], 5);
        said.found("full export", "fine", "roughly 5 events");
        let looked_at = "5 events; of its files of lines 1 were looked at: each is as long as its catalog says, and so many of their lines are where it says; what else is in them was not read";
        said.found("archive", "fine", looked_at);
        said.found("transcripts", "fine", "all are rendered; 1 of 1 were looked for, and are there");
    }
}

#[test]
fn real_servers_are_recognised() {
    for (name, shape, version) in
        [("1.60.0", Shape::V1_60, "1.60"), ("1.90.0", Shape::V1_90, "1.90"), ("1.113.0", Shape::V1_90, "1.113")]
    {
        let database = cluster().database("doctor", shape);
        database.load_server(name);
        let reader = Reader::of(&database);
        let said = doctor(&reader.dsn(), None);
        said.found("schema version", "fine", &format!("as Synapse {version} has it"));
        said.found("archive", "unknown", "none was named");
        said.found("indexes", "fine", "there and valid");
        let still = database.query_one_text("select count(*) from redactions");
        said.found("redactions", "fine", &format!("still there: {still}, "));
        let events = database.query_one_text("select count(*) from events");
        assert_eq!(said.all["estimate"]["events"].to_string(), events);
        if name == "1.60.0" {
            said.with(10).found("background updates", "warning", "stream_ordering is being moved");
        } else {
            assert_eq!(said.with(0).all["worst"], "unknown");
        }
    }
}

#[test]
fn what_a_role_may_not_read_is_named_with_a_grant_that_helps() {
    let database = server(Shape::V1_163);
    let reader = Reader::of(&database);
    let (dsn, role) = (reader.dsn(), &reader.1);
    database.execute(&format!("revoke select on event_json, redactions from {role}"));
    let said = doctor(&dsn, None).with(11);
    let remedy = said.remedy("tables", "error", "event_json, redactions");
    assert!(remedy.ends_with(&format!("run: GRANT SELECT ON event_json, redactions TO {role};")), "{remedy}");
    database.execute(remedy.split_once("run: ").expect("it says what to run").1);
    let said = doctor(&dsn, None).with(0);
    said.found("tables", "fine", "every table");

    database.execute(&format!(
        "revoke select (version) on schema_version from {role}; revoke select (update_name) on background_updates from {role};
         revoke select (max_lifetime) on room_retention from {role}; revoke select (action) on scheduled_tasks from {role}"
    ));
    let said = doctor(&dsn, None).with(0);
    for (check, table) in [
        ("schema version", "schema_version"),
        ("background updates", "background_updates"),
        ("retention and purges", "room_retention"),
        ("retention and purges", "scheduled_tasks"),
    ] {
        let remedy = said.remedy(check, "unknown", &format!("may not read {table}"));
        database.execute(remedy.split_once(" (sql/").expect("it names the script").0);
    }
    let said = doctor(&dsn, None).with(0);
    assert_eq!(
        said.findings("schema version").len() + said.findings("retention and purges").len(),
        2,
        "{:#}",
        said.all
    );
    said.found("schema version", "fine", "94");

    // what other commands need is no error
    database.execute(&format!("revoke select (user_id) on room_memberships from {role}"));
    let remedy = doctor(&dsn, None).with(10).remedy("tables", "warning", "room_memberships");
    database.execute(remedy.split_once("run: ").expect("it says what to run").1);
    doctor(&dsn, None).with(0);

    for (table, what) in [
        ("room_ban_redactions", "what bans have redacted"),
        ("un_partial_stated_event_stream", "what Synapse has rejected later"),
        ("erased_users", "what erased users said"),
    ] {
        database.execute(&format!("revoke select on {table} from {role}"));
        let remedy = doctor(&dsn, None).with(10).remedy("tables", "warning", what);
        database.execute(remedy.split_once("run: ").expect("it says what to run").1);
        doctor(&dsn, None).with(0);
    }
}

#[test]
fn a_role_that_can_write_is_warned_of() {
    let database = server(Shape::V1_163);
    doctor(&database.dsn(), None).with(10).found("role", "warning", "superuser");
    let reader = Reader::of(&database);
    database.execute(&format!("grant update (name) on users to {0}; grant delete on events to {0}", reader.1));
    doctor(&reader.dsn(), None).with(10).found("role", "warning", "2 of Synapse's tables (events, users)");
}

#[test]
fn an_index_that_is_missing_or_invalid_is_named() {
    // A server of its own, whose catalogs may be spoiled.
    let cluster = Cluster::start();
    let database = cluster.database("spoiled", Shape::V1_163);
    let reader = Reader::of(&database);
    database.execute("update pg_index set indisvalid = false where indexrelid = 'event_json_event_id_key'::regclass");
    let remedy = doctor(&reader.dsn(), None).with(11).remedy("indexes", "error", "event_json_event_id_key");
    let reindex = remedy.split_once("run: ").expect("it says what to run").1;
    assert_eq!(reindex, "REINDEX INDEX CONCURRENTLY event_json_event_id_key;");
    database.execute(reindex);
    doctor(&reader.dsn(), None).with(0);

    database.execute("drop index room_memberships_room_id");
    let remedy = doctor(&reader.dsn(), None).with(10).remedy("indexes", "warning", "room_memberships (room_id)");
    database.execute(remedy.split_once("run: ").expect("it says what to run").1);
    // An index with more columns, or of some rows, is none.
    database.execute("drop index events_room_stream; create index events_room_stream on events (room_id, stream_ordering) where not outlier");
    doctor(&reader.dsn(), None).with(11).found("indexes", "error", "events (room_id, stream_ordering)");
    database.execute("drop index redactions_have_censored_ts");
    doctor(&reader.dsn(), None).found("redactions", "unknown", "redactions_have_censored_ts");
}

#[test]
fn what_is_no_synapse_database_or_does_not_answer_is_an_error() {
    let database = server(Shape::V1_163);
    database.execute("drop table event_json; alter table events drop column sender");
    let said = doctor(&database.dsn(), None).with(11);
    said.found("tables", "error", "table event_json");
    said.found("tables", "error", "column events.sender");
    assert_eq!(said.all["estimate"], Value::Null);
    let dsn = database.dsn();
    for (broken, remedy) in [
        (dsn.replace("dbname=", "dbname=no_"), "name"),
        (dsn.replace("user=postgres", "user=nobody_here password='pass word'"), "role"),
        (dsn.replace("host=", "host=/nowhere"), "host"),
    ] {
        let said = doctor(&broken, None).with(11);
        assert!(said.remedy("connection", "error", "cannot connect").contains(remedy), "{:#}", said.all);
    }
    let (code, _, stderr) = command(&[]);
    assert!(code == 2 && stderr.contains("no database is named"), "{stderr}");
}

#[test]
fn what_is_not_answered_is_not_waited_for() {
    let database = server(Shape::V1_163);
    let reader = Reader::of(&database);
    database.execute("begin; lock table room_retention in access exclusive mode");
    let began = Instant::now();
    let (code, json, stderr) = command(&["--database", &reader.dsn(), "--json"]);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let said = Said { code, all: serde_json::from_str(&json).expect(&stderr) }.with(10);
    assert!(said.remedy("retention and purges", "warning", "no answer within 10 s").contains("locks"));
    assert_eq!(said.findings("retention and purges").len(), 1, "of what is not known nothing is said to be fine");
    said.found("full export", "fine", "roughly 5 events");
    let left = "select count(*) from pg_stat_activity where usename like 'reader_of%' and datname = current_database()";
    // a server process ends a moment after its client, later on a busy machine
    let ended = Instant::now();
    while database.query_one_text(left) != "0" && ended.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(database.query_one_text(left), "0");
    database.execute("rollback");

    // it accepts connections and does not answer
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = silent.local_addr().expect("it has an address").port();
    let dsn = format!("host=127.0.0.1 port={port} user=u dbname=d connect_timeout=1");
    doctor(&dsn, None).with(11).remedy("connection", "error", "no answer in time");
}

#[test]
fn an_unknown_schema_version_is_a_warning() {
    let database = server(Shape::V1_163);
    let reader = Reader::of(&database);
    for (version, said) in [(95, "probably fine"), (60, "older")] {
        database.execute(&format!("update schema_version set version = {version}"));
        doctor(&reader.dsn(), None).with(10).found("schema version", "warning", said);
    }
}

#[test]
fn redactions_and_purges_are_seen() {
    let database = server(Shape::V1_163);
    let reader = Reader::of(&database);
    let archive = TestArchive::new();
    archive.export(&database);
    let day = 24 * 60 * 60 * 1000;
    let now: i64 =
        database.query_one_text("select (extract(epoch from now()) * 1000)::bigint").parse().expect("a number");
    let redaction = |id: i64, days_ago: i64| EventRow {
        received_ts: Some(now - days_ago * day),
        content: "{}".to_owned(),
        ..EventRow::at(id)
    };
    database.event(EventRow::message(10, "a secret"));
    database.redaction("$1", redaction(11, 9));
    database.redaction("$2", redaction(12, 3));
    database.censor("$1");
    // The last export was earlier than what is still there was redacted: by this time it may be lost.
    let catalog = rusqlite::Connection::open(archive.path().join("catalog.sqlite")).expect("there is a catalog");
    let began = |days: i64| {
        let modifier = format!("-{days} days");
        catalog
            .execute("update run set started = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?1)", [modifier])
            .expect("a run");
    };
    began(4);
    let said = doctor(&reader.dsn(), Some(archive.path()));
    said.found("redactions", "fine", "without effect: 1; still there: 1, ");
    database.execute(&format!("update redactions set received_ts = {} where redacts = '$2'", now - 13 * day / 2));
    doctor(&reader.dsn(), Some(archive.path())).with(0);
    began(10);
    let remedy =
        doctor(&reader.dsn(), Some(archive.path())).with(10).remedy("redactions", "warning", "are pruned from");
    assert!(remedy.contains("run an export now"));

    database.event(EventRow { outlier: true, ..EventRow::at(20) });
    database.event(EventRow { outlier: true, sender: "@bob:far.test".to_owned(), ..EventRow::at(21) });
    database.execute("insert into room_retention values ('!a', '$a', null, 259200000), ('!a', '$b', 1, null), ('!a', '$c', null, 864000000)");
    database.execute("insert into scheduled_tasks values ('a', 'purge_history', 'complete', 1795348800000), ('b', 'other', 'active', 1)");
    let said = doctor(&reader.dsn(), None);
    for part in [
        "2 retention policies were set in rooms, the shortest 3 days",
        "1 purges",
        "2026-11-22 12:00 UTC",
        "1 are local messages",
    ] {
        said.found("retention and purges", "fine", part);
    }
}

#[test]
fn the_state_of_an_archive_is_seen_and_left() {
    let database = server(Shape::V1_163);
    let reader = Reader::of(&database);
    let dsn = reader.dsn();
    let archive = TestArchive::new();
    let path = archive.path();
    let remedy = doctor(&dsn, Some(path)).with(10).remedy("archive", "warning", "nothing is archived");
    assert!(remedy.contains("synapse-export export") && !path.exists());
    fs::create_dir(path).expect("a directory can be made");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its owner may");
    doctor(&dsn, Some(path)).with(10).found("archive", "warning", "is no archive yet");
    doctor(&dsn, Some(path)).with(10).found("archive's permissions", "warning", "mode 0755");
    assert!(entries(path).is_empty());

    database.event(EventRow::at(7));
    archive.export(&database);
    database.events([8, 9]);
    let said = doctor(&dsn, Some(path));
    said.found("watermark", "fine", "live 7, with 2 ids to come");
    said.found("watermark", "fine", "gaps: 1 (3 ids)");
    let remedy = said.with(10).remedy("archive's permissions", "warning", "others may look");
    let chmod = std::process::Command::new("sh").args(["-c", &remedy]).status().expect("there is a shell");
    assert!(chmod.success());
    let said = doctor(&dsn, Some(path)).with(0);
    said.found("transcripts", "unknown", "none has ever been rendered; 1 can be");

    {
        let _held = Archive::open(path, None).expect("it can be opened");
        let process = format!("process {}", std::process::id());
        doctor(&dsn, Some(path)).with(0).found("archive", "unknown", &process);
    }
    // Whoever looked lets go of the lock.
    archive.render();
    doctor(&dsn, Some(path)).with(0);
    archive.export(&database);
    let remedy = doctor(&dsn, Some(path)).with(10).remedy("transcripts", "warning", "1 are not up to date");
    assert!(remedy.starts_with("synapse-export render"));
    archive.render();

    for (gone, told) in [
        ("rooms/room@here.test/2026-11-22.md", "missing: rooms/room@here.test/2026-11-22.md"),
        ("rooms/room@here.test/index.md", "missing: the index or link of rooms/room@here.test"),
        ("rooms/room@here.test/room.json", "missing: the index or link of rooms/room@here.test"),
        ("index.md", "missing: index.md"),
    ] {
        fs::rename(path.join(gone), path.join(".gone")).expect("it is there");
        doctor(&dsn, Some(path)).with(10).remedy("transcripts", "warning", told);
        fs::rename(path.join(".gone"), path.join(gone)).expect("it is there");
    }
    doctor(&dsn, Some(path)).with(0);

    let strange = ["notes.txt", "rooms/room@here.test/1999-12-31.jsonl"].map(|file| path.join(file));
    for file in &strange {
        fs::write(file, "notes\n").expect("a file can be written");
    }
    let said = doctor(&dsn, Some(path)).with(10);
    said.found("archive", "warning", "notes.txt, rooms/room@here.test/1999-12-31.jsonl");
    for file in &strange {
        fs::remove_file(file).expect("a file can be removed");
    }
    let lines = path.join("rooms/room@here.test/2026-11-22.jsonl");
    let text = fs::read(&lines).expect("there are lines");
    fs::write(&lines, &text[1..]).expect("a file can be written");
    let said = doctor(&dsn, Some(path)).with(11);
    let remedy = said.remedy("archive", "error", "2026-11-22.jsonl");
    assert!(remedy.starts_with("restore it from a backup"), "{remedy}");
    fs::write(&lines, &text).expect("a file can be written");
    doctor(&dsn, Some(path)).with(0);

    // Another server's event at the same position.
    database.execute("update events set event_id = '$other' where event_id = '$9'");
    assert!(
        doctor(&dsn, Some(path))
            .with(11)
            .remedy("watermark", "error", "is not the one that was archived there")
            .contains("watermark reset")
    );
    database.execute("update users set name = '@alice:there.test'");
    doctor(&dsn, Some(path)).with(11).found("watermark", "error", "the database of there.test");
    fs::write(path.join("catalog.sqlite"), "somebody's notes ".repeat(100)).expect("a file can be written");
    doctor(&dsn, Some(path)).with(11).found("archive", "error", "damaged");
    // It is looked at even where the database does not answer.
    doctor("host=/nowhere user=u", Some(path)).with(11).found("archive", "error", "damaged");
    fs::remove_file(path.join("catalog.sqlite")).expect("a file can be removed");
    doctor(&dsn, Some(path)).with(10).found("archive", "warning", "lost its catalog");
}

#[test]
fn a_look_leaves_no_trace() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    archive.export(&database);
    let files = || {
        let mut files = entries(archive.path());
        files.retain(|name| !name.starts_with("catalog.sqlite-"));
        let catalog = fs::read(archive.path().join("catalog.sqlite")).expect("there is a catalog");
        (files, catalog)
    };
    let before = files();
    doctor(&database.dsn(), Some(archive.path()));
    assert!(files() == before);
}

#[test]
fn keys_that_are_there_twice_are_warned_of() {
    let database = server(Shape::V1_163);
    doctor(&database.dsn(), None).found("duplicates", "fine", "none among");
    for (table, key) in [
        ("events", "events (event_id)"),
        ("events", "events (stream_ordering)"),
        ("event_json", "event_json (event_id)"),
        ("rooms", "rooms (room_id)"),
    ] {
        database.with_broken_indexes(table, &format!("insert into {table} select * from {table} limit 1"));
        let said = doctor(&database.dsn(), None).with(10);
        let remedy = said.remedy("duplicates", "warning", key);
        assert!(remedy.contains(&format!("REINDEX TABLE {table}")), "{remedy}");
    }
    let said = doctor(&Reader::of(&database).dsn(), None);
    said.found("duplicates", "warning", "rooms (room_id)");
    assert_eq!(said.findings("collation").len(), 1);
}

#[test]
fn a_line_that_is_not_where_the_catalog_says_is_named() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    archive.export(&database);
    doctor(&database.dsn(), Some(archive.path())).found("archive", "fine", "are where it says");
    let catalog = Connection::open(archive.path().join("catalog.sqlite")).unwrap();
    catalog.execute("update line set start = start - 1 where event_id = '$2'", []).unwrap();
    drop(catalog);
    let said = doctor(&database.dsn(), Some(archive.path()));
    said.found("archive", "error", "$2 in rooms/");
    assert!(said.remedy("archive", "error", "$2 in rooms/").contains("synapse-export rebuild"));
}
