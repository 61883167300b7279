//! What people and rooms are called: by time, and where nothing has named them by then, as the room's own order has it.

use serde_json::json;

use super::told::{DAY, from, redaction, says, says_not, server, told};
use crate::support::archive::TestArchive;
use crate::support::story::{EventRow, NOON, ROOM};

const IGOR: &str = "@telegram_1001:here.test";
const OLGA: &str = "@telegram_1002:here.test";
const OLD: &str = "rooms/room@here.test/2021-03-01.md";
/// 2021-03-01 12:00 UTC.
const LONG_AGO: i64 = 1_614_600_000_000;

fn named(id: i64, user: &str, name: &str) -> EventRow {
    let content = json!({"membership": "join", "displayname": name}).to_string();
    EventRow { content, ..EventRow::member(id, user, "join") }
}

/// What somebody brings in late.
fn imported(id: i64, user: &str, text: &str) -> EventRow {
    from(user, EventRow { ts: Some(LONG_AGO + id * 60_000), ..EventRow::message(id, text) })
}

#[test]
fn what_is_from_before_any_name_has_the_first_one() {
    let (database, archive) = (server(), TestArchive::new());
    let old = || {
        told(&database, &archive);
        archive.transcripts()[OLD].clone()
    };
    database.event(imported(20, IGOR, "Shall we meet?"));
    database.event(imported(21, OLGA, "Tuesday."));
    database.event(EventRow::message(22, "now"));
    says(&old(), &["**@telegram_1001:here.test**", "name: \"!room:here.test\""]);

    // called by its members, until it has a name
    database.event(named(23, IGOR, "Igor (Telegram)"));
    says(&old(), &["**Igor (Telegram)** ·", "**@telegram_1002:here.test**", "# Igor (Telegram) · Monday"]);
    database.event(EventRow::state(24, "m.room.name", "", &json!({"name": "Chess club"})));
    says(&old(), &["name: \"Chess club\"", "# Chess club · Monday, 1 March 2021"]);
    database.event(EventRow::state(25, "m.room.name", "", &json!({"name": "Chess and go"})));
    database.event(named(26, IGOR, "Igor now"));
    let day = old();
    says(&day, &["**Igor (Telegram)** ·", "# Chess club · "]);
    says_not(&day, &["now", "Chess and go"]);

    // the room's own order, not time, says which is the first
    let early = |id: i64, row: EventRow| EventRow { depth: id, ts: row.ts.map(|ts| ts + 3_600_000), ..row };
    database.event(early(1, named(30, IGOR, "Igor at first")));
    database.event(early(2, EventRow::state(31, "m.room.name", "", &json!({"name": "Club"}))));
    says(&old(), &["**Igor at first** ·", "# Club · "]);
    database.redaction("$30", redaction(40));
    database.redaction("$31", redaction(41));
    says(&old(), &["**Igor (Telegram)** ·", "# Chess club · "]);

    // whoever else has the name at any time
    database.event(named(50, OLGA, "Igor (Telegram)"));
    says(&old(), &["**Igor (Telegram) (@telegram_1001:here.test)**", "**Igor (Telegram) (@telegram_1002:here.test)**"]);
    database.event(EventRow { depth: 5, ..named(51, OLGA, "Olga") });
    says(&old(), &["**Igor (Telegram) (@telegram_1001:here.test)**", "**Olga** ·"]);
    database.redaction("$50", redaction(52));
    says(&old(), &["**Igor (Telegram)** ·", "**Olga** ·"]);

    // and once there is a name by then, that one
    database.event(EventRow { ts: Some(LONG_AGO), depth: 1_000_300, ..named(60, IGOR, "Igor of old") });
    says(&old(), &["**Igor of old** ·", "**Olga** ·"]);
    assert!(archive.transcripts()[DAY].contains("Igor"));
}

#[test]
fn a_reaction_to_what_is_told_elsewhere_has_the_first_name_too() {
    let (database, archive) = (server(), TestArchive::new());
    database.event(EventRow::message(10, "hello"));
    let relation = json!({"rel_type": "m.annotation", "event_id": "$10", "key": "👋"});
    let content = json!({"m.relates_to": relation}).to_string();
    let reaction = EventRow { event_type: "m.reaction".to_owned(), content, ..EventRow::at(11) };
    database.event(from(IGOR, EventRow { ts: Some(LONG_AGO), ..reaction }));
    says(&told(&database, &archive), &["👋 @telegram_1001:here.test"]);
    database.event(named(3_600, IGOR, "Igor"));
    says(&told(&database, &archive), &["👋 Igor"]);
}

#[test]
fn what_nobody_sees_makes_no_other_name() {
    let (database, archive) = (server(), TestArchive::new());
    let names = ["דנה", "דנה\u{200f}", "\u{2067}Dana\u{2069}", "Da\u{ad}na", "Dana \u{200b}", "\u{200b}\u{2060}"];
    for (id, name) in (10..).zip(names) {
        let user = format!("@u{id}:x");
        database.event(named(id, &user, name));
        database.event(from(&user, EventRow::message(id + 100, "hello")));
    }
    let day = told(&database, &archive);
    for (id, name) in (10..15).zip(names) {
        says(&day, &[&format!("**{name} (@u{id}:x)**")]);
    }
    says(&day, &["**@u15:x**"]);
    database.event(named(60, "@u\u{200f}:x", "Ω"));
    database.event(from("@u\u{200f}:x", EventRow::message(61, "hello")));
    database.event(named(62, "@v:x", "Ω\u{200f}"));
    says(&told(&database, &archive), &["**Ω (@u\\u{200f}:x)**"]);
}

#[test]
fn whose_each_name_is_stands_in_the_index_and_at_the_end_of_a_document() {
    let (database, archive) = (server(), TestArchive::new());
    database.event(named(10, IGOR, "Igor"));
    database.event(named(11, OLGA, "Olga | *O*"));
    database.event(named(12, IGOR, "Igor"));
    database.event(named(13, IGOR, "Igor (away)"));
    database.event(named(14, "@i:x", "Igor"));
    database.event(from(OLGA, EventRow::message(20, "hello")));
    told(&database, &archive);
    let index = || archive.transcripts()["rooms/room@here.test/index.md"].clone();
    let people = "\n\n## People\n\n| name | Matrix id |\n|---|---|\n| Igor | `@i:x` |\n| Igor | `@telegram_1001:here.test` |\n\
                  | Igor (away) | `@telegram_1001:here.test` |\n| Olga \\| \\*O\\* | `@telegram_1002:here.test` |\n";
    assert!(index().ends_with(people), "{}", index());
    database.redaction("$13", redaction(30));
    let changed = people.replace("| Igor (away) | `@telegram_1001:here.test` |\n", "");
    told(&database, &archive);
    assert!(index().ends_with(&changed), "{}", index());

    let document = |between: Option<std::ops::Range<i64>>| {
        let opened = synapse_export::archive::Archive::open(archive.path(), None).expect("an archive");
        let mut document = Vec::new();
        let zone = synapse_export::document::time::Zone::default();
        let asked = synapse_export::views::DocumentRequest {
            room: synapse_export::event::RoomId::of(ROOM),
            period: between,
            sender: None,
            show_redacted: false,
            zone,
            to_media: None,
        };
        synapse_export::views::document_days(
            opened.catalog(),
            &asked,
            synapse_export::views::DocumentFormat::Markdown,
            &mut document,
        )
        .expect("a document");
        String::from_utf8(document).expect("UTF-8")
    };
    assert!(document(None).ends_with(&changed), "{}", document(None));
    let head = "\n\n## People\n\n| name | Matrix id |\n|---|---|\n";
    let only = document(Some(NOON + 19_000..NOON + 21_000));
    assert!(only.ends_with(&format!("{head}| Olga \\| \\*O\\* | `@telegram_1002:here.test` |\n")), "{only}");
    assert!(!document(Some(0..1)).contains("People"));
}

#[test]
fn of_very_many_names_the_first_ones_are_told() {
    let (database, archive) = (server(), TestArchive::new());
    for id in 0..1_001 {
        database.event(named(10 + id, &format!("@u{id}:x"), &format!("User {id:04}")));
    }
    told(&database, &archive);
    let index = &archive.transcripts()["rooms/room@here.test/index.md"];
    assert!(index.ends_with("| User 0999 | `@u999:x` |\n\nand others\n"), "{index}");
    database.event(EventRow { depth: 2_000_000, ..named(2_000, "@u1000:x", "User 0000") });
    told(&database, &archive);
    let index = &archive.transcripts()["rooms/room@here.test/index.md"];
    assert!(index.contains("| User 0000 | `@u0:x` |\n| User 0000 | `@u1000:x` |"), "{index}");
}
