//! What it costs to archive and to render what members may send on purpose: as much as there is of it, never its square. Counts
//! SQLite's steps, never time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Archive, Batch, Catalog, Request, Selection, What};
use crate::event::{BanRedaction, Event, EventId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, Stored, UserId};

/// How many of SQLite's steps are counted at once.
const AT_ONCE: u16 = 10;
const DAY: i64 = 24 * 60 * 60 * 1000;
const START: i64 = 1_795_305_600_000;
const ROOM: &str = "!r:x";

thread_local! {
    /// SQLite's steps on the connections that this thread has opened.
    static STEPS: Arc<AtomicU64> = Arc::default();
}

/// Counts the steps of a catalog with those of the thread that opens it.
pub(crate) fn count_steps(catalog: &mut Catalog) {
    count(&mut catalog.connection);
}

fn count(connection: &mut Connection) {
    let steps = STEPS.with(Arc::clone);
    let add = move || {
        steps.fetch_add(AT_ONCE.into(), Ordering::Relaxed);
        false
    };
    connection.progress_handler(AT_ONCE.into(), Some(add)).unwrap();
}

/// What somebody sends.
struct Sent {
    number: usize,
    room: String,
    kind: &'static str,
    sender: String,
    state_key: Option<String>,
    at: i64,
    content: Value,
    redacts: Option<usize>,
    recheck: bool,
    soft_failed: bool,
    /// It redacts all of whom it bans.
    bans: bool,
    /// How much later the server received it, in milliseconds.
    delay: i64,
}

impl Sent {
    fn new(number: usize, kind: &'static str, content: Value) -> Sent {
        let at = START + i64::try_from(number % 80_000).unwrap() * 1000;
        let (room, sender) = (ROOM.to_owned(), "@a:x".to_owned());
        let (state_key, redacts) = (None, None);
        let (recheck, soft_failed, bans, delay) = (false, false, false, 0);
        Sent { number, room, kind, sender, state_key, at, content, redacts, recheck, soft_failed, bans, delay }
    }

    fn message(number: usize, relation: &Value) -> Sent {
        let content = json!({ "msgtype": "m.text", "body": "a", "m.relates_to": relation });
        Sent::new(number, "m.room.message", content)
    }

    fn edit(number: usize, of: usize) -> Sent {
        let mut edit = Sent::message(number, &json!({ "rel_type": "m.replace", "event_id": id(of) }));
        edit.content["m.new_content"] = json!({ "msgtype": "m.text", "body": format!("b{number}") });
        edit
    }

    fn reply(number: usize, to: usize) -> Sent {
        Sent::message(number, &json!({ "m.in_reply_to": { "event_id": id(to) } }))
    }

    fn in_thread(number: usize, root: usize) -> Sent {
        Sent::message(number, &json!({ "rel_type": "m.thread", "event_id": id(root) }))
    }

    fn about(number: usize, kind: &'static str, rel_type: &str, of: usize) -> Sent {
        let relation = json!({ "rel_type": rel_type, "event_id": id(of), "key": format!("k{number}") });
        Sent::new(number, kind, json!({ "m.relates_to": relation, "m.selections": ["1"] }))
    }

    fn redaction(number: usize, of: usize) -> Sent {
        Sent { redacts: Some(of), ..Sent::new(number, "m.room.redaction", json!({ "redacts": id(of) })) }
    }

    fn state(number: usize, kind: &'static str, content: Value) -> Sent {
        Sent { state_key: Some(String::new()), ..Sent::new(number, kind, content) }
    }

    fn member(number: usize, user: &str, membership: &str, name: &str) -> Sent {
        let content = json!({ "membership": membership, "displayname": name });
        let sender = if membership == "ban" { "@a:x" } else { user };
        Sent { state_key: Some(user.to_owned()), ..Sent::new(number, "m.room.member", content) }.by(sender)
    }

    fn by(self, sender: &str) -> Sent {
        Sent { sender: sender.to_owned(), ..self }
    }

    /// After so many days.
    fn days(self, days: usize) -> Sent {
        Sent { at: self.at + i64::try_from(days).unwrap() * DAY, ..self }
    }

    /// So many days, or seconds, earlier, and brought in late.
    fn late(self, days: usize, seconds: usize) -> Sent {
        let [days, seconds] = [days, seconds].map(|count| i64::try_from(count).unwrap());
        Sent { at: self.at - days * DAY - seconds * 1000, delay: DAY, ..self }
    }

    fn event(&self) -> Event {
        let Sent { kind, sender, state_key, at, content, .. } = self;
        let pdu = json!({ "type": kind, "sender": sender, "state_key": state_key, "origin_server_ts": at, "content": content });
        let (redacts, position) = (self.redacts.map(id), i64::try_from(self.number).unwrap() + 1);
        Event::from_stored(&Stored {
            event_id: EventId::of(&id(self.number)),
            room_id: RoomId::of(&self.room),
            kind,
            sender: Some(UserId::of(sender)),
            state_key: state_key.as_deref(),
            stream_ordering: position,
            topological_ordering: position,
            origin_server_ts: Some(*at),
            received_ts: Some(*at + self.delay),
            room_version: Some("11"),
            outlier: false,
            rejected: false,
            internal_metadata: self.soft_failed.then_some(r#"{"soft_failed":true}"#),
            json: Some(&pdu.to_string()),
            redacts: redacts.as_deref().map(EventId::of),
            recheck: Some(self.recheck),
        })
    }
}

fn id(number: usize) -> String {
    format!("${number}")
}

fn user(number: usize) -> String {
    format!("@u{number}:x")
}

/// Adds events to an archive and renders it.
fn take(archive: &mut Archive, run: i64, sent: &[Sent]) {
    let mut batch = Batch::default();
    let mut bans = Vec::new();
    for sent in sent {
        batch.push(Box::new(sent.event()), false);
        let (room_id, event_id) = (sent.room.clone(), id(sent.number));
        bans.extend(sent.state_key.clone().filter(|_| sent.bans).map(|user_id| BanRedaction {
            room_id: OwnedRoomId::of(room_id.clone()),
            user_id: OwnedUserId::of(user_id),
            event_id: OwnedEventId::of(event_id.clone()),
            until: None,
        }));
    }
    archive.commit(run, [batch]).unwrap();
    archive.redact_banned(&bans).unwrap();
    crate::views::render(archive, &mut |_, _| true).unwrap();
}

/// SQLite's steps to archive and render what is sent: every second event, and then the others between them.
fn work(shape: Shape, count: usize) -> u64 {
    let place = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(place.path(), None).unwrap();
    self::count(&mut archive.catalog.connection);
    archive.index().unwrap();
    let run = archive.begin_run(&Selection::default(), &[]).unwrap();
    let steps = || STEPS.with(|steps| steps.load(Ordering::Relaxed));
    let before = steps();
    // another day, which stays fresh, so that there is something to look for
    let fresh = Sent { number: usize::MAX >> 2, at: START - 9 * DAY, ..Sent::message(0, &json!({})) };
    take(&mut archive, run, &[fresh, shape(0, count)]);
    for odd in [0, 1] {
        let numbers = (1..count).filter(|number| number % 2 == odd);
        take(&mut archive, run, &numbers.map(|number| shape(number, count)).collect::<Vec<_>>());
    }
    steps() - before
}

/// What is sent as the event of a number, of so many.
type Shape = fn(usize, usize) -> Sent;

/// No event of the archive.
const ELSEWHERE: usize = usize::MAX >> 1;

const SHAPES: [(&str, Shape); 39] = [
    ("edits of one message", |number, _| match number {
        0 => Sent::message(0, &json!({})),
        _ => Sent::edit(number, 0),
    }),
    ("edits of edits", |number, _| match number {
        0 => Sent::message(0, &json!({})),
        _ => Sent::edit(number, number - 1),
    }),
    ("edits of one message, a day each", |number, _| match number {
        0 => Sent::message(0, &json!({})),
        _ => Sent::edit(number, 0).days(number),
    }),
    ("reactions to one message, and redactions of it", |number, _| match number {
        0 => Sent::message(0, &json!({})),
        _ if number % 4 < 2 => Sent::about(number, "m.reaction", "m.annotation", 0),
        _ => Sent::redaction(number, 0),
    }),
    ("redactions of one message in vain", |number, _| match number {
        0 => Sent::message(0, &json!({})),
        _ => Sent { recheck: true, ..Sent::redaction(number, 0).by("@b:y") },
    }),
    ("edits of one message, and reactions to these", |number, _| match number {
        0 | 1 => Sent::message(number, &json!({})),
        _ if number % 4 < 2 => Sent::edit(number, 0),
        _ => Sent::about(number, "m.reaction", "m.annotation", number - 2),
    }),
    ("edits of one message, and replies to it", |number, _| match number {
        0 => Sent::message(0, &json!({})),
        _ if number % 4 < 2 => Sent::edit(number, 0),
        _ => Sent::reply(number, 0),
    }),
    ("edits of one message, and replies in its thread", |number, _| match number {
        0 => Sent::message(0, &json!({})),
        _ if number % 4 < 2 => Sent::edit(number, 0),
        _ => Sent::in_thread(number, 0),
    }),
    ("edits of a poll, and votes", |number, _| match number {
        0 => {
            let answer = json!({ "m.id": "1", "m.text": [{ "body": "one" }] });
            let poll = json!({ "question": { "m.text": [{ "body": "?" }] }, "answers": [answer] });
            Sent::new(0, "m.poll.start", json!({ "m.poll": poll }))
        }
        _ if number % 4 < 2 => Sent { kind: "m.poll.start", ..Sent::edit(number, 0) },
        _ => Sent::about(number, "m.poll.response", "m.reference", 0).by(&user(number)),
    }),
    ("power levels, and ends of one poll by others", |number, _| match number {
        0 => Sent::new(0, "m.poll.start", json!({})),
        _ if number % 4 < 2 => Sent::state(number, "m.room.power_levels", json!({ "users": { "@a:x": number } })),
        _ => Sent::about(number, "m.poll.end", "m.reference", 0).by(&user(number)),
    }),
    ("power levels, a day each", |number, _| {
        Sent::state(number, "m.room.power_levels", json!({ "users": { "@a:x": number } })).days(number)
    }),
    ("calls", |number, _| match number % 4 {
        0 | 1 => Sent::new(number, "m.call.invite", json!({ "call_id": format!("c{number}") })),
        _ => Sent::new(number, "m.call.answer", json!({ "call_id": format!("c{}", number - 2) })).by("@b:x"),
    }),
    ("answers to one call, a day each", |number, _| match number {
        0 => Sent::new(0, "m.call.invite", json!({ "call_id": "c" })),
        _ => Sent::new(number, "m.call.answer", json!({ "call_id": "c" })).by("@b:x").days(number),
    }),
    ("positions of one live location, a day each", |number, _| match number {
        0 => Sent::state(0, "m.beacon_info", json!({ "live": true })),
        _ => Sent::about(number, "m.beacon", "m.reference", 0).days(number),
    }),
    ("live locations, and positions", |number, _| match number % 4 {
        0 | 1 => Sent::state(number, "m.beacon_info", json!({ "live": true })),
        _ => Sent::about(number, "m.beacon", "m.reference", number - 2),
    }),
    ("edits of one message on another day, and reactions", |number, _| match number {
        0 => Sent::message(0, &json!({})),
        _ if number % 4 < 2 => Sent::edit(number, 0).days(1),
        _ => Sent::about(number, "m.reaction", "m.annotation", 0).days(1),
    }),
    ("edits of what is elsewhere, and redactions of it", |number, _| match number {
        _ if number % 4 < 2 => Sent::edit(number, ELSEWHERE),
        _ => Sent { recheck: true, ..Sent::redaction(number, ELSEWHERE).by("@b:y") },
    }),
    ("edits of what is elsewhere, and redactions of it, by many", |number, _| match number {
        _ if number % 4 < 2 => Sent::edit(number, ELSEWHERE).by(&user(number)),
        _ => Sent { recheck: true, ..Sent::redaction(number, ELSEWHERE).by("@b:y") },
    }),
    ("bans and rejoins of one user", |number, _| match number % 4 {
        0 | 1 => Sent::member(number, "@b:x", "join", "B"),
        _ => Sent::member(number, "@b:x", "ban", "B"),
    }),
    ("bans that redact", |number, _| match number % 4 {
        0 | 1 => Sent::message(number, &json!({})).by(&user(number + 2)),
        _ => Sent { bans: true, ..Sent::member(number, &user(number), "ban", "B") },
    }),
    ("names of one user", |number, _| Sent::member(number, "@a:x", "join", &format!("A{number}"))),
    ("names of one user, and words", |number, _| match number % 4 {
        0 | 1 => Sent::member(number, "@a:x", "join", &format!("A{number}")),
        _ => Sent::message(number, &json!({})),
    }),
    ("names of one user, a day each", |number, _| {
        Sent::member(number, "@a:x", "join", &format!("A{number}")).days(number)
    }),
    ("names of one room, a day each", |number, _| {
        Sent::state(number, "m.room.name", json!({ "name": format!("A{number}") })).days(number)
    }),
    ("members of one name", |number, count| match number.checked_sub(count / 2) {
        None => Sent::member(number, &user(number), "join", "Ann"),
        Some(of) => Sent::message(number, &json!({})).by(&user(of)).days(1),
    }),
    ("members of one name who have left", |number, count| match number.checked_sub(count / 2) {
        None if number % 4 < 2 => Sent::member(number, &user(number), "join", "Ann"),
        None => Sent::member(number, &user(number - 2), "leave", "Ann"),
        Some(of) => Sent::message(number, &json!({})).by(&user(of / 4 * 4 + of % 2)).days(3),
    }),
    ("bans of one user who is answered, and reacts later", |number, count| match number {
        0 => Sent::member(0, "@b:x", "join", "B"),
        1 => Sent::message(1, &json!({})).by("@b:x"),
        2 => Sent::member(2, "@b:x", "join", "C").days(1),
        _ if number < count / 2 => Sent::member(number, "@b:x", "ban", "B"),
        _ if number % 4 < 2 => Sent::reply(number, 1),
        _ => Sent::about(number, "m.reaction", "m.annotation", number - 2).by("@b:x").days(1),
    }),
    ("memberships of one user, and such that soft-failed", |number, _| Sent {
        soft_failed: number % 4 < 2,
        ..Sent::member(number, "@b:x", "join", "B")
    }),
    ("rooms of one name", |number, _| Sent {
        room: format!("!{number}:x"),
        ..Sent::state(number, "m.room.name", json!({ "name": "A" }))
    }),
    ("rooms of one alias", |number, _| Sent {
        room: format!("!{number}:x"),
        ..Sent::state(number, "m.room.canonical_alias", json!({ "alias": "#a:x" }))
    }),
    ("words, a day each", |number, _| Sent::message(number, &json!({})).days(number)),
    ("words that are received in any order", |number, _| match number % 4 {
        0 | 1 => Sent::message(number, &json!({})),
        _ => Sent::message(number, &json!({})).late(0, number * 7 % 50),
    }),
    ("answers to one message that are dated before it", |number, _| match number {
        0 => Sent::message(900, &json!({})),
        _ => Sent::reply(number, 900).late(0, 0),
    }),
    ("answers that are dated before one another", |number, _| match number {
        0 => Sent::message(900, &json!({})),
        1 => Sent::reply(1, 900).late(0, 1),
        _ => Sent::reply(number, number - 1).late(0, 2 * number),
    }),
    ("names of one user, and words from before these, a day each", |number, _| match number % 4 {
        0 | 1 => Sent::member(number, "@a:x", "join", &format!("A{number}")),
        _ => Sent::message(number, &json!({})).late(number + 1, 0),
    }),
    ("names of many, and their words from before these", |number, _| match number % 4 {
        0 | 1 => Sent::member(number, &user(number), "join", "Ann"),
        _ => Sent::message(number, &json!({})).by(&user(number - 2)).late(3, 0),
    }),
    ("names of one room, and words from before these, a day each", |number, _| match number % 4 {
        0 | 1 => Sent::state(number, "m.room.name", json!({ "name": format!("A{number}") })),
        _ => Sent::message(number, &json!({})).late(number + 1, 0),
    }),
    ("rooms that go on in one another", |number, _| {
        let content = json!({ "predecessor": { "room_id": format!("!{}:x", number / 2) }, "replacement_room": "!2:x" });
        let kind = if number % 2 == 0 { "m.room.create" } else { "m.room.tombstone" };
        Sent { room: format!("!{}:x", number / 2 + number % 2), ..Sent::state(number, kind, content) }
    }),
    ("rooms that go on in one, which comes last", |number, count| match number + 1 {
        last if last == count => Sent { room: "!2:x".to_owned(), ..Sent::message(number, &json!({})) },
        _ => Sent {
            room: format!("!{}:y", number / 2),
            ..Sent::state(number, "m.room.tombstone", json!({ "replacement_room": "!2:x" }))
        },
    }),
];

#[test]
fn it_grows_with_what_is_sent() {
    // all that are too much, not the first one only
    let mut too_much = Vec::new();
    for (name, shape) in SHAPES {
        let (few, many) = (work(shape, 200), work(shape, 400));
        // each event takes some, as long as they are counted at all
        if few < 200 * 100 || many * 10 > few * 23 {
            too_much.push(format!("{name}: {few} steps, then {many}"));
        }
    }
    assert!(too_much.is_empty(), "{too_much:#?}");
}

/// SQLite's steps to erase what is sent.
fn work_to_erase(shape: Shape, count: usize) -> u64 {
    let place = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(place.path(), None).unwrap();
    self::count(&mut archive.catalog.connection);
    archive.index().unwrap();
    let run = archive.begin_run(&Selection::default(), &[]).unwrap();
    let sent: Vec<Sent> = (0..count).map(|number| shape(number, count)).collect();
    let mut batch = Batch::default();
    for sent in &sent {
        batch.push(Box::new(sent.event()), false);
    }
    archive.commit(run, [batch]).unwrap();
    let steps = || STEPS.with(|steps| steps.load(Ordering::Relaxed));
    let before = steps();
    let what = What::Events(sent.iter().map(|sent| OwnedEventId::of(id(sent.number))).collect());
    let request = Request { what, whole: false, lasts: false, reason: None };
    archive.select_to_erase(&request, 0, false).unwrap();
    let erased = archive.erase_selected(&mut |_, _| true).unwrap();
    assert_eq!(erased.pruned, count as u64);
    steps() - before
}

#[test]
fn erasing_grows_with_what_is_erased() {
    let mut too_much = Vec::new();
    for (name, shape) in SHAPES {
        let (few, many) = (work_to_erase(shape, 200), work_to_erase(shape, 400));
        if few < 200 * 100 || many * 10 > few * 23 {
            too_much.push(format!("{name}: {few} steps, then {many}"));
        }
    }
    assert!(too_much.is_empty(), "{too_much:#?}");
}
