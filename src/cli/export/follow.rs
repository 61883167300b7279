//! `synapse-export export --follow`: a run that does not end, but goes on with rounds.
//!
//! It is made of sessions, each with a connection and the archive's lock, and ends one when another command wants the archive, the
//! configuration is to be read again, a day is over, or something fails that passes. What is made of the lines is made between two
//! rounds (`session`). Judges nothing of what is read, and writes no line itself.

mod session;
mod told;

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Result;
use chrono::{NaiveDate, Utc};
use indicatif::HumanDuration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{debug, info, warn};

use super::super::service::Service;
use super::super::signals::{Now, first, is_stopped, watch_signals};
use super::super::{Outcome, decrypt, hint, is_full, status};
use super::{Args, Opening, SelectedRooms, Terminal, counted, knows_erased, prepare};
use crate::archive::{self, Interrupt, Turn};
use crate::config::Config;
use crate::export::{self, Followed, Summary};
use crate::source::Database;
use session::FollowSession;
use told::FollowProgress;

/// How often it is seen whether another command wants the archive.
const LOOKED_EVERY: Duration = Duration::from_secs(1);
/// How long the archive is left to one who wants it and does not take it.
const LEFT_FOR: Duration = Duration::from_secs(10);
/// How long is waited after a failure that passes, at first and at the most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How long the server may take at the end to end what it was asked.
const CLOSES_WITHIN: Duration = Duration::from_secs(2);

/// Why a session ends that has not failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SessionEnd {
    /// A signal ends all.
    Signal,
    /// Another command wants the archive.
    Wanted,
    /// The configuration is to be read again.
    Reload,
    /// The run's day is over.
    NewDay,
}

/// What outlives a session.
struct Follow {
    args: Rc<Args>,
    config: Config,
    named: SelectedRooms,
    service: Service,
    now: Now,
    signal: watch::Receiver<Option<u8>>,
    hangup: watch::Receiver<u64>,
    /// The run of the day, and how far it is.
    run: Option<(NaiveDate, Summary)>,
    /// Since when something fails, and how long is waited next.
    failing: Option<(Instant, Duration)>,
    /// It has had the archive once.
    has_begun: Cell<bool>,
    is_off: bool,
}

/// Follows until a signal ends it.
pub(super) async fn run(args: Rc<Args>, config: Config, named: SelectedRooms) -> Result<Outcome> {
    let now = Now::is("stopping before anything is read");
    // each session has a channel of its own to be stopped by
    let (stop, _) = watch::channel(false);
    let signal = watch_signals(stop, now.clone())?;
    let service = Service::new();
    let hangup = watch_hangups()?;
    let (run, failing, has_begun) = (None, None, Cell::new(false));
    let mut follow =
        Follow { args, config, named, service, now, signal, hangup, run, failing, has_begun, is_off: false };
    loop {
        let ended = follow.session().await;
        if follow.signal.borrow().is_some() && ended.as_ref().map_or_else(is_stopped, |_| true) {
            break;
        }
        match ended {
            Ok(SessionEnd::Signal) => break,
            Ok(SessionEnd::NewDay) => {}
            Ok(SessionEnd::Reload) => follow.reload(),
            Ok(SessionEnd::Wanted) => follow.let_in().await,
            Err(error) if follow.has_begun.get() && (status(&error) == 75 || is_full(&error)) => {
                follow.wait_after(&error).await;
                if follow.signal.borrow().is_some() {
                    break;
                }
            }
            Err(error) => {
                follow.service.stopping();
                return Err(error);
            }
        }
    }
    follow.service.stopping();
    info!("ended: the next export goes on from there");
    Ok(if follow.is_off { Outcome::Damaged } else { Outcome::Done })
}

/// Counts the SIGHUPs.
fn watch_hangups() -> Result<watch::Receiver<u64>> {
    let mut hangups = signal(SignalKind::hangup())?;
    let (count, counted) = watch::channel(0);
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            count.send_modify(|count| *count += 1);
        }
    });
    Ok(counted)
}

impl Follow {
    /// Connects, takes the archive, brings it up to date, and keeps it so.
    async fn session(&mut self) -> Result<SessionEnd> {
        self.service.lives();
        let (stop, stopped) = watch::channel(false);
        let (ends, ending) = watch::channel(None);
        let watching = tokio::spawn(self.watch(stop, ends));
        let ended = self.session_until(stopped, &ending).await;
        watching.abort();
        match ended {
            // what was told to stop did
            Err(error) if is_stopped(&error) && ending.borrow().is_some() => {}
            Err(error) => return Err(error),
            Ok(Some(why)) => return Ok(why),
            Ok(None) => {}
        }
        Ok(ending.borrow().unwrap_or(SessionEnd::Signal))
    }

    /// Waits for what ends a session from outside.
    fn watch(
        &self,
        stop: watch::Sender<bool>,
        ends: watch::Sender<Option<SessionEnd>>,
    ) -> impl Future<Output = ()> + use<> {
        let (signal, mut hangup) = (self.signal.clone(), self.hangup.clone());
        let directory = self.args.archive.directory().to_owned();
        let wanted = async move {
            loop {
                sleep(LOOKED_EVERY).await;
                if archive::is_wanted(&directory) {
                    return;
                }
            }
        };
        async move {
            let why = tokio::select! {
                _ = first(signal) => SessionEnd::Signal,
                Ok(()) = hangup.changed() => SessionEnd::Reload,
                () = wanted => SessionEnd::Wanted,
            };
            ends.send_replace(Some(why));
            stop.send_replace(true);
        }
    }

    async fn session_until(
        &mut self,
        stop: watch::Receiver<bool>,
        ending: &watch::Receiver<Option<SessionEnd>>,
    ) -> Result<Option<SessionEnd>> {
        let (args, now) = (Rc::clone(&self.args), self.now.clone());
        let args = &*args;
        let interrupt = {
            let (stop, service) = (stop.clone(), self.service.clone());
            Interrupt::when(move || {
                service.lives();
                *stop.borrow()
            })
        };
        let locked = || {
            self.has_begun.set(true);
            self.service.ready();
        };
        let opening = Opening { interrupt, turn: Turn::LetsIn, locked: Some(&locked), ..Opening::default() };
        let prepared = tokio::select! {
            prepared = prepare(args, &self.config, &self.named, opening) => prepared?,
            // what it waits for is the server
            _ = stopped(ending) => return Ok(None),
        };
        let (database, mut archive, selection) = prepared;
        self.now.becomes("finishing the batch");
        let goes_on = || {
            self.service.lives();
            !*stop.borrow()
        };
        tokio::task::block_in_place(|| super::super::erase::lines_left(&mut archive, &goes_on))?;
        let today = Utc::now().date_naive();
        let resumed = self.run.take().filter(|(day, _)| *day == today).map(|(_, summary)| summary);
        let mut told = FollowProgress { terminal: Terminal::new(false), service: self.service.clone(), is_first: true };
        self.service.status("reading what is new");
        let began = Instant::now();
        let (archive, followed) =
            Box::pin(export::follow(database.clone(), archive, &selection, resumed.as_ref(), stop.clone(), &mut told))
                .await;
        // a run that goes on has been told of
        told.terminal.end(followed.as_ref().ok().map(Followed::summary).filter(|_| resumed.is_none()));
        told.is_first = false;
        self.run = resumed.map(|summary| (today, summary));
        let mut followed = match followed {
            Ok(followed) => followed,
            Err(error) => {
                close(&database).await;
                return Err(error.into());
            }
        };
        self.worked();
        self.run = Some((today, followed.summary().clone()));
        let mut session = FollowSession {
            args,
            may_render: args.no_markdown || knows_erased(args, &database, &archive)?,
            database,
            archive: Some(archive),
            stop,
            now,
            service: self.service.clone(),
            pending: Some(Instant::now()),
            made: None,
            is_off: false,
            rested: None,
            took: began.elapsed(),
            told: None,
            figures: None,
            next_loss: None,
        };
        let ended = self.rounds(&mut session, &mut followed, &selection, &mut told, today).await;
        self.is_off = followed.summary().is_off() || session.is_off;
        close(&session.database).await;
        drop(session);
        ended
    }

    /// Makes round after round.
    async fn rounds(
        &mut self,
        session: &mut FollowSession<'_>,
        followed: &mut Followed,
        selection: &archive::Selection,
        told: &mut FollowProgress,
        today: NaiveDate,
    ) -> Result<Option<SessionEnd>> {
        let mut next = tokio::time::Instant::now() + self.args.interval;
        loop {
            session.make(next.into_std()).await?;
            session.tell().await?;
            self.service.lives();
            self.service.status(&format!(
                "following: {} since this run began",
                counted(followed.summary().counts.new_events(), "new event")
            ));
            self.now.becomes("stopping");
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                _ = session.stop.wait_for(|stop| *stop) => {}
            }
            if *session.stop.borrow() {
                return Ok(None);
            }
            if Utc::now().date_naive() != today {
                return Ok(Some(SessionEnd::NewDay));
            }
            self.now.becomes("finishing the batch");
            // what took longer than an interval is not made up for
            next = tokio::time::Instant::now().max(next) + self.args.interval;
            let Some(archive) = session.archive.take() else { return Ok(None) };
            let began = Instant::now();
            let stop = session.stop.clone();
            let round = followed.round(&session.database, archive, selection, stop, told);
            let (archive, new) = Box::pin(round).await;
            session.archive = Some(archive);
            self.run = Some((today, followed.summary().clone()));
            let new = new?;
            session.took = began.elapsed();
            if new > 0 {
                debug!(events = new, seconds = began.elapsed().as_secs_f64(), "round");
                session.pending.get_or_insert_with(Instant::now);
                (session.rested, session.figures) = (None, None);
            }
        }
    }

    /// What had failed works again.
    fn worked(&mut self) {
        if let Some((since, _)) = self.failing.take() {
            info!(seconds = since.elapsed().as_secs_f64(), "back again after {}", HumanDuration(since.elapsed()));
        }
    }

    /// Waits after a failure that passes, which is said when it begins.
    async fn wait_after(&mut self, error: &anyhow::Error) {
        let (since, pause) = self.failing.unwrap_or((Instant::now(), PAUSES.0));
        let hint = hint(error).map_or_else(String::new, |hint| format!("; {hint}"));
        if self.failing.is_none() {
            warn!("{error:#}{hint}; trying again until it works");
            let (args, message) = (Rc::clone(&self.args), format!("{error:#}{hint}"));
            tokio::task::block_in_place(|| args.failed(75, &message));
        } else {
            debug!(seconds = since.elapsed().as_secs_f64(), "it still fails: {error:#}{hint}");
        }
        self.service.status("waiting: what failed is tried again");
        self.failing = Some((since, (pause * 2).min(PAUSES.1)));
        self.now.becomes("stopping");
        self.rest(pause).await;
    }

    /// Leaves the archive to the command that wants it.
    async fn let_in(&mut self) {
        info!("letting another command in that writes to the archive");
        self.service.status("waiting: another command writes to the archive");
        self.now.becomes("stopping");
        let (began, directory) = (Instant::now(), &self.args.archive.directory().to_owned());
        while archive::is_wanted(directory) && began.elapsed() < LEFT_FOR && self.signal.borrow().is_none() {
            self.rest(Duration::from_millis(100)).await;
        }
        while let Some(holder) = archive::look(directory).ok().and_then(|look| look.held_by) {
            debug!(holder, "the archive is another's");
            self.rest(LOOKED_EVERY).await;
            if self.signal.borrow().is_some() {
                return;
            }
        }
        info!(seconds = began.elapsed().as_secs_f64(), "going on after {:.1} s", began.elapsed().as_secs_f64());
    }

    /// Waits, unless a signal comes.
    async fn rest(&self, pause: Duration) {
        tokio::select! {
            () = sleep(pause) => {}
            _ = first(self.signal.clone()) => {}
        }
        self.service.lives();
    }

    /// Reads the configuration again; one that cannot be used leaves that which holds.
    fn reload(&mut self) {
        self.hangup.mark_unchanged();
        let read = || -> Result<_> {
            let args = super::super::export_again()?;
            decrypt::makes_sense(args.decrypt, &args.keys)?;
            let (config, named) = (args.database.config()?, SelectedRooms::of(&args)?);
            Ok((args, config, named))
        };
        match read() {
            Ok((args, config, named)) => {
                (self.args, self.config, self.named) = (Rc::new(args), config, named);
                info!("the configuration is read again");
            }
            Err(error) => warn!("the configuration cannot be used, and what was read before holds: {error:#}"),
        }
    }
}

/// What ends a session, once something does.
async fn stopped(ending: &watch::Receiver<Option<SessionEnd>>) -> Option<SessionEnd> {
    ending.clone().wait_for(Option::is_some).await.ok().and_then(|why| *why)
}

/// Lets the server end what it was asked, but not for long.
async fn close(database: &Database) {
    let _ = tokio::time::timeout(CLOSES_WITHIN, database.close()).await;
}
