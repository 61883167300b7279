//! A room as JSON lines: those that an archive would have, or what is left of them for who they are handed on to. Knows no catalog.

use std::collections::BTreeSet;
use std::io::Write as _;

use anyhow::Result;
use tracing::{info, warn};

use super::super::log::harmless;
use super::super::output::DataOutput;
use super::super::report::{self, Counter, SEVERAL_ROWS, counted, shown};
use super::super::{Outcome, keys};
use super::decrypting::RoomDecrypter;
use super::{Args, EMPTY_PERIOD, WARNINGS};
use crate::event::{Event, OwnedEventId, OwnedUserId, Redaction};
use crate::source::{self, Bans, Database, Row, Rows};

/// How many events without a place in the stream are counted.
const UNPLACED: u32 = 1_000;

/// Lines on their way out.
pub(super) struct Dump<'a> {
    database: &'a Database,
    honour_redactions: bool,
    bans: Bans,
    decrypting: Option<RoomDecrypter>,
    out: DataOutput,
    counter: Counter,
    lines: u64,
    redacted: u64,
    /// Lines that are left of what erased users sent.
    erased: u64,
    damaged: u64,
    duplicates: u64,
    warnings: u64,
}

/// How many events of one depth are remembered.
const AT_A_DEPTH: usize = 100_000;

/// The events of the depth that a dump is at, by which it knows a second row of one: that has the same depth.
#[derive(Default)]
struct AtDepth {
    depth: i64,
    seen: BTreeSet<OwnedEventId>,
}

impl AtDepth {
    /// Whether an event has not been there.
    fn is_first(&mut self, event: &Event) -> bool {
        if self.depth != event.topological_ordering || self.seen.len() >= AT_A_DEPTH {
            self.depth = event.topological_ordering;
            self.seen.clear();
        }
        self.seen.insert(event.event_id.clone())
    }
}

impl<'a> Dump<'a> {
    pub(super) fn new(
        database: &'a Database,
        honour_redactions: bool,
        bans: Bans,
        decrypting: Option<RoomDecrypter>,
        out: DataOutput,
        counter: Counter,
    ) -> Dump<'a> {
        let (lines, redacted, erased, damaged, duplicates, warnings) = (0, 0, 0, 0, 0, 0);
        Dump {
            database,
            honour_redactions,
            bans,
            decrypting,
            out,
            counter,
            lines,
            redacted,
            erased,
            damaged,
            duplicates,
            warnings,
        }
    }

    /// Writes the state, if there is to be one, and the events.
    pub(super) async fn all(mut self, args: &Args, room_id: &str, state: Option<Rows>) -> Result<Outcome> {
        if let Some(rows) = state {
            self.write(rows).await?;
        }
        let state_lines = self.lines;
        let asks = args.honour_redactions || self.decrypting.is_some();
        let (since, until) = args.form.bounds();
        self.write(self.database.room(room_id, since, until, asks)).await?;
        for (lacks, event, room) in self.database.unplaced(&[room_id.to_owned()], UNPLACED).await? {
            self.damaged += 1;
            self.warnings += 1;
            if self.warnings <= WARNINGS {
                report::unplaced(event.borrowed(), room.borrowed(), &lacks);
            }
        }
        self.counter.end();
        self.out.finish()?;
        if self.warnings > WARNINGS {
            warn!("{} more of these", self.warnings - WARNINGS);
        }
        if let Some(decrypting) = &self.decrypting {
            keys::report(room_id, decrypting.numbers());
        }
        let events = self.lines - state_lines;
        let state = if args.state { format!(", after {state_lines} of its state") } else { String::new() };
        let (redactions, damaged) = (self.redacted, self.damaged);
        let redacted = if args.honour_redactions {
            format!(", {} redacted, {} of erased users", counted(redactions, "line"), self.erased)
        } else {
            String::new()
        };
        info!(
            room_id,
            events,
            state_lines,
            redacted = redactions,
            erased = self.erased,
            damaged,
            duplicates = self.duplicates,
            "{} of {}{state}{redacted}",
            counted(events, "event"),
            shown(room_id)
        );
        if events == 0 && args.form.period().is_some() {
            info!("{EMPTY_PERIOD}");
        }
        Ok(if damaged + self.duplicates > 0 { Outcome::Damaged } else { Outcome::Done })
    }

    async fn write(&mut self, mut rows: Rows) -> Result<()> {
        let mut at_depth = AtDepth::default();
        loop {
            let chunk = rows.recv().await.ok_or(source::Error::BrokeOff)??;
            if chunk.is_empty() {
                return Ok(());
            }
            let mut events: Vec<Box<Event>> = chunk.into_iter().filter_map(Row::event).collect();
            events.retain(|event| {
                let is_first = at_depth.is_first(event);
                if event.duplicate == is_first {
                    self.duplicates += 1;
                    self.warn(event, &format_args!(" {SEVERAL_ROWS}"));
                }
                is_first
            });
            let shown = match &mut self.decrypting {
                Some(decrypting) => decrypting.events(&events).await?,
                None => Vec::new(),
            };
            let shown = if shown.is_empty() { &events } else { &shown };
            let lines = if self.honour_redactions { self.honoured(&events, shown).await? } else { plain(shown) };
            for event in &events {
                if let Some(damage) = &event.damage {
                    self.damaged += 1;
                    self.warn(event, &format_args!(": {damage}"));
                }
            }
            // JSON lets through what changes how some terminals write; a file or a pipe gets the text as it is stored
            let lines = if self.out.is_terminal() { harmless(&lines) } else { lines };
            self.out.write_all(lines.as_bytes())?;
            self.lines += events.len() as u64;
            self.counter.at(self.lines);
        }
    }

    fn warn(&mut self, event: &Event, text: &dyn std::fmt::Display) {
        self.warnings += 1;
        if self.warnings <= WARNINGS {
            warn!(event_id = event.event_id.as_str(), "event {}{text}", shown(&event.event_id));
        }
    }

    /// The lines of events as they are `shown`, of those that are redacted what their redaction leaves of what is stored.
    async fn honoured(&mut self, events: &[Box<Event>], shown: &[Box<Event>]) -> Result<String> {
        let redactions = self.database.redactions(events.iter().map(Box::as_ref), &self.bans).await?;
        let of_redactions = self.database.redactions(redactions.values(), &self.bans).await?;
        let knows_erased = self.database.schema().suffices_for_erased().is_ok();
        let senders =
            events.iter().map(Box::as_ref).chain(redactions.values()).filter_map(|event| event.sender.as_ref());
        let erased = if knows_erased {
            self.database.erased(&senders.map(OwnedUserId::borrowed).collect()).await?
        } else {
            BTreeSet::new()
        };
        let is_erased = |event: &Event| event.sender.as_ref().is_some_and(|sender| erased.contains(sender));
        let redaction = |event: &Event| {
            let event = redactions.get(&event.event_id)?;
            let redacted = of_redactions.contains_key(&event.event_id) || is_erased(event);
            Some(Redaction { event, redacted })
        };
        let (mut lines, mut redacted, mut warnings) = (String::new(), 0, Vec::new());
        for (event, shown) in events.iter().zip(shown) {
            let redaction = redaction(event);
            redacted += u64::from(redaction.is_some());
            let honoured = if redaction.is_none() && is_erased(event) {
                self.erased += 1;
                event.honouring_erasure()
            } else if redaction.is_none() {
                shown.honouring(None)
            } else {
                event.honouring(redaction)
            };
            warnings.extend(honoured.warning.map(|warning| (event, warning)));
            lines.push_str(&honoured.line);
            lines.push('\n');
        }
        self.redacted += redacted;
        for (event, warning) in warnings {
            self.warn(event, &format_args!(": {warning}"));
        }
        Ok(lines)
    }
}

fn plain(events: &[Box<Event>]) -> String {
    let mut lines = String::new();
    for event in events {
        lines.push_str(&event.line);
        lines.push('\n');
    }
    lines
}
