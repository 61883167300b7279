//! What is handed on, of a room or a person, in each form: what is in it, and what is found nowhere in it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::media::{Store, image, png};
use crate::support::Database;
use crate::support::archive::TestArchive;
use crate::support::story::{DAY, EventRow, NOON, ROOM};
use crate::{Ended, export, run, server, text};

const GONE: &str = "@gone:here.test";
const OTHER: &str = "!../../other%2f:here.test";

/// A reply, as older clients write one.
fn reply(to: &str, quoted: &str, answer: &str) -> String {
    json!({
        "msgtype": "m.text", "body": format!("> <@x:here.test> {quoted}\n\n{answer}"), "format": "org.matrix.custom.html",
        "formatted_body": format!("<mx-reply><blockquote>{quoted}</blockquote></mx-reply>{answer}"),
        "m.relates_to": {"m.in_reply_to": {"event_id": to}},
    })
    .to_string()
}

fn edit(of: &str, new: &str) -> String {
    let content = json!({"msgtype": "m.text", "body": new});
    json!({
        "msgtype": "m.text", "body": format!("* {new}"), "m.new_content": content,
        "m.relates_to": {"rel_type": "m.replace", "event_id": of},
    })
    .to_string()
}

fn of(sender: &str, row: EventRow) -> EventRow {
    EventRow { sender: sender.to_owned(), ..row }
}

/// A server of which much is withheld: all of that has `sesame` in it, as has nothing else.
fn tell(database: &Database) {
    database.room(OTHER, "10");
    database.event(EventRow::message(20, "open words"));
    database.event(EventRow::message(21, "before it was edited"));
    database.event(EventRow { content: edit("$21", "after it was edited"), ..EventRow::at(22) });
    database.event(EventRow::message(23, "sesame redacted"));
    database.event(EventRow { content: edit("$23", "sesame edited"), ..EventRow::at(24) });
    database.redaction("$23", EventRow { content: "{}".to_owned(), ..EventRow::at(25) });
    database.event(EventRow { content: reply("$23", "sesame redacted", "an answer"), ..EventRow::at(26) });
    let member = EventRow { ts: Some(NOON), ..EventRow::member(27, GONE, "join") };
    let named = json!({"membership": "join", "displayname": "sesame name"}).to_string();
    database.event(EventRow { content: named, ..member });
    database.event(of(GONE, EventRow::message(28, "sesame erased")));
    database.event(of(GONE, EventRow { content: edit("$28", "sesame erased edit"), ..EventRow::at(29) }));
    database.event(EventRow { content: reply("$28", "sesame erased", "another answer"), ..EventRow::at(30) });
    database.event(EventRow { rejected: Some("why".to_owned()), ..EventRow::message(31, "sesame rejected") });
    let soft_failed = r#"{"soft_failed":true}"#.to_owned();
    database.event(EventRow { internal_metadata: soft_failed, ..EventRow::message(32, "sesame soft-failed") });
    database.event(of("@bob:far.test", EventRow { ts: Some(NOON + DAY), ..EventRow::message(33, "what bob said") }));
    let quoting = reply("$33", "what bob said", "alice answers bob");
    database.event(EventRow { content: quoting, ts: Some(NOON + DAY + 1_000), ..EventRow::at(34) });
    let key = json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": "$33", "key": "👍"}}).to_string();
    database.event(EventRow {
        event_type: "m.reaction".to_owned(),
        content: key,
        ts: Some(NOON + DAY + 2_000),
        ..EventRow::at(35)
    });
    database.event(EventRow::message(36, "elsewhere").within(OTHER));
    database.execute(&format!("insert into erased_users values ('{GONE}')"));
}

/// An archive of it.
fn archived(database: &Database, more: &[&str]) -> TestArchive {
    let archive = TestArchive::new();
    export(database, archive.path(), more).with(0);
    archive
}

/// An archive of one day with so many long messages, which no server has sent.
fn long_day(directory: &Path, messages: usize) {
    let room = directory.join("rooms/room@here.test");
    fs::create_dir_all(&room).expect("a directory");
    let mut lines = String::new();
    for number in 0..messages {
        let at = NOON + i64::try_from(number).expect("not many");
        let line = json!({
            "event_id": format!("${number:043}"),
            "room_id": ROOM,
            "synapse": {"stream_ordering": number + 1, "topological_ordering": number + 1, "received_ts": at, "room_version": "10"},
            "type": "m.room.message",
            "sender": "@alice:here.test",
            "origin_server_ts": at,
            "content": {"msgtype": "m.text", "body": format!("{number} {}", "lorem ipsum ".repeat(1_300))},
        });
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
    fs::write(room.join("2026-11-22.jsonl"), lines).expect("a file");
    run(&["rebuild", "--archive", text(directory)]).with(0);
}

#[test]
fn memory_does_not_grow_with_a_day() {
    let peak_of = |messages: usize, form: &[&str]| {
        let directory = tempfile::tempdir().unwrap();
        let archive = directory.path().join("archive");
        fs::create_dir(&archive).unwrap();
        long_day(&archive, messages);
        let output = directory.path().join("output");
        let room = ["room", ROOM, "--archive", text(&archive), "--ignore-erased", "--output", text(&output)];
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_synapse-export"))
            .args([&room, form].concat())
            .env("TMPDIR", directory.path())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // in KiB; it only grows
        let mut peak: u64 = 0;
        let status = loop {
            let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
            let found = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            peak = found.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(peak);
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        };
        assert!(status.success() && output.exists());
        peak
    };
    for form in [&["--format", "html"][..], &["--format", "zip"], &["--format", "sqlite"]] {
        let [few, many] = [50, 1_000].map(|messages| peak_of(messages, form));
        // 15 MB of lines more
        assert!(many < few + 8 * 1024, "{few} KiB, with twenty times as much {many} KiB: {form:?}");
    }
}

/// Everything below a path, that which is in zips too, by name.
fn everything(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    if path.is_dir() {
        for (name, bytes) in crate::contents(path) {
            found.insert(name, bytes);
        }
        return found;
    }
    if path.extension().is_some_and(|extension| extension == "zip") {
        let mut zip = zip::ZipArchive::new(File::open(path).expect("it is there")).expect("a zip");
        for at in 0..zip.len() {
            let mut file = zip.by_index(at).expect("it is whole");
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).expect("it can be unpacked");
            let name = file.name().expect("a name in UTF-8").into_owned();
            assert!(file.enclosed_name().is_some(), "{name}");
            found.insert(name, bytes);
        }
    }
    found.insert("itself".to_owned(), fs::read(path).expect("it is there"));
    found
}

fn has(found: &BTreeMap<String, Vec<u8>>, what: &str) -> bool {
    found.values().any(|bytes| memchr::memmem::find(bytes, what.as_bytes()).is_some())
}

/// A SHA-256 in hexadecimal digits.
fn hash_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"))
}

const FORMS: [(&str, &[&str]); 6] = [
    ("room.md", &["--format", "markdown"]),
    ("room.html", &["--format", "html"]),
    ("pages", &["--format", "html", "--split", "month"]),
    ("room.zip", &["--format", "zip"]),
    ("room.sqlite", &["--format", "sqlite"]),
    ("room.jsonl", &["--format", "jsonl", "--honour-redactions"]),
];

/// Each form of a room.
fn each_form(place: &[&str], more: &[&str], check: &mut dyn FnMut(&str, Ended, PathBuf)) {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, form) in FORMS {
        let path = directory.path().join(name);
        let is_lines = name == "room.jsonl";
        let more: Vec<&str> = more.iter().copied().filter(|word| !is_lines || *word != "--verify").collect();
        let ended = run(&[&["room", ROOM, "--output", text(&path)], place, form, &more[..]].concat());
        check(name, ended, path);
    }
}

#[test]
fn what_is_withheld_is_found_nowhere_in_any_form() {
    let database = server();
    tell(&database);
    let archive = archived(&database, &["--hide-erased"]);
    let dsn = database.dsn();
    let from_archive = ["--archive", text(archive.path()), "--from", "archive"];
    for place in [&from_archive[..], &["--database", &dsn]] {
        each_form(place, &[], &mut |name, ended, path| {
            ended.with(0);
            let found = everything(&path);
            // the server's lines by themselves do not know what a reply quotes
            if name == "room.jsonl" && place.len() == 2 {
                return;
            }
            for shown in ["open words", "after it was edited", "an answer", "another answer"] {
                assert!(has(&found, shown), "{shown} is not in {name}");
            }
            assert!(!has(&found, "sesame"), "{name} from {place:?}");
        });
    }
    // it is there for who asks for it, and the cover says so
    each_form(&from_archive, &["--show-redacted"], &mut |name, ended, path| {
        if name == "room.jsonl" {
            ended.with(2);
            return;
        }
        ended.with(0);
        let found = everything(&path);
        let is_lines = ["room.zip", "room.sqlite"].contains(&name);
        for shown in ["sesame redacted", "sesame erased"] {
            assert!(has(&found, shown), "{shown} is not in {name}");
        }
        assert_eq!(has(&found, "sesame rejected"), is_lines, "{name}");
        assert!(is_lines || has(&found, "whose text is shown"), "{name}");
    });
    // an archive's own setting brings nothing along
    let shows = archived(&database, &["--show-redacted"]);
    let args = ["room", ROOM, "--archive", text(shows.path()), "--format", "markdown", "--ignore-erased"];
    let page = run(&args).with(0).stdout;
    assert!(!page.contains("sesame redacted") && page.contains("open words"), "{page}");
}

#[test]
fn an_archive_has_what_the_server_has_no_more_and_the_cover_says_from_which_it_is() {
    let database = server();
    tell(&database);
    let archive = archived(&database, &["--hide-erased"]);
    database.execute("delete from event_json where event_id = '$20'; delete from events where event_id = '$20'");
    let place = ["--archive", text(archive.path()), "--database", &database.dsn()];
    let page = |more: &[&str]| run(&[&["room", ROOM, "--format", "html"], &place[..], more].concat()).with(0);
    let told = page(&[]).saying("from the archive");
    assert!(told.stdout.contains("open words") && told.stdout.contains("from an archive of"), "{}", told.stdout);
    assert!(told.stdout.contains("all that the server had when the last export began"), "{}", told.stdout);
    let told = page(&["--from", "server"]).saying("from the server");
    assert!(!told.stdout.contains("open words") && !told.stdout.contains("from an archive"), "{}", told.stdout);
    // JSON lines by themselves are the server's, unless they are asked for
    let lines = |more: &[&str]| run(&[&["room", ROOM], &place[..], more].concat()).with(0).stdout;
    assert!(!lines(&[]).contains("open words") && lines(&[]).contains("sesame redacted"));
    let archived = lines(&["--from", "archive"]);
    let path = archive.path().join("rooms/room@here.test");
    let mut files: Vec<String> = ["2026-11-22", "2026-11-23"]
        .iter()
        .flat_map(|day| {
            fs::read_to_string(path.join(format!("{day}.jsonl")))
                .unwrap()
                .lines()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    let mut written: Vec<String> = archived.lines().map(str::to_owned).collect();
    files.sort_unstable();
    written.sort_unstable();
    assert_eq!(written, files);
    // a room that the archive has not comes from the server
    database.room("!new:here.test", "10");
    database.event(EventRow::message(50, "brand new").within("!new:here.test"));
    let told = run(&[&["room", "!new:here.test", "--format", "markdown"], &place[..]].concat()).with(0);
    assert!(told.stdout.contains("brand new"), "{told:?}");
    told.saying("the archive has nothing of this room").saying("from the server");
    let with = |from: &[&str]| run(&[&["room", "!new:here.test"], &place[..], from].concat());
    with(&["--from", "archive"]).with(1).saying("the archive has nothing of a room");
    with(&["--from", "archive", "--state"]).with(2).saying("--state");
    run(&["room", ROOM, "--from", "archive"]).with(2).saying("--archive");
}

#[test]
fn an_archive_that_does_not_know_whom_the_server_has_erased_says_so() {
    let database = server();
    tell(&database);
    let archive = archived(&database, &[]);
    let room = |more: &[&str]| {
        run(&[&["room", ROOM, "--archive", text(archive.path()), "--format", "markdown"], more].concat())
    };
    room(&["--from", "archive"]).with(1).saying("--hide-erased");
    let told = room(&["--database", &database.dsn()]).with(0).saying("so the room is read from the server");
    assert!(told.stdout.contains("open words") && !told.stdout.contains("sesame"), "{}", told.stdout);
    run(&["user", "@alice:here.test", "--archive", text(archive.path())]).with(1).saying("--hide-erased");
    let told = room(&["--ignore-erased"]).with(0).saying("what erased users said stays");
    assert!(told.stdout.contains("sesame erased") && !told.stdout.contains("sesame redacted"), "{}", told.stdout);
}

#[test]
fn a_zip_has_all_forms_and_names_each_file_with_its_hash() {
    let database = server();
    tell(&database);
    let archive = archived(&database, &["--hide-erased"]);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("room.zip");
    let room = ["room", ROOM, "--archive", text(archive.path()), "--format", "zip"];
    run(&room).with(2).saying("--output");
    run(&[&room[..], &["--output", text(&path), "--verify"]].concat()).with(0);
    let found = everything(&path);
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(names, ["2026-11.html", "events.jsonl", "index.html", "itself", "manifest.json", "transcript.md"]);
    let manifest: Value = serde_json::from_slice(&found["manifest.json"]).unwrap();
    let files = manifest["files"].as_array().unwrap();
    assert_eq!(files.len(), 4);
    for file in files {
        let bytes = &found[file["path"].as_str().unwrap()];
        let hash = hash_of(bytes);
        assert_eq!((&file["bytes"], &file["sha256"]), (&json!(bytes.len()), &json!(hash)), "{file}");
    }
    // as `cat *.jsonl | sha256sum` has it
    let rooms = archive.path().join("rooms/room@here.test");
    let lines = ["2026-11-22", "2026-11-23"].map(|day| fs::read(rooms.join(format!("{day}.jsonl"))).unwrap()).concat();
    let hash = hash_of(&lines);
    assert_eq!((&manifest["source_sha256"], &manifest["made_from"]), (&json!(hash), &json!("archive")));
    let count = lines.split(|byte| *byte == b'\n').count() - 1;
    assert_eq!(manifest["source_lines"], json!(count));
    let verdicts: u64 = manifest["verdicts"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(verdicts, count as u64);
    let cover = String::from_utf8(found["index.html"].clone()).unwrap();
    assert!(cover.contains(&hash) && cover.contains("verified") && cover.contains("2026-11.html"), "{cover}");
    let lines = String::from_utf8(found["events.jsonl"].clone()).unwrap();
    assert_eq!(json!(lines.lines().count()), manifest["lines"]);
    let line = |id: &str| {
        let found = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        found.into_iter().find(|line| line["event_id"] == id)
    };
    assert_eq!(line("$23").unwrap()["synapse"]["redacted"], true);
    let answer = line("$26").unwrap();
    assert_eq!((&answer["content"]["body"], &answer["synapse"]["withheld"]), (&json!("an answer"), &json!("cut")));
    assert!(line("$31").is_none() && line("$32").is_none());
}

#[test]
fn a_zip_has_the_files_of_what_it_shows_and_of_nothing_else() {
    let database = server();
    tell(&database);
    let store = Store::new(&database);
    for (id, media, what) in
        [(60, "abcdShown", "shown"), (61, "abcdRedacted", "sesame file"), (62, "abcdGone", "sesame picture")]
    {
        store.local(media, "image/png", &png(what));
        let row = image(id, &format!("mxc://here.test/{media}"), "../../etc/passwd.png");
        database.event(if id == 62 { of(GONE, row) } else { row });
    }
    database.redaction("$61", EventRow { content: "{}".to_owned(), ..EventRow::at(63) });
    let archive = archived(&database, &["--hide-erased", "--media-store", text(store.path())]);
    let directory = tempfile::tempdir().unwrap();
    for (args, prefix) in [(["room", ROOM], ""), (["user", "@alice:here.test"], "../")] {
        let path = directory.path().join(format!("{}.zip", args[0]));
        let more = ["--archive", text(archive.path()), "--format", "zip", "--output", text(&path)];
        run(&[&args[..], &more].concat()).with(0);
        let found = everything(&path);
        let files: Vec<&String> = found.keys().filter(|name| name.starts_with("media/")).collect();
        // as its sender calls it, as far as that is safe
        let [file] = &*files else { panic!("{files:?}") };
        assert_eq!((&***file, &found[*file]), ("media/passwd.png", &png("shown")));
        assert!(!has(&found, "sesame"), "{args:?}");
        let manifest: Value = serde_json::from_slice(&found["manifest.json"]).unwrap();
        assert!(manifest["files"].as_array().unwrap().iter().any(|of| of["path"] == json!(file)), "{manifest}");
        let shown = format!("src=\"{prefix}{file}\"");
        let pages: Vec<_> = found.iter().filter(|(name, _)| name.contains("2026-11.html")).collect();
        assert!(pages.iter().any(|(_, page)| memchr::memmem::find(page, shown.as_bytes()).is_some()), "{shown}");
    }
}

#[test]
fn pages_have_the_files_beside_them_or_in_them() {
    let database = server();
    tell(&database);
    let store = Store::new(&database);
    // one more byte than what a page takes
    let large = png(&"l".repeat(5_000_001 - 8));
    let files: [(i64, &str, &str, &[u8]); 6] = [
        (60, "abcdFirst", "Straße 1.PNG", &png("first")),
        (61, "abcdSecond", "STRASSE 1.png", &png("second")),
        (62, "abcdLarge", "large.png", &large),
        (63, "abcdScript", "page.html", b"<script>alert(1)</script>"),
        (64, "abcdDevice", "C:\\aux.png", &png("device")),
        (65, "abcdRedacted", "gone.png", &png("sesame")),
    ];
    for (id, media, name, bytes) in files {
        store.local(media, "image/png", bytes);
        database.event(image(id, &format!("mxc://here.test/{media}"), name));
    }
    let emoji = json!({
        "msgtype": "m.text", "body": ":first:", "format": "org.matrix.custom.html",
        "formatted_body": "<img data-mx-emoticon src=\"mxc://here.test/abcdFirst\" alt=\":first:\"> \u{1}media/00/x.png\u{1}",
    });
    database.event(EventRow { content: emoji.to_string(), ..EventRow::at(66) });
    database.redaction("$65", EventRow { content: "{}".to_owned(), ..EventRow::at(67) });
    let avatar = json!({"membership": "join", "displayname": "Alice", "avatar_url": "mxc://here.test/abcdAvatar"});
    database.event(EventRow::state(68, "m.room.member", "@alice:here.test", &avatar));
    let archive = archived(&database, &["--hide-erased", "--media-store", text(store.path())]);
    let directory = tempfile::tempdir().unwrap();
    let within = |bytes: &[u8]| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
    let expected = ["Straße_1.png", "STRASSE_1-2.png", "large.png", "page.html.bin", "file-aux.png"]
        .map(|name| format!("media/{name}"));
    let from_archive = ["--archive", text(archive.path())];
    let (dsn, from_server) = (database.dsn(), ["--from", "server", "--media-store", text(store.path())]);
    let from_server = [&["--database", &dsn], &from_server[..]].concat();
    for (number, place) in [&from_archive[..], &from_server].into_iter().enumerate() {
        let handed = |name: &str, args: &[&str]| {
            let path = directory.path().join(format!("{number}-{name}"));
            let done = run(&[&["room", ROOM, "--output", text(&path)], args, place].concat()).with(0);
            let lacks = done.stderr.contains("lacking: none");
            assert!(lacks == (number == 1), "avatars are not asked for: {}", done.stderr);
            path
        };
        for path in
            [handed("pages", &["--format", "html", "--split", "month"]), handed("room.zip", &["--format", "zip"])]
        {
            let found = everything(&path);
            let copies: Vec<&String> = found.keys().filter(|name| name.starts_with("media/")).collect();
            let mut sorted: Vec<&String> = expected.iter().collect();
            sorted.sort();
            assert_eq!(copies, sorted);
            for ((.., bytes), name) in files.iter().zip(&expected) {
                assert!(found[name] == *bytes, "{name}");
            }
            let page = String::from_utf8(found["2026-11.html"].clone()).unwrap();
            for shown in
                ["src=\"media/Stra%C3%9Fe_1.png\"", "src=\"media/large.png\"", "href=\"media/page.html.bin\" download"]
            {
                assert!(page.contains(shown), "{shown}: {page}");
            }
            assert!(!page.contains("mxc://") && !has(&found, "sesame"), "{page}");
        }
        let page = fs::read_to_string(handed("room.html", &["--format", "html"])).unwrap();
        let first = format!("src=\"data:image/png;base64,{}\"", within(&png("first")));
        assert_eq!(page.matches(&first).count(), 2, "the picture, and where it is an emoji: {page}");
        let script =
            format!("href=\"data:application/octet-stream;base64,{}\" download=\"page.html.bin\"", within(files[3].3));
        assert!(page.contains(&script), "{page}");
        assert!(page.contains("mxc://here.test/abcdLarge") && !page.contains(&within(&png("sesame"))), "{page}");
        // what begins a file nobody can write
        assert!(page.contains("\\u{1}media/00/x.png\\u{1}") && !page.contains('\u{1}'), "{page}");
        let own = Connection::open(handed("room.sqlite", &["--format", "sqlite", "--with-media"])).unwrap();
        let count: i64 =
            own.query_row("select count(*) from media where content is not null", [], |row| row.get(0)).unwrap();
        assert_eq!(count, 5);
    }
    run(&["room", ROOM, "--format", "markdown", "--database", &dsn, "--media-store", text(store.path())])
        .with(2)
        .saying("--media-store is for --format html");
}

#[test]
fn a_database_has_the_files_that_are_asked_for_and_one_that_is_lost_costs_no_other() {
    let database = server();
    tell(&database);
    let store = Store::new(&database);
    // longer than what is copied at a time
    let long = png(&"shown ".repeat(40_000));
    for (id, media, what) in
        [(60, "abcdShown", &long), (61, "abcdRedacted", &png("sesame")), (62, "abcdLost", &png("lost"))]
    {
        store.local(media, "image/png", what);
        database.event(image(id, &format!("mxc://here.test/{media}"), "image.png"));
    }
    database.event(image(64, "mxc://here.test/abcdShown", "again.png"));
    database.redaction("$61", EventRow { content: "{}".to_owned(), ..EventRow::at(63) });
    let archive = archived(&database, &["--hide-erased", "--media-store", text(store.path())]);
    let directory = tempfile::tempdir().unwrap();
    let handed = |name: &str, args: &[&str]| {
        let path = directory.path().join(name);
        let room = ["room", ROOM, "--archive", text(archive.path()), "--output", text(&path)];
        (run(&[&room[..], args].concat()), path)
    };
    let files = |path: &Path| -> Vec<(String, Option<i64>, Option<Vec<u8>>)> {
        let own = Connection::open(path).unwrap();
        let sql = "select group_concat(event_id, ' ' order by event_id), bytes, content
                     from event_media join media using (path) group by path order by 1";
        let mut statement = own.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let whole = |bytes: Vec<u8>| (i64::try_from(bytes.len()).ok(), Some(bytes));
    let ((long_bytes, long), (lost_bytes, lost)) = (whole(long), whole(png("lost")));
    let shown = ("$60 $64".to_owned(), long_bytes, long);

    let sqlite = ["--format", "sqlite", "--with-media"];
    let (told, path) = handed("all.sqlite", &sqlite);
    told.with(0);
    assert_eq!(files(&path), [shown.clone(), ("$62".to_owned(), lost_bytes, lost.clone())]);
    let (told, path) = handed("none.sqlite", &["--format", "sqlite"]);
    told.with(0);
    assert!(Connection::open(path).unwrap().prepare("select * from media").is_err());

    let mut kept = std::fs::read_dir(archive.path().join("media"))
        .unwrap()
        .flat_map(|it| std::fs::read_dir(it.unwrap().path()).unwrap());
    let place = kept.find(|it| std::fs::read(it.as_ref().unwrap().path()).ok() == lost).unwrap().unwrap().path();
    std::fs::remove_file(place).unwrap();
    let (told, path) = handed("lost.sqlite", &sqlite);
    told.with(3).saying("1 file that the archive has copied and lost since");
    assert_eq!(files(&path), [shown, ("$62".to_owned(), None, None)]);
    let (told, path) = handed("lost.zip", &["--format", "zip"]);
    told.with(3).saying("1 file that");
    let found = everything(&path);
    assert_eq!(found.keys().filter(|name| name.starts_with("media/")).count(), 1);
    let manifest: Value = serde_json::from_slice(&found["manifest.json"]).unwrap();
    assert_eq!(manifest["lost_files"], json!(1));

    handed("x", &["--format", "zip", "--with-media"]).0.with(2).saying("--with-media is for --format sqlite");
    handed("x", &["--format", "sqlite", "--with-media", "--from", "server"])
        .0
        .with(2)
        .saying("the files are an archive's");
}

#[test]
fn a_database_has_the_views_that_an_archive_has() {
    let database = server();
    tell(&database);
    let archive = archived(&database, &["--hide-erased"]);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("room.sqlite");
    let args = ["room", ROOM, "--archive", text(archive.path()), "--format", "sqlite", "--output", text(&path)];
    run(&args).with(0).saying("messages on 2 days");
    let own = Connection::open(&path).unwrap();
    let rows = |connection: &Connection, sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let messages =
        "select event_id || coalesce(body, '') || coalesce(edited_by, '') || day || coalesce(has, '') from message
                     where room_id = '!room:here.test' order by event_id";
    let catalog = Connection::open(archive.path().join("catalog.sqlite")).unwrap();
    let found = rows(&own, messages);
    assert_eq!(found, rows(&catalog, messages));
    assert!(found.contains(&"$21after it was edited$222026-11-22".to_owned()), "{found:?}");
    let events = "select event_id || coalesce(redacted_by, '') || type || day from event
                   where room_id = '!room:here.test' and not rejected and not soft_failed order by event_id";
    assert_eq!(rows(&own, events), rows(&catalog, events));
    assert_eq!(rows(&own, "pragma integrity_check"), ["ok"]);
    assert_eq!(rows(&own, "select json ->> '$.content.body' from event where event_id = '$26'"), ["an answer"]);
    assert_eq!(rows(&own, "select value from about where name = 'made_from'"), ["archive"]);
    // also by what people have
    if let Ok(told) = std::process::Command::new("sqlite3").arg(&path).arg("select count(*) from message").output() {
        assert_eq!(String::from_utf8_lossy(&told.stdout).trim(), found.len().to_string());
    }
}

#[test]
fn of_a_person_the_server_gives_what_an_archive_does() {
    let database = server();
    tell(&database);
    let user = |more: &[&str]| {
        let args = ["user", "@alice:here.test", "--database", &database.dsn(), "--format", "jsonl"];
        run(&[&args, more].concat())
    };
    user(&[]).with(1).saying("no room that @alice:here.test was ever a member of");
    database.psql(&format!(
        "insert into room_memberships (event_id, user_id, sender, room_id, membership)
         values ('$m1', '@alice:here.test', '@alice:here.test', '{ROOM}', 'join'), ('$m2', '@alice:here.test', '@bob:far.test', '{OTHER}', 'invite'),
                ('$m3', '@alice:here.test', '@alice:here.test', '{ROOM}', 'leave'), ('$m4', '@nobody:here.test', '@nobody:here.test', '{ROOM}', 'join')"
    ));
    let archive = archived(&database, &["--hide-erased"]);
    let of_archive = user(&["--archive", text(archive.path())]).with(0).saying("from the archive").stdout;
    let of_server =
        user(&["--from", "server", "--archive", text(archive.path())]).with(0).saying("from the server").stdout;
    let there_is_none = archive.path().join("none");
    let by_itself = user(&["--archive", text(&there_is_none)]).with(0).saying("there is no archive yet").stdout;
    let lines = |text: &str| {
        let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        // when it was read
        for line in &mut lines {
            line["synapse"].as_object_mut().unwrap().remove("exported_at");
        }
        lines
    };
    assert!(of_archive.contains("open words") && of_archive.contains("elsewhere"), "{of_archive}");
    assert!(!of_server.contains("sesame") && !of_server.contains("what bob said"), "{of_server}");
    assert_eq!(lines(&of_archive), lines(&of_server));
    assert_eq!(lines(&of_server), lines(&by_itself));
    let nobody = ["user", "@nobody:here.test", "--database", &database.dsn()];
    run(&nobody).with(1).saying("nothing that @nobody:here.test sent");
    user(&["--from", "archive"]).with(2).saying("--archive");
    let store = archive.path().parent().unwrap();
    user(&["--media-store", text(store)]).with(2).saying("--media-store is for");
}

#[test]
fn of_a_person_all_is_there_and_of_others_nothing() {
    let database = server();
    tell(&database);
    let archive = archived(&database, &["--hide-erased"]);
    let directory = tempfile::tempdir().unwrap();
    let user = |who: &str, name: &str, more: &[&str]| {
        let path = directory.path().join(name);
        let args = ["user", who, "--archive", text(archive.path()), "--output", text(&path)];
        (run(&[&args, more].concat()), path)
    };
    for (name, form) in [
        ("alice.html", &[][..]),
        ("alice.md", &["--format", "markdown"]),
        ("alice.jsonl", &["--format", "jsonl"]),
        ("alice.zip", &["--format", "zip"]),
        ("alice.sqlite", &["--format", "sqlite"]),
    ] {
        for more in [&[][..], &["--show-redacted"]] {
            let name = format!("{}{name}", more.len());
            let (told, path) = user("@alice:here.test", &name, &[form, more].concat());
            told.with(0).saying("@alice:here.test from the archive");
            let found = everything(&path);
            let is_packed = name.contains("zip");
            for own in ["open words", "elsewhere", "alice answers bob", "after it was edited"] {
                assert!(has(&found, own), "{own} is not in {name}");
            }
            for other in ["what bob said", "sesame erased", "sesame name"] {
                assert!(!has(&found, other), "{other} is in {name}");
            }
            assert_eq!(has(&found, "sesame redacted"), !more.is_empty(), "{name}");
            if is_packed {
                let room = found.keys().find(|name| name.contains("other") && name.contains("index.html")).unwrap();
                assert!(!room.split('/').any(|part| ["", ".", ".."].contains(&part)), "{room}");
                let cover = String::from_utf8(found["index.html"].clone()).unwrap();
                assert!(cover.contains(&room.replace('%', "%25")), "{room}: {cover}");
            }
        }
    }
    let lines = fs::read_to_string(directory.path().join("0alice.jsonl")).unwrap();
    for line in lines.lines() {
        assert_eq!(serde_json::from_str::<Value>(line).unwrap()["sender"], "@alice:here.test", "{line}");
    }
    // whom the server has erased has said nothing, and is named by the id alone
    let (told, path) = user(GONE, "gone.zip", &["--format", "zip"]);
    told.with(0);
    assert!(!has(&everything(&path), "sesame"));
    let (told, path) = user(GONE, "shown.zip", &["--format", "zip", "--show-redacted"]);
    told.with(0);
    assert!(has(&everything(&path), "sesame erased"));
    user("@nobody:here.test", "x", &[]).0.with(1).saying("nothing that @nobody:here.test sent");
    user("alice", "x", &[]).0.with(2).saying("a Matrix id");
    user("@alice:here.test", "x", &["--split", "day"]).0.with(2).saying("--format zip");
    let only = user("@alice:here.test", "later.md", &["--format", "markdown", "--since", "2026-11-23"]);
    only.0.with(0);
    let text = fs::read_to_string(only.1).unwrap();
    assert!(text.contains("alice answers bob") && !text.contains("open words"), "{text}");
}
