//! Outputs: what is in them and what is withheld, that they are the same by any path, and what becomes of those that fail.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Value, json};

use crate::support::archive::TestArchive;
use crate::support::story::{DAY, EventRow, NOON, ROOM, message};
use crate::support::{Database, Shape, cluster};
use crate::{Ended, contents, export, run, server, text};

/// What a row says, column by column, but for what is null.
pub(crate) type Row = BTreeMap<String, String>;

fn output(archive: &Path, words: &[&str]) -> Ended {
    let (verb, rest) = words.split_first().expect("a verb");
    run(&[&["output", verb, "--archive", text(archive)], rest].concat())
}

fn add(archive: &Path, name: &str, to: &Path, more: &[&str]) {
    let to = format!("parquet:{}", text(to));
    output(archive, &[&["add", name, &to], more].concat()).with(0);
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let paths = contents(directory).into_keys().map(|path| directory.join(path));
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "parquet")).collect()
}

/// The rows of a file.
fn rows_of(path: &Path) -> Vec<Row> {
    let reader = SerializedFileReader::new(File::open(path).expect("it is there")).expect("it is Parquet");
    let rows = reader.get_row_iter(None).expect("it has rows");
    let row = |row: parquet::record::Row| {
        let columns = row.into_columns().into_iter().filter(|(_, value)| *value != Field::Null);
        columns.map(|(name, value)| (name, value.to_string().trim_matches('"').to_owned())).collect()
    };
    rows.map(|it| row(it.expect("it can be read"))).collect()
}

/// The events of an output by their ids; no two have the same.
#[track_caller]
pub(crate) fn events(directory: &Path) -> BTreeMap<String, Row> {
    let mut events = BTreeMap::new();
    for path in files(&directory.join("events")) {
        for row in rows_of(&path) {
            assert_eq!(events.insert(row["event_id"].clone(), row), None, "{}", path.display());
        }
    }
    events
}

fn said<'r>(events: &'r BTreeMap<String, Row>, id: &str, column: &str) -> Option<&'r str> {
    events[id].get(column).map(String::as_str)
}

pub(crate) fn edit(id: i64, of: &str, body: &str) -> EventRow {
    let content = json!({
        "msgtype": "m.text", "body": format!("* {body}"), "m.new_content": { "msgtype": "m.text", "body": body },
        "m.relates_to": { "rel_type": "m.replace", "event_id": of },
    });
    EventRow { content: content.to_string(), ..EventRow::at(id) }
}

fn reply(id: i64, to: &str, quoted: &str, body: &str) -> EventRow {
    let content = json!({
        "msgtype": "m.text", "body": format!("> <@alice:here.test> {quoted}\n\n{body}"), "format": "org.matrix.custom.html",
        "formatted_body": format!("<mx-reply><blockquote>{quoted}</blockquote></mx-reply>{body}"),
        "m.relates_to": { "m.in_reply_to": { "event_id": to } },
    });
    EventRow { content: content.to_string(), ..EventRow::at(id) }
}

#[test]
fn what_is_in_it_and_what_is_withheld() {
    let (database, archive) = (server(), TestArchive::new());
    let place = tempfile::tempdir().unwrap();
    let [to, whole] = ["parquet", "whole"].map(|name| place.path().join(name));
    database.event(EventRow::message(10, "a secret"));
    database.event(edit(11, "$10", "an edited secret"));
    database.event(reply(12, "$10", "a secret", "well"));
    database.redaction("$10", EventRow { content: "{}".to_owned(), ..EventRow::at(13) });
    database.event(EventRow::message(14, "before"));
    database.event(edit(15, "$14", "in between"));
    database.event(edit(16, "$14", "after"));
    let bobs = EventRow { sender: "@bob:here.test".to_owned(), ..edit(17, "$14", "somebody else's") };
    database.event(bobs);
    database.event(EventRow { rejected: Some("no".to_owned()), ..EventRow::message(18, "refused") });
    let soft_failed = r#"{"soft_failed": true}"#.to_owned();
    database.event(EventRow { internal_metadata: soft_failed, ..EventRow::message(19, "failed softly") });
    for (id, ts) in [(20, -5), (21, 253_402_300_800_000), (22, i64::MAX)] {
        database.event(EventRow { ts: Some(ts), ..EventRow::message(id, "undated") });
    }
    let gone = "@gone:here.test";
    database.event(EventRow { sender: gone.to_owned(), ..EventRow::message(23, "of one who is erased") });
    database.execute("insert into erased_users values ('@gone:here.test')");
    database.event(EventRow::message(24, "ünïcode 💬 and \u{1}"));

    export(&database, archive.path(), &[]).with(0);
    let to_parquet = format!("parquet:{}", text(&to));
    output(archive.path(), &["add", "o", &to_parquet]).with(1).saying("erased").saying("--hide-erased");
    output(archive.path(), &["list"]).with(1);
    export(&database, archive.path(), &["--hide-erased"]).with(0);
    output(archive.path(), &["add", "o", &to_parquet]).with(0);
    output(archive.path(), &["add", "o", &to_parquet]).with(1).saying("already");
    add(archive.path(), "whole", &whole, &["--with-redacted", "--with-rejected"]);
    assert!(!to.exists(), "it is made when it is told to");
    output(archive.path(), &["run"]).with(0);

    let shown = events(&to);
    for id in ["$10", "$11", "$23"] {
        assert_eq!((said(&shown, id, "body"), said(&shown, id, "content")), (None, None), "{id}");
    }
    assert_eq!((said(&shown, "$10", "redacted_by"), said(&shown, "$23", "redacted_by")), (Some("$13"), Some("erased")));
    assert_eq!(said(&shown, "$12", "body"), Some("well"));
    let content: Value = serde_json::from_str(said(&shown, "$12", "content").unwrap()).unwrap();
    assert_eq!((&content["body"], &content["formatted_body"]), (&json!("well"), &json!("well")));
    assert_eq!(content["m.relates_to"], json!({ "m.in_reply_to": { "event_id": "$10" } }));
    assert_eq!((said(&shown, "$14", "body"), said(&shown, "$14", "edited_by")), (Some("after"), Some("$16")));
    assert_eq!(said(&shown, "$14", "content"), Some(&*message("before")));
    assert_eq!(said(&shown, "$15", "rel_type"), Some("m.replace"));
    assert_eq!((shown.get("$18"), shown.get("$19")), (None, None));
    assert_eq!(said(&shown, "$24", "body"), Some("ünïcode 💬 and \u{1}"));
    assert_eq!(said(&shown, "$24", "origin_server_ts_sent"), Some(&*(NOON + 24_000).to_string()));
    assert_eq!(said(&shown, "$24", "room_id"), Some(ROOM));
    // dated by what its sender says, as far as every reader can tell such a time
    let undated = rows_of(&to.join("events/day=__HIVE_DEFAULT_PARTITION__/part-0.parquet"));
    let undated: Vec<_> = undated.iter().map(|row| (&*row["event_id"], row.get("origin_server_ts"))).collect();
    assert_eq!(undated, [("$20", None), ("$21", None), ("$22", None)]);
    assert_eq!(said(&shown, "$22", "origin_server_ts_sent"), Some(&*i64::MAX.to_string()));
    assert!(to.join("events/day=2026-11-22/part-0.parquet").exists());

    let all = events(&whole);
    assert_eq!(said(&all, "$10", "body"), Some("an edited secret"));
    assert_eq!(said(&all, "$10", "redacted_by"), Some("$13"));
    assert!(said(&all, "$12", "content").unwrap().contains("a secret"));
    assert_eq!((said(&all, "$18", "rejected"), said(&all, "$19", "soft_failed")), (Some("true"), Some("true")));
    assert_eq!(all.len(), archive.lines().len());
    let leaves = |directory: &Path, word: &str| {
        files(directory)
            .iter()
            .any(|path| rows_of(path).iter().any(|row| row.values().any(|value| value.contains(word))))
    };
    for word in ["secret", "of one who is erased", "refused", "softly"] {
        assert_eq!((leaves(&to, word), leaves(&whole, word)), (false, true), "{word}");
    }
}

#[test]
fn rooms_and_members_are_as_they_are_now() {
    let (database, archive) = (server(), TestArchive::new());
    let to = tempfile::tempdir().unwrap();
    database.event(EventRow::state(10, "m.room.name", "", &json!({"name": "Old"})));
    let bob = |id, content: Value| {
        let bob = "@bob:here.test".to_owned();
        EventRow { sender: bob.clone(), ..EventRow::state(id, "m.room.member", &bob, &content) }
    };
    database.event(bob(11, json!({"membership": "join", "displayname": "Bob"})));
    export(&database, archive.path(), &["--hide-erased", "--no-markdown"]).with(0);
    add(archive.path(), "o", to.path(), &["--on-export"]);
    output(archive.path(), &["run"]).with(0);
    let rooms = || rows_of(&to.path().join("rooms/part-0.parquet"));
    let members = || rows_of(&to.path().join("members/part-0.parquet"));
    assert_eq!((&*rooms()[0]["room_id"], &*rooms()[0]["name"], &*rooms()[0]["room_version"]), (ROOM, "Old", "10"));
    assert_eq!((&*members()[0]["user_id"], &*members()[0]["displayname"]), ("@bob:here.test", "Bob"));
    let number = |table: &str| fs::metadata(to.path().join(table).join("part-0.parquet")).unwrap().ino();
    let before = number("members");
    database.event(EventRow::message(12, "nothing of rooms or members"));
    export(&database, archive.path(), &[]).with(0);
    assert_eq!((number("members"), events(to.path()).len()), (before, 8));
    database.event(EventRow::state(13, "m.room.name", "", &json!({"name": "New"})));
    database.event(bob(14, json!({"membership": "leave"})));
    export(&database, archive.path(), &[]).with(0);
    assert_eq!((&*rooms()[0]["name"], &*members()[0]["membership"]), ("New", "leave"));
    assert_eq!((rooms().len(), members().len()), (1, 1));
    // who made it has a name; redacted, nobody has it
    database.event(bob(15, json!({"membership": "join", "displayname": "Bobby"})));
    database.redaction("$15", EventRow { content: "{}".to_owned(), ..EventRow::at(16) });
    export(&database, archive.path(), &[]).with(0);
    assert_eq!(members()[0].get("displayname"), None);
}

/// What happens to a server, one thing after the other, each of which outputs have to follow.
pub(crate) fn stories(database: &Database) -> [Box<dyn Fn() + '_>; 8] {
    let on = |day: i64, row: EventRow| EventRow { ts: row.ts.map(|ts| ts + day * DAY), ..row };
    let redacted =
        move |id, of, day| database.redaction(of, EventRow { content: "{}".to_owned(), ..on(day, EventRow::at(id)) });
    database.room("!other:here.test", "10");
    [
        Box::new(move || (10..14).for_each(|id| database.event(on(id - 10, EventRow::message(id, "said"))))),
        Box::new(move || database.event(on(3, edit(20, "$10", "edited")))),
        // an edit of what is to come, and its redaction before it comes
        Box::new(move || {
            database.event(on(1, edit(30, "$39", "edited early")));
            database.event(on(2, edit(31, "$38", "edited before it is redacted")));
        }),
        Box::new(move || redacted(32, "$38", 3)),
        Box::new(move || {
            database.event(on(-40, EventRow::message(39, "late")));
            database.event(on(0, EventRow::message(38, "redacted before it came")));
        }),
        Box::new(move || redacted(40, "$20", 3)),
        Box::new(move || database.execute("insert into erased_users values ('@alice:here.test')")),
        Box::new(move || {
            database.execute("delete from erased_users");
            database.event(on(5, EventRow::message(50, "elsewhere").within("!other:here.test")));
            database.event(on(5, EventRow::member(51, "@bob:here.test", "join")));
            database.rejudge("$12", 1, true);
        }),
    ]
}

/// The same as all at once, whatever came when.
#[test]
fn it_is_the_same_by_any_path_and_no_more_is_made_than_has_changed() {
    let (database, archive) = (server(), TestArchive::new());
    let place = tempfile::tempdir().unwrap();
    let to = place.path().join("o");
    let stories = stories(&database);
    let has_news = || output(archive.path(), &["list"]).with(0).stdout.contains("what has changed since");
    export(&database, archive.path(), &["--hide-erased"]).with(0);
    add(archive.path(), "o", &to, &[]);
    output(archive.path(), &["run"]).with(0);
    for (number, story) in stories.iter().enumerate() {
        story();
        export(&database, archive.path(), &["--no-markdown"]);
        assert!(has_news(), "{number}");
        let numbers = |all: &[PathBuf]| -> BTreeMap<PathBuf, u64> {
            all.iter().map(|path| (path.clone(), fs::metadata(path).unwrap().ino())).collect()
        };
        let held: Vec<File> = files(&to).iter().map(|path| File::open(path).unwrap()).collect();
        let (before, were) = (numbers(&files(&to)), contents(&to));
        output(archive.path(), &["run"]).with(0);
        let now = contents(&to);
        for (path, ino) in numbers(&files(&to)) {
            let name = path.strip_prefix(&to).unwrap().display().to_string();
            assert_eq!(before.get(&path) == Some(&ino), were.get(&name) == now.get(&name), "{number}: {name}");
        }
        drop(held);
        assert_ne!(were, now, "{number}");
        assert!(!has_news(), "{number}");
        output(archive.path(), &["run"]).with(0);
        assert_eq!(contents(&to), now, "{number}");
        let at_once = place.path().join(format!("at-once-{number}"));
        add(archive.path(), "at-once", &at_once, &[]);
        output(archive.path(), &["run", "at-once"]).with(0);
        output(archive.path(), &["remove", "at-once"]).with(0);
        let but_the_manifest = |mut all: BTreeMap<String, Vec<u8>>| {
            all.remove("manifest.json");
            all
        };
        assert_eq!(but_the_manifest(contents(&at_once)), but_the_manifest(now), "{number}");
    }
    // and as a new catalog has it, which knows nothing of it but that it is to be
    let before = contents(&to);
    run(&["rebuild", "--archive", text(archive.path())]).with(0);
    assert!(output(archive.path(), &["list"]).with(0).stdout.contains("not made yet"));
    output(archive.path(), &["run"]).with(0);
    assert_eq!(contents(&to), before);
}

#[test]
fn every_file_has_the_same_columns_and_the_manifest_names_it() {
    let (database, archive) = (server(), TestArchive::new());
    let to = tempfile::tempdir().unwrap();
    database.event(EventRow { ts: Some(NOON - 86_400_000), ..EventRow::message(10, "secret") });
    database.redaction("$10", EventRow { content: "{}".to_owned(), ..EventRow::at(11) });
    export(&database, archive.path(), &["--hide-erased"]).with(0);
    add(archive.path(), "o", to.path(), &[]);
    output(archive.path(), &["run"]).with(0);
    let schema = |day: &str| {
        let path = to.path().join(format!("events/day={day}/part-0.parquet"));
        let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
        let metadata = reader.metadata().file_metadata();
        let about = metadata.key_value_metadata().unwrap().iter().map(|pair| format!("{pair:?}")).collect::<Vec<_>>();
        (metadata.schema().clone(), about)
    };
    assert_eq!(schema("2026-11-21"), schema("2026-11-22"));
    assert!(schema("2026-11-21").1.iter().any(|pair| pair.contains("synapse_export.schema")));

    let manifest: Value = serde_json::from_slice(&fs::read(to.path().join("manifest.json")).unwrap()).unwrap();
    let mut named = BTreeSet::new();
    for file in manifest["files"].as_array().unwrap() {
        let path = to.path().join(file["path"].as_str().unwrap());
        assert_eq!(file["bytes"], fs::metadata(&path).unwrap().len());
        assert_eq!(file["rows"], rows_of(&path).len());
        let sums = std::process::Command::new("sha256sum").arg(&path).output().unwrap();
        assert!(String::from_utf8(sums.stdout).unwrap().starts_with(file["sha256"].as_str().unwrap()));
        named.insert(path);
    }
    assert_eq!(named.into_iter().collect::<Vec<_>>(), files(to.path()));
    assert_eq!(fs::metadata(to.path().join("manifest.json")).unwrap().mode() & 0o777, 0o600);

    // files of before are taken away, those of others stay
    let day = to.path().join("events/day=2026-11-22");
    for name in ["part-1.parquet", "part-12.parquet", "mine.parquet"] {
        fs::write(day.join(name), "").unwrap();
    }
    let gone = to.path().join("events/day=1999-12-31");
    fs::create_dir(&gone).unwrap();
    fs::write(gone.join("part-0.parquet"), "").unwrap();
    output(archive.path(), &["run", "o", "--anew"]).with(0);
    let left: Vec<String> = contents(&day).into_keys().collect();
    assert_eq!((left, gone.exists()), (vec!["mine.parquet".to_owned(), "part-0.parquet".to_owned()], false));
}

#[test]
fn an_output_that_fails_leaves_the_export_alone_and_is_gone_on_with() {
    let (database, archive) = (server(), TestArchive::new());
    let place = tempfile::tempdir().unwrap();
    let to = place.path().join("o");
    export(&database, archive.path(), &["--hide-erased"]).with(0);
    for (inside, why) in [("archive/rooms", "in the archive"), ("", "the archive in it")] {
        let to = format!("parquet:{}", archive.path().parent().unwrap().join(inside).display());
        output(archive.path(), &["add", "o", &to]).with(1).saying(why);
    }
    fs::create_dir(&to).unwrap();
    fs::write(to.join("theirs"), "").unwrap();
    let to_parquet = format!("parquet:{}", text(&to));
    output(archive.path(), &["add", "o", &to_parquet]).with(1).saying("not empty");
    fs::remove_file(to.join("theirs")).unwrap();
    add(archive.path(), "o", &to, &["--on-export"]);
    output(archive.path(), &["add", "two", &to_parquet]).with(0);
    export(&database, archive.path(), &[]).with(0);
    assert_eq!(events(&to).len(), 5);
    output(archive.path(), &["run", "two"]).with(1).saying("not empty");
    output(archive.path(), &["remove", "two"]).with(0);
    output(archive.path(), &["run", "two"]).with(1).saying("no output");

    // where the disk of the output is not there
    let away = place.path().join("away");
    fs::rename(&to, &away).unwrap();
    fs::create_dir(&to).unwrap();
    database.event(EventRow::message(10, "more"));
    export(&database, archive.path(), &[]).with(3).saying("has nothing of it any more");
    assert_eq!((archive.lines().len(), contents(&to).len()), (6, 0));
    fs::remove_dir(&to).unwrap();
    fs::rename(&away, &to).unwrap();
    // or cannot be written to
    let day = to.join("events/day=2026-11-22");
    fs::rename(&day, place.path().join("day")).unwrap();
    fs::write(&day, "").unwrap();
    export(&database, archive.path(), &[]).with(3).saying("o is not up to date");
    fs::remove_file(&day).unwrap();
    export(&database, archive.path(), &[]).with(0);
    assert_eq!(events(&to).len(), 6);
    // what is lost is made anew, when that is said
    fs::remove_dir_all(&to).unwrap();
    output(archive.path(), &["run", "o"]).with(1).saying("--anew");
    output(archive.path(), &["run", "o", "--anew"]).with(0);
    assert_eq!(events(&to).len(), 6);
    // nobody is erased as far as is known: nothing more leaves
    export(&database, archive.path(), &["--hide-erased=false"]).with(3).saying("erased");
}

/// What `DuckDB` reads is what the catalog says; `tests/engines/run` asks others too.
#[test]
fn duckdb_gives_the_answers_of_the_catalog() {
    let (database, archive) = (cluster().database("sample", Shape::V1_163), TestArchive::new());
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    database.psql(&fs::read_to_string(repository.join("testdata/sample.sql")).unwrap());
    let to = tempfile::tempdir().unwrap();
    export(&database, archive.path(), &["--hide-erased"]).with(3);
    add(archive.path(), "o", to.path(), &[]);
    output(archive.path(), &["run"]).with(0);
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository.join("target"), PathBuf::from);
    let python = target.join("engines/bin/python");
    assert!(python.exists(), "{} is not there: testdata/prerequisites makes it", python.display());
    let catalog = archive.path().join("catalog.sqlite");
    let engines = repository.join("tests/engines");
    for (script, arguments) in [
        ("answers.py", vec!["duckdb".as_ref(), to.path(), &catalog]),
        // and what it and jq read in the lines is what is in them
        ("lines.py", vec!["duckdb".as_ref(), archive.path()]),
        ("lines.py", vec!["jq".as_ref(), archive.path()]),
    ] {
        let asked = std::process::Command::new(&python).arg(engines.join(script)).args(arguments).output().unwrap();
        let said = [&asked.stdout[..], &asked.stderr].concat();
        assert!(asked.status.success(), "{}", String::from_utf8_lossy(&said));
    }
}

/// Killed whenever it may be, it is as if it had not been.
#[test]
fn a_run_that_is_killed_is_gone_on_with() {
    let (database, archive) = (server(), TestArchive::new());
    let place = tempfile::tempdir().unwrap();
    let [to, at_once] = ["o", "at-once"].map(|name| place.path().join(name));
    for id in 10..250 {
        let ts = Some(NOON + id * 86_400_000);
        database.event(EventRow { ts, ..EventRow::message(id, "said") });
    }
    export(&database, archive.path(), &["--hide-erased", "--no-markdown", "--no-search"]).with(0);
    add(archive.path(), "o", &to, &[]);
    let mut unfinished = 0;
    for wait in (20..).step_by(25) {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_synapse-export"));
        command.args(["output", "run", "--archive", text(archive.path())]).stderr(std::process::Stdio::null());
        let mut child = command.env_clear().spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(wait));
        if child.try_wait().unwrap().is_some_and(|status| status.success()) {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        unfinished += usize::from(to.join("events").exists() && !to.join("members").exists());
    }
    assert!(unfinished > 0, "it was never killed in the middle");
    add(archive.path(), "at-once", &at_once, &[]);
    output(archive.path(), &["run"]).with(0);
    let files = |directory: &Path| {
        let mut all = contents(directory);
        all.remove("manifest.json");
        all
    };
    assert_eq!(files(&to), files(&at_once));
    assert_eq!(events(&to).len(), 245);
}
