//! Whatever the order in which events come, and however often transcripts are rendered meanwhile: in the end they are what
//! one export of everything would have made of them.

use std::collections::BTreeMap;
use std::fs;
use std::mem;
use std::path::Path;

use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::{Value, json};
use synapse_export::archive::{Archive, Batch, Selection};
use synapse_export::event::{BanRedaction, Event, EventId, OwnedEventId, RoomId, Stored, UserId};
use tempfile::TempDir;

const ROOM: &str = "!room:here.test";
/// 2026-11-22, at the beginning of the day in UTC.
const START: i64 = 1_795_305_600_000;
const HOUR: i64 = 60 * 60 * 1000;
const USERS: [&str; 3] = ["@alice:here.test", "@bob:here.test", "@carol:there.test"];

/// An event to be; others are named by their number.
#[derive(Clone, Debug)]
struct Plan {
    sender: usize,
    /// Hours since [`START`].
    hour: i64,
    /// Brought in late, so that the room's own order has it elsewhere than its time.
    is_late: bool,
    what: What,
    outcome: Outcome,
}

#[derive(Clone, Debug)]
enum What {
    Message,
    Reply(usize),
    Threaded(usize),
    Edit(usize),
    /// One without new content, or of another type.
    FlawedEdit(usize, &'static str),
    Reaction(usize),
    Redaction(usize),
    Poll,
    Vote(usize),
    End(usize),
    Member(&'static str, usize),
    /// A change of the room.
    Room(&'static str, Value),
    /// Part of a call, or a message for somebody.
    Other(&'static str, Value),
    Position(usize),
    Encrypted,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Accepted,
    Rejected,
    SoftFailed,
    /// Only fetched around a join.
    Outlier,
}

fn room_state() -> impl Strategy<Value = (&'static str, Value)> {
    let names = prop_oneof![Just("Office"), Just("Garden"), Just("")];
    let aliases = prop_oneof![Just("#a:here.test"), Just("#b:here.test")];
    prop_oneof![
        2 => names.prop_map(|name| ("m.room.name", json!({"name": name}))),
        1 => aliases.prop_map(|alias| ("m.room.canonical_alias", json!({"alias": alias}))),
        1 => Just(("m.room.topic", json!({}))),
        // who may end polls: the first user, or not
        2 => (0..2_usize).prop_map(|one| ("m.room.power_levels", json!({"users": {USERS[0]: one * 50, USERS[1]: 50}}))),
        2 => any::<bool>().prop_map(|live| ("m.beacon_info", json!({"live": live, "description": "Hike"}))),
        1 => prop_oneof![Just(json!({"application": "m.call"})), Just(json!({}))].prop_map(|member| ("m.call.member", member)),
    ]
}

fn other() -> impl Strategy<Value = (&'static str, Value)> {
    let signals = prop_oneof![2 => Just("m.call.invite"), 1 => Just("m.call.answer"), 1 => Just("m.call.hangup")];
    prop_oneof![
        2 => (signals, 0..2_usize).prop_map(|(signal, call)| (signal, json!({"call_id": call.to_string()}))),
        1 => Just(("m.room.message", json!({"body": "Dana: hello", "m.per_message_profile": {"displayname": "Dana"}}))),
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    let other = 0..40_usize;
    let what = prop_oneof![
        6 => Just(What::Message),
        4 => other.clone().prop_map(What::Reply),
        4 => other.clone().prop_map(What::Threaded),
        5 => other.clone().prop_map(What::Edit),
        4 => (other.clone(), prop_oneof![Just("m.room.message"), Just("m.poll.start"), Just("org.example.thing")])
            .prop_map(|(other, kind)| What::FlawedEdit(other, kind)),
        4 => other.clone().prop_map(What::Reaction),
        5 => other.clone().prop_map(What::Redaction),
        2 => Just(What::Poll),
        2 => other.clone().prop_map(What::Vote),
        1 => other.clone().prop_map(What::End),
        2 => other.prop_map(What::Position),
        6 => (prop_oneof![3 => Just("join"), 1 => Just("leave"), 1 => Just("invite"), 1 => Just("ban")], 0..5_usize)
            .prop_map(|(membership, name)| What::Member(membership, name)),
        6 => room_state().prop_map(|(kind, content)| What::Room(kind, content)),
        3 => self::other().prop_map(|(kind, content)| What::Other(kind, content)),
        1 => Just(What::Encrypted),
        1 => Just(What::Unknown),
    ];
    let outcome = prop_oneof![
        12 => Just(Outcome::Accepted),
        1 => Just(Outcome::Rejected),
        1 => Just(Outcome::SoftFailed),
        1 => Just(Outcome::Outlier),
    ];
    let is_late = prop::bool::weighted(0.3);
    (0..3_usize, -30..120_i64, is_late, what, outcome).prop_map(|(sender, hour, is_late, what, outcome)| Plan {
        sender,
        hour,
        is_late,
        what,
        outcome,
    })
}

/// A ban that redacts what somebody sent, by its number; until when, as the server has it at first and in the end.
#[derive(Clone, Debug)]
struct Ban {
    user: usize,
    by: usize,
    until: [Option<i64>; 2],
}

fn ban() -> impl Strategy<Value = Ban> {
    let until = || prop::option::of(1..40_i64);
    (0..3_usize, 0..40_usize, until(), until()).prop_map(|(user, by, first, last)| Ban {
        user,
        by,
        until: [first, last],
    })
}

impl Ban {
    fn redaction(&self, all: usize, until: usize) -> BanRedaction {
        BanRedaction {
            room_id: RoomId::of(ROOM).owned(),
            user_id: UserId::of(USERS[self.user]).owned(),
            event_id: OwnedEventId::of(format!("${}", self.by % all)),
            until: self.until[until],
        }
    }
}

impl Plan {
    fn event(&self, number: usize, all: usize) -> Event {
        let id = |other: usize| format!("${}", other % all);
        let relation = |rel_type: &str, other: usize| json!({"rel_type": rel_type, "event_id": id(other)});
        let (mut kind, mut state_key, mut redacts) = ("m.room.message", None, None);
        let message = |relates_to: Value| json!({"msgtype": "m.text", "body": format!("said {number}"), "m.relates_to": relates_to});
        let sender = USERS[self.sender];
        let content = match &self.what {
            What::Message => json!({"msgtype": "m.text", "body": format!("said {number}")}),
            What::Reply(other) => message(json!({"m.in_reply_to": {"event_id": id(*other)}})),
            What::Threaded(other) => message(json!({"rel_type": "m.thread", "event_id": id(*other),
                "m.in_reply_to": {"event_id": id(other + 1)}, "is_falling_back": number.is_multiple_of(2)})),
            What::Edit(other) => json!({"msgtype": "m.text", "body": format!("* edited {number}"),
                "m.new_content": {"msgtype": "m.text", "body": format!("edited {number}")},
                "m.relates_to": relation("m.replace", *other)}),
            What::FlawedEdit(other, other_kind) => {
                kind = other_kind;
                message(relation("m.replace", *other))
            }
            What::Reaction(other) => {
                kind = "m.reaction";
                let mut relation = relation("m.annotation", *other);
                relation["key"] = ["👍", "🎉"][number % 2].into();
                json!({"m.relates_to": relation})
            }
            What::Redaction(other) => {
                kind = "m.room.redaction";
                redacts = Some(id(*other));
                json!({"reason": format!("reason {number}")})
            }
            What::Poll => {
                kind = "m.poll.start";
                json!({"m.poll": {"question": {"m.text": [{"body": "When?"}]}, "kind": "m.disclosed", "max_selections": 1,
                    "answers": [{"m.id": "a", "m.text": [{"body": "Now"}]}, {"m.id": "b", "m.text": [{"body": "Later"}]}]}})
            }
            What::Vote(other) => {
                kind = "m.poll.response";
                let answer = ["a", "b"][number % 2];
                json!({"m.selections": [answer], "m.relates_to": relation("m.reference", *other)})
            }
            What::End(other) => {
                kind = "m.poll.end";
                json!({"m.relates_to": relation("m.reference", *other)})
            }
            What::Member(membership, name) => {
                kind = "m.room.member";
                state_key = Some(sender);
                let names = ["Alice", "Bob", "A. Lice", " Bob\u{200b}"];
                let mut content = json!({"membership": membership});
                if let Some(name) = names.get(*name).filter(|_| matches!(*membership, "join" | "invite")) {
                    content["displayname"] = (*name).into();
                }
                content
            }
            What::Room(what, content) => {
                (kind, state_key) = (what, Some(""));
                if kind == "m.room.topic" { json!({"topic": format!("topic {number}")}) } else { content.clone() }
            }
            What::Other(other, content) => {
                kind = other;
                content.clone()
            }
            What::Position(other) => {
                kind = "m.beacon";
                json!({"m.location": {"uri": format!("geo:{number}")}, "m.relates_to": relation("m.reference", *other)})
            }
            What::Encrypted => {
                kind = "m.room.encrypted";
                json!({"ciphertext": "…"})
            }
            What::Unknown => {
                kind = "org.example.thing";
                json!({})
            }
        };
        // one minute for each event, so that no two are of one time by chance, and some are all the same
        let at = START + self.hour * HOUR + i64::try_from(number % 7).unwrap_or(0) * 60_000;
        let mut pdu =
            json!({"type": kind, "sender": sender, "content": content, "origin_server_ts": at, "room_id": ROOM});
        if let Some(state_key) = state_key {
            pdu["state_key"] = state_key.into();
        }
        let number = i64::try_from(number).unwrap_or(0);
        Event::from_stored(&Stored {
            event_id: EventId::of(&format!("${number}")),
            room_id: RoomId::of(ROOM),
            kind,
            sender: Some(UserId::of(sender)),
            state_key,
            stream_ordering: number + 1,
            topological_ordering: if self.is_late { number * 5 } else { self.hour + 100 },
            origin_server_ts: Some(at),
            received_ts: Some(if self.is_late { at + 2 * HOUR } else { at }),
            room_version: Some("10"),
            outlier: self.outcome == Outcome::Outlier,
            rejected: self.outcome == Outcome::Rejected,
            internal_metadata: (self.outcome == Outcome::SoftFailed).then_some(r#"{"soft_failed":true}"#),
            json: Some(&pdu.to_string()),
            redacts: redacts.as_deref().map(EventId::of),
            recheck: Some(false),
        })
    }
}

/// An archive that gets these events: `first` of them in a first export, the others in batches of `size`, each with the bans
/// as they are at first, and rendered; then those that were judged anew, and in the end the last bans.
fn archive(events: &[Event], first: usize, size: usize, bans: &[Ban], rejudged: &[Event]) -> BTreeMap<String, String> {
    // in memory where there is a place for that: thousands of syncs take their time
    let directory = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).expect("a directory");
    let mut archive = Archive::open(directory.path(), None).expect("an archive");
    let run = archive.begin_run(&Selection::default(), &[]).expect("a run");
    let commit = |archive: &mut Archive, events: &[Event]| {
        let mut batch = Batch::default();
        for event in events {
            // as the source would: outliers have no line
            if event.is_state_of_outliers() {
                batch.push_state(event.clone());
            } else if !event.outlier {
                batch.push(Box::new(event.clone()), false);
            }
        }
        archive.commit(run, [batch]).expect("a commit");
    };
    commit(&mut archive, &events[..first]);
    archive.index().expect("indexes");
    archive.end_first_export().expect("an end");
    synapse_export::views::keep_html(&mut archive, true).expect("pages are kept");
    let redact = |archive: &mut Archive, until: usize| {
        let bans: Vec<BanRedaction> = bans.iter().map(|ban| ban.redaction(events.len(), until)).collect();
        archive.redact_banned(&bans).expect("bans");
        synapse_export::views::render(archive, &mut |_, _| true).expect("transcripts");
    };
    for events in events[first..].chunks(size).chain(rejudged.chunks(size)) {
        redact(&mut archive, 0);
        commit(&mut archive, events);
    }
    redact(&mut archive, 1);
    let rendered = synapse_export::views::render(&mut archive, &mut |_, _| true).expect("transcripts");
    assert_eq!(rendered.days, 0, "rendering leaves nothing to render");
    drop(archive);
    let mut files = BTreeMap::new();
    gather(directory.path(), "", &mut files);
    says_nothing_redacted(directory.path(), &files);
    files
}

/// Nothing is told of what a redacted message said, nor of its edits.
fn says_nothing_redacted(archive: &Path, files: &BTreeMap<String, String>) {
    let catalog = Connection::open(archive.join("catalog.sqlite")).expect("a catalog");
    let sql = "with recursive redacted (id) as (
                   select event_id from event where redacted_by is not null
                   union
                   select event_id from redacted join event on relates_to = id and rel_type = 'm.replace' and state_key is null)
               select substr(id, 2) from redacted";
    let mut statement = catalog.prepare(sql).expect("a statement");
    let numbers = statement.query_map([], |row| row.get::<_, String>(0)).expect("rows");
    for number in numbers.map(|number| number.expect("a number")) {
        for (path, text) in files {
            for said in ["said ", "edited ", "topic ", "reason ", "geo:"].map(|verb| format!("{verb}{number}")) {
                let is_told =
                    text.split(&said).skip(1).any(|rest| !rest.starts_with(|c: char| c.is_ascii_digit() || c == ':'));
                assert!(!is_told, "{path} tells of ${number}:\n{text}");
            }
        }
    }
}

/// The files of an archive that are views, by their paths, and where links lead.
fn gather(root: &Path, below: &str, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(root.join(below)).expect("a directory") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("UTF-8");
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        let kind = entry.file_type().expect("a type");
        if kind.is_dir() {
            gather(root, &path, files);
        } else if kind.is_symlink() {
            files.insert(path, fs::read_link(entry.path()).expect("a link").display().to_string());
        } else if name.strip_suffix(".jsonl").is_none() && !name.starts_with("catalog") && name != ".lock" {
            files.insert(path, fs::read_to_string(entry.path()).expect("a file"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn transcripts_do_not_tell_how_the_events_came(
        plans in prop::collection::vec(plan(), 1..40),
        order in any::<prop::sample::Index>(),
        seed in any::<u64>(),
        size in 1..6_usize,
        bans in prop::collection::vec(ban(), 0..3),
        // which Synapse had first judged the other way
        judged_anew in prop::collection::vec(prop::bool::weighted(0.1), 40),
    ) {
        // bans are changes of a membership, and the server knows one for each user
        let mut bans = bans;
        let mut banned = [false; USERS.len()];
        bans.retain_mut(|ban| {
            let member = (ban.by..ban.by + plans.len()).find(|n| matches!(plans[n % plans.len()].what, What::Member(..)));
            ban.by = member.unwrap_or(ban.by);
            member.is_some() && !mem::replace(&mut banned[ban.user], true)
        });
        let mut events: Vec<Event> = plans.iter().enumerate().map(|(n, plan)| plan.event(n, plans.len())).collect();
        let whole = archive(&events, events.len(), 1, &bans, &[]);
        // a name that an outlier gave stays forgotten, whatever becomes of what had redacted it
        let redacts = |n: usize| matches!(plans[n].what, What::Redaction(_)) || bans.iter().any(|ban| ban.by % plans.len() == n);
        let mut rejudged = Vec::new();
        for (n, plan) in plans.iter().enumerate().filter(|(n, _)| judged_anew[*n]) {
            if plan.outcome == Outcome::Accepted || plan.outcome == Outcome::Rejected && !redacts(n) {
                rejudged.push(events[n].clone());
                events[n].rejected = !events[n].rejected;
            }
        }
        let first = order.index(events.len() + 1);
        // an order that the seed says
        events.sort_by_key(|event| {
            event.stream_ordering.unsigned_abs().wrapping_add(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
        });
        let piecemeal = archive(&events, first, size, &bans, &rejudged);
        for (path, text) in &whole {
            prop_assert_eq!(Some(text), piecemeal.get(path), "{} differs", path);
        }
        prop_assert_eq!(whole.keys().collect::<Vec<_>>(), piecemeal.keys().collect::<Vec<_>>());
    }
}
