//! An archive whose files were damaged, and whose catalog is made anew from them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use synapse_export::archive::{Archive, Error};
use synapse_export::event::{Event, OwnedEventId};

use super::{Fields, chain};

/// What no error may quote.
const MARK: &str = "Zq7Mark";

/// A directory's name, a file's name, where it is cut off, and what it holds.
pub(super) fn check(data: &[u8]) {
    let mut fields = Fields::of(data);
    let (room, day, cut) = (fields.text_or("r@x"), fields.text_or("2026-11-22"), fields.number().unwrap_or(0));
    let content: Vec<u8> = fields.0.collect::<Vec<_>>().join(&0xff);
    let is_name = |name: &str| {
        !name.is_empty()
            && name.len() < 100
            && !name.contains(['/', '\0'])
            && !name.starts_with('.')
            && !name.contains(MARK)
    };
    let (room, day) = (if is_name(&room) { &room } else { "r@x" }, if is_name(&day) { &day } else { "2026-11-22" });
    let place = tempfile::tempdir().expect("there is a place for files");
    let file = place.path().join("rooms").join(room).join(format!("{day}.jsonl"));
    fs::create_dir_all(file.parent().expect("it is in a room")).expect("it can be made");

    fs::write(&file, &content).expect("it can be written");
    let Some(events) = open(place.path(), &content) else { return };
    let left = fs::read(&file).unwrap_or_default();
    check_left(&left, &content, day, events);
    // nothing changes any more
    assert_eq!(open(place.path(), &content), Some(events));
    forget(place.path());
    assert_eq!(open(place.path(), &content), Some(events));
    assert_eq!(fs::read(&file).unwrap_or_default(), left);

    // what reads back whole reads back when it is cut off anywhere
    let cut = usize::try_from(cut.unsigned_abs()).unwrap_or(0) % (left.len() + 1);
    forget(place.path());
    fs::write(&file, &left[..cut]).expect("it can be written");
    let whole = left[..cut].split(|byte| *byte == b'\n').skip(1).count() as u64;
    let Some(found) = open(place.path(), &content) else {
        // nothing tells any more that this is an archive, and nothing of it is touched
        assert!(!left[..cut].windows(KEY.len()).any(|part| part == KEY), "it was only cut off");
        assert_eq!(fs::read(&file).unwrap_or_default(), left[..cut]);
        return;
    };
    let left_of_it = fs::read(&file).unwrap_or_default();
    let lines = left_of_it.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")).count() as u64;
    assert!((whole..=whole + 1).contains(&lines), "{lines} of {whole} lines");
    check_left(&left_of_it, &left[..cut], day, found);
}

/// What a line of ours has.
const KEY: &[u8] = b"\"synapse\":";

/// The number of events; none if the archive cannot be opened, for a reason that is told.
fn open(archive: &Path, content: &[u8]) -> Option<u64> {
    match Archive::open(archive, None) {
        Ok(archive) => Some(archive.catalog().events().expect("it can be counted")),
        Err(error) => {
            let told = chain(&error);
            assert!(!told.contains(MARK), "{told} of {}", content.escape_ascii());
            assert!(
                matches!(error, Error::Line { .. } | Error::Io { .. } | Error::NotEmpty { .. }),
                "{told} of {}",
                content.escape_ascii()
            );
            None
        }
    }
}

fn forget(archive: &Path) {
    fs::remove_file(archive.join("catalog.sqlite")).expect("there is a catalog");
}

/// What is left of a file are its first lines, each of which is an event; a second one of an event does not count.
fn check_left(left: &[u8], content: &[u8], day: &str, events: u64) {
    let text = std::str::from_utf8(left).expect("it was read");
    let unfinished = left.strip_suffix(b"\n").unwrap_or(left);
    assert!(
        content.starts_with(left) || content == unfinished,
        "{} of {}",
        left.escape_ascii(),
        content.escape_ascii()
    );
    let ids: Vec<OwnedEventId> =
        text.split_terminator('\n').filter_map(|line| Some(Event::from_line(line, day).ok()?.event_id)).collect();
    assert_eq!(text.matches('\n').count(), ids.len(), "a line is no event");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len() as u64, events);
}
