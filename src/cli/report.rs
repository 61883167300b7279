//! What a user sees of an export: a bar on a terminal, plain lines elsewhere, a summary at the end; all on stderr.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};

use super::{lag, say};
use crate::archive::{Archive, Selection};
use crate::event::Damage;
use crate::export::{Progress, Report, Summary};
use crate::source::{Database, Standing, Tell};
use crate::stream::Stream;

/// Between two plain lines.
const EVERY: Duration = Duration::from_secs(5);
/// How many damaged events are named; the catalog knows all.
const NAMED: u64 = 20;

/// Text from the network as a terminal may see it: control and direction characters are escaped.
pub(super) fn shown(text: &str) -> String {
    text.escape_debug().collect()
}

/// How far something is: a bar on a terminal, else a line now and then.
pub(super) struct Bar {
    quiet: bool,
    shown: Option<ProgressBar>,
    last_line: Instant,
}

impl Bar {
    pub(super) fn new(quiet: bool) -> Self {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(1_000_000);
            if let Ok(style) = ProgressStyle::with_template("{bar:24} {percent:>3} %  {msg}") {
                bar.set_style(style);
            }
            bar
        });
        Bar { quiet, shown: bar, last_line: Instant::now() }
    }

    /// Shows which part is done, 0 to 1; the text is only made when it is needed.
    pub(super) fn show(&mut self, part: f64, text: impl FnOnce() -> String) {
        if self.quiet || (self.shown.is_none() && self.last_line.elapsed() < EVERY) {
            return;
        }
        self.last_line = Instant::now();
        match &self.shown {
            Some(bar) => {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a million")]
                bar.set_position((part * 1e6) as u64);
                bar.set_message(text());
            }
            None => say(&format!("{:.0} %: {}", part * 100.0, text())),
        }
    }

    /// Says something else meanwhile.
    pub(super) fn say(&self, text: &str) {
        match &self.shown {
            Some(bar) => bar.suspend(|| say(text)),
            None => say(text),
        }
    }

    pub(super) fn end(&mut self) {
        if let Some(bar) = self.shown.take() {
            bar.finish_and_clear();
        }
    }
}

/// Reports to the user's terminal, or to a log.
pub(super) struct Terminal {
    bar: Bar,
    began: Instant,
    damaged: u64,
}

impl Terminal {
    pub(super) fn new(quiet: bool) -> Self {
        Terminal { bar: Bar::new(quiet), began: Instant::now(), damaged: 0 }
    }

    /// Says what is tried again, as it happens.
    pub(super) fn tell(&self) -> Tell {
        let (quiet, bar) = (self.bar.quiet, self.bar.shown.clone());
        Arc::new(move |text| match &bar {
            Some(bar) => bar.suspend(|| say(text)),
            None if quiet => {}
            None => say(text),
        })
    }

    pub(super) fn begin(
        &mut self,
        database: &Database,
        standing: Standing,
        archive: &Archive,
        selection: &Selection,
    ) -> Result<()> {
        let rooms = match (selection.include.len(), selection.exclude.len()) {
            (0, 0) => "all rooms".to_owned(),
            (0, excluded) => format!("all rooms but {excluded}"),
            (included, _) => format!("{included} selected room{}", if included == 1 { "" } else { "s" }),
        };
        let known = archive.catalog().events()?;
        let server = database.server_name().unwrap_or("a server whose name is not known");
        if !self.bar.quiet {
            let replica = match standing {
                Standing::Primary => String::new(),
                Standing::Replica(behind) => format!("; reading {}", lag::shown(behind)),
            };
            let server = shown(server);
            say(&format!("exporting {rooms} of {server}; the archive has {} events{replica}", HumanCount(known)));
        }
        if database.server_name().is_none() {
            self.note("no local user can be read, so local messages that a purge left behind cannot be told from foreign ones and are not exported (GRANT SELECT (name) ON users helps)");
        }
        Ok(())
    }

    pub(super) fn end(&mut self, summary: Option<&Summary>) {
        self.bar.end();
        if self.damaged > NAMED {
            say(&format!(
                "warning: {} more damaged events: select event_id from event where damaged",
                self.damaged - NAMED
            ));
        }
        if let Some(summary) = summary.filter(|_| !self.bar.quiet) {
            say(&self.summary(summary));
        }
    }

    fn summary(&self, summary: &Summary) -> String {
        let n = |count: u64| HumanCount(count).to_string();
        let counts = &summary.counts;
        format!(
            "{}: {} new events ({} live, {} backfill) in {} files, {}\n  {} late arrivals, {} soft-failed, {} rejected, \
             {} purge survivors, {} damaged\n  {} pruned by Synapse before, {} of unknown room version, {} archived before",
            if summary.stopped { "stopped" } else { "done" },
            n(counts.new_events()),
            n(counts.live),
            n(counts.backfill),
            n(summary.files),
            took(self.began.elapsed()),
            n(counts.late),
            n(counts.soft_failed),
            n(counts.rejected),
            n(counts.survivors),
            n(counts.damaged),
            n(counts.censored),
            n(counts.versionless),
            n(counts.known),
        )
    }
}

fn took(duration: Duration) -> String {
    if duration < Duration::from_secs(60) {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        HumanDuration(duration).to_string()
    }
}

impl Report for Terminal {
    fn progress(&mut self, progress: Progress) {
        let elapsed = self.began.elapsed().as_secs_f64().max(0.001);
        let Progress { part, stream, position, events } = progress;
        self.bar.show(part, || {
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
            format!(
                "{} events, {}/s, {stream} position {position}, {} left",
                HumanCount(events),
                HumanCount(rate),
                HumanDuration(left)
            )
        });
    }

    fn damaged(&mut self, event_id: &str, room_id: &str, damage: &Damage) {
        self.damaged += 1;
        if self.damaged <= NAMED {
            self.note(&format!("warning: event {} in {}: {damage}", shown(event_id), shown(room_id)));
        }
    }

    fn note(&mut self, text: &str) {
        self.bar.say(text);
    }
}

/// Counts for the user what a command without an archive has read: on a terminal in place, elsewhere in plain lines.
pub(super) struct Counter {
    quiet: bool,
    what: &'static str,
    bar: Option<ProgressBar>,
    began: Instant,
    last_line: Instant,
}

impl Counter {
    /// `shares_terminal`: the data go to a terminal too, where a bar would be in their way.
    pub(super) fn new(quiet: bool, what: &'static str, shares_terminal: bool) -> Self {
        let bar = (!quiet && !shares_terminal && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
            bar
        });
        let silent = quiet || shares_terminal;
        Counter { quiet: silent, what, bar, began: Instant::now(), last_line: Instant::now() }
    }

    pub(super) fn at(&mut self, count: u64) {
        if self.quiet || (self.bar.is_none() && self.last_line.elapsed() < EVERY) {
            return;
        }
        self.last_line = Instant::now();
        let text = format!("{} {} in {}", HumanCount(count), self.what, took(self.began.elapsed()));
        match &self.bar {
            Some(bar) => {
                bar.set_message(text);
                bar.tick();
            }
            None => say(&text),
        }
    }

    pub(super) fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(text)),
            None => say(text),
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
