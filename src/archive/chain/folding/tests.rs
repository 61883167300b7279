use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::archive::verifying::{Off, Verified, VerifyRequest, verify};
use crate::archive::{Batch, Interrupt, Request, Selection, What};
use crate::event::tests::stored;
use crate::event::{Event, EventId, Stored};

const DAY: i64 = 24 * 60 * 60 * 1000;
const START: i64 = 1_795_348_800_000;
const DAYS: [&str; 2] = ["rooms/r@x/2026-11-22.jsonl", "rooms/r@x/2026-11-23.jsonl"];

fn message(nth: i64) -> Box<Event> {
    let ts = START + nth % 2 * DAY;
    let json = format!(
        r#"{{"type":"m.room.message","sender":"@a:x","content":{{"body":"message {nth:06}"}},"origin_server_ts":{ts}}}"#
    );
    let event_id = format!("${nth:06}");
    Box::new(Event::from_stored(&Stored {
        event_id: EventId::of(&event_id),
        stream_ordering: nth,
        origin_server_ts: Some(ts),
        ..stored(Some(&json))
    }))
}

/// An archive that has got so many events since the first, one in each commit, on two days by turns.
fn archive(directory: &Path, events: i64) -> Archive {
    let mut archive = Archive::open(directory, None).unwrap();
    let run = archive.begin_run(&Selection::default(), &[]).unwrap();
    archive.index().unwrap();
    // from the first one on that this version has written
    archive.fold_chain(0).unwrap();
    commit(&mut archive, run, 0..events);
    archive.end_run(run, crate::archive::RunOutcome::Done, None, 2).unwrap();
    archive
}

fn commit(archive: &mut Archive, run: i64, events: std::ops::Range<i64>) {
    for nth in events {
        let mut batch = Batch::default();
        batch.push(message(nth), false);
        archive.commit(run, [batch]).unwrap();
    }
}

fn more(archive: &mut Archive, events: std::ops::Range<i64>) {
    let run = archive.begin_run(&Selection::default(), &[]).unwrap();
    commit(archive, run, events);
}

fn verified(directory: &Path, sealed: Option<&ChainHead>) -> Verified {
    let asked = VerifyRequest { quick: true, threads: Some(1), ..VerifyRequest::default() };
    verify(directory, None, &asked, sealed, &Interrupt::default(), &mut |_, _| {}).unwrap().verified
}

#[track_caller]
fn fine(directory: &Path, lines: u64) {
    let found = verified(directory, None);
    assert_eq!((found.lines, found.unchained, found.begun, found.named), (lines, 0, 0, Vec::new()));
}

fn chain(directory: &Path) -> String {
    fs::read_to_string(directory.join(NAME)).unwrap()
}

fn lose_catalog(directory: &Path) {
    for name in ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"] {
        let _ = fs::remove_file(directory.join(name));
    }
}

/// Changes what an event says.
fn tamper(directory: &Path, nth: i64) {
    let path = directory.join(DAYS[usize::try_from(nth % 2).unwrap()]);
    let text = fs::read_to_string(&path).unwrap();
    let other = text.replace(&format!("message {nth:06}"), "message tamper");
    assert!(other != text && other.len() == text.len());
    fs::write(&path, other).unwrap();
}

#[test]
fn what_is_folded_is_a_line_for_each_file_and_says_what_was_said() {
    let place = tempfile::tempdir().unwrap();
    let mut archive = archive(place.path(), 24);
    let before = chain(place.path());
    archive.fold_chain(0).unwrap();
    let after = chain(place.path());
    let lines: Vec<&str> = after.lines().collect();
    // the first commit was there before anything was ever folded
    assert!(lines.len() == 6 && before.lines().count() == 49, "{after}");
    assert!(
        lines.iter().any(|line| line.contains(r#""commits":23"#) && line.contains(r#""kind":"folded""#)),
        "{after}"
    );
    fine(place.path(), 24);
    assert!(!place.path().join(NEW).exists());
    // nothing is read again that was folded
    archive.fold_chain(1).unwrap();
    assert_eq!(chain(place.path()), after);
    more(&mut archive, 24..36);
    archive.fold_chain(u64::MAX).unwrap();
    assert_eq!(chain(place.path()).lines().count(), lines.len() + 24);
    archive.fold_chain(0).unwrap();
    assert!(chain(place.path()).starts_with(&after) && chain(place.path()).lines().count() == lines.len() + 3);
    fine(place.path(), 36);
    // a catalog that is made anew goes on with it
    drop(archive);
    lose_catalog(place.path());
    let mut archive = Archive::open(place.path(), None).unwrap();
    more(&mut archive, 36..37);
    drop(archive);
    fine(place.path(), 37);
    for nth in [3, 30, 36] {
        let path = place.path().join(DAYS[usize::try_from(nth % 2).unwrap()]);
        let text = fs::read_to_string(&path).unwrap();
        tamper(place.path(), nth);
        assert_eq!(verified(place.path(), None).off.get(&Off::Hash), Some(&1), "{nth}");
        fs::write(path, text).unwrap();
    }
}

#[test]
fn what_a_seal_knows_is_never_folded() {
    let place = tempfile::tempdir().unwrap();
    let mut archive = archive(place.path(), 20);
    // an earlier version has sealed it here
    let earlier = archive.catalog.chain_head().unwrap().unwrap();
    let writing = archive.catalog.write().unwrap();
    writing.0.execute("delete from chain where name = ?1", [FOLDED]).unwrap();
    writing.commit().unwrap();
    more(&mut archive, 20..30);
    archive.fold_chain(0).unwrap();
    more(&mut archive, 30..50);
    let sealed = archive.seal_chain().unwrap().unwrap();
    more(&mut archive, 50..70);
    // a state that lags behind the seal knows nothing of it
    let writing = archive.catalog.write().unwrap();
    writing.remember_head(FOLDED, &earlier).unwrap();
    writing.commit().unwrap();
    let before = chain(place.path());
    archive.fold_chain(0).unwrap();
    assert!(chain(place.path()).len() < before.len());
    drop(archive);
    for seal in [&earlier, &sealed] {
        let found = verified(place.path(), Some(seal));
        assert_eq!((found.is_sealed, found.named, found.begun), (Some(true), Vec::new(), 0), "{seal:?}");
    }
    tamper(place.path(), 35);
    assert_eq!(verified(place.path(), Some(&sealed)).off.get(&Off::Hash), Some(&1));
}

#[test]
fn lines_that_are_not_those_of_the_chain_stay_as_they_are_to_be_found() {
    let place = tempfile::tempdir().unwrap();
    let mut archive = archive(place.path(), 36);
    let before = verified(place.path(), None);
    tamper(place.path(), 30);
    let named = verified(place.path(), None).named;
    assert_eq!((before.named.len(), named.len()), (0, 1));
    // the other day is folded
    archive.fold_chain(0).unwrap();
    assert!(chain(place.path()).contains(r#""kind":"folded""#));
    assert_eq!(verified(place.path(), None).named, named);
    // a chain that is broken stays so
    more(&mut archive, 36..40);
    let mut text = chain(place.path());
    let last = text.rfind("2026-11-23").unwrap();
    text.replace_range(last..=last, "3");
    fs::write(place.path().join(NAME), &text).unwrap();
    archive.fold_chain(0).unwrap();
    assert_eq!(chain(place.path()), text);
    assert!(verified(place.path(), None).off.contains_key(&Off::Chain));
}

#[test]
fn files_that_were_written_anew_are_told_as_before() {
    let place = tempfile::tempdir().unwrap();
    let mut archive = archive(place.path(), 30);
    let sealed = archive.seal_chain().unwrap().unwrap();
    more(&mut archive, 30..60);
    let what = What::Events(["$000004", "$000033"].map(|id| EventId::of(id).owned()).to_vec());
    archive.select_to_erase(&Request { what, whole: true, reason: None, lasts: false }, 0, false).unwrap();
    archive.erase_selected(&mut |_, _| true).unwrap();
    more(&mut archive, 60..80);
    let told = |found: &Verified| format!("{:?}", found.rewritten);
    let before = verified(place.path(), Some(&sealed));
    assert_eq!((before.rewritten.len(), before.lines, before.named.len()), (2, 78, 0));
    let long = chain(place.path()).len();
    archive.fold_chain(0).unwrap();
    assert!(chain(place.path()).len() < long);
    let after = verified(place.path(), Some(&sealed));
    assert_eq!((told(&after), after.lines, after.named, after.unchained), (told(&before), 78, Vec::new(), 0));
}

#[test]
fn whichever_step_is_the_last_the_chain_is_the_one_or_the_other() {
    let mut seen = [0, 0];
    for at in 0.. {
        // with the catalog, without it, and with a new end that is put in place in part
        for way in 0..3 {
            let place = tempfile::tempdir().unwrap();
            let mut archive = archive(place.path(), 8);
            let before = chain(place.path());
            let count = Arc::new(AtomicUsize::new(0));
            archive.hook = Some(Box::new(move |_| {
                if count.fetch_add(1, Ordering::Relaxed) == at { Err(io::Error::other("gone")) } else { Ok(()) }
            }));
            let ended = archive.fold_chain(0);
            let is_pending = place_is_pending(&archive);
            drop(archive);
            if way == 1 {
                lose_catalog(place.path());
            } else {
                // who verifies meanwhile
                fine(place.path(), 8);
            }
            if way == 2 && is_pending && chain(place.path()) == before {
                fs::write(place.path().join(NAME), &before[..before.len() - 777]).unwrap();
                fine(place.path(), 8);
            }
            let mut archive = Archive::open(place.path(), None).unwrap();
            let after = chain(place.path());
            seen[usize::from(after != before)] += 1;
            assert!(after == before || after.lines().count() == 6, "{at} {way}: {after}");
            more(&mut archive, 8..9);
            drop(archive);
            fine(place.path(), 9);
            assert!(!place.path().join(NEW).exists(), "{at} {way}");
            if ended.is_ok() {
                assert!(seen[0] >= 6 && seen[1] >= 6, "{seen:?}");
                return;
            }
        }
    }
}

fn place_is_pending(archive: &Archive) -> bool {
    place(&archive.catalog.connection, FOLDING).unwrap().is_some()
}

#[test]
fn a_chain_in_which_nothing_repeats_itself_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let mut archive = archive(place.path(), 2);
    let before = chain(place.path());
    archive.fold_chain(0).unwrap();
    assert_eq!(chain(place.path()), before);
    more(&mut archive, 2..4);
    archive.fold_chain(0).unwrap();
    assert!(chain(place.path()).starts_with(&before));
    fine(place.path(), 4);
}

#[test]
fn what_a_first_export_has_written_is_not_folded() {
    let place = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(place.path(), None).unwrap();
    let run = archive.begin_run(&Selection::default(), &[]).unwrap();
    commit(&mut archive, run, 0..24);
    let first = chain(place.path());
    archive.fold_chain(0).unwrap();
    archive.index().unwrap();
    archive.fold_chain(0).unwrap();
    assert!(chain(place.path()) == first && first.lines().count() == 49, "{first}");
    commit(&mut archive, run, 24..36);
    archive.end_run(run, crate::archive::RunOutcome::Done, None, 2).unwrap();
    archive.fold_chain(0).unwrap();
    let after = chain(place.path());
    assert!(after.starts_with(&first) && after.lines().count() == 49 + 3, "{after}");
    fine(place.path(), 36);
}
