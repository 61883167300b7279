//! What a day tells of each kind of event, as people read it.

use serde_json::{Value, json};

use super::told::{BOB, from, redaction, reply, says, says_not, server, told, with};
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
