//! The order in which a day is told: by time, but nothing live before what the room's own order puts first, and nothing before
//! what it names.

use serde_json::json;

use super::told::{from, reaction, reply, server, told};
use crate::support::archive::TestArchive;
use crate::support::story::{EventRow, NOON};

const ZOE: &str = "@zoe:slow.example";

/// An event that was sent so many seconds after noon, and received when it was its turn.
fn sent(seconds: i64, row: EventRow) -> EventRow {
    EventRow { ts: Some(NOON + seconds * 1000), ..row }
}

/// The same, received so much later, or earlier.
fn received(seconds: i64, row: EventRow) -> EventRow {
    EventRow { received_ts: row.ts.map(|ts| ts + seconds * 1000), ..row }
}

#[track_caller]
fn in_order(day: &str, parts: &[&str]) {
    let mut rest = day;
    for part in parts {
        let (_, after) = rest.split_once(part).unwrap_or_else(|| panic!("{part} is not, or too early, in\n{day}"));
        rest = after;
    }
}

#[test]
fn a_slow_clock_puts_no_answer_before_its_question() {
    let (database, archive) = (server(), TestArchive::new());
    database.event(sent(600, EventRow::message(600, "Which port is it?")));
    database.event(from(ZOE, sent(420, reply(601, "$600"))));
    database.event(sent(660, EventRow::message(660, "Thanks.")));
    database.event(from(ZOE, sent(490, EventRow::message(661, "No problem."))));
    database.event(from(ZOE, sent(560, EventRow::message(662, "Any time."))));
    let day = told(&database, &archive);
    in_order(
        &day,
        &["12:10", "port", "12:07", "answer 601", "12:11", "Thanks", "12:08", "No problem", "12:09", "Any time"],
    );
    // of two sent at the same time the room's own order knows the first
    database.event(sent(660, EventRow { depth: 1_000_659, ..EventRow::message(663, "Before thanks.") }));
    in_order(&told(&database, &archive), &["port", "answer 601", "Before thanks", "Thanks", "No problem"]);
}

#[test]
fn what_is_brought_in_late_goes_by_time() {
    let (database, archive) = (server(), TestArchive::new());
    database.event(sent(0, EventRow::message(1, "one")));
    database.event(sent(7200, EventRow::message(7200, "five")));
    let late = |id: i64, seconds: i64, body: &str| {
        let row = sent(seconds, EventRow::message(id, body));
        EventRow { received_ts: Some(NOON + 8_000_000), ..row }
    };
    database.event(late(7300, 1800, "three"));
    database.event(late(7301, 60, "two"));
    database.event(late(7302, 3600, "four"));
    // a quarter of an hour is live, a second more is not
    database.event(received(901, sent(7100, EventRow::message(7303, "half past four"))));
    database.event(received(900, sent(7100, EventRow::message(7304, "six"))));
    database.event(received(-60, sent(7500, EventRow::message(7305, "seven"))));
    database.event(EventRow { received_ts: None, ..sent(-60, EventRow::message(7306, "zero")) });
    let order = ["zero", "one", "two", "three", "four", "half past four", "five", "six", "seven"]
        .map(|word| format!("\n\n{word}\n"));
    let day = told(&database, &archive).replace(" · ", "\n\n");
    in_order(&day, &order.each_ref().map(String::as_str));
}

#[test]
fn nothing_stands_before_what_it_names() {
    let (database, archive) = (server(), TestArchive::new());
    let late = |row: EventRow| received(86_400, row);
    database.event(late(sent(100, EventRow::message(100, "asked"))));
    database.event(late(sent(90, reply(101, "$100"))));
    database.event(late(sent(80, reply(102, "$101"))));
    database.event(late(sent(85, reply(103, "$100"))));
    database.event(late(sent(95, EventRow::message(104, "between"))));
    let day = told(&database, &archive);
    in_order(&day, &["between", "asked", "answer 103", "answer 101", "answer 102"]);
    // to one that is held up by another's clock
    database.event(sent(500, EventRow::message(500, "late clock")));
    database.event(sent(300, EventRow::message(501, "slow clock")));
    database.event(late(sent(400, reply(502, "$501"))));
    in_order(&told(&database, &archive), &["late clock", "slow clock", "answer 502"]);
    // among the small things, and an edit that is told alone
    database.event(late(sent(1000, EventRow::state(600, "m.room.topic", "", &json!({"topic": "Tea"})))));
    database.event(late(sent(900, reaction(601, "$600"))));
    let edit =
        json!({"msgtype": "m.text", "body": "flawed", "m.relates_to": {"rel_type": "m.replace", "event_id": "$502"}});
    database.event(late(sent(200, EventRow { content: edit.to_string(), ..EventRow::at(602) })));
    let day = told(&database, &archive);
    in_order(&day, &["answer 502", "flawed", "“Tea”", "reacted 👋 to [this]"]);
}

#[test]
fn what_names_itself_or_one_another_is_told_all_the_same() {
    let (database, archive) = (server(), TestArchive::new());
    database.event(reply(1, "$2"));
    database.event(reply(2, "$3"));
    database.event(reply(3, "$1"));
    database.event(reply(4, "$4"));
    database.event(reply(5, "$nowhere"));
    let day = told(&database, &archive);
    in_order(&day, &["answer 4", "answer 5", "answer 1", "answer 2", "answer 3"]);
}
