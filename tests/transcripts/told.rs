//! What a day tells of redacted events and of what others made of them; each story is rendered as it is told, and at once.

use serde_json::{Value, json};

use crate::support::archive::TestArchive;
use crate::support::story::{EventRow, ROOM};
use crate::support::{Database, Shape, cluster};

pub(crate) const DAY: &str = "rooms/room@here.test/2026-11-22.md";

pub(crate) fn server() -> Database {
    let database = cluster().database("told", Shape::V1_163);
    database.user("@alice:here.test");
    database.room(ROOM, "10");
    database
}

/// What is told below the title, however it came to be.
#[track_caller]
pub(crate) fn told(database: &Database, archive: &TestArchive) -> String {
    archive.export(database);
    archive.render();
    let whole = TestArchive::new();
    whole.export(database);
    whole.render();
    let (grown, whole) = (archive.transcripts(), whole.transcripts());
    assert_eq!(grown[DAY], whole[DAY], "by another path");
    let (_, below) = grown[DAY].split_once("[all days](index.md)").expect("a day");
    below.split_once("\n\n").expect("a day").1.to_owned()
}

/// The same with what was redacted.
#[track_caller]
pub(crate) fn told_all(archive: &TestArchive) -> String {
    let mut archive = synapse_export::archive::Archive::open(archive.path(), None).expect("an archive");
    archive.show_redacted(true).expect("a setting");
    let mut document = Vec::new();
    let asked = synapse_export::views::DocumentRequest {
        room: synapse_export::event::RoomId::of(ROOM),
        period: None,
        sender: None,
        show_redacted: true,
        zone: "UTC".parse().expect("a zone"),
        to_media: None,
    };
    synapse_export::views::document_days(
        archive.catalog(),
        &asked,
        synapse_export::views::DocumentFormat::Markdown,
        &mut document,
    )
    .expect("a document");
    String::from_utf8(document).expect("UTF-8")
}

#[track_caller]
pub(crate) fn says(day: &str, parts: &[&str]) {
    for part in parts {
        assert!(day.contains(part), "{part} is not in\n{day}");
    }
}

#[track_caller]
pub(crate) fn says_not(day: &str, parts: &[&str]) {
    for part in parts {
        assert!(!day.contains(part), "{part} is in\n{day}");
    }
}

#[track_caller]
pub(crate) fn links_lead_somewhere(day: &str) {
    for link in day.split("](#").skip(1) {
        let name = link.split(')').next().expect("an end");
        assert!(day.contains(&format!("<a id=\"{name}\">")), "{name} is no place in\n{day}");
    }
}

pub(crate) fn from(sender: &str, row: EventRow) -> EventRow {
    EventRow { sender: sender.to_owned(), ..row }
}

pub(crate) fn with(id: i64, content: &Value) -> EventRow {
    EventRow { content: content.to_string(), ..EventRow::at(id) }
}

pub(crate) fn redaction(id: i64) -> EventRow {
    with(id, &json!({"reason": "wrong room"}))
}

pub(crate) const BOB: &str = "@bob:here.test";

#[test]
fn a_redacted_change_of_the_room_says_nothing_of_its_content() {
    let (database, archive) = (server(), TestArchive::new());
    let secret = "SECRET";
    let states = [
        ("m.room.name", "", json!({"name": secret}), "changed the room’s name"),
        ("m.room.topic", "", json!({"topic": secret}), "changed the topic"),
        ("m.room.canonical_alias", "", json!({"alias": "#SECRET:x"}), "changed the room’s addresses"),
        ("m.room.tombstone", "", json!({"body": secret, "replacement_room": "!SECRET:x"}), "closed the room"),
        ("m.room.third_party_invite", "t", json!({"display_name": secret}), "sent or withdrew an invitation"),
        ("m.room.guest_access", "", json!({"guest_access": "can_join"}), "changed whether guests may join"),
        ("m.room.join_rules", "", json!({"join_rule": "public"}), "changed who may join"),
        ("m.space.child", "!c:x", json!({"via": ["SECRET"]}), "changed whether `!c:x` is in the space"),
        ("m.room.member", BOB, json!({"membership": "join", "displayname": secret}), "changed their profile"),
        ("m.room.member", BOB, json!({"membership": "leave", "reason": secret}), "removed @bob:here.test"),
    ];
    database.event(from(BOB, EventRow::member(1, BOB, "join")));
    let id = |at: usize| 10 + i64::try_from(at).unwrap();
    for (at, (kind, key, content, _)) in states.iter().enumerate() {
        let sender = if content["membership"] == "join" { BOB } else { "@alice:here.test" };
        database.event(from(sender, EventRow::state(id(at), kind, key, content)));
    }
    says(&told(&database, &archive), &["named the room “SECRET”", "@bob:here.test is now called SECRET"]);
    let mark = "*[redacted by @alice:here.test at 12:01: wrong room]*";
    for at in 0..states.len() {
        database.redaction(&format!("${}", id(at)), redaction(100 + id(at)));
    }
    let day = told(&database, &archive);
    says_not(&day, &[secret, "is now called", "let guests", "everybody"]);
    for (.., words) in &states {
        says(&day, &[words]);
    }
    assert_eq!(day.matches(mark).count(), states.len(), "{day}");
    let all = told_all(&archive);
    assert_eq!(all.matches(mark).count(), states.len(), "{all}");
    let told = [
        "named the room “SECRET” *[red",
        "topic to “SECRET” *[red",
        "is now called SECRET *[red",
        "let guests join *[",
    ];
    says(&all, &told);

    // what the server has pruned is no other deed either, whoever is to see it
    for at in 0..states.len() {
        database.censor(&format!("${}", id(at)));
    }
    let (pruned, words) = (TestArchive::new(), |day: &str| day.replace('\n', " "));
    database.execute("update event_json set internal_metadata = '{\"redacted\": true}' where event_id in (select redacts from redactions)");
    pruned.export(&database);
    pruned.render();
    says_not(&words(&pruned.transcripts()[DAY]), &["away", "no guests", "out of the space", "no display name"]);
    says_not(&told_all(&pruned), &["away", "no guests", "out of the space", "no display name"]);
}

pub(crate) fn edit(id: i64, of: &str, text: &str) -> EventRow {
    let new = json!({"msgtype": "m.text", "body": text});
    let relation = json!({"rel_type": "m.replace", "event_id": of});
    with(id, &json!({"msgtype": "m.text", "body": format!("* {text}"), "m.new_content": new, "m.relates_to": relation}))
}

fn flawed(id: i64, of: &str, text: &str) -> EventRow {
    let relation = json!({"rel_type": "m.replace", "event_id": of});
    with(id, &json!({"msgtype": "m.text", "body": text, "m.relates_to": relation}))
}

pub(crate) fn reply(id: i64, to: &str) -> EventRow {
    let relation = json!({"m.in_reply_to": {"event_id": to}});
    with(id, &json!({"msgtype": "m.text", "body": format!("answer {id}"), "m.relates_to": relation}))
}

#[test]
fn what_was_redacted_is_not_told_by_its_edits() {
    let (database, archive) = (server(), TestArchive::new());
    database.event(EventRow::message(1, "SECRET"));
    database.event(edit(2, "$1", "SECRET edited"));
    database.event(edit(3, "$2", "SECRET edit of an edit"));
    database.event(flawed(4, "$1", "SECRET without new content"));
    database.event(EventRow { event_type: "org.example.thing".to_owned(), ..flawed(5, "$1", "SECRET thing") });
    database.event(EventRow { event_type: "m.poll.start".to_owned(), ..edit(6, "$1", "SECRET poll") });
    database.event(from(BOB, edit(7, "$1", "SECRET by another")));
    database.event(edit(8, "$nowhere", "SECRET of nothing here"));
    (2..=8).for_each(|id| database.event(reply(10 + id, &format!("${id}"))));
    let thread = json!({"rel_type": "m.thread", "event_id": "$2"});
    database.event(with(20, &json!({"msgtype": "m.text", "body": "threaded", "m.relates_to": thread})));
    let day = told(&database, &archive);
    says(&day, &["without effect: [it]", "SECRET without new content", "`org.example.thing`: SECRET thing"]);
    says(&day, &["in thread: SECRET edited"]);
    links_lead_somewhere(&day);

    for (id, target) in [(31, "$1"), (32, "$nowhere")] {
        database.redaction(target, redaction(id));
    }
    let day = told(&database, &archive);
    says_not(&day, &["SECRET"]);
    says(&day, &["in thread: *redacted*", "*an edit of a redacted message that is not in this archive*"]);
    links_lead_somewhere(&day);
    says(&told_all(&archive), &["SECRET\n\n</details>", "SECRET without new content"]);
}

#[test]
fn what_a_reply_quotes_in_its_own_text_is_not_told() {
    let (database, archive) = (server(), TestArchive::new());
    let relation = json!({"m.in_reply_to": {"event_id": "$1"}});
    let quoting = |text: &str| json!({"msgtype": "m.text", "body": format!("> <@a:x> SECRET\n\n{text}")});
    let replying = |id: i64, text: &str| {
        let mut content = quoting(text);
        content["m.relates_to"] = relation.clone();
        with(id, &content)
    };
    let editing = |id: i64, of: &str, text: &str| {
        let relation = json!({"rel_type": "m.replace", "event_id": of});
        with(id, &json!({"body": "* x", "m.new_content": quoting(text), "m.relates_to": relation}))
    };
    database.event(EventRow::message(1, "SECRET"));
    database.redaction("$1", redaction(2));
    database.event(replying(3, "first"));
    database.event(editing(4, "$3", "second"));
    database.event(editing(5, "$3", "third"));
    database.event(from(BOB, editing(6, "$3", "by another")));
    database.event(editing(7, "$nowhere", "of nothing here"));
    database.event(replying(8, ""));
    database.event(EventRow { event_type: "org.example.thing".to_owned(), ..replying(9, "thing") });
    (3..=9).for_each(|id| database.event(reply(10 + id, &format!("${id}"))));
    // new content that is of no edit
    database.event(with(20, &json!({"body": "open", "m.new_content": {"body": "SECRET"}})));
    database.event(reply(21, "$20"));
    let day = told(&database, &archive);
    says_not(&day, &["SECRET"]);
    says(&day, &["first", "second", "third", "by another", "of nothing here", "*(empty message)*", "thing"]);
    links_lead_somewhere(&day);
}

#[test]
fn who_looks_like_another_is_told_apart() {
    let (database, archive) = (server(), TestArchive::new());
    let long = "long ".repeat(20);
    let named = [
        ("Alice", "@a:x"),
        (" Alice ", "@b:x"),
        ("A  B", "@c:x"),
        ("A B", "@d:x"),
        (&format!("{long}1"), "@e:x"),
        (&format!("{long}2"), "@f:x"),
        ("Alice\u{2800}", "@g:x"),
    ];
    for (id, (name, user)) in (10..).zip(named) {
        let content = json!({"membership": "join", "displayname": name}).to_string();
        database.event(EventRow { content, ..EventRow::member(id, user, "join") });
        database.event(from(user, EventRow::message(id + 100, "hello")));
    }
    let content = json!({"membership": "join", "displayname": "Alice"}).to_string();
    database.event(EventRow { content, ..EventRow::member(30, "@b:x", "join") });
    let cut = format!("{}…", long[..80].trim_end());
    let day = told(&database, &archive);
    says(&day, &["**Alice (@a:x)**", "**Alice (@b:x)**", "**A B (@c:x)**", "**A B (@d:x)**"]);
    says(&day, &[&format!("**{cut} (@e:x)**"), &format!("**{cut} (@f:x)**"), "**Alice\\u{2800}**"]);
    says(&day, &["Alice (@b:x) changed their profile"]);
    // as after a redaction that is gone again, and from the lines alone
    database.ban_redacts("@b:x", "$30", None);
    says(&told(&database, &archive), &["**Alice**", "**@b:x**"]);
    database.ban_redacts("@b:x", "$30", Some(1));
    assert_eq!(told(&database, &archive), day);
    std::fs::remove_file(archive.path().join("catalog.sqlite")).unwrap();
    assert_eq!(told(&database, &archive), day);
}

pub(crate) fn reaction(id: i64, to: &str) -> EventRow {
    let relation = json!({"rel_type": "m.annotation", "event_id": to, "key": "👋"});
    EventRow { event_type: "m.reaction".to_owned(), ..with(id, &json!({"m.relates_to": relation})) }
}

fn threaded(id: i64, to: &str) -> EventRow {
    let relation = json!({"rel_type": "m.thread", "event_id": to});
    with(id, &json!({"msgtype": "m.text", "body": format!("threaded {id}"), "m.relates_to": relation}))
}

#[test]
fn what_others_made_of_an_event_is_told_wherever_it_stands() {
    let (database, archive) = (server(), TestArchive::new());
    database.event(EventRow::member(10, BOB, "join"));
    database.event(EventRow::member(11, "@carol:here.test", "join"));
    database.event(EventRow::state(12, "m.room.topic", "", &json!({"topic": "Tea"})));
    database.event(EventRow::message(13, "a message"));
    database.event(EventRow { event_type: "org.example.thing".to_owned(), ..with(14, &json!({})) });
    let day = told(&database, &archive);
    says(&day, &["@bob:here.test and @carol:here.test joined"]);
    (11..=14).for_each(|id| database.event(reaction(10 + id, &format!("${id}"))));
    let day = told(&database, &archive);
    says(&day, &["a message\n\n👋 @alice:here.test", "@carol:here.test joined ·"]);
    assert_eq!(day.matches("@alice:here.test reacted 👋 to [this](#").count(), 3, "{day}");
    links_lead_somewhere(&day);

    // of an edit, with what it edits
    database.event(from(BOB, reaction(30, "$31")));
    database.event(threaded(32, "$31"));
    database.event(edit(31, "$13", "edited"));
    let day = told(&database, &archive);
    says(&day, &["👋 2 (@alice:here.test, @bob:here.test) · [thread: 1 reply]"]);
    let content = json!({"membership": "join", "displayname": "Bob"}).to_string();
    database.event(EventRow { content, depth: 1, ts: EventRow::at(29).ts, ..EventRow::member(33, BOB, "join") });
    says(&told(&database, &archive), &["👋 2 (@alice:here.test, Bob) · [thread: 1 reply]"]);
    database.redaction("$30", redaction(34));
    says(&told(&database, &archive), &["👋 @alice:here.test · [thread: 1 reply]"]);

    // a thread outlives what it began with
    database.redaction("$13", redaction(35));
    let day = told(&database, &archive);
    says(&day, &["wrong room]*\n\n[thread: 1 reply]"]);
    links_lead_somewhere(&day);
}

#[test]
fn an_edit_cannot_make_a_message_vanish() {
    let (database, archive) = (server(), TestArchive::new());
    let request = |body: &str| json!({"msgtype": "m.key.verification.request", "body": body});
    let editing = |id: i64, of: &str, new: &Value| {
        let relation = json!({"rel_type": "m.replace", "event_id": of});
        with(id, &json!({"m.new_content": new, "m.relates_to": relation}))
    };
    database.event(EventRow::message(10, "was said"));
    database.event(editing(11, "$10", &request("is still said")));
    database.event(with(12, &request("between programs")));
    database.event(editing(13, "$12", &json!({"msgtype": "m.text", "body": "between programs"})));
    let day = told(&database, &archive);
    says(&day, &["was said", "is still said"]);
    says_not(&day, &["between programs"]);
}

#[test]
fn a_room_whose_name_is_taken_away_has_none() {
    let (database, archive) = (server(), TestArchive::new());
    database.event(EventRow::state(10, "m.room.name", "", &json!({"name": "Office"})));
    database.event(EventRow::state(11, "m.room.name", "", &json!({})));
    told(&database, &archive);
    says(&archive.transcripts()[DAY], &["name: \"!room:here.test\""]);
}

#[test]
fn what_is_not_known_is_not_made_up() {
    let (database, archive) = (server(), TestArchive::new());
    let damaged = |row: EventRow| EventRow { json: Some(r#"{"content":{"body":"\ud800"}}"#.to_owned()), ..row };
    database.event(damaged(EventRow::at(10)));
    database.event(reply(11, "$10"));
    database.event(damaged(EventRow::state(12, "m.room.name", "", &json!({}))));
    let topic = json!({"m.topic": {"m.text": [{"body": "Tea"}]}});
    database.event(EventRow::state(13, "m.room.topic", "", &topic));
    database.event(EventRow { event_type: "m.room.redaction".to_owned(), ..with(14, &json!({})) });
    let day = told(&database, &archive);
    says(&day, &["</a>12:00\n\n*(damaged: see the line)*", "): *(damaged: see the line)*"]);
    says(&day, &["changed the room’s name *(damaged: see the line)*", "changed the topic to “Tea”"]);
    says(&day, &["sent a redaction that names no event"]);
    says(&archive.transcripts()["rooms/room@here.test/room.json"], &["\"topic\": \"Tea\""]);
}

#[test]
fn a_ban_that_is_redacted_gives_no_reason_on_any_day() {
    let (database, archive) = (server(), TestArchive::new());
    let yesterday = EventRow::at(10).ts.map(|ts| ts - 86_400_000);
    database.event(from(BOB, EventRow { ts: yesterday, ..EventRow::at(10) }));
    database.event(EventRow::state(11, "m.room.member", BOB, &json!({"membership": "ban", "reason": "SECRET"})));
    database.ban_redacts(BOB, "$11", None);
    told(&database, &archive);
    let before = || archive.transcripts()[&DAY.replace("22.md", "21.md")].clone();
    says(&before(), &["[redacted by @alice:here.test at 2026-11-22 12:00: SECRET]"]);
    database.redaction("$11", redaction(12));
    says_not(&told(&database, &archive), &["SECRET"]);
    says(&before(), &["[redacted by @alice:here.test at 2026-11-22 12:00]"]);
}
