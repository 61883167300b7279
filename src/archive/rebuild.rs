//! Makes a catalog anew from an archive's files, since they are the truth and it is only their index. Asks no database, and changes no
//! line.

use std::path::Path;

use tracing::warn;

use super::adding::Adding;
use super::lines::{self, FileLine, WholeFile};
use super::state::Restoring;
use super::writing::Writing;
use super::{Counts, Error, Interrupt, RebuildProgress, RunOutcome, catalog, layout};
use crate::event::Event;

/// How many second lines of events are named.
const NAMED: u64 = 20;

/// After how many files of lines, or bytes of them, the new catalog is committed.
const FILES: u64 = 2_000;
const BYTES: u64 = 64 * 1024 * 1024;

/// Takes every line of the archive, and its state, into a catalog that has none, or those of some files from a rebuild that was cut
/// off; its other indexes are still to be made then. A last line that was cut off is taken away: the next export adds it again, if
/// the server still has it. Where an event has several lines, the first one counts. How many files of lines have less than the
/// state says.
pub(super) fn rebuild(
    archive: &Path,
    writing: &mut Writing<'_>,
    interrupt: &Interrupt,
    told: &mut RebuildProgress<'_>,
) -> Result<u64, Error> {
    let mut state = Restoring::read(archive, &writing.0)?;
    let looks = writing.is_begun_to_index()?;
    let mut run = take_all(archive, &mut state, writing, interrupt, told, looks)?;
    if run.is_some() && !looks && writing.has_second_lines()? {
        // only an index, which makes it slower, tells in time which lines these are
        writing.empty()?;
        run = take_all(archive, &mut state, writing, interrupt, told, true)?;
    }
    if let Some(run) = run {
        writing.end_run(run, RunOutcome::Rebuilt, None, 0)?;
    }
    state.finish(archive, writing, run)
}

/// Takes in the lines as a part of a run, if there is any or was one before. `looks`: whether each event is there already.
fn take_all(
    archive: &Path,
    state: &mut Restoring,
    writing: &mut Writing<'_>,
    interrupt: &Interrupt,
    told: &mut RebuildProgress<'_>,
    looks: bool,
) -> Result<Option<i64>, Error> {
    let (mut done, mut all) = (0, 0);
    lines::for_each(archive, |_, _| {
        all += 1;
        Ok(())
    })?;
    let begun: Option<i64> =
        writing.0.query_row("select max(run) from run where outcome = 'running'", [], |row| row.get(0))?;
    let run = if let Some(run) = begun {
        run
    } else {
        Restoring::runs(&writing.0)?;
        // one that has never come to a run is as new
        if all == 0 && !Restoring::has_runs(&writing.0)? {
            return Ok(None);
        }
        writing.begin_run()?
    };
    let (mut second, mut files, mut bytes) = (0, 0, 0);
    let (mut counts, mut adding) = (Counts::default(), Adding::new(writing, run, false)?);
    lines::for_each(archive, |name, day| {
        if catalog::file(&writing.0, name)?.is_none() {
            second += take_file(archive, name, day, state, writing, &mut adding, &mut counts, interrupt, looks)?;
            files += 1;
            bytes += catalog::length(&writing.0, name)?.unwrap_or(0);
            if files >= FILES || bytes >= BYTES {
                writing.count(run, &std::mem::take(&mut counts), 1)?;
                writing.commit_and_go_on()?;
                (files, bytes) = (0, 0);
            }
        }
        done += 1;
        told(done, all.max(done));
        Ok(())
    })?;
    if second > NAMED {
        warn!("{} more second lines of events", second - NAMED);
    }
    writing.begin_to_index()?;
    writing.count(run, &counts, 1)?;
    Ok(Some(run))
}

/// Takes the lines of a file; how many were second ones of their events.
#[allow(clippy::too_many_arguments, reason = "called once")]
fn take_file(
    archive: &Path,
    name: &str,
    day: &str,
    state: &mut Restoring,
    writing: &Writing<'_>,
    adding: &mut Adding<'_>,
    counts: &mut Counts,
    interrupt: &Interrupt,
    looks: bool,
) -> Result<u64, Error> {
    let (file, mut first) = (adding.next_file(), None);
    lines::settle(archive, name)?;
    let mut lines = WholeFile::open(archive, name)?;
    let (mut bytes, mut events, mut second) = (0, 0, 0);
    loop {
        interrupt.check()?;
        let Some(FileLine { start, text, is_cut_off, .. }) = lines.next()? else { break };
        let length = text.map_or(0, str::len) as u64;
        let event = text.map(|text| Event::from_line(text, day));
        let event = match event {
            Some(event) => event.map_err(|why| lines.broken(&why)),
            None => Err(lines.broken(&"it is not UTF-8")),
        };
        if is_cut_off {
            // the end of a batch that was cut off; an event that came through whole is kept all the same
            let whole = event.is_ok();
            lines.end((!whole).then_some(start))?;
            if !whole {
                break;
            }
        }
        let mut event = event?;
        if layout::day_file(&event.room_id, event.day) != name {
            return Err(lines.broken(&"it belongs to another file"));
        }
        let as_its_line = Counts::of(&event);
        state.complete(&mut event, day, start, &writing.0)?;
        let is_new = !looks || !writing.has_event(event.id())?;
        if is_new {
            let line = adding.add(&event, file, start, None)?;
            if let Some((how, erasure)) = state.erased(&event, &writing.0)? {
                writing.is_to_be_erased(file, line, how, erasure)?;
            }
            *counts += as_its_line;
            events += 1;
        } else {
            second += 1;
            if second <= NAMED {
                let event_id = &event.event_id;
                warn!(
                    event_id = event_id.as_str(),
                    "line {} of {} is a second one of the event {}, and does not count",
                    lines.number(),
                    lines.path().display(),
                    event_id.escape_debug()
                );
            }
        }
        bytes = start + length + 1;
        first.get_or_insert(event);
        if is_cut_off {
            break;
        }
    }
    let Some(event) = first else { return lines::remove(archive, name).map(|()| second) };
    adding.new_file(day, bytes, events, &event)?;
    Ok(second)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::archive::Archive;
    use crate::event::tests::stored;
    use crate::event::{EventId, Stored};

    const FILE: &str = "rooms/r@x/2026-11-22.jsonl";

    fn line(event_id: &str, json: &str) -> String {
        let stored = Stored { event_id: EventId::of(event_id), ..stored(Some(json)) };
        Event::from_stored(&stored).line + "\n"
    }

    /// An archive that has lost its catalog.
    fn archive(lines: &[u8]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("rooms/r@x")).unwrap();
        fs::write(directory.path().join(FILE), lines).unwrap();
        directory
    }

    #[test]
    fn a_line_that_was_cut_off_within_a_character_is_taken_away() {
        let whole = line("$1", "{}");
        let cut = line("$2", "not JSON: é");
        let end = cut.find('é').unwrap() + 1;
        let directory = archive(&[whole.as_bytes(), &cut.as_bytes()[..end]].concat());
        let archive = Archive::open(directory.path(), None).unwrap();
        assert_eq!(archive.catalog().events().unwrap(), 1);
        assert_eq!(fs::read_to_string(directory.path().join(FILE)).unwrap(), whole);
    }

    #[test]
    fn what_is_not_utf8_before_the_end_is_named() {
        let directory = archive(&[line("$1", "{}").as_bytes(), b"\xff\n"].concat());
        let error = Archive::open(directory.path(), None).err().unwrap();
        assert!(matches!(&error, Error::Line { line: 2, why, .. } if why == "it is not UTF-8"), "{error}");
    }

    #[test]
    fn of_an_event_with_two_lines_the_first_counts() {
        let member = |name: &str| {
            let member = r#"{"type":"m.room.member","state_key":"@a:x","sender":"@a:x","origin_server_ts":1795348800000,"content":{"membership":"join","displayname":"#;
            format!("{member}\"{name}\"}}}}")
        };
        let lines = [line("$1", &member("one")), line("$2", "{}"), line("$1", &member("two"))].concat();
        let directory = archive(lines.as_bytes());
        let archive = Archive::open(directory.path(), None).unwrap();
        assert_eq!(archive.catalog().events().unwrap(), 2);
        assert_eq!(fs::read_to_string(directory.path().join(FILE)).unwrap(), lines, "nobody asked to have it changed");
        let one = |sql: &str| archive.catalog().connection.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
        assert_eq!(one("select group_concat(displayname) from membership"), "one");
        assert_eq!(one("select events || ' of ' || bytes from file"), format!("2 of {}", lines.len()));
        assert_eq!(one("select group_concat(start) from line"), format!("0,{}", line("$1", &member("one")).len()));
        assert_eq!(one("select group_concat(outcome) from run"), "rebuilt");
    }

    #[test]
    fn a_damaged_line_is_shown_on_its_day() {
        let reply = r#"{"type":"m.room.message","content":{"body":"x","m.relates_to":{"rel_type":"m.thread","event_id":"$1"}},"origin_server_ts":1795348800000}"#;
        let directory = archive([line("$1", "not JSON"), line("$2", reply)].concat().as_bytes());
        let mut archive = Archive::open(directory.path(), None).unwrap();
        crate::views::render(&mut archive, &mut |_, _| true).unwrap();
        let transcript = fs::read_to_string(directory.path().join(FILE.replace("jsonl", "md"))).unwrap();
        for part in ["--:-- · an event that cannot be read", "[in thread: *an event that cannot be read*]"] {
            assert!(transcript.contains(part), "{transcript}");
        }
    }
}
