//! What SECURITY.md promises, for every command: the database is only read, and logs hold no content and no credentials.

mod support;

#[path = "promises/privacy.rs"]
mod privacy;
#[path = "promises/read_only.rs"]
mod read_only;

use std::path::Path;
use std::time::Duration;

use assert_cmd::Command;

use support::Database;
use support::story::{EventRow, ROOM};

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs the program with nothing of this process's environment.
fn run<A: AsRef<str>>(arguments: &[A], variables: &[(&str, &str)]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_synapse-export"));
    command.env_clear().envs(variables.iter().copied()).timeout(Duration::from_secs(120));
    let output = command.args(arguments.iter().map(AsRef::as_ref)).output().expect("it can be run");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Every command, in an order in which each has something to do on a sound server; and whether what people said is its output.
/// `place` says where the database is.
fn commands(place: &[&str], archive: &Path, files: &Path) -> Vec<(Vec<String>, bool)> {
    let (archive, file) = (archive.display().to_string(), |name: &str| files.join(name).display().to_string());
    let (lines, document, page, pages) = (file("room.jsonl"), file("room.md"), file("room.html"), file("pages"));
    let (zip, room, person) = (file("room.zip"), file("room.sqlite"), file("person.zip"));
    let store = files.display().to_string();
    let lake = format!("parquet:{}", file("lake"));
    let with_archive = ["--archive", &archive];
    let (both, database) = ([place, &with_archive].concat(), place);
    let (shows, tells_nothing) = (true, false);
    let commands: &[(&[&str], &[&str], bool)] = &[
        (&["doctor"], database, tells_nothing),
        (&["export", "--no-markdown", "--exclude-room", "!other:here.test"], &both, tells_nothing),
        (&["export", "--all-rooms", "--show-redacted"], &both, tells_nothing),
        (&["export", "--room", "#room:here.test"], &both, tells_nothing),
        (&["room", ROOM], database, shows),
        (&["room", "sesame room", "--state", "--honour-redactions", "--output", &lines], database, tells_nothing),
        (&["room", ROOM, "--since", "2026-11-22", "--until", "2026-11-23"], database, shows),
        (&["room", ROOM, "--format", "markdown", "--state", "--output", &document], database, tells_nothing),
        (&["room", ROOM, "--format", "html", "--state", "--output", &page], database, tells_nothing),
        (&["room", ROOM, "--format", "html", "--split", "month", "--output", &pages], database, tells_nothing),
        (&["room", ROOM, "--format", "zip", "--verify", "--output", &zip], database, tells_nothing),
        (
            &["room", ROOM, "--from", "archive", "--format", "sqlite", "--ignore-erased", "--output", &room],
            &with_archive,
            tells_nothing,
        ),
        (
            &["user", "@alice:here.test", "--format", "zip", "--ignore-erased", "--output", &person],
            &with_archive,
            tells_nothing,
        ),
        (&["user", "@alice:here.test", "--format", "jsonl", "--show-redacted"], &with_archive, shows),
        (&["user", "@alice:here.test", "--from", "server", "--format", "jsonl"], database, shows),
        (&["rooms"], database, shows),
        (&["rooms", "--json", "--sort", "id"], database, shows),
        (&["rooms", "--sort", "events"], database, shows),
        (&["render", "--all"], &with_archive, tells_nothing),
        (&["render", "--html"], &with_archive, tells_nothing),
        (&["show", "$6"], &with_archive, shows),
        (&["show", "$6", "--raw"], &with_archive, shows),
        (&["show", "$7", "--json", "--show-redacted"], &with_archive, shows),
        (&["output", "add", "lake", &lake, "--with-erased", "--with-rejected"], &with_archive, tells_nothing),
        (&["output", "run"], &with_archive, tells_nothing),
        (&["output", "list"], &with_archive, tells_nothing),
        (&["media", "--media-store", &store], &both, tells_nothing),
        (&["media", "--list"], &with_archive, shows),
        (&["status"], &with_archive, shows),
        (&["status", "--json"], &with_archive, shows),
        (&["stats", "--by", "sender"], &with_archive, tells_nothing),
        (&["stats", "--by", "room", "--json"], &with_archive, shows),
        (&["watermark", "show"], &with_archive, tells_nothing),
        (&["watermark", "show", "--json"], &with_archive, tells_nothing),
        (&["watermark", "reset", "--yes"], &with_archive, tells_nothing),
        (&["erase", "--sender", "@bob:far.test"], &with_archive, tells_nothing),
        (&["erase", "--event", "$13", "--yes"], &with_archive, tells_nothing),
        (&["compact", "--older-than", "0d"], &with_archive, tells_nothing),
        (&["compact", "--expand"], &with_archive, tells_nothing),
        (&["export", "--all-rooms"], &both, tells_nothing),
        (&["config", "show"], &both, tells_nothing),
        (&["config", "init"], &with_archive, tells_nothing),
        (&["doctor", "--json"], &both, tells_nothing),
    ];
    let whole = |command: &[&str], place: &[&str]| command.iter().chain(place).map(ToString::to_string).collect();
    commands.iter().map(|(command, place, shows)| (whole(command, place), *shows)).collect()
}

/// The message that tells what somebody has said, so that a log that quotes it can be told.
fn sesame(id: i64, what: &str) -> EventRow {
    EventRow::message(id, &format!("sesame {what}"))
}

/// A server with something of everything. What people have said, and what is secret, has `sesame` in it.
fn tell(database: &Database) {
    use serde_json::json;
    database.user("@alice:here.test");
    for room_id in [ROOM, "!other:here.test", "!nameless:here.test"] {
        database.room(room_id, "10");
    }
    let state = EventRow::state;
    let member = |id: i64, user_id: &str, name: &str| EventRow {
        sender: user_id.to_owned(),
        ..state(
            id,
            "m.room.member",
            user_id,
            &json!({"membership": "join", "displayname": name, "avatar_url": "mxc://sesame/avatar"}),
        )
    };
    database.event(state(1, "m.room.create", "", &json!({"room_version": "10"})));
    database.event(member(2, "@alice:here.test", "sesame alice"));
    database.event(member(3, "@bob:far.test", "sesame bob"));
    database.event(state(4, "m.room.name", "", &json!({"name": "sesame room"})));
    database.event(state(5, "m.room.topic", "", &json!({"topic": "sesame topic"})));
    let rich = json!({
        "msgtype": "m.image", "body": "sesame body", "format": "org.matrix.custom.html",
        "formatted_body": "<b>sesame formatted</b>", "url": "mxc://sesame/url", "filename": "sesame.png",
        "access_token": "sesame-token", "info": {"thumbnail_url": "mxc://sesame/thumbnail"},
    });
    database.event(EventRow {
        content: rich.to_string(),
        internal_metadata: json!({"txn_id": "sesame-transaction", "device_id": "sesame-device"}).to_string(),
        ..EventRow::at(6)
    });
    database.event(sesame(7, "to be redacted"));
    let reason = json!({"reason": "sesame reason"}).to_string();
    database.redaction("$7", EventRow { content: reason, ..EventRow::at(8) });
    database.event(sesame(-1, "from before"));
    database.event(EventRow { outlier: true, ..sesame(9, "survivor") });
    database.event(EventRow { rejected: Some("sesame rejection".to_owned()), ..sesame(10, "rejected") });
    database.event(member(11, "@alice:here.test", "sesame alice").within("!other:here.test"));
    database.event(state(12, "m.room.name", "", &json!({"name": "the other sesame"})).within("!other:here.test"));
    database.event(sesame(13, "elsewhere").within("!other:here.test"));
    database.event(member(14, "@alice:here.test", "sesame alice").within("!nameless:here.test"));
    database.event(EventRow { outlier: true, ..sesame(15, "de-outliered") });
    database.de_outlier("$15", 17);
    database.execute(&format!(
        "insert into room_aliases (room_alias, room_id) values ('#room:here.test', '{ROOM}'); \
         insert into access_tokens values ('sesame-access'); update users set password_hash = 'sesame-hash'; analyze"
    ));
}
