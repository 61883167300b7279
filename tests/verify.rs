//! `verify`: what events of federating servers prove in every room version, and every kind of tampering, found and named.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::read::GzDecoder;
use rusqlite::Connection;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use synapse_export::archive::Step;

use support::archive::TestArchive;
use support::story::{EventRow, ROOM};
use support::{Database, Shape, cluster};

/// What verify found.
#[derive(Debug)]
struct Found {
    code: Option<i32>,
    json: Value,
    stderr: String,
}

impl Found {
    fn verdict(&self, verdict: &str) -> u64 {
        self.json["verdicts"][verdict].as_u64().expect("as the test has made it")
    }

    /// Nothing is off.
    #[track_caller]
    fn fine(self) -> Self {
        assert_eq!((self.code, &self.json["off"]), (Some(0), &json!({})), "{self:#?}");
        self
    }

    /// What is off has this kind, and is named so.
    #[track_caller]
    fn off(self, kind: &str, part: &str) -> Self {
        assert_eq!(self.code, Some(3), "{self:#?}");
        assert!(self.json["off"][kind].as_u64().is_some(), "{kind}: {self:#?}");
        let named = self.json["named"].as_array().expect("as the test has made it");
        let is_named = |named: &Value| {
            named["kind"] == kind && named["what"].as_str().expect("as the test has made it").contains(part)
        };
        assert!(named.iter().any(is_named), "{kind} {part:?}: {self:#?}");
        self
    }
}

fn verify(archive: &Path, more: &[&str]) -> Found {
    let mut command = Command::new(env!("CARGO_BIN_EXE_synapse-export"));
    let output = command
        .env_clear()
        .args(["verify", "--json", "--archive"])
        .arg(archive)
        .args(more)
        .output()
        .expect("as the test has made it");
    let stderr = String::from_utf8(output.stderr).expect("as the test has made it");
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
    Found { code: output.status.code(), json, stderr }
}

/// Events of three servers in rooms of every version, as Synapse has made them; how many of each verdict, and servers' keys.
fn federation() -> (Database, BTreeMap<String, u64>, Value) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/signed.jsonl.gz");
    let lines = BufReader::new(GzDecoder::new(fs::File::open(path).expect("as the test has made it"))).lines();
    let mut lines = lines.map(|line| {
        serde_json::from_str::<Value>(&line.expect("as the test has made it")).expect("as the test has made it")
    });
    let keys = lines.next().expect("as the test has made it")["keys"].clone();
    let database = cluster().database("verify", Shape::V1_163);
    database.user("@alice:here.test");
    let (mut expected, mut rooms) = (BTreeMap::new(), BTreeSet::new());
    for (nth, event) in (1..).zip(lines) {
        let text = |key: &str| event[key].as_str().expect("as the test has made it").to_owned();
        if rooms.insert(text("room_id")) {
            database.room(&text("room_id"), &text("version"));
        }
        let pdu: Value = serde_json::from_str(&text("json")).expect("as the test has made it");
        database.event(EventRow {
            event_id: text("event_id"),
            room_id: text("room_id"),
            event_type: text("type"),
            sender: pdu["sender"].as_str().expect("as the test has made it").to_owned(),
            ts: pdu["origin_server_ts"].as_i64(),
            json: Some(text("json")),
            ..EventRow::at(nth)
        });
        *expected.entry(text("verdict")).or_default() += 1;
    }
    for server in ["there.test", "there.test:8448"] {
        for (id, key) in keys[server].as_object().expect("as the test has made it") {
            if server == "there.test:8448" {
                // Synapse has of it only what it answered, and beside that what cannot be read and what is another's
                let answer = json!({"server_name": server, "valid_until_ts": 1_900_000_000_000_i64, "signatures": {},
                                    "verify_keys": {id: {"key": key}}, "old_verify_keys": {}});
                for (from, answer) in [
                    ("a.test", "{"),
                    ("b.test", &answer.to_string().replace(":8448", "")),
                    ("c.test", &answer.to_string()),
                ] {
                    database.execute(&format!(
                        "insert into server_keys_json (server_name, key_id, from_server, ts_added_ms, ts_valid_until_ms, key_json)
                         values ('{server}', '{id}', '{from}', 1, 1, '{answer}')"
                    ));
                }
                continue;
            }
            let key = key.as_str().expect("as the test has made it");
            database.execute(&format!(
                "insert into server_signature_keys (server_name, key_id, verify_key, ts_valid_until_ms)
                 values ('{server}', '{id}', decode('{key}=', 'base64'), 1900000000000)"
            ));
        }
    }
    (database, expected, keys)
}

/// A saved answer of the key API of `here.test`.
fn answer(keys: &Value, directory: &Path) -> PathBuf {
    let of: serde_json::Map<String, Value> = keys["here.test"]
        .as_object()
        .expect("as the test has made it")
        .iter()
        .map(|(id, key)| (id.clone(), json!({"key": key})))
        .collect();
    let path = directory.join("server-keys.json");
    let answer = json!({"server_name": "here.test", "verify_keys": of, "old_verify_keys": {}, "valid_until_ts": 1});
    fs::write(&path, answer.to_string()).expect("as the test has made it");
    path
}

#[test]
fn events_of_federating_servers_prove_themselves_in_every_room_version() {
    let (database, expected, keys) = federation();
    let (archive, other) = (TestArchive::new(), tempfile::tempdir().unwrap());
    archive.export(&database);
    let all: u64 = expected.values().sum();

    let without = verify(archive.path(), &[]).fine();
    assert_eq!(without.verdict("altered") + without.verdict("bad_signature") + without.verdict("erased"), 0);
    assert!(without.verdict("no_key") > all / 4 && without.verdict("authentic") > all / 3, "{without:#?}");
    let missing = without.json["keys"].as_array().unwrap();
    assert!(
        missing.iter().all(|key| key["server"] == "here.test" && key["key_id"] == "ed25519:a_here"),
        "{without:#?}"
    );
    assert_eq!(missing[0]["events"], without.json["verdicts"]["no_key"]);

    let file = answer(&keys, other.path());
    let given = ["--server-keys", file.to_str().unwrap()];
    for more in [&given[..], &[], &["--threads", "1"]] {
        let found = verify(archive.path(), more).fine();
        let verdicts = ["authentic", "redacted"].map(|verdict| found.verdict(verdict));
        assert_eq!(verdicts, [expected["authentic"], expected["redacted"]], "{more:?} {found:#?}");
        assert_eq!((found.json["lines"].as_u64(), &found.json["keys"]), (Some(all), &json!([])), "{more:?}");
        assert_eq!(found.json["chain"]["unchained_lines"], 0);
    }
    assert_eq!(archive.one("select sum(authentic) from judged"), expected["authentic"].to_string());

    // the keys outlive the catalog
    fs::remove_file(archive.path().join("catalog.sqlite")).unwrap();
    archive.export(&database);
    let found = verify(archive.path(), &[]).fine();
    assert_eq!(found.verdict("authentic"), expected["authentic"]);
    assert_eq!((&found.json["chain"]["unchained_lines"], &found.json["chain"]["begun"]), (&json!(0), &json!(0)));

    // another server's are not taken for its own
    let text = fs::read_to_string(&file).unwrap().replace("here.test", "there.test");
    fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_synapse-export"));
    let ended = command.args(["verify", "--archive"]).arg(archive.path()).args(given).output().unwrap();
    assert_eq!(ended.status.code(), Some(2));
}

#[test]
fn a_role_that_may_not_read_keys_exports_all_the_same_and_verify_names_what_is_missing() {
    let (database, expected, keys) = federation();
    let file = tempfile::tempdir().unwrap();
    let file = answer(&keys, file.path()).to_str().unwrap().to_owned();
    for (role, tables, lacking) in [
        ("keyless_of_answers", "server_keys_json", &["there.test:8448"][..]),
        ("keyless", "server_keys_json, server_signature_keys", &["there.test", "there.test:8448"]),
    ] {
        database.execute(&format!(
            "create role {role} login; grant select on all tables in schema public to {role};
             revoke select on {tables} from {role}"
        ));
        let archive = TestArchive::new();
        let dsn = database.dsn().replace("user=postgres", &format!("user={role}"));
        let (counts, _) = archive.try_export(&dsn);
        assert_eq!(counts.unwrap().new_events(), expected.values().sum::<u64>(), "{role}");
        let found = verify(archive.path(), &["--server-keys", &file]).fine();
        let named: BTreeSet<&str> =
            found.json["keys"].as_array().unwrap().iter().map(|key| key["server"].as_str().unwrap()).collect();
        assert_eq!(named, lacking.iter().copied().collect(), "{role} {found:#?}");
        assert!(found.verdict("no_key") > 0 && found.verdict("authentic") > 0, "{role} {found:#?}");
    }
}

#[test]
fn an_event_whose_second_row_says_more_than_its_pdu_is_not_held_against_its_line() {
    let database = server();
    let columns = |table: &str, but: &str| {
        database.query_one_text(&format!(
            "select string_agg(column_name, ', ') from information_schema.columns where table_name = '{table}' and column_name <> '{but}'"
        ))
    };
    let of_events = columns("events", "stream_ordering");
    // another sender and type than its PDU has, and than the row before it
    let second = |event_id: &str, id: i64| {
        let selected = of_events.replace("sender", "'@other:here.test'").replace(" type,", " 'org.example.other',");
        format!(
            "insert into events ({of_events}, stream_ordering) select {selected}, {id} from events where event_id = '{event_id}'"
        )
    };
    database.with_broken_indexes("events", &second("$2", 500));
    for is_later in [false, true] {
        let archive = TestArchive::new();
        archive.export(&database);
        if is_later {
            // one that comes when the event has its line already
            database.with_broken_indexes("events", &second("$13", 501));
            let _ = archive.try_export(&database.dsn());
        }
        let found = verify(archive.path(), &[]).fine();
        assert_eq!(found.json["lines"], 12);
        // also from the lines alone
        fs::remove_file(archive.path().join("catalog.sqlite")).unwrap();
        archive.export(&database);
        assert_eq!(verify(archive.path(), &[]).fine().json["lines"], 12);
    }
}

#[test]
fn what_real_servers_stored_is_nowhere_altered() {
    for (version, shape) in [("1.60.0", Shape::V1_60), ("1.90.0", Shape::V1_90), ("1.113.0", Shape::V1_90)] {
        let database = cluster().database("server", shape);
        database.load_server(version);
        let archive = TestArchive::new();
        archive.export(&database);
        let found = verify(archive.path(), &[]).fine();
        let lines = found.json["lines"].as_u64().unwrap();
        println!("{version}: {}", found.json["verdicts"]);
        // their own keys are not known, and a few texts cannot be read
        assert!(found.verdict("no_key") > lines * 9 / 10, "{found:#?}");
        assert_eq!(found.verdict("no_key") + found.verdict("not_decided"), lines, "{found:#?}");
    }
}

#[test]
fn what_was_erased_here_is_erased_by_its_tombstone_alone() {
    let (database, expected, keys) = federation();
    let (archive, other) = (TestArchive::new(), tempfile::tempdir().unwrap());
    archive.export(&database);
    let seal = other.path().join("seal.txt");
    let seal = seal.to_str().unwrap();
    let file = answer(&keys, other.path());
    verify(archive.path(), &["--server-keys", file.to_str().unwrap(), "--seal", seal]).fine();
    let sql =
        "select event_id from event where type = 'm.room.message' and not censored order by event_id limit 1 offset ";
    let [pruned, whole, faked] = [0, 1, 2].map(|nth| archive.one(&format!("{sql}{nth}")));
    let erase = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_synapse-export"));
        let output = command.args(["erase", "--yes", "--archive"]).arg(archive.path()).args(more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    erase(&["--event", &pruned]);
    erase(&["--event", &whole, "--whole"]);
    let found = verify(archive.path(), &[]).fine();
    assert_eq!((found.verdict("erased"), found.verdict("authentic")), (1, expected["authentic"] - 2), "{found:#?}");
    let show = |event_id: &str, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_synapse-export"));
        command.args(["show", event_id, "--archive"]).arg(archive.path()).args(more);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    // `show` has what it is, and how the events of its day stood when they were verified
    for (event_id, verdict) in [(&pruned, "erased"), (&faked, "authentic")] {
        let shown: Value = serde_json::from_str(&show(event_id, &["--json"])).unwrap();
        let day = format!(
            "select judged.{verdict} from judged join file using (file) join line using (file) where event_id = '{event_id}'"
        );
        assert_eq!(
            (&shown["proof"]["verdict"], shown["proofs_of_day"][verdict].to_string()),
            (&json!(verdict), archive.one(&day)),
            "{shown:#}"
        );
        assert!(show(event_id, &[]).contains("of its day:"));
    }
    assert_eq!(found.json["chain"]["unchained_lines"], 0);
    // the files that were written anew since are named
    let found = verify(archive.path(), &["--against", seal]);
    assert_eq!((found.code, &found.json["sealed"]), (Some(3), &json!(true)), "{found:#?}");
    let rewritten = found.json["rewritten"].as_array().unwrap().len();
    assert!((1..=2).contains(&rewritten), "{found:#?}");
    let found = verify(archive.path(), &["--server", "--database", &database.dsn()]).fine();
    assert_eq!(
        ["erased", "missing", "differs", "purged"].map(|key| found.json["server"][key].as_u64()),
        [Some(1), Some(0), Some(0), Some(0)]
    );

    // a line that says that it was erased, and has no tombstone
    let path = archive.path().join(archive.one(&format!("select path from event where event_id = '{faked}'")));
    change(&path, |lines| {
        let line = lines.iter_mut().find(|line| line.contains(&faked)).unwrap();
        *line =
            line.replacen("\"synapse\":{", "\"synapse\":{\"erased\":\"pruned\",", 1).replacen("m.text", "m.emot", 1);
    });
    let found = verify(archive.path(), &[]).off("event", &faked);
    assert_eq!(found.verdict("erased"), 1, "{found:#?}");
}

/// A server with a few days of a room.
fn server() -> Database {
    let database = cluster().database("verify", Shape::V1_163);
    database.user("@alice:here.test");
    // a version that nobody knows: these events have no proof of their own
    database.room(ROOM, "org.example.none");
    for day in 0..3 {
        for n in 1..=4 {
            let row = EventRow::message(10 * day + n, &format!("message {n} of day {day}"));
            database.event(EventRow { ts: row.ts.map(|ts| ts + day * 86_400_000), ..row });
        }
    }
    database
}

const DAYS: [&str; 3] = ["2026-11-22", "2026-11-23", "2026-11-24"];

fn path_of(archive: &TestArchive, day: usize) -> PathBuf {
    archive.path().join(format!("rooms/room@here.test/{}.jsonl", DAYS[day]))
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<String>)) {
    let mut lines: Vec<String> =
        fs::read_to_string(path).expect("as the test has made it").lines().map(str::to_owned).collect();
    change(&mut lines);
    fs::write(path, lines.iter().fold(String::new(), |text, line| text + line + "\n"))
        .expect("as the test has made it");
}

/// What somebody does to an archive.
type Deed = fn(&TestArchive);

#[test]
fn tampering_of_every_kind_is_found_and_named() {
    let database = server();
    let deeds: [(&str, &str, &str, Deed); 17] = [
        ("a byte", "hash", "2026-11-22.jsonl are not the", |archive| {
            change(&path_of(archive, 0), |lines| lines[1] = lines[1].replace("message 2", "message 7"));
        }),
        ("two lines of a file in another order", "row", "line 1 of", |archive| {
            change(&path_of(archive, 0), |lines| lines.swap(0, 3));
        }),
        ("two lines swapped between files", "elsewhere", "$12, belongs to another file", |archive| {
            let line = |day| fs::read_to_string(path_of(archive, day)).unwrap().lines().nth(1).unwrap().to_owned();
            let [one, other] = [line(0), line(1)];
            change(&path_of(archive, 0), |lines| lines[1] = other);
            change(&path_of(archive, 1), |lines| lines[1] = one);
        }),
        ("a line removed", "file", "2026-11-23.jsonl has", |archive| {
            change(&path_of(archive, 1), |lines| drop(lines.remove(1)));
        }),
        ("a line doubled", "file", "is longer than", |archive| {
            change(&path_of(archive, 1), |lines| lines.insert(1, lines[0].clone()));
        }),
        ("a line moved to another day", "elsewhere", "belongs to another file", |archive| {
            let mut moved = String::new();
            change(&path_of(archive, 0), |lines| moved = lines.remove(0));
            change(&path_of(archive, 2), |lines| lines.insert(0, moved));
        }),
        ("a file gone", "file", "2026-11-24.jsonl is gone", |archive| fs::remove_file(path_of(archive, 2)).unwrap()),
        ("a file more", "file", "is in no catalog", |archive| {
            fs::copy(path_of(archive, 2), path_of(archive, 2).with_file_name("2026-11-25.jsonl")).unwrap();
        }),
        ("no JSON", "unreadable", "line 3 of", |archive| {
            change(&path_of(archive, 0), |lines| lines[2] = "x".repeat(lines[2].len()));
        }),
        ("a row of the catalog gone", "row", "line 2 of", |archive| {
            catalog(archive, "delete from line where event_id = '$2'");
        }),
        ("a row of the catalog elsewhere", "row", "the event $3 has no line at byte", |archive| {
            catalog(archive, "update line set start = start + 1 where event_id = '$3'");
        }),
        ("a commit of the chain changed", "chain", "is not linked to the one before", |archive| {
            change(&archive.path().join("chain.jsonl"), |lines| lines[1] = lines[1].replacen(",0,", ",1,", 1));
        }),
        ("a transcript changed", "view", "2026-11-23.md does not say what its events do", |archive| {
            let path = path_of(archive, 1).with_extension("md");
            let text = fs::read_to_string(&path).unwrap().replace("message 2", "message 7");
            fs::write(path, text).unwrap();
        }),
        ("an index of a room changed", "view", "room@here.test/index.md does not say", |archive| {
            let path = path_of(archive, 1).with_file_name("index.md");
            let text = fs::read_to_string(&path).unwrap() + "more\n";
            fs::write(path, text).unwrap();
        }),
        ("a link to a room that leads to another", "view", "by-name/", |archive| {
            let links = archive.path().join("by-name");
            let link = fs::read_dir(&links).unwrap().next().unwrap().unwrap().path();
            fs::remove_file(&link).unwrap();
            std::os::unix::fs::symlink("../rooms/other@here.test", link).unwrap();
        }),
        ("a word of the index of search gone", "search", "has not the words of lines 0 to 1023", |archive| {
            let (body, sql) = (
                "message 2 of day 0",
                "insert into search (search, rowid, body, has) select 'delete', line, ?1, '' from line",
            );
            let connection = Connection::open(archive.path().join("catalog.sqlite")).unwrap();
            connection.execute(&format!("{sql} where event_id = '$2'"), [body]).unwrap();
        }),
        ("the chain gone", "chain", "has lost its chain.jsonl", |archive| {
            fs::remove_file(archive.path().join("chain.jsonl")).unwrap();
        }),
    ];
    for (nth, (what, kind, part, deed)) in (1_000..).zip(deeds) {
        let archive = TestArchive::new();
        archive.export(&database);
        archive.render();
        // two commits
        archive.reset();
        database.event(EventRow { ts: Some(1_795_348_800_000), ..EventRow::message(nth, "late") });
        archive.export(&database);
        archive.render();
        let mut command = Command::new(env!("CARGO_BIN_EXE_synapse-export"));
        let indexed = command.args(["search", "--update", "--archive"]).arg(archive.path()).status().unwrap();
        assert!(indexed.success());
        let found = verify(archive.path(), &[]).fine();
        assert!(found.json["transcripts"].as_u64() >= Some(3), "{found:#?}");
        deed(&archive);
        println!("{what}");
        let found = verify(archive.path(), &["--threads", "2"]).off(kind, part);
        let again = verify(archive.path(), &["--quick"]);
        // the verification itself has begun a chain that was lost anew, which is told for good
        let is_told = again.code == Some(3) || again.json["chain"]["begun"] == 1 || ["view", "search"].contains(&kind);
        assert!(is_told, "{what}: {found:#?} {again:#?}");
    }
}

#[test]
fn pages_are_compared_and_what_is_to_be_rendered_yet_is_not() {
    let database = server();
    let archive = TestArchive::new();
    archive.export(&database);
    let render = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_synapse-export"));
        let output = command.args(["render", "--archive"]).arg(archive.path()).args(more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let views = || {
        let found = verify(archive.path(), &[]);
        let named = found.json["named"].as_array().unwrap();
        let views = named.iter().filter(|off| off["kind"] == "view" || off["kind"] == "file");
        views.map(|off| off["what"].as_str().unwrap().split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    render(&["--html"]);
    let page = path_of(&archive, 1).with_extension("html");
    for page in [page.with_file_name("index.html"), archive.path().join("index.html")] {
        let text = fs::read_to_string(&page).unwrap();
        fs::write(&page, text.replacen("</main>", "<p>more</p></main>", 1)).unwrap();
        assert_ne!(fs::read_to_string(&page).unwrap(), text);
    }
    fs::remove_file(&page).unwrap();
    let room = "rooms/room@here.test";
    assert_eq!(views(), [format!("{room}/2026-11-23.html"), format!("{room}/index.html"), "index.html".to_owned()]);
    render(&["--all"]);
    // the day that has more by now is stale, and so is each index that counts what is in it
    database.event(EventRow::message(50, "more"));
    archive.export(&database);
    assert_eq!(archive.one("select count(*) from stale"), "1");
    assert_eq!(views(), Vec::<String>::new());
}

fn catalog(archive: &TestArchive, sql: &str) {
    assert_eq!(
        Connection::open(archive.path().join("catalog.sqlite"))
            .expect("as the test has made it")
            .execute(sql, [])
            .expect("as the test has made it"),
        1
    );
}

#[test]
fn a_key_that_was_replaced_makes_signatures_bad() {
    let (database, _, keys) = federation();
    let (archive, other) = (TestArchive::new(), tempfile::tempdir().unwrap());
    archive.export(&database);
    verify(archive.path(), &["--server-keys", answer(&keys, other.path()).to_str().unwrap()]).fine();
    let another = keys["here.test"]["ed25519:a_here"].as_str().unwrap();
    catalog(&archive, &format!("update server_key set verify_key = '{another}' where server_name = 'there.test'"));
    let found =
        verify(archive.path(), &[]).off("event", "the signature of there.test, key ed25519:a_there, does not hold");
    assert!(found.verdict("bad_signature") > 50 && found.verdict("altered") == 0, "{found:#?}");
}

#[test]
fn a_change_of_what_was_said_is_named_with_its_event_though_the_chain_was_forged_too() {
    let (database, _, keys) = federation();
    let (archive, other) = (TestArchive::new(), tempfile::tempdir().unwrap());
    archive.export(&database);
    verify(archive.path(), &["--server-keys", answer(&keys, other.path()).to_str().unwrap()]).fine();
    let (path, event_id) = {
        let sql = "select path || ' ' || event_id from event where type = 'm.room.message' and not censored limit 1";
        let found = archive.one(sql);
        let (path, event_id) = found.split_once(' ').unwrap();
        (archive.path().join(path), event_id.to_owned())
    };
    change(&path, |lines| {
        let line = lines.iter_mut().find(|line| line.contains(&event_id)).unwrap();
        *line = line.replacen("m.text", "m.emot", 1);
    });
    // who may write to all of it makes chain, catalog and state anew
    for name in ["chain.jsonl", "catalog.sqlite", "state.jsonl"] {
        fs::remove_file(archive.path().join(name)).unwrap();
    }
    archive.export(&database);
    let found = verify(archive.path(), &[]).off("event", &event_id);
    assert_eq!(found.verdict("altered"), 1, "{found:#?}");
}

#[test]
fn a_seal_tells_whether_all_is_there_still() {
    let (database, archive, other) = (server(), TestArchive::new(), tempfile::tempdir().unwrap());
    archive.export(&database);
    let seal = other.path().join("seal.txt");
    let seal = seal.to_str().unwrap();
    verify(archive.path(), &["--seal", seal]).fine();
    let text = fs::read_to_string(seal).unwrap();
    assert!(text.starts_with("synapse-export seal 1\n") && text.contains("\nlines 12\n"), "{text}");
    assert_eq!(verify(archive.path(), &["--against", seal]).fine().json["sealed"], true);

    // what comes later, also for a day that was sealed, changes nothing
    database.event(EventRow::message(100, "later"));
    database.event(EventRow::message(-7, "earlier"));
    archive.export(&database);
    let found = verify(archive.path(), &["--against", seal]).fine();
    assert_eq!((&found.json["sealed"], &found.json["lines"]), (&json!(true), &json!(14)));

    // a catalog that is made anew goes on with the chain
    fs::remove_file(archive.path().join("catalog.sqlite")).unwrap();
    archive.export(&database);
    assert_eq!(verify(archive.path(), &["--against", seal]).fine().json["sealed"], true);

    // a line that is changed, with all else made anew to fit it, does not hold against the seal
    change(&path_of(&archive, 0), |lines| lines[1] = lines[1].replace("message 2", "message 7"));
    verify(archive.path(), &["--against", seal]).off("hash", "2026-11-22.jsonl");
    for name in ["chain.jsonl", "catalog.sqlite", "state.jsonl"] {
        fs::remove_file(archive.path().join(name)).unwrap();
    }
    archive.export(&database);
    // as there is no event's own proof in this archive
    let found = verify(archive.path(), &["--against", seal]);
    assert_eq!(
        (found.code, &found.json["sealed"], &found.json["off"]),
        (Some(3), &json!(false), &json!({})),
        "{found:#?}"
    );
    assert_eq!(found.json["chain"]["unchained_lines"], 14);
}

#[test]
fn a_chain_made_anew_says_so_and_what_it_lacks_is_taken_in() {
    let (database, archive) = (server(), TestArchive::new());
    archive.export(&database);
    for name in ["chain.jsonl", "catalog.sqlite", "state.jsonl"] {
        fs::remove_file(archive.path().join(name)).unwrap();
    }
    database.event(EventRow::message(100, "later"));
    archive.export(&database);
    let found = verify(archive.path(), &["--quick"]).fine();
    assert_eq!(found.json["chain"]["unchained_lines"], 12, "{found:#?}");
    let chain = fs::read_to_string(archive.path().join("chain.jsonl")).unwrap();
    assert!(chain.starts_with(r#"{"at":"#) && chain.lines().next().unwrap().contains(r#""kind":"begun""#), "{chain}");
    assert!(chain.ends_with("}\n") && chain.lines().last().unwrap().contains(r#""kind":"found""#), "{chain}");
    assert_eq!(verify(archive.path(), &["--quick"]).fine().json["chain"]["unchained_lines"], 0);

    // one that is lost alone, and one that is cut off: what is there afterwards is not linked to what was
    let head = archive.one("select head from chain");
    fs::remove_file(archive.path().join("chain.jsonl")).unwrap();
    database.event(EventRow::message(101, "later yet"));
    archive.export(&database);
    let found = verify(archive.path(), &[]).fine();
    assert_eq!(found.json["chain"]["unchained_lines"], 13, "{found:#?}");
    let chain = fs::read_to_string(archive.path().join("chain.jsonl")).unwrap();
    assert!(chain.lines().next().unwrap().contains(&head), "it says what it does not follow: {chain}");
}

#[test]
fn a_chain_that_was_cut_off_is_begun_anew_and_accuses_no_line() {
    let database = server();
    // how many lines of it are lost: within a commit, a commit, more than one
    for (nth, lost) in (1_000..).zip([1, 2, 3, 5]) {
        let archive = TestArchive::new();
        for (n, day) in [(0, 0), (100, 86_400_000)] {
            archive.export(&database);
            let row = EventRow::message(10 * nth + n, "late");
            database.event(EventRow { ts: row.ts.map(|ts| ts % 86_400_000 + 1_795_305_600_000 + day), ..row });
        }
        archive.export(&database);
        let lines = verify(archive.path(), &[]).fine().json["lines"].clone();
        let chain = archive.path().join("chain.jsonl");
        change(&chain, |lines| lines.truncate(lines.len() - lost));
        let is_by_export = lost % 2 == 1;
        if is_by_export {
            archive.export(&database);
        } else {
            let found = verify(archive.path(), &[]).off("chain", "Remedy: restore the whole archive from a backup");
            assert_eq!(found.json["off"], json!({"chain": 1}), "{lost}: {found:#?}");
        }
        for _ in 0..2 {
            let found = verify(archive.path(), &[]).fine();
            assert_eq!(
                (&found.json["chain"]["begun"], &found.json["lines"]),
                (&json!(1), &lines),
                "{lost}: {found:#?}"
            );
        }
        assert_eq!(verify(archive.path(), &[]).fine().json["chain"]["unchained_lines"], 0);
        // a catalog made anew knows that chain
        fs::remove_file(archive.path().join("catalog.sqlite")).unwrap();
        archive.export(&database);
        assert_eq!(verify(archive.path(), &[]).fine().json["chain"]["begun"], 1, "{lost}");
        // and it accuses what is changed from then on
        change(&path_of(&archive, 0), |lines| lines[1] = lines[1].replace("message 2", "message 7"));
        verify(archive.path(), &[]).off("hash", "2026-11-22.jsonl");
    }
}

#[test]
fn a_row_that_says_another_thing_than_its_line_is_found() {
    let (database, archive) = (server(), TestArchive::new());
    archive.export(&database);
    for (set, back, what) in [
        ("sender = 77", "sender = (select user from user where user_id = '@alice:here.test')", "sender"),
        ("type = 77", "type = (select type from type where name = 'm.room.message')", "type"),
        ("origin_server_ts = origin_server_ts + 1", "origin_server_ts = origin_server_ts - 1", "origin_server_ts"),
        ("stream_ordering = stream_ordering + 500", "stream_ordering = stream_ordering - 500", "stream_ordering"),
        ("erased = 1", "erased = 0", "state of erasure"),
        ("state_key = ''", "state_key = null", "state_key"),
        ("received_ts = received_ts + 1", "received_ts = received_ts - 1", "received_ts"),
        ("rejected = 1", "rejected = 0", "rejected"),
        ("soft_failed = 1", "soft_failed = 0", "soft_failed"),
    ] {
        catalog(&archive, &format!("update line set {set} where event_id = '$2'"));
        let found = verify(archive.path(), &[])
            .off("row", &format!("line 2 of rooms/room@here.test/2026-11-22.jsonl is of another {what} than"));
        assert_eq!(found.json["off"]["row"], 1, "{found:#?}");
        catalog(&archive, &format!("update line set {back} where event_id = '$2'"));
        verify(archive.path(), &[]).fine();
    }
    let said = "where line = (select line from line where event_id = '$2')";
    catalog(&archive, &format!("update said set body = 'message 7 of day 0' {said}"));
    verify(archive.path(), &[]).off("row", "line 2 of rooms/room@here.test/2026-11-22.jsonl is of another text than");
    verify(archive.path(), &["--quick"]).fine();
    catalog(&archive, &format!("delete from said {said}"));
    verify(archive.path(), &[]).off("row", "is of another text than");
}

#[test]
fn a_redaction_that_the_catalog_hides_or_makes_up_is_found() {
    let (database, archive) = (server(), TestArchive::new());
    database.redaction("$2", EventRow { content: "{}".to_owned(), ..EventRow::at(50) });
    // one that is not in effect, and so redacts nothing
    let rejected = Some("auth_error".to_owned());
    database.redaction("$3", EventRow { content: "{}".to_owned(), rejected, ..EventRow::at(51) });
    archive.export(&database);
    verify(archive.path(), &[]).fine();
    for (set, back, event_id) in
        [("null", "'$50'", "$2"), ("'$51'", "'$50'", "$2"), ("'$51'", "null", "$3"), ("'$50'", "null", "$4")]
    {
        catalog(&archive, &format!("update line set redacted_by = {set} where event_id = '{event_id}'"));
        let found = verify(archive.path(), &[]).off("row", &format!("of {event_id} (line"));
        assert_eq!(found.json["off"], json!({ "row": 1 }), "{found:#?}");
        catalog(&archive, &format!("update line set redacted_by = {back} where event_id = '{event_id}'"));
        verify(archive.path(), &[]).fine();
    }
    catalog(&archive, "update relation set redacts = '$4' where redacts = '$2'");
    verify(archive.path(), &[]).off("row", "is of another redacts than");
}

#[test]
fn what_was_erased_is_listed_and_named_when_it_is_back() {
    let (database, archive, other) = (server(), TestArchive::new(), tempfile::tempdir().unwrap());
    archive.export(&database);
    let seal = other.path().join("seal.txt");
    let seal = seal.to_str().unwrap();
    verify(archive.path(), &["--seal", seal]).fine();
    let erase = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_synapse-export"));
        let output = command.args(["erase", "--yes", "--archive"]).arg(archive.path()).args(more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    erase(&["--event", "$1", "--reason", "asked by letter"]);
    erase(&["--event", "$2", "--whole"]);
    let found = verify(archive.path(), &[]).fine();
    let erased = &found.json["erased"];
    assert_eq!([&erased["pruned"], &erased["whole"], &erased["of_others"]], [1, 1, 0]);
    assert_eq!((&erased["by"][1]["reason"], &erased["by"][1]["tombstones"]), (&json!("asked by letter"), &json!(1)));
    // against a seal of before: that lines were erased, and which
    let found = verify(archive.path(), &["--against", seal]);
    let path = "rooms/room@here.test/2026-11-22.jsonl";
    assert_eq!(found.json["rewritten"], json!([{ "path": path, "gone": 1, "erased": 1 }]), "{found:#?}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_synapse-export"));
    let told = command.args(["verify", "--against", seal, "--archive"]).arg(archive.path()).output().unwrap();
    let text = String::from_utf8(told.stdout).unwrap();
    for part in ["2026-11-22.jsonl: 1 line gone since, something erased of 1 line", "(asked by letter)"] {
        assert!(text.contains(part), "{part}: {text}");
    }

    // an event with a tombstone, and all of its line
    let id = Sha256::digest("$3").iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    catalog(&archive, &format!("insert into tombstone (id, kind, line, erasure) values ('{id}', 'pruned', null, 1)"));
    verify(archive.path(), &[])
        .off("erased", "$3 (line 2 of rooms/room@here.test/2026-11-22.jsonl) was erased (pruned), and is back");
    catalog(&archive, &format!("delete from tombstone where id = '{id}'"));
    verify(archive.path(), &[]).fine();
    // a tombstone that the catalog has lost, and the state has
    let id = archive.one("select id from tombstone where kind = 'whole'");
    catalog(&archive, "delete from tombstone where kind = 'whole'");
    verify(archive.path(), &[]).off("erased", &id);
}

#[test]
fn whatever_step_is_the_last_the_chain_is_that_of_the_lines() {
    let database = server();
    for at in 1.. {
        let archive = TestArchive::new();
        let mut count = 0;
        let ended = archive.export_hooked(
            &database,
            Box::new(move |_: Step| {
                count += 1;
                if count == at { Err(std::io::Error::other("gone")) } else { Ok(()) }
            }),
        );
        archive.export(&database);
        let found = verify(archive.path(), &[]).fine();
        assert_eq!(
            (&found.json["lines"], &found.json["chain"]["unchained_lines"], &found.json["chain"]["begun"]),
            (&json!(12), &json!(0), &json!(0)),
            "at step {at}: {found:#?}"
        );
        if ended.is_ok() {
            assert!(at > 10, "only {at} steps");
            break;
        }
    }
}

#[test]
fn what_the_server_has_is_archived_or_left_out_for_a_reason_that_is_named() {
    let (database, _, _) = federation();
    database.room(ROOM, "10");
    database.room("!left:here.test", "10");
    let in_room = |room_id: &str, row: EventRow| EventRow { room_id: room_id.to_owned(), ..row };
    let later = |row: EventRow| EventRow { received_ts: Some(1_795_348_800_000 + 3 * 86_400_000), ..row };
    // of rooms of version 10, in which made-up events are altered; what is said of these is another test's
    database.event(in_room(ROOM, EventRow::message(2_000, "a")));
    database.event(EventRow { outlier: true, sender: "@far:there.test".to_owned(), ..EventRow::message(2_001, "b") });
    database.event(in_room("!left:here.test", EventRow::message(2_002, "c")));
    database.event(EventRow::message(2_010, "d"));
    database.event(later(EventRow::message(2_020, "d")));
    let archive = TestArchive::new();
    let selection = synapse_export::archive::Selection {
        exclude: [synapse_export::event::RoomId::of("!left:here.test").owned()].into(),
        ..synapse_export::archive::Selection::default()
    };
    archive.export_rooms(&database, &selection);
    archive.export(&database);
    let dsn = database.dsn();
    let compare = |more: &[&str]| {
        let found = verify(archive.path(), &[&["--server", "--database", &dsn], more].concat());
        let server = found.json["server"].clone();
        (found, move |key: &str| server[key].as_u64().unwrap_or_else(|| panic!("{key}: {server:#}")))
    };
    let (_, told) = compare(&[]);
    let lines: u64 = archive.one("select count(*) from event").parse().unwrap();
    assert_eq!(["archived", "left_out", "outliers", "missing", "to_come"].map(told), [lines, 1, 1, 0, 0]);

    // new, late, purged, pruned, and with another text
    database.event(later(EventRow::message(2_021, "e")));
    database.event(EventRow::message(2_005, "f"));
    let event_of = |nth: usize| {
        archive.one(&format!("select event_id from event where type = 'm.room.message' and not censored and room_id like '!1%' order by event_id limit 1 offset {nth}"))
    };
    let [purged, pruned, other] = [0, 1, 2].map(event_of);
    for table in ["events", "event_json"] {
        database.execute(&format!("delete from {table} where event_id = '{purged}'"));
    }
    let json = |event_id: &str| -> Value {
        serde_json::from_str(
            &database.query_one_text(&format!("select json from event_json where event_id = '{event_id}'")),
        )
        .unwrap()
    };
    let store = |event_id: &str, json: &Value| {
        database.execute(&format!("update event_json set json = $json${json}$json$ where event_id = '{event_id}'"));
    };
    let mut pdu = json(&pruned);
    pdu["content"] = json!({});
    for key in ["custom", "redacts", "unsigned", "prev_state", "membership"] {
        pdu.as_object_mut().unwrap().remove(key);
    }
    store(&pruned, &pdu);
    let mut pdu = json(&other);
    pdu["unsigned"] = json!({"more": "of it"});
    store(&other, &pdu);
    let (found, told) = compare(&[]);
    let keys = ["archived", "missing", "to_come", "purged", "pruned", "differs"];
    assert_eq!(keys.map(&told), [lines - 1, 1, 1, 1, 1, 1], "{found:#?}");
    let found = found.off("missing", "$2005");
    assert_eq!(found.json["server"]["rooms"][ROOM]["missing"], 1, "{found:#?}");
    assert_eq!(found.json["server"]["rooms"][ROOM]["days"]["2026-11-22"]["missing"], 1, "{found:#?}");

    // one that is stopped goes on from there, and finds the same
    let other = tempfile::tempdir().unwrap();
    let progress = other.path().join("progress.sqlite");
    let mut slow = Command::new(env!("CARGO_BIN_EXE_synapse-export"))
        .args(["verify", "--server", "--database", &dsn, "--pace", "100", "--progress"])
        .arg(&progress)
        .arg("--archive")
        .arg(archive.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let count = |table: &str| {
        let connection = Connection::open(&progress).ok()?;
        connection.query_row(&format!("select count(*) from {table}"), [], |row| row.get::<_, i64>(0)).ok()
    };
    while count("begun").is_none_or(|begun| begun == 0) {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    std::thread::sleep(std::time::Duration::from_secs(2));
    let process = rustix::process::Pid::from_child(&slow);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    assert_eq!(slow.wait().unwrap().code(), Some(130));
    assert_eq!(count("begun"), Some(1));
    println!("stopped when {:?} lines were met", count("met"));
    let (_, told) = compare(&["--progress", progress.to_str().unwrap()]);
    assert_eq!(keys.map(told), [lines - 1, 1, 1, 1, 1, 1]);
    // what came to its end begins anew
    assert_eq!(count("begun"), Some(0));

    // a room alone
    let (_, told) = compare(&["--room", ROOM]);
    assert_eq!(["archived", "missing", "purged"].map(told), [3, 1, 0]);

    // another server's database is refused
    let another = server();
    another.execute("update users set name = '@alice:elsewhere.test'");
    let mut command = Command::new(env!("CARGO_BIN_EXE_synapse-export"));
    let ended =
        command.args(["verify", "--server", "--database", &another.dsn(), "--archive"]).arg(archive.path()).output();
    let ended = ended.unwrap();
    assert!(
        ended.status.code() == Some(1)
            && String::from_utf8_lossy(&ended.stderr).contains("give each server an archive of its own")
    );
}

#[test]
fn some_days_or_a_room_can_be_verified_alone_and_who_may_only_read_it_is_told_all_the_same() {
    let (database, archive) = (server(), TestArchive::new());
    database.room("!other:here.test", "org.example.none");
    database.event(EventRow { room_id: "!other:here.test".to_owned(), ..EventRow::message(500, "elsewhere") });
    archive.export(&database);
    let lines = |more: &[&str]| verify(archive.path(), more).fine().json["lines"].as_u64().unwrap();
    assert_eq!(lines(&[]), 13);
    assert_eq!(lines(&["--room", ROOM]), 12);
    assert_eq!(lines(&["--since", "2026-11-23"]), 8);
    assert_eq!(lines(&["--since", "2026-11-24", "--room", ROOM, "--quick"]), 4);
    // beside an export: another process holds the lock
    let held = synapse_export::archive::Archive::open(archive.path(), None).unwrap();
    let found = verify(archive.path(), &[]).fine();
    assert!(found.json["remembered"] == false && found.stderr.contains("not remembered"), "{found:#?}");
    drop(held);
}
