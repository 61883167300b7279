use std::collections::BTreeMap;
use std::fs;

use tempfile::TempDir;

use super::*;
use crate::archive::{Archive, Batch, Catalog, Interrupt, Request, Selection, What};
use crate::event::tests::stored;
use crate::event::{Event, EventId, OwnedRoomId, RoomId, Stored};
use crate::views;

/// More than are on one page, also when some of them are gone.
const ROOMS: u64 = 40;

struct Rooms {
    directory: TempDir,
    archive: Archive,
    events: u64,
}

impl Rooms {
    fn new() -> Rooms {
        let directory = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
        let mut archive = Archive::open(directory.path(), None).unwrap();
        let run = archive.begin_run(&Selection::default(), &[]).unwrap();
        archive.commit(run, [Batch::default()]).unwrap();
        archive.index().unwrap();
        archive.end_first_export().unwrap();
        views::keep_html(&mut archive, true).unwrap();
        Rooms { directory, archive, events: 0 }
    }

    /// Something is said in a room, or it is called otherwise.
    fn add(&mut self, room: u64, name: Option<&str>) {
        self.events += 1;
        let (event_id, room_id) = (format!("${}", self.events), format!("!{room}:x"));
        let at = 1_795_348_800_000 + self.events;
        let (kind, of_state, content) = match name {
            Some(name) => ("m.room.name", r#""state_key":"","#, serde_json::json!({ "name": name })),
            None => ("m.room.message", "", serde_json::json!({ "body": "x", "msgtype": "m.text" })),
        };
        let pdu = format!(r#"{{"type":"{kind}",{of_state}"content":{content},"origin_server_ts":{at}}}"#);
        let order = i64::try_from(self.events).unwrap();
        let event = Event::from_stored(&Stored {
            event_id: EventId::of(&event_id),
            room_id: RoomId::of(&room_id),
            kind,
            state_key: name.map(|_| ""),
            stream_ordering: order,
            topological_ordering: order,
            origin_server_ts: Some(1_795_348_800_000 + order),
            ..stored(Some(&pdu))
        });
        let run = self.archive.begin_run(&Selection::default(), &[]).unwrap();
        let mut batch = Batch::default();
        batch.push(Box::new(event), false);
        self.archive.commit(run, [batch]).unwrap();
    }

    fn erase(&mut self, room: u64) {
        let what = What::Room(OwnedRoomId::of(format!("!{room}:x")));
        let request = Request { what, whole: true, lasts: false, reason: None };
        self.archive.select_to_erase(&request, 0, false).unwrap();
        self.archive.erase_selected(&mut |_, _| true).unwrap();
        self.render();
        views::forget_rooms(&mut self.archive).unwrap();
        self.archive.leave_no_trace().unwrap();
    }

    fn render(&mut self) {
        views::render(&mut self.archive, &mut |_, _| true).unwrap();
    }

    /// The files of the list; none is there that should not be, and each says what it is to say.
    fn list(&self) -> BTreeMap<String, String> {
        let mut catalog = Catalog::open_to_read(self.directory.path()).unwrap();
        let interrupt = Interrupt::default();
        let differing = views::compare(&mut catalog, self.directory.path(), &interrupt, &mut |_, _| ()).unwrap();
        assert_eq!(differing.files, Vec::<String>::new());
        let missing = views::missing(&catalog, self.directory.path(), 10_000).unwrap();
        assert!(missing.is_empty(), "{missing:?}");
        list(self.directory.path())
    }
}

fn list(archive: &Path) -> BTreeMap<String, String> {
    let sections = files(archive).unwrap();
    let sections = sections.iter().map(|name| format!("{DIRECTORY}/{name}"));
    let all = [TRANSCRIPT.0, PAGE.0].map(str::to_owned).into_iter().chain(sections);
    let read = |path: String| {
        let text = fs::read_to_string(archive.join(&path)).unwrap();
        (path, text)
    };
    all.map(read).collect()
}

/// Which files have changed, come or gone.
fn changed<'a>(before: &'a BTreeMap<String, String>, now: &'a BTreeMap<String, String>) -> BTreeSet<&'a str> {
    let differs = |path: &&String| before.get(*path) != now.get(*path);
    before.keys().chain(now.keys()).filter(differs).map(String::as_str).collect()
}

#[test]
fn the_list_does_not_tell_how_the_rooms_came() {
    let mut rooms = Rooms::new();
    let mut random = 1_u64;
    let mut next = |most: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % most
    };
    for room in 0..ROOMS {
        rooms.add(room, Some(&format!("Room {}", room / 2)));
        if next(8) == 0 {
            rooms.render();
            rooms.list();
        }
    }
    for _ in 0..40 {
        let room = next(ROOMS);
        match next(6) {
            0 => rooms.erase(room),
            1 => rooms.add(room, None),
            // in another case, of another place, of several rooms
            2 => rooms.add(room, Some(&format!("room {}", next(ROOMS) / 2))),
            3 => rooms.add(room, Some("Alike")),
            _ => rooms.add(room, Some(&format!("Name {}", next(1000)))),
        }
        if next(3) > 0 {
            rooms.render();
            rooms.list();
        }
    }
    rooms.render();
    let Rooms { directory, archive, .. } = rooms;
    drop(archive);
    let piecemeal = list(directory.path());
    for name in fs::read_dir(directory.path()).unwrap() {
        let path = name.unwrap().path();
        if path.ends_with(DIRECTORY) {
            fs::remove_dir_all(path).unwrap();
        } else if !path.ends_with("rooms") && !path.ends_with("by-name") {
            fs::remove_file(path).unwrap();
        }
    }
    let mut archive = Archive::open(directory.path(), None).unwrap();
    views::keep_html(&mut archive, true).unwrap();
    views::render(&mut archive, &mut |_, _| true).unwrap();
    assert_eq!(piecemeal, list(directory.path()));
    assert!(piecemeal.len() > 10, "{}", piecemeal.len());
}

#[test]
fn what_changes_in_a_room_changes_its_section() {
    let mut rooms = Rooms::new();
    for room in 0..ROOMS {
        rooms.add(room, Some(&format!("Room {room:02}")));
    }
    rooms.render();
    let before = rooms.list();
    assert!(before.len() > 10 && before["index.md"].contains("| rooms from | rooms |"), "{}", before["index.md"]);
    rooms.add(17, None);
    rooms.render();
    let said = rooms.list();
    let of_room = changed(&before, &said);
    assert!(of_room.len() == 2 && of_room.iter().all(|path| path.starts_with("index/")), "{of_room:?}");
    // a namesake's line changes too, in another section
    let stem = of_room.first().unwrap().split_once('.').unwrap().0.to_owned();
    rooms.add(3, Some("Room 17"));
    rooms.render();
    let renamed = rooms.list();
    assert!(changed(&said, &renamed).iter().any(|path| path.starts_with(&stem)));
    assert!(renamed.iter().any(|(path, text)| path.starts_with(&stem) && text.contains("`!17:x`")));
    // what is gone is made again, and what is none of it goes
    let gone = rooms.directory.path().join(of_room.first().unwrap());
    fs::remove_file(&gone).unwrap();
    views::mark_missing(&mut rooms.archive, Some(1)).unwrap();
    let other = rooms.directory.path().join(DIRECTORY).join(format!("{}.md", "0".repeat(32)));
    fs::write(&other, "of a run before").unwrap();
    rooms.render();
    assert_eq!(rooms.list(), renamed);
    assert!(!other.exists());
}

#[test]
fn few_rooms_are_on_one_page_again() {
    let mut rooms = Rooms::new();
    for room in 0..u64::from(MOST) {
        rooms.add(room, Some(&format!("Room {room}")));
    }
    rooms.render();
    let few = rooms.list();
    assert!(few.len() == 2 && few["index.md"].contains("[Room 5](rooms/5@x/index.md)"), "{few:?}");
    for room in 10..30 {
        rooms.add(room, Some("Others"));
    }
    rooms.render();
    let many = rooms.list();
    assert!(!many["index.md"].contains("Room 5") && many.len() > 4, "{many:?}");
    assert!(many.values().any(|text| text.contains("[Room 5](../rooms/5@x/index.md)")));
    for room in 10..30 {
        rooms.erase(room);
    }
    assert_eq!(rooms.list(), few);
    for room in 0..u64::from(MOST) {
        rooms.erase(room);
    }
    assert!(!rooms.directory.path().join("index.md").exists());
}
