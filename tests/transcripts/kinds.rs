//! What a day tells of each kind of event, as people read it.

use serde_json::{Value, json};

use synapse_export::document::line::Anchor;

use super::told::{BOB, DAY, edit, from, links_lead_somewhere, redaction, reply, says, says_not, server, told, with};
use crate::support::archive::TestArchive;
use crate::support::story::EventRow;

const ALICE: &str = "@alice:here.test";
const CAROL: &str = "@carol:here.test";

/// Somebody joins under a name.
fn joins(id: i64, user: &str, name: &str) -> EventRow {
    let content = json!({"membership": "join", "displayname": name}).to_string();
    EventRow { content, ..EventRow::member(id, user, "join") }
}

/// An event of a type.
fn of(kind: &str, id: i64, sender: &str, content: &Value) -> EventRow {
    EventRow { event_type: kind.to_owned(), ..from(sender, with(id, content)) }
}

/// What a message is like without its place.
fn plain(day: &str) -> String {
    let parts: Vec<&str> = day.split("<a id=\"").collect();
    parts.iter().map(|part| part.split_once("\"></a>").map_or(*part, |(_, text)| text)).collect()
}

#[test]
fn who_speaks_for_others_is_told_by_both_names() {
    let (database, archive) = (server(), TestArchive::new());
    let relayed = |id: i64, name: &str, body: &str| {
        let profile = json!({"id": name, "displayname": name, "has_fallback": true});
        let content =
            json!({"msgtype": "m.text", "body": format!("{name}: {body}"), "com.beeper.per_message_profile": profile});
        from(BOB, with(id, &content))
    };
    database.event(joins(10, BOB, "Relay bot"));
    database.event(relayed(11, "Dana", "It has not arrived."));
    database.event(relayed(12, "Emil", "Which one?"));
    database.event(relayed(13, "Emil", "And when?"));
    database.event(reply(14, "$12"));
    let day = told(&database, &archive);
    let plain = plain(&day);
    says(
        &plain,
        &["**Dana (via Relay bot)** · 12:00\n\nIt has not arrived.", "**Emil (via Relay bot)** · 12:00\n\nWhich one?"],
    );
    says(&plain, &["12:00 · And when?", "> [Emil (via Relay bot) 12:00](#", "): Which one?"]);

    // what is redacted is not said for anybody
    database.redaction("$12", redaction(15));
    let day = told(&database, &archive);
    says(&day, &["> [Relay bot 12:00](#", "**Relay bot** · <a", "): *redacted*"]);
    assert_eq!(day.matches("Emil").count(), 1, "{day}");
    says_not(&day, &["Which one?"]);
}

#[test]
fn reactions_that_look_the_same_are_counted_together() {
    let (database, archive) = (server(), TestArchive::new());
    let reaction = |id: i64, sender: &str, key: &str, code: Option<&str>| {
        let relation = json!({"rel_type": "m.annotation", "event_id": "$10", "key": key});
        of("m.reaction", id, sender, &json!({"m.relates_to": relation, "shortcode": code}))
    };
    database.event(EventRow::message(10, "It works now."));
    let keys = ["mxc://here.test/parrot", "mxc://here.test/ship", "👍"];
    for (id, sender) in [(11, BOB), (21, CAROL)] {
        database.event(reaction(id, sender, keys[0], Some(":party-parrot:").filter(|_| sender == CAROL)));
        database.event(reaction(id + 2, sender, if sender == BOB { keys[2] } else { "👍\u{fe0f}" }, None));
    }
    // the same once more
    database.event(reaction(24, BOB, "👍\u{fe0f}", None));
    database.event(reaction(25, BOB, keys[1], None));
    database.event(reaction(26, BOB, "👍\u{fe0f}\u{1f3fd}", None));
    let day = told(&database, &archive);
    says(
        &day,
        &["\n\n:party-parrot: 2 (@bob:here.test, @carol:here.test) · 👍 2 (@bob:here.test, @carol:here.test) · "],
    );
    says(&day, &[" · a custom emoji @bob:here.test"]);
}

#[test]
fn those_who_leave_for_one_reason_are_told_together() {
    let (database, archive) = (server(), TestArchive::new());
    let leaves = |id: i64, user: &str, reason: &str| {
        let content = json!({"membership": "leave", "reason": reason}).to_string();
        EventRow { content, ..EventRow::member(id, user, "leave") }
    };
    let nicks: Vec<String> = (0..6).map(|nick| format!("@nick{nick}:here.test")).collect();
    for (id, nick) in (10..).zip(&nicks) {
        database.event(joins(id, nick, &nick[1..6]));
        database.event(leaves(id + 10, nick, if id < 15 { "*.net *.split" } else { "bye" }));
    }
    let day = plain(&told(&database, &archive));
    says(
        &day,
        &[
            "nick0, nick1, nick2 and 3 others joined · nick0, nick1, nick2 and 2 others left: \\*.net \\*.split · nick5 left: bye",
        ],
    );
    // one that others point to stands alone
    database.event(reply(40, "$21"));
    says(
        &plain(&told(&database, &archive)),
        &["nick0 left: \\*.net \\*.split · nick1 left: \\*.net \\*.split · nick2, nick3 and nick4 left"],
    );
}

#[test]
fn a_day_of_which_all_is_told_on_others_says_so() {
    let (database, archive) = (server(), TestArchive::new());
    let earlier = |row: EventRow| EventRow { ts: row.ts.map(|ts| ts - 86_400_000), ..row };
    database.event(earlier(EventRow::message(10, "was said")));
    database.event(earlier(EventRow::message(11, "wrong")));
    database.event(edit(12, "$10", "is said"));
    assert_eq!(
        plain(&told(&database, &archive)),
        format!(
            "<sub>12:00 · 1 edit of [an earlier day’s message](2026-11-21.md#{})</sub>\n\n",
            Anchor::of("$10").as_str()
        )
    );
    let relation = json!({"rel_type": "m.annotation", "event_id": "$10", "key": "👍"});
    database.event(of("m.reaction", 13, BOB, &json!({"m.relates_to": relation})));
    database.event(edit(14, "$10", "is still said"));
    database.redaction("$11", redaction(15));
    let day = plain(&told(&database, &archive));
    says(
        &day,
        &[
            "2 edits, the first of [an earlier day’s message](2026-11-21.md#",
            " · 1 reaction to [",
            " · 1 redaction of [",
        ],
    );
    let started = json!({"m.poll.start": {"question": {"m.text": "Tea?"}, "answers": [{"id": "y", "m.text": "yes"}]}});
    database.event(earlier(of("m.poll.start", 17, BOB, &started)));
    let of_poll = json!({"rel_type": "m.reference", "event_id": "$17"});
    let vote = json!({"m.relates_to": of_poll, "m.poll.response": {"answers": ["y"]}});
    database.event(of("m.poll.response", 18, BOB, &vote));
    database.event(of("m.poll.end", 19, BOB, &json!({"m.relates_to": of_poll})));
    says(
        &plain(&told(&database, &archive)),
        &[" · 1 vote in [an earlier day’s poll](", " · 1 end of [an earlier day’s poll]("],
    );
    // where there is something to read, that is enough
    database.event(EventRow::message(16, "good morning"));
    says_not(&told(&database, &archive), &["edits", "1 reaction", "redaction"]);
}

#[test]
fn what_cannot_be_read_is_quoted_as_it_is_told() {
    let (database, archive) = (server(), TestArchive::new());
    for (id, content) in [(10, "\"{}\""), (11, "\"a text\""), (12, r#"{"msgtype":"m.text"}"#), (13, r#"{"body":" "}"#)]
    {
        database.event(EventRow { content: content.to_owned(), ..EventRow::at(id) });
        database.event(reply(id + 10, &format!("${id}")));
    }
    let day = told(&database, &archive);
    assert_eq!(day.matches("*(message without a readable body)*").count(), 6, "{day}");
    assert_eq!(day.matches("*(empty message)*").count(), 2, "{day}");
    says_not(&day, &["redacted", "no text"]);
}

/// An event of a call.
fn call(id: i64, signal: &str, sender: &str, call: &str, more: &Value) -> EventRow {
    let mut content = json!({"call_id": call, "party_id": "A", "version": "1"});
    let more = more.as_object().expect("an object").clone();
    content.as_object_mut().expect("an object").extend(more);
    of(&format!("m.call.{signal}"), id, sender, &content)
}

#[test]
fn a_call_is_one_line() {
    let (database, archive) = (server(), TestArchive::new());
    database.event(joins(1, ALICE, "Alice"));
    database.event(joins(2, BOB, "Bob"));
    let none = json!({});
    let later = |minutes: i64, row: EventRow| EventRow { ts: row.ts.map(|ts| ts + 60_000 * minutes), ..row };
    database.event(call(10, "invite", ALICE, "c1", &json!({"offer": {"sdp": "v=0\r\nm=audio 9\r\n"}})));
    database.event(call(11, "candidates", ALICE, "c1", &none));
    database.event(call(12, "answer", BOB, "c1", &none));
    database.event(call(13, "select_answer", ALICE, "c1", &none));
    database.event(call(14, "candidates", BOB, "c1", &none));
    database.event(call(15, "negotiate", BOB, "c1", &none));
    let day = told(&database, &archive);
    says(&plain(&day), &["· Alice called, Bob answered</sub>"]);
    database.event(later(7, call(16, "hangup", ALICE, "c1", &json!({"reason": "user_hangup"}))));
    database.event(later(7, EventRow::message(17, "Thanks for the call.")));
    database
        .event(later(8, call(18, "invite", BOB, "c2", &json!({"offer": {"sdp": "v=0\r\nm=audio\r\nm=video 9\r\n"}}))));
    database.event(later(8, call(19, "hangup", BOB, "c2", &json!({"reason": "invite_timeout"}))));
    database.event(later(8, call(20, "invite", BOB, "c3", &json!({"invitee": ALICE}))));
    database.event(later(8, call(21, "reject", ALICE, "c3", &none)));
    // of a call that began on another day, if it ever did
    database.event(later(9, call(22, "hangup", ALICE, "c4", &none)));
    let day = told(&database, &archive);
    let plain = plain(&day);
    says(&plain, &["Alice called, Bob answered, and they talked for 7 min</sub>", "Thanks for the call."]);
    says(
        &plain,
        &["Bob called by video, nobody answered · Bob called Alice, Alice declined · 12:09 · Alice ended a call</sub>"],
    );
    says_not(&day, &["m.call"]);

    // by a clock that is slow
    database.event(call(24, "invite", ALICE, "c5", &none));
    database.event(EventRow { ts: EventRow::at(-170).ts, ..call(25, "answer", BOB, "c5", &none) });
    says(&self::plain(&told(&database, &archive)), &["Alice called, Bob answered</sub>"]);

    // an answer that is redacted is none
    database.redaction("$12", redaction(30));
    says(&self::plain(&told(&database, &archive)), &["Alice called, nobody answered"]);
    database.redaction("$18", redaction(31));
    says(&self::plain(&told(&database, &archive)), &["Bob called *[redacted by Alice at 12:00: wrong room]*"]);
}

#[test]
fn who_joins_or_leaves_a_call_is_told() {
    let (database, archive) = (server(), TestArchive::new());
    let member = |id: i64, user: &str, content: &Value| {
        let key = format!("_{user}_DEVICE");
        from(user, EventRow::state(id, "org.matrix.msc3401.call.member", &key, content))
    };
    let there = json!({"application": "m.call", "call_id": "", "device_id": "DEVICE", "expires": 14_400_000});
    database.event(member(9, ALICE, &there));
    // with another device, which is no other person
    database.event(from(ALICE, EventRow::state(10, "org.matrix.msc3401.call.member", "_phone", &there)));
    database.event(of("org.matrix.msc4075.rtc.notification", 11, ALICE, &json!({"notification_type": "ring"})));
    database.event(member(12, BOB, &there));
    let mut still = there.clone();
    still["created_ts"] = json!(EventRow::at(-600).ts);
    database.event(member(13, BOB, &still));
    database.event(of("org.matrix.msc4310.rtc.decline", 14, CAROL, &json!({})));
    database.event(member(15, ALICE, &json!({})));
    database.event(member(16, BOB, &json!({})));
    let day = told(&database, &archive);
    let names = ["@alice:here.test and @bob:here.test joined the call", "@carol:here.test declined the call"];
    says(
        &plain(&day),
        &[&format!("{} · {} · @alice:here.test and @bob:here.test left the call</sub>", names[0], names[1])],
    );
}

#[test]
fn a_live_location_is_told_with_its_positions_where_it_began() {
    let (database, archive) = (server(), TestArchive::new());
    let info = |id: i64, live: bool| {
        let content = json!({"description": "Alice’s hike", "live": live, "timeout": 900_000});
        EventRow::state(id, "org.matrix.msc3672.beacon_info", ALICE, &content)
    };
    let position = |id: i64, kind: &str, sender: &str, of_event: &str, description: &str| {
        let location = json!({"uri": format!("geo:47.{id},11"), "description": description});
        let relation = json!({"rel_type": "m.reference", "event_id": of_event});
        of(kind, id, sender, &json!({"m.relates_to": relation, "org.matrix.msc3488.location": location}))
    };
    let unstable = "org.matrix.msc3672.beacon";
    let earlier = |row: EventRow| EventRow { ts: row.ts.map(|ts| ts - 86_400_000), ..row };
    database.event(info(10, true));
    database.event(position(11, unstable, ALICE, "$10", ""));
    database.event(position(12, "m.beacon", ALICE, "$10", "on the ridge"));
    database.event(info(13, false));
    database.event(position(14, "m.beacon", BOB, "$10", ""));
    database.event(position(15, "m.beacon", BOB, "$nowhere", ""));
    database.event(reply(16, "$10"));
    let head = "📍 live location: Alice’s hike · for 15 min · 2 positions";
    let day = told(&database, &archive);
    let first = plain(&day);
    says(
        &first,
        &[&format!(
            "**@alice:here.test** · 12:00\n\n{head}\n\n- 12:00 · `geo:47.11,11`\n- 12:00 · on the ridge · `geo:47.12,11`"
        )],
    );
    says(
        &first,
        &[
            "@alice:here.test stopped sharing their live location · @bob:here.test sent a position for the live location of",
        ],
    );
    says(
        &first,
        &["@bob:here.test sent a position of a live location that is not in this archive", "): 📍 Alice’s hike"],
    );
    says_not(&day, &["msc3672", "m.beacon"]);
    links_lead_somewhere(&day);

    let relation = json!({"rel_type": "m.annotation", "event_id": "$10", "key": "👍"});
    database.event(of("m.reaction", 17, BOB, &json!({"m.relates_to": relation})));
    database.redaction("$12", redaction(18));
    // a position of another day stands where the sharing began
    database.event(earlier(info(20, true)));
    database.event(position(21, unstable, ALICE, "$20", ""));
    let second = plain(&told(&database, &archive));
    says(&second, &["· 1 position\n\n- 12:00 · `geo:47.11,11`\n\n👍 @bob:here.test"]);
    says(&archive.transcripts()[&DAY.replace("22.md", "21.md")], &["\n\n- 2026-11-22 12:00 · `geo:47.21,11`"]);
    database.redaction("$10", redaction(22));
    let third = told(&database, &archive);
    says_not(&third, &["hike", "geo:47.11", "shared"]);
    says(&third, &["@alice:here.test changed their live location *[redacted by @alice:here.test", "): *redacted*"]);
}

#[test]
fn who_may_do_what_and_who_is_kept_out_is_told() {
    let (database, archive) = (server(), TestArchive::new());
    database.event(joins(10, ALICE, "Alice"));
    database.event(joins(11, BOB, "Bob"));
    let levels = |id: i64, content: &Value| EventRow::state(id, "m.room.power_levels", "", content);
    database.event(levels(12, &json!({"users": {ALICE: 100}, "ban": 50})));
    database.event(levels(13, &json!({"users": {ALICE: 100, BOB: 50}, "ban": 50})));
    database.event(levels(14, &json!({"users": {ALICE: 100, BOB: 100}, "ban": 60, "events": {"m.room.name": 75}})));
    database.event(levels(15, &json!({"users": {ALICE: 100}, "ban": 60, "events": {"m.room.name": 75}})));
    let rule = |id: i64, content: &Value| EventRow::state(id, "m.policy.rule.server", "rule:evil", content);
    database.event(rule(16, &json!({"entity": "evil.example", "recommendation": "m.ban", "reason": "spam"})));
    database.event(rule(17, &json!({})));
    let acl = json!({"allow": ["*"], "deny": ["evil.example"]});
    database.event(EventRow::state(18, "m.room.server_acl", "", &acl));
    let day = plain(&told(&database, &archive));
    let bob = "Alice changed who may do what: Bob 100 (50 before), `ban` 60 (50 before), `m.room.name` 75";
    says(&day, &["Alice changed who may do what: Alice 100 · Alice changed who may do what: Bob 50", bob]);
    says(&day, &["Alice changed who may do what: Bob like all others (100 before)"]);
    says(
        &day,
        &[
            "Alice banned the server `evil.example` by the rule “rule:evil”: spam · Alice took back the rule “rule:evil” about servers",
        ],
    );
    says(&day, &["Alice changed which servers may take part: all but `evil.example`"]);

    // what changes is another thing where something comes late
    let later = |row: EventRow| EventRow { ts: row.ts.map(|ts| ts + 86_400_000), ..row };
    database.event(later(levels(30, &json!({"users": {ALICE: 100, BOB: 30}}))));
    told(&database, &archive);
    let next = DAY.replace("22.md", "23.md");
    says(&archive.transcripts()[&next], &["Bob 30, `ban` like all others (60 before), `m.room.name`"]);
    database.event(levels(31, &json!({"users": {ALICE: 100, BOB: 10}})));
    told(&database, &archive);
    says(&archive.transcripts()[&next], &["changed who may do what: Bob 30 (10 before)</sub>"]);

    for id in [14, 16, 18] {
        database.redaction(&format!("${id}"), redaction(40 + id));
    }
    let day = plain(&told(&database, &archive));
    says(
        &day,
        &[
            "Alice changed who may do what *[red",
            "changed the rule “rule:evil” about servers *[red",
            "may take part *[red",
        ],
    );
    says_not(&day, &["evil.example", "`m.room.name` 75"]);
}

#[test]
fn other_changes_of_a_room_are_told_in_words() {
    let (database, archive) = (server(), TestArchive::new());
    let states = [
        (
            "m.room.aliases",
            "here.test",
            json!({"aliases": ["#one:x", "#two:x"]}),
            "made #one:x, #two:x the room’s addresses at here.test",
        ),
        ("m.room.aliases", "here.test", json!({}), "took away the room’s addresses at here.test"),
        ("m.room.canonical_alias", "", json!({}), "took the room’s address away"),
        ("m.room.retention", "", json!({"max_lifetime": 86_400_000}), "changed how long messages are kept: 24 h"),
        ("im.vector.modular.widgets", "jitsi", json!({"type": "jitsi", "name": "Jitsi"}), "added the widget “Jitsi”"),
        ("im.vector.modular.widgets", "jitsi", json!({}), "took a widget away"),
        (
            "uk.half-shot.bridge",
            "x",
            json!({"protocol": {"id": "telegram", "displayname": "Telegram"}, "channel": {"id": "Chess"}}),
            "connected the room with Telegram: “Chess”",
        ),
        ("im.ponies.room_emotes", "", json!({}), "changed the room’s emoji"),
    ];
    for (id, (kind, key, content, _)) in (10..).zip(&states) {
        database.event(EventRow::state(id, kind, key, content));
    }
    let day = plain(&told(&database, &archive));
    let told: Vec<String> = states.iter().map(|(.., words)| format!("@alice:here.test {words}")).collect();
    says(&day, &[&told.join(" · ")]);
}
