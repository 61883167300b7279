//! What a user sees of an export: a bar on a terminal, lines elsewhere, a summary at the end; all on stderr. Never what a message says.

use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{HumanCount, HumanDuration, ProgressBar};
use tracing::{info, warn};

use super::{lag, log};
use crate::archive::{Archive, RunOutcome, Selection};
use crate::event::{Damage, EventId, RoomId};
use crate::export::{Progress, Report, Summary, WAITING_NAMED};
use crate::source::{self, Database, Standing};
use crate::stream::Stream;

/// Between two lines.
const EVERY: Duration = Duration::from_secs(5);
/// How many damaged events are named; the catalog knows all.
const NAMED: u32 = 20;

/// What is said of an event without its row in `event_json` that was not looked for everywhere.
const HIDDEN: &str =
    "; if an index hides it (synapse-export doctor tells of a changed collation), export --look-for-missing finds it";

/// What is said of an event of which the database has more than one row.
pub(super) const SEVERAL_ROWS: &str = "has several rows in the database, under a unique index that is broken; it has one line, \
     which is that of the best of its texts or, where it was archived before, as it was (synapse-export doctor says more)";

/// Text from the network as a terminal may see it: control and direction characters are escaped.
pub(super) fn shown(text: &str) -> String {
    text.escape_debug().collect()
}

/// So many of them: `1 event`, `2,000 events`.
pub(super) fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", HumanCount(count), if count == 1 { "" } else { "s" })
}

/// How far something is: a bar on a terminal, else a line now and then.
pub(super) struct Bar {
    shown: Option<ProgressBar>,
    last_line: Instant,
}

impl Bar {
    pub(super) fn new() -> Self {
        // what does not fit in a terminal's line is cut off there
        let bar = log::bar(ProgressBar::new(1_000_000), "{bar:20} {percent:>3} %  {wide_msg}");
        Bar { shown: bar, last_line: Instant::now() }
    }

    /// Shows how many of all are done.
    pub(super) fn show_of(&mut self, done: u64, all: u64, text: impl FnOnce() -> String, line: impl FnOnce(f64, &str)) {
        #[allow(clippy::cast_precision_loss, reason = "it is shown as a percentage")]
        let part = done as f64 / all.max(1) as f64;
        self.show(part, text, |text| line(part, text));
    }

    /// Shows which part is done, 0 to 1. Where there is no bar, `line` says it now and then.
    pub(super) fn show(&mut self, part: f64, text: impl FnOnce() -> String, line: impl FnOnce(&str)) {
        if let Some(bar) = &self.shown {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a million")]
            bar.set_position((part * 1e6) as u64);
            bar.set_message(text());
        } else if self.last_line.elapsed() >= EVERY {
            self.last_line = Instant::now();
            line(&format!("{:.0} %: {}", part * 100.0, text()));
        }
    }

    pub(super) fn end(&mut self) {
        if let Some(bar) = self.shown.take() {
            bar.finish_and_clear();
        }
    }
}

/// What is exported, in short.
pub(super) fn selected(selection: &Selection) -> String {
    match (selection.include.len(), selection.exclude.len()) {
        (0, 0) => "all rooms".to_owned(),
        (0, excluded) => format!("all rooms but {excluded}"),
        (included, 0) => counted(included as u64, "selected room"),
        (included, excluded) => format!("{} but {excluded}", counted(included as u64, "selected room")),
    }
}

/// Says what is about to be exported.
pub(super) fn begin(database: &Database, standing: Standing, archive: &Archive, selection: &Selection) -> Result<()> {
    let rooms = selected(selection);
    let known = archive.catalog().events()?;
    let before = archive.catalog().selection()?;
    if before != *selection && known > 0 {
        info!(
            "the selection has changed: now {rooms}, before {}; `synapse-export rooms --selected` lists them",
            selected(&before)
        );
    }
    let server = shown(database.server_name().unwrap_or("a server whose name is not known"));
    let behind = standing.behind();
    let replica = behind.map_or_else(String::new, |_| format!("; reading {}", lag::shown(standing)));
    info!(
        server = database.server_name(),
        events = known,
        replica = matches!(standing, Standing::Replica(_)),
        subscriber = matches!(standing, Standing::Subscriber(_)),
        behind = behind.flatten().map(|behind| behind.as_secs_f64()),
        "exporting {rooms} of {server}; the archive has {}{replica}",
        counted(known, "event")
    );
    if database.server_name().is_none() {
        warn!(
            "no local user can be read, so local messages that a purge left behind cannot be told from foreign ones and are not exported (GRANT SELECT (name) ON users helps)"
        );
    }
    bans(database);
    if let Err(problem) = database.schema().suffices_for_un_partial_stated() {
        warn!("what Synapse rejects after it has been archived will be shown in transcripts: {}", advised(&problem));
    }
    if let Err(problem) = database.schema().suffices_for_power_levels()
        && !archive.catalog().has_power_levels()?
    {
        warn!("polls that moderators have ended may stay open in transcripts: {}", advised(&problem));
    }
    Ok(())
}

/// Says that transcripts will show what bans redact, if these cannot be read.
pub(super) fn bans(database: &Database) {
    if let Err(problem) = database.schema().suffices_for_bans() {
        warn!("what bans have redacted will be shown in transcripts: {}", advised(&problem));
    }
}

/// A problem, and what helps against it.
pub(super) fn advised(problem: &source::Problem) -> String {
    let hint = problem.hint().map_or_else(String::new, |hint| format!("; {hint}"));
    format!("{problem}{hint}")
}

/// Names an event that is in no page, and so not archived.
pub(super) fn unplaced(event: EventId<'_>, room: RoomId<'_>, lacks: &str) {
    warn!(
        event_id = &*event,
        room_id = &*room,
        "event {} in {} has no {lacks} in the database, and is not archived",
        shown(&event),
        shown(&room)
    );
}

/// Reports to the user's terminal, or to a log.
pub(super) struct Terminal {
    bar: Bar,
    began: Instant,
    damaged: u64,
    unplaced: u64,
    duplicates: u64,
    gone: u64,
    hidden: &'static str,
}

impl Terminal {
    /// `looks_for_missing`: what no index shows is looked for.
    pub(super) fn new(looks_for_missing: bool) -> Self {
        let hidden = if looks_for_missing { "" } else { HIDDEN };
        Terminal { bar: Bar::new(), began: Instant::now(), damaged: 0, unplaced: 0, duplicates: 0, gone: 0, hidden }
    }

    pub(super) fn end(&mut self, summary: Option<&Summary>) {
        self.bar.end();
        if self.damaged > u64::from(NAMED) {
            warn!(
                damaged = self.damaged,
                "{} more damaged events: select event_id from event where damaged",
                self.damaged - u64::from(NAMED)
            );
        }
        if self.unplaced > u64::from(NAMED) {
            warn!("and {} more of these, at least", self.unplaced - u64::from(NAMED));
        }
        if self.gone > u64::from(NAMED) {
            warn!(gone = self.gone, "{} more events that are gone", self.gone - u64::from(NAMED));
        }
        if let Some(summary) = summary {
            let more = summary.counts.duplicates.saturating_sub(u64::from(NAMED));
            if more > 0 {
                warn!(
                    duplicates = summary.counts.duplicates,
                    "{} more events with several rows: select event_id from duplicate",
                    HumanCount(more)
                );
            }
            if summary.waiting > u64::from(WAITING_NAMED) {
                warn!(
                    waiting = summary.waiting,
                    "{} more events that are waited for: select event_id from waiting",
                    summary.waiting - u64::from(WAITING_NAMED)
                );
            }
            self.summary(summary);
        }
    }

    fn summary(&self, summary: &Summary) {
        let n = |count: u64| HumanCount(count).to_string();
        let counts = &summary.counts;
        let outcome = summary.outcome();
        let said = match outcome {
            RunOutcome::Damaged if counts.damaged > 0 => "done, but some rows are damaged",
            RunOutcome::Damaged if summary.waiting > 0 => "done, but some rows are not whole yet",
            RunOutcome::Damaged if counts.gone > 0 => "done, but some events are gone",
            RunOutcome::Damaged if counts.unplaced > 0 => "done, but some rows are not archived",
            RunOutcome::Damaged => "done, but some events have several rows",
            outcome => outcome.as_str(),
        };
        let some = |count: u64, what: &str| if count == 0 { String::new() } else { format!(", {} {what}", n(count)) };
        let (mended, waiting) = (some(counts.mended, "of these whole by now"), some(summary.waiting, "not whole yet"));
        info!(
            run = summary.run,
            outcome = outcome.as_str(),
            events = counts.new_events(),
            live = counts.live,
            backfill = counts.backfill,
            files = summary.files,
            seconds = self.began.elapsed().as_secs_f64(),
            late = counts.late,
            soft_failed = counts.soft_failed,
            rejected = counts.rejected,
            survivors = counts.survivors,
            damaged = counts.damaged,
            censored = counts.censored,
            versionless = counts.versionless,
            known = counts.known,
            unplaced = counts.unplaced,
            duplicates = counts.duplicates,
            mended = counts.mended,
            waiting = summary.waiting,
            gone = counts.gone,
            "{said}: {} ({} live, {} backfill) in {}, {}\n  {}, {} soft-failed, \
             {} rejected, {}, {} damaged\n  {} pruned by Synapse before, {} of unknown room version, \
             {} archived before{}{mended}{waiting}",
            counted(counts.new_events(), "new event"),
            n(counts.live),
            n(counts.backfill),
            counted(summary.files, "file"),
            took(self.began.elapsed()),
            counted(counts.late, "late arrival"),
            n(counts.soft_failed),
            n(counts.rejected),
            counted(counts.survivors, "purge survivor"),
            n(counts.damaged),
            n(counts.censored),
            n(counts.versionless),
            n(counts.known),
            if counts.unplaced > 0 {
                format!(", {} without a place in the stream", n(counts.unplaced))
            } else {
                String::new()
            },
        );
    }
}

fn took(duration: Duration) -> String {
    if duration < Duration::from_secs(60) {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        HumanDuration(duration).to_string()
    }
}

/// How far an export is: short, as it stands beside a bar, and a terminal may have 80 columns.
fn so_far(events: u64, rate: u64, left: Duration) -> String {
    format!("{}, {}/s, {} left", counted(events, "event"), HumanCount(rate), HumanDuration(left))
}

impl Report for Terminal {
    fn progress(&mut self, progress: Progress) {
        let elapsed = self.began.elapsed().as_secs_f64().max(0.001);
        let Progress { part, stream, position, events } = progress;
        let text = || {
            #[allow(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "for show"
            )]
            let rate = (events as f64 / elapsed) as u64;
            let left = if part > 0.0 {
                Duration::from_secs_f64((elapsed * (1.0 - part) / part).min(1e9))
            } else {
                Duration::ZERO
            };
            so_far(events, rate, left)
        };
        let stream = stream.name();
        self.bar
            .show(part, text, |line| info!(part, events, stream, position = position.0, seconds = elapsed, "{line}"));
    }

    fn damaged(&mut self, event: EventId<'_>, room: RoomId<'_>, damage: &Damage) {
        self.damaged += 1;
        if self.damaged <= u64::from(NAMED) {
            let hint = if *damage == Damage::Missing { self.hidden } else { "" };
            warn!(event_id = &*event, room_id = &*room, "event {} in {}: {damage}{hint}", shown(&event), shown(&room));
        }
    }

    fn unplaced(&mut self, event: EventId<'_>, room: RoomId<'_>, lacks: &str) {
        self.unplaced += 1;
        if self.unplaced <= u64::from(NAMED) {
            unplaced(event, room, lacks);
        }
    }

    fn duplicate(&mut self, event: EventId<'_>, room: RoomId<'_>) {
        self.duplicates += 1;
        if self.duplicates <= u64::from(NAMED) {
            warn!(event_id = &*event, room_id = &*room, "event {} in {} {SEVERAL_ROWS}", shown(&event), shown(&room));
        }
    }

    fn waiting(&mut self, event: EventId<'_>, room: RoomId<'_>) {
        warn!(
            event_id = &*event,
            room_id = &*room,
            "event {} in {} has no row in event_json yet: each run asks for it, and after a day archives it as damaged{}",
            shown(&event),
            shown(&room),
            self.hidden
        );
    }

    fn gone(&mut self, event: EventId<'_>, room: RoomId<'_>) {
        self.gone += 1;
        if self.gone <= u64::from(NAMED) {
            warn!(
                event_id = &*event,
                room_id = &*room,
                "event {} in {} had no row in event_json for a day, and is in the database no more: it is not archived",
                shown(&event),
                shown(&room)
            );
        }
    }
}

/// Counts for the user what a command without an archive has read: on a terminal in place, elsewhere in lines.
pub(super) struct Counter {
    what: &'static str,
    /// The data go to a terminal too, where this would be in their way.
    shares_terminal: bool,
    bar: Option<ProgressBar>,
    began: Instant,
    last_line: Instant,
}

impl Counter {
    pub(super) fn new(what: &'static str, shares_terminal: bool) -> Self {
        let bar = if shares_terminal { None } else { log::bar(ProgressBar::new_spinner(), "{spinner} {msg}") };
        Counter { what, shares_terminal, bar, began: Instant::now(), last_line: Instant::now() }
    }

    pub(super) fn at(&mut self, count: u64) {
        if self.shares_terminal || (self.bar.is_none() && self.last_line.elapsed() < EVERY) {
            return;
        }
        self.last_line = Instant::now();
        let took = self.began.elapsed();
        let text = format!("{} {} in {}", HumanCount(count), self.what, self::took(took));
        if let Some(bar) = &self.bar {
            bar.set_message(text);
            bar.tick();
        } else {
            info!(count, seconds = took.as_secs_f64(), "{text}");
        }
    }

    pub(super) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// The streams as the user names them.
pub(super) fn stream(name: &str) -> Result<Stream, String> {
    Stream::ALL.into_iter().find(|stream| stream.name() == name).ok_or_else(|| "live or backfill".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_fits_beside_its_bar_in_80_columns() {
        let text = so_far(500_000_000, 100_000, Duration::from_secs(59 * 60));
        assert_eq!(text, "500,000,000 events, 100,000/s, 59 minutes left");
        // the bar, the percentage, and what is between them
        assert!(20 + " 100 %  ".len() + text.len() <= 80);
    }
}
