//! Rooms full of what strangers sent, as the files that people read.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use percent_encoding::percent_decode_str;
use serde_json::Value;
use synapse_export::archive::{Archive, layout};
use synapse_export::event::{Event, EventId, RoomId, Stored, UserId};

use super::event::stored;
use super::read::read;
use super::tree::check_page;
use super::{Fields, chain, shows_marks};

/// The most events that are rendered.
const EVENTS: usize = 24;

/// Events one after the other, each its type, sender, state key (`-`: none) and content. Their ids are `$0`, `$1` …; those
/// of a sender on another server are in another room.
pub(super) fn check(data: &[u8]) {
    let mut fields = Fields::of(data);
    let place = tempfile::tempdir().expect("there is a place for files");
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut count = 0;
    while let Some(kind) = fields.text().filter(|_| count < EVENTS) {
        let (sender, state_key) = (fields.text_or("@a:x"), fields.text_or("-"));
        let content = fields.text_or("{}");
        if [&kind, &sender, &state_key, &content].iter().any(|text| shows_marks(text)) {
            return;
        }
        let event = event(count, &kind, &sender, Some(&*state_key).filter(|key| *key != "-"), &content);
        let file = files.entry(layout::day_file(&event.room_id, event.day)).or_default();
        file.extend([&event.line, "\n"]);
        count += 1;
    }
    for (path, lines) in &files {
        let path = place.path().join(path);
        fs::create_dir_all(path.parent().expect("it is in a room")).expect("it can be made");
        fs::write(path, lines).expect("it can be written");
    }
    let mut archive = Archive::open(place.path(), None).unwrap_or_else(|error| panic!("{}", chain(&error)));
    assert_eq!(archive.catalog().events().ok(), Some(count as u64));
    synapse_export::views::keep_html(&mut archive, true).unwrap_or_else(|error| panic!("{}", chain(&error)));
    for show in [false, true] {
        archive.show_redacted(show).expect("it can be remembered");
        if let Err(error) = synapse_export::views::render(&mut archive, &mut |_, _| true) {
            panic!("{}", chain(&error));
        }
        if files.is_empty() {
            return;
        }
        check_files(place.path());
    }
}

fn event(number: usize, kind: &str, sender: &str, state_key: Option<&str>, content: &str) -> Event {
    let event_id = format!("${number}");
    let room_id = if sender.ends_with(":y") { "!../r\u{202e}:y" } else { "!r:x" };
    let at = 1_795_391_000_000 + 100_000 * i64::try_from(number).unwrap_or(0);
    let text = |text: &str| Value::from(text).to_string();
    let key = state_key.map(|key| format!(r#","state_key":{}"#, text(key))).unwrap_or_default();
    let pdu = format!(
        r#"{{"type":{},"sender":{},"origin_server_ts":{at}{key},"content":{content}}}"#,
        text(kind),
        text(sender)
    );
    let stored = Stored {
        event_id: EventId::of(&event_id),
        room_id: RoomId::of(room_id),
        kind,
        sender: Some(UserId::of(sender)),
        state_key,
        stream_ordering: i64::try_from(number).unwrap_or(0) + 1,
        origin_server_ts: Some(at),
        ..stored(&pdu)
    };
    Event::from_stored(&stored)
}

fn check_files(archive: &Path) {
    check_markdown(archive, Path::new("index.md"));
    check_html_page(archive, Path::new("index.html"));
    for room in entries(archive, "rooms") {
        for file in entries(archive, &format!("rooms/{room}")) {
            let path = format!("rooms/{room}/{file}");
            match Path::new(&file).extension().and_then(|it| it.to_str()) {
                Some("md") => check_markdown(archive, Path::new(&path)),
                Some("html") => check_html_page(archive, Path::new(&path)),
                Some("json") => {
                    let text = fs::read_to_string(archive.join(path)).expect("it is text");
                    assert!(serde_json::from_str::<Value>(&text).is_ok(), "{text}");
                }
                extension => assert_eq!(extension, Some("jsonl"), "{path}"),
            }
        }
    }
    for name in entries(archive, "by-name") {
        assert!(name.len() <= 200 && !name.starts_with(['.', '-', ' ']), "{name:?}");
        let hides =
            |c: char| c.is_control() || matches!(c, '/' | '\\' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}');
        assert!(!name.contains(hides), "{name:?}");
        let target = fs::read_link(archive.join("by-name").join(&name)).expect("it is a link");
        let room = target.strip_prefix("../rooms").expect("it leads to a room");
        assert!(room.components().count() == 1 && archive.join("rooms").join(room).is_dir(), "{}", target.display());
    }
}

fn entries(archive: &Path, directory: &str) -> Vec<String> {
    let entries = fs::read_dir(archive.join(directory)).expect("it is there");
    entries.map(|entry| entry.expect("it can be listed").file_name().into_string().expect("it is UTF-8")).collect()
}

/// Only what transcripts are made of: one title, our few HTML elements, links of the allowed schemes and to files of the
/// archive.
fn check_markdown(archive: &Path, path: &Path) {
    let text = fs::read_to_string(archive.join(path)).expect("it is text");
    let is_day = !path.ends_with("index.md");
    for found in read(&text) {
        check_html(&found, &text);
        for link in found.split("⟦a ").skip(1) {
            let target = link.split_once('⟧').expect("what is opened is closed").0;
            assert!(is_web(target) || leads_somewhere(archive, path, target), "{target} in {text}");
        }
        for strange in ["Image", "Math", "Footnote", "Task", "Alert", "Definition", "Description", "WikiLink"] {
            assert!(!found.contains(&format!("⟦{strange}")), "{strange}: {found}\n{text}");
        }
        assert!(!is_day || found.matches("⟦Heading").count() == 1, "{found}\n{text}");
    }
    let hides = |c: char| c.is_control() && c != '\n' && c != '\t' || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!text.contains(hides), "{text:?}");
}

fn check_html_page(archive: &Path, path: &Path) {
    let text = fs::read_to_string(archive.join(path)).expect("it is text");
    for link in check_page(&text).unwrap_or_else(|fault| panic!("{fault}")) {
        assert!(leads_somewhere(archive, path, &link), "{link} in {text}");
    }
}

fn check_html(found: &str, text: &str) {
    let mut open: Vec<&str> = Vec::new();
    for html in found.split("⟦html⟧").skip(1) {
        let html = html.split_once("⟦/html⟧").expect("what is opened is closed").0;
        for tag in html
            .split('<')
            .skip(1)
            .filter(|tag| tag.starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c)))
        {
            let (tag, _) = tag.split_once('>').unwrap_or_else(|| panic!("{html} in {text}"));
            match tag {
                "br" => {}
                "sub" | "sup" | "details" | "summary" => open.push(tag),
                "/sub" | "/sup" | "/details" | "/summary" | "/a" => {
                    assert_eq!(open.pop(), Some(&tag[1..]), "{html} in {text}");
                }
                _ => {
                    let id = tag.strip_prefix("a id=\"").and_then(|rest| rest.strip_suffix('"'));
                    let is_anchor = |id: &str| {
                        id.len() == 12 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
                    };
                    assert!(id.is_some_and(is_anchor), "{html} in {text}");
                    open.push("a");
                }
            }
        }
    }
    assert!(open.is_empty(), "{open:?} is not closed in {text}");
}

fn is_web(target: &str) -> bool {
    let scheme = target.split_once(':').unwrap_or_default().0.to_lowercase();
    ["http", "https", "mailto", "matrix", "mxc"].contains(&&*scheme)
}

/// Whether a relative link is to a file of the archive. An anchor need not be there: not every event is shown.
fn leads_somewhere(archive: &Path, from: &Path, target: &str) -> bool {
    let (file, _) = target.split_once('#').unwrap_or((target, ""));
    let Ok(file) = percent_decode_str(file).decode_utf8() else { return false };
    let from = archive.join(from);
    let path = if file.is_empty() { from } else { from.with_file_name("").join(&*file) };
    let archive = archive.canonicalize().expect("it is there");
    path.canonicalize().is_ok_and(|path| path.is_file() && path.starts_with(archive))
}
