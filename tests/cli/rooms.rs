//! The list of rooms.

use std::io::Read as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::interrupted::kill;
use crate::support::archive::{self, TestArchive};
use crate::support::story::{EventRow, NOON, ROOM};
use crate::support::wait_until;
use crate::support::{Database, Shape, cluster};
use crate::{Ended, command, ended, export, run, server};

const SHAPES: [Shape; 3] = [Shape::V1_60, Shape::V1_90, Shape::V1_163];
const ALICE: &str = "@alice:here.test";
const BOB: &str = "@bob:here.test";

fn rooms(database: &Database, more: &[&str]) -> Ended {
    run(&[&["rooms", "--database", &database.dsn()], more].concat())
}

fn listed(database: &Database, more: &[&str]) -> Vec<Value> {
    let ended = rooms(database, &[&["--json"], more].concat()).with(0);
    ended.stdout.lines().map(archive::json).collect()
}

/// One key of each room that is listed.
fn all(database: &Database, key: &str, more: &[&str]) -> Vec<String> {
    let text = |room: &Value| room[key].as_str().map_or_else(|| room[key].to_string(), str::to_owned);
    listed(database, more).iter().map(text).collect()
}

fn one(database: &Database, room_id: &str) -> Value {
    let found = listed(database, &[]).into_iter().find(|room| room["room_id"] == room_id);
    found.unwrap_or_else(|| panic!("{room_id} is not listed"))
}

/// Tells of a room, with stream orderings from `at` on: whom it has, and what its state says.
fn told(database: &Database, room_id: &str, at: i64, members: &[&str], state: &[(&str, Value)]) {
    database.room(room_id, "10");
    let create = ("m.room.create", json!({"room_version": "10"}));
    let create = if state.iter().any(|(kind, _)| *kind == "m.room.create") { None } else { Some(&create) };
    let state = create.into_iter().chain(state).map(|(kind, content)| EventRow::state(0, kind, "", content));
    let members = members.iter().map(|user_id| EventRow::member(0, user_id, "join"));
    for (stream_ordering, row) in (at..).zip(state.chain(members)) {
        let EventRow { event_id, ts, received_ts, depth, .. } = EventRow::at(stream_ordering);
        database.event(EventRow { stream_ordering, event_id, ts, received_ts, depth, ..row }.within(room_id));
    }
}

fn name(name: &str) -> (&'static str, Value) {
    ("m.room.name", json!({ "name": name }))
}

fn empty(shape: Shape) -> Database {
    let database = cluster().database("rooms", shape);
    database.user(ALICE);
    database
}

#[test]
fn a_room_is_called_what_clients_call_it() {
    for shape in SHAPES {
        let database = empty(shape);
        let alias = |alias: &str| ("m.room.canonical_alias", json!({ "alias": alias }));
        told(&database, "!named:here.test", 10, &[ALICE], &[name("A name"), alias("#a:here.test")]);
        told(&database, "!aliased:here.test", 20, &[ALICE, BOB], &[name(""), alias("#b:here.test")]);
        told(&database, "!local:here.test", 30, &[ALICE, BOB], &[("m.room.name", json!({ "name": 7 }))]);
        let sql = "insert into room_aliases (room_alias, room_id) values \
                   ('#c2:here.test', '!local:here.test'), ('#c1:here.test', '!local:here.test')";
        database.execute(sql);
        told(&database, "!people:here.test", 40, &[ALICE, BOB, "@carol:far.test"], &[]);
        database.execute("update room_memberships set display_name = 'Bob' where user_id = '@bob:here.test'");
        told(&database, "!left:here.test", 50, &[ALICE], &[]);
        database.event(EventRow::member(55, ALICE, "leave").within("!left:here.test"));
        database.room("!nothing:here.test", "10");
        // a name with a state key is no name
        database.event(EventRow::state(60, "m.room.name", "key", &json!({"name": "Keyed"})).within("!left:here.test"));

        let expected = [
            ("!aliased:here.test", "#b:here.test", json!("#b:here.test")),
            ("!left:here.test", "Empty room (was @alice:here.test)", json!(null)),
            ("!local:here.test", "#c1:here.test", json!("#c1:here.test")),
            ("!named:here.test", "A name", json!("#a:here.test")),
            ("!nothing:here.test", "!nothing:here.test", json!(null)),
            ("!people:here.test", "@alice:here.test, Bob and @carol:far.test", json!(null)),
        ];
        let listed = listed(&database, &["--sort", "id"]);
        let found: Vec<_> = listed.iter().map(|room| (&room["room_id"], &room["name"], &room["alias"])).collect();
        let expected = expected.map(|(room_id, name, alias)| (json!(room_id), json!(name), alias));
        assert_eq!(found, expected.iter().map(|(a, b, c)| (a, b, c)).collect::<Vec<_>>(), "{shape:?}");
        assert_eq!(listed[2]["local_aliases"], json!(["#c1:here.test", "#c2:here.test"]));
    }
}

#[test]
fn a_name_that_is_redacted_is_not_listed_even_before_it_is_pruned() {
    for shape in SHAPES {
        let database = empty(shape);
        let alias = ("m.room.canonical_alias", json!({ "alias": "#a:here.test" }));
        for (at, room_id, rejected) in [(10, "!redacted:here.test", None), (20, "!kept:here.test", Some("auth_error"))]
        {
            told(&database, room_id, at, &[ALICE], &[name("A name"), alias.clone()]);
            let redaction = EventRow { rejected: rejected.map(str::to_owned), ..EventRow::at(at + 5).within(room_id) };
            database.redaction(&EventRow::at(at + 1).event_id, redaction);
        }
        assert_eq!(one(&database, "!redacted:here.test")["name"], "#a:here.test", "{shape:?}");
        assert_eq!(one(&database, "!kept:here.test")["name"], "A name");
        for (at, room_id) in [(16, "!redacted:here.test"), (26, "!kept:here.test")] {
            database.event(EventRow::member(at, ALICE, "leave").within(room_id));
            database.forget_state(room_id);
        }
        assert_eq!(one(&database, "!redacted:here.test")["name"], "#a:here.test", "{shape:?}");
        assert_eq!(one(&database, "!kept:here.test")["name"], "A name");
    }
}

#[test]
fn a_room_that_all_local_users_left_keeps_its_name() {
    for shape in SHAPES {
        let database = empty(shape);
        let room_id = "!gone:far.test";
        let bob = "@bob:far.test";
        let state = [name("Old name"), ("m.room.encryption", json!({"algorithm": "m.megolm.v1.aes-sha2"}))];
        told(&database, room_id, 10, &[ALICE, bob, "@carol:far.test"], &state);
        let named =
            |id: i64, name: &str| EventRow::state(id, "m.room.name", "", &json!({ "name": name })).within(room_id);
        database.event(named(20, "New name"));
        database.event(EventRow { rejected: Some("auth_error".to_owned()), ..named(21, "Rejected") });
        database
            .event(EventRow { internal_metadata: r#"{"soft_failed":true}"#.to_owned(), ..named(22, "Soft-failed") });
        database.event(EventRow { event_type: "m.room.name".to_owned(), ..EventRow::at(23) }.within(room_id));
        // history that was fetched later is older
        database.event(named(-5, "Ancient"));
        assert_eq!(one(&database, room_id)["abandoned"], false);
        database.event(EventRow::member(30, ALICE, "leave").within(room_id));
        database.forget_state(room_id);

        let room = one(&database, room_id);
        assert_eq!(room["name"], "New name", "{shape:?}");
        let keys = ["abandoned", "forgotten", "encrypted", "type", "members"].map(|key| room[key].clone());
        assert_eq!(keys, [json!(true), json!(false), json!(true), json!("room"), json!(2)]);
        database.execute("update room_memberships set forgotten = 1 where user_id = '@alice:here.test'");
        assert_eq!(one(&database, room_id)["forgotten"], true);
        assert_eq!(all(&database, "name", &["--abandoned", "--no-counts"]), ["New name"]);

        // nothing says its name any more, but who was there
        database.execute("delete from events where type = 'm.room.name'");
        assert_eq!(one(&database, room_id)["name"], "@bob:far.test and @carol:far.test");
    }
}

#[test]
fn direct_chats_and_spaces_are_told_from_rooms() {
    for shape in SHAPES {
        let database = empty(shape);
        let space = ("m.room.create", json!({"type": "m.space"}));
        told(&database, "!space:x", 10, &[ALICE, BOB], &[space]);
        told(&database, "!two:x", 20, &[ALICE, BOB], &[]);
        told(&database, "!named:x", 30, &[ALICE, BOB], &[name("Two of us")]);
        told(&database, "!aliased:x", 40, &[ALICE, BOB], &[]);
        database.execute("insert into room_aliases (room_alias, room_id) values ('#aliased:x', '!aliased:x')");
        told(&database, "!alone:x", 50, &[ALICE], &[]);
        told(&database, "!three:x", 60, &[ALICE, BOB], &[]);
        database.event(EventRow::member(65, "@carol:here.test", "leave").within("!three:x"));
        // Alice names the chat to which she has invited Bob.
        told(&database, "!invited:x", 70, &[ALICE], &[name("Chat")]);
        let content = json!({"membership": "invite", "is_direct": true});
        database.event(EventRow::state(75, "m.room.member", BOB, &content).within("!invited:x"));
        database.event(EventRow::member(76, BOB, "join").within("!invited:x"));

        let kinds = |kind: &str| all(&database, "room_id", &["--type", kind, "--sort", "id"]);
        assert_eq!(kinds("dm"), ["!invited:x", "!two:x"], "{shape:?}");
        assert_eq!(kinds("space"), ["!space:x"]);
        assert_eq!(kinds("room"), ["!aliased:x", "!alone:x", "!named:x", "!three:x"]);
        // It stays one when both have left.
        database.forget_state("!two:x");
        assert_eq!(kinds("dm"), ["!invited:x", "!two:x"]);
    }
}

#[test]
fn sizes_and_days_are_those_of_the_timeline() {
    for shape in SHAPES {
        let database = empty(shape);
        database.room(ROOM, "10");
        let outlier = |id: i64| EventRow { outlier: true, ..EventRow::at(id) };
        database.event(EventRow { sender: "@bob:far.test".to_owned(), ..outlier(1) });
        database.event(outlier(2));
        database.events([3, 4, 5, -1, -2]);
        database.event(EventRow { rejected: Some("auth_error".to_owned()), ..EventRow::at(6) });
        // the last event claims to be from the past
        database.event(EventRow { ts: Some(0), ..EventRow::member(7, ALICE, "join") });
        database.event(EventRow::member(8, BOB, "leave"));
        database.event(EventRow { ts: Some(86_400_000), ..EventRow::at(9) });
        database.event(outlier(10));
        // only outliers: somebody was invited, or all was purged
        database.room("!outliers:here.test", "9");
        database.event(outlier(11).within("!outliers:here.test"));
        // its row in `rooms` is missing
        database.event(EventRow::at(12).within("!unknown:here.test"));

        let room = one(&database, ROOM);
        let keys = ["events", "members", "first_activity", "last_activity", "version"].map(|key| room[key].clone());
        assert_eq!(keys, [json!(9), json!(1), json!(NOON - 2000), json!(86_400_000), json!("10")], "{shape:?}");
        let outliers = one(&database, "!outliers:here.test");
        assert_eq!((&outliers["events"], &outliers["first_activity"]), (&json!(0), &json!(null)));
        let unknown = one(&database, "!unknown:here.test");
        assert_eq!((&unknown["events"], &unknown["version"]), (&json!(1), &json!(null)));
        assert_eq!(unknown["first_activity"], NOON + 12_000);

        let uncounted = listed(&database, &["--no-counts", "--sort", "id"]);
        assert_eq!((&uncounted[1]["events"], &uncounted[1]["members"]), (&json!(null), &json!(null)));
        rooms(&database, &["--no-counts", "--sort", "members"]).with(2).saying("--no-counts");
        let table = rooms(&database, &["--sort", "activity"]).with(0).stdout;
        assert!(table.lines().nth(2).is_some_and(|line| line.contains("2026-11-22  1970-01-02")), "{table}");
    }
}

/// Rooms a to d, which have 4 to 1 members and more events.
fn four() -> Database {
    let database = empty(Shape::V1_163);
    let people = [ALICE, BOB, "@c:here.test", "@d:here.test"];
    for ((at, room), fewer) in (0..).zip(["Ant", "bee", "Cow", "dog"]).zip(0..) {
        let room_id = format!("!{}:here.test", 9 - at);
        told(&database, &room_id, at * 100 + 1, &people[fewer..], &[name(room)]);
        (0..at * 3).for_each(|n| database.event(EventRow::at(at * 100 + 50 + n).within(&room_id)));
    }
    database
}

#[test]
fn rooms_are_sorted_and_filtered() {
    let database = four();
    let names = |more: &[&str]| all(&database, "name", more).join(" ");
    assert_eq!(names(&[]), "Ant bee Cow dog");
    assert_eq!(names(&["--reverse"]), "dog Cow bee Ant");
    assert_eq!(names(&["--sort", "members"]), "Ant bee Cow dog");
    assert_eq!(names(&["--sort", "events"]), "dog Cow bee Ant");
    assert_eq!(names(&["--sort", "events", "--reverse", "--limit", "2"]), "Ant bee");
    assert_eq!(names(&["--sort", "activity", "--limit", "1"]), "dog");
    assert_eq!(names(&["--sort", "id"]), "dog Cow bee Ant");
    assert_eq!(names(&["--sort", "id", "--limit", "3"]), "dog Cow bee");
    assert_eq!(names(&["--sort", "id", "--reverse", "--limit", "3"]), "Ant bee Cow");
    assert_eq!(names(&["--limit", "0"]), "");
    assert_eq!(names(&["--name", "O"]), "Cow dog");
    assert_eq!(names(&["--name", "#ALIAS"]), "");
    database.execute("insert into room_aliases (room_alias, room_id) values ('#alias:here.test', '!8:here.test')");
    assert_eq!(names(&["--name", "#ALIAS"]), "bee");
    assert_eq!(names(&["--encrypted"]), "");
    rooms(&database, &["--sort", "colour"]).with(2);
    rooms(&database, &["--name", "nowhere"]).with(0).saying("there are no such rooms");
    rooms(&database, &["--type", "chat"]).with(2).saying("room, space or dm");
    assert_eq!(rooms(&database, &["--quiet"]).with(0).stderr, "");
}

#[test]
fn the_latest_is_what_the_server_received_last() {
    let database = four();
    // who sends it says that it is of the year 2100
    database.event(EventRow { ts: Some(4_102_444_800_000), ..EventRow::at(40) }.within("!9:here.test"));
    let ants = one(&database, "!9:here.test");
    assert!(ants["last_received"].as_i64() < ants["last_activity"].as_i64(), "{ants}");
    assert_eq!(all(&database, "name", &["--sort", "activity"]).join(" "), "dog Cow bee Ant");
}

#[test]
fn what_exports_take_is_told_when_it_changes_and_listed_by_name() {
    let (database, archive) = (four(), TestArchive::new());
    let told = |more: &[&str]| export(&database, archive.path(), more).with(0);
    assert!(!told(&["--room", "!9:here.test"]).stderr.contains("selection"), "it is the first");
    assert!(!told(&[]).stderr.contains("selection"));
    let selected = |more: &[&str]| {
        let more = [&["--selected", "--archive", archive.path().to_str().unwrap()], more].concat();
        rooms(&database, &more).with(0)
    };
    assert!(selected(&["--no-counts"]).saying("exports take 1 selected room").stdout.starts_with("NAME"));
    let names = |json: &str| {
        let names = json.lines().map(|room| archive::json(room)["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&selected(&["--json"]).stdout), "Ant");
    told(&["--exclude-room", "!8:here.test"])
        .saying("the selection has changed: now all rooms but 1, before 1 selected room")
        .saying("rooms --selected");
    let table = selected(&[]).saying("all rooms but 1").stdout;
    assert!(table.contains("(left out) bee ") && table.contains("\ndog "), "{table}");
    for json in [selected(&["--json"]), selected(&["--json", "--sort", "id"])] {
        let left_out = json.stdout.lines().map(archive::json).filter(|room| room["left_out"] == true);
        assert_eq!(left_out.map(|room| room["name"].clone()).collect::<Vec<_>>(), ["bee"]);
        assert_eq!(json.stdout.lines().count(), 4);
    }
    told(&["--all-rooms"]).saying("now all rooms, before all rooms but 1");
    rooms(&database, &["--selected"]).with(2).saying("--archive");
    // who may set a name selects nothing
    for name in ["Ant", "#ant", "!9"] {
        let code = if name == "Ant" { 2 } else { 1 };
        export(&database, archive.path(), &["--room", name]).with(code);
    }
}

#[test]
fn every_page_is_read_and_a_closed_pipe_is_no_failure() {
    let database = empty(Shape::V1_163);
    database.execute(
        "insert into rooms (room_id, room_version) select '!' || i || ':here.test', '10' from generate_series(1, 1500) i where i % 2 = 0; \
         insert into events (stream_ordering, topological_ordering, event_id, type, room_id, processed, outlier, sender, origin_server_ts) \
         select i, 1, '$' || i, 'm.room.message', '!' || i || ':here.test', true, false, '@alice:here.test', i \
           from generate_series(1, 1500) i where i % 3 = 0",
    );
    for sort in ["id", "name"] {
        let ids = all(&database, "room_id", &["--sort", sort]);
        let mut expected: Vec<String> =
            (1..=1500).filter(|i| i % 2 == 0 || i % 3 == 0).map(|i| format!("!{i}:here.test")).collect();
        expected.sort();
        assert_eq!(ids, expected);
    }
    for more in [&["--json", "--sort", "id"][..], &[]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_synapse-export"))
            .args(["rooms", "--database", &database.dsn()])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut out = child.stdout.take().unwrap();
        out.read_exact(&mut [0; 100]).unwrap();
        drop(out);
        assert_eq!(child.wait().unwrap().code(), Some(0), "{more:?}");
    }
}

#[test]
fn the_table_fits_and_shows_nothing_harmful() {
    let database = empty(Shape::V1_163);
    told(&database, "!plain:here.test", 10, &[ALICE], &[name("It's \"plain\"")]);
    let evil =
        "\u{1b}[31mred\u{202e}\n\u{7}日本語の部屋の名前はとても長いので表の幅を超えてしまうかもしれませんよ本当に";
    told(&database, "!evil:here.test", 20, &[ALICE], &[name(evil)]);
    told(&database, "!long:here.test", 30, &[ALICE], &[name(&"long ".repeat(200))]);
    let table = |columns: &str| {
        let arguments = ["rooms", "--database", &database.dsn()];
        ended(command().args(arguments).env("COLUMNS", columns)).with(0).stdout
    };
    for columns in [60, 80, 100, 140, 200] {
        let table = table(&columns.to_string());
        let widths: Vec<usize> = table.lines().map(console::measure_text_width).collect();
        assert!(columns == 60 || widths.iter().all(|width| *width <= columns), "{columns}: {widths:?}\n{table}");
        assert_eq!(table.lines().count(), 4);
        assert!(!table.contains(|c: char| c == '\u{202e}' || (c.is_control() && c != '\n')), "{table}");
        // the ids stand in one column, whatever stands before them
        let places = ["!plain", "!evil", "!long"].map(|id| {
            let line = table.lines().find(|line| line.contains(id)).unwrap();
            console::measure_text_width(line.split(id).next().unwrap())
        });
        assert!(places.iter().all(|place| *place == places[0]), "{places:?}\n{table}");
    }
    let wide = table("200");
    assert!(wide.contains(r#"It's "plain"  "#) && wide.contains(r"\u{1b}[31mred\u{202e}\n"), "{wide}");
    assert!(wide.starts_with("NAME ") && wide.contains(" ALIAS ") && wide.contains("TYPE  VERSION  MEMBERS  EVENTS"));
    assert!(!table("80").contains("ALIAS"));

    // ids of rooms of version 12 are longer
    let long = format!("!{}", "x".repeat(43));
    told(&database, &long, 40, &[ALICE], &[name("A name of twenty-two.")]);
    let narrow = table("80");
    let line = narrow.lines().find(|line| line.contains(&long)).unwrap();
    assert!(line.contains("A name of twenty-two.  ") && line.contains("2026-11-22"), "{narrow}");
    assert!(narrow.lines().all(|line| console::measure_text_width(line) <= 80), "{narrow}");

    let lines = rooms(&database, &["--json"]).with(0).stdout;
    assert!(!lines.contains('\u{202e}') && lines.contains("\\u202e"), "{lines}");
    assert_eq!(one(&database, "!evil:here.test")["name"], evil);
    let long = one(&database, "!long:here.test")["name"].as_str().unwrap().chars().count();
    assert_eq!(long, 256, "255 and the sign that there is more");
}

#[test]
fn the_reader_role_suffices_and_an_older_one_is_told_what_it_lacks() {
    for (at, shape) in SHAPES.into_iter().enumerate() {
        let database = empty(shape);
        told(&database, ROOM, 10, &[ALICE, BOB], &[name("Named")]);
        told(&database, "!gone:here.test", 20, &[ALICE, BOB], &[]);
        database.event(EventRow::member(25, ALICE, "leave").within("!gone:here.test"));
        database.forget_state("!gone:here.test");
        // A role belongs to all databases of a server.
        let role = format!("rooms_reader_{at}");
        // twice, as after an upgrade
        for _ in 0..2 {
            database.psql(&include_str!("../../sql/reader_role.sql").replace("synapse_export", &role));
        }
        let dsn = database.dsn().replace("user=postgres", &format!("user={role}"));
        let as_role = |arguments: &[&str]| run(&[arguments, &["--database", &dsn]].concat());
        let commands: [&[&str]; 6] = [
            &["rooms"],
            &["room", ROOM],
            &["room", "named"],
            &["room", ROOM, "--state"],
            &["room", "!gone:here.test", "--state"],
            &["room", ROOM, "--honour-redactions"],
        ];
        for arguments in commands {
            let own = run(&[arguments, &["--database", &database.dsn()]].concat()).with(0);
            assert!(!own.stdout.is_empty());
            assert_eq!(as_role(arguments).with(0).stdout, own.stdout, "{shape:?} {arguments:?}");
        }

        // As it was granted before there was a list of rooms.
        database.execute(&format!(
            "revoke select on current_state_events, room_memberships, local_current_membership from {role}; \
             grant select (user_id) on local_current_membership to {role}"
        ));
        as_role(&["room", ROOM]).with(0);
        as_role(&["room", ROOM, "--honour-redactions"]).with(0);
        as_role(&["room", "#none:here.test"]).with(1).saying("no room has the alias");
        let grant = format!("GRANT SELECT ON current_state_events TO {role};");
        as_role(&["room", ROOM, "--state"]).with(1).saying(&grant);
        as_role(&["room", "named"]).with(1).saying("room_memberships");
        let said = as_role(&["rooms"]).with(1);
        let grant = said.stderr.split("run: ").nth(1).unwrap().split(';').next().unwrap();
        database.execute(grant);
        as_role(&["rooms"]).with(0);
        database.execute(&format!("drop owned by {role}; drop role {role}"));
    }
}

#[test]
fn a_signal_ends_a_list_and_its_statement() {
    let database = server();
    database.execute(
        "alter table rooms rename to rooms_; \
         create view rooms as select * from rooms_ where pg_sleep(60) is not null",
    );
    let sleeping =
        "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()";
    for more in [&[][..], &["--json", "--sort", "id"]] {
        let child = Command::new(env!("CARGO_BIN_EXE_synapse-export"))
            .args(["rooms", "--database", &database.dsn()])
            .args(more)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_until("rooms are read", || database.query_one_text(sleeping) == "1");
        kill(&child, "INT");
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(130) && said.contains("the list is not whole"), "{said}");
        wait_until("the statement is cancelled", || database.query_one_text(sleeping) == "0");
    }
}

#[test]
fn second_rows_list_no_room_and_no_member_twice() {
    let database = empty(Shape::V1_163);
    told(&database, "!one:here.test", 1, &[ALICE, BOB], &[name("One")]);
    told(&database, "!two:here.test", 11, &[ALICE, BOB], &[]);
    told(&database, "!three:here.test", 21, &[ALICE], &[name("Three")]);
    database.forget_state("!three:here.test");
    let before = listed(&database, &[]);
    for table in [
        "rooms",
        "rejections",
        "room_memberships",
        "local_current_membership",
        "current_state_events",
        "room_aliases",
        "users",
        "event_json",
    ] {
        database.with_broken_indexes(table, &format!("insert into {table} select * from {table}"));
        assert_eq!(listed(&database, &[]), before, "{table}");
    }
    database.with_broken_indexes("events", "insert into events select * from events");
    assert_eq!(listed(&database, &[]).len(), 3);
    run(&["room", "--database", &database.dsn(), "One", "--state"]).with(3);
    run(&["room", "--database", &database.dsn(), "!three:here.test", "--state"]).with(3);
}
