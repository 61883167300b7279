//! The export: pages of the source become batches of the archive. The only place where the two meet to write.
//!
//! A run ends a `first` export, if that is not done, and then makes a `later` one. It knows neither SQL nor files, draws
//! nothing, and can be told to stop between any two rows: what it has committed stays, and the next goes on from there.

pub(crate) mod anchor;
mod bans;
mod committing;
mod decrypting;
mod duplicates;
mod erased;
mod first;
mod follow;
mod later;
mod media;
mod missing_json;
mod powers;
mod progress;
mod server_keys;
mod sticky;
mod un_partial_stated;
mod waiting;

use std::collections::BTreeSet;
use std::marker::PhantomData;

use tokio::sync::watch;

use crate::archive::{self, Archive, Batch, Catalog, Counts, RunOutcome, Selection};
use crate::event::{Damage, EventId, OwnedRoomId, RoomId};
use crate::keys;
use crate::source::{self, Database, Heads, Holder, Row, Rows};
use crate::stream::{Position, Scope, Stream, Walk, Watermark};
pub use anchor::Reused;
use committing::ArchiveWriter;
pub use decrypting::decrypt;
use first::First;
pub use follow::{Followed, follow};
use later::Later;
pub use media::{CopiedMedia, copy_media};
use progress::StreamProgress;

/// Why an export ended before it was done. What it had committed stays, and the next one goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// The archive.
    #[error(transparent)]
    Archive(archive::Error),
    /// Keys.
    #[error(transparent)]
    Keys(#[from] keys::Error),
    /// It was told to stop before it had begun.
    #[error("stopped before anything was read")]
    Stopped,
    /// The database is not the one that was exported so far.
    #[error(
        "{0}. The server was restored from a backup or failed over, and gives old ids to new events, so the watermark means nothing any more"
    )]
    Reused(Reused),
}

impl Error {
    /// What helps, where there is more to say than the error says.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Source(error) => error.hint(),
            Error::Archive(error) => error.hint(),
            Error::Keys(error) => error.hint(),
            Error::Stopped => None,
            Error::Reused(_) => Some(
                "check that this is the right database; if it is, run `synapse-export watermark reset --yes`: the next export reads everything again and adds what the archive lacks"
                    .to_owned(),
            ),
        }
    }
}

impl From<archive::Error> for Error {
    fn from(error: archive::Error) -> Error {
        match error {
            archive::Error::Stopped => Error::Stopped,
            error => Error::Archive(error),
        }
    }
}

/// What an export did.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The run's number in the catalog.
    pub run: i64,
    /// In numbers.
    pub counts: Counts,
    /// Files written to.
    pub files: u64,
    /// Events that wait for their PDU, which are asked for again by the next run.
    pub waiting: u64,
    /// It was told to stop.
    pub stopped: bool,
}

impl Summary {
    /// Of a run that has done nothing yet.
    fn of(run: i64) -> Summary {
        Summary { run, counts: Counts::default(), files: 0, waiting: 0, stopped: false }
    }

    /// How the run ended: stopped, damaged or done.
    #[must_use]
    pub fn outcome(&self) -> RunOutcome {
        match self {
            Summary { stopped: true, .. } => RunOutcome::Stopped,
            _ if self.is_off() => RunOutcome::Damaged,
            Summary { .. } => RunOutcome::Done,
        }
    }

    /// Whether it finished, but something is not as it should be, which it has named.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.counts.are_off() || self.waiting > 0
    }
}

/// How far an export is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// What of the span of positions to read is behind us, 0 to 1.
    pub part: f64,
    /// Which stream is read.
    pub stream: Stream,
    /// Where in it.
    pub position: Position,
    /// Events read so far.
    pub events: u64,
}

/// How many events that wait for their PDU are named.
pub const WAITING_NAMED: u32 = 20;

/// Hears how an export goes.
pub trait Report {
    /// It has come this far; called often.
    fn progress(&mut self, progress: Progress);
    /// An event was archived whose line holds no PDU.
    fn damaged(&mut self, event: EventId<'_>, room: RoomId<'_>, damage: &Damage);
    /// An event is not archived, since the database has no `stream_ordering` for it, no id or no room: that is the column it `lacks`.
    fn unplaced(&mut self, event: EventId<'_>, room: RoomId<'_>, lacks: &str);
    /// The database has more than one row of an event; its line is of one.
    fn duplicate(&mut self, event: EventId<'_>, room: RoomId<'_>);
    /// An event waits for its PDU; told at the end, of the first [`WAITING_NAMED`].
    fn waiting(&mut self, event: EventId<'_>, room: RoomId<'_>);
    /// An event that waited for its PDU is in the database no more.
    fn gone(&mut self, event: EventId<'_>, room: RoomId<'_>);
}

/// Tells an export to finish its batch and end, once it holds true.
pub type Stop = watch::Receiver<bool>;

/// Brings an archive up to date with a database, and gives it back. A batch is committed by a task of its own, which has the archive
/// meanwhile, while the next is gathered.
pub async fn export(
    database: Database,
    archive: Archive,
    selection: &Selection,
    stop: Stop,
    report: &mut dyn Report,
) -> (Archive, Result<Summary, Error>) {
    let (archive, done) = Box::pin(whole(database, archive, selection, None, stop, report)).await;
    (archive, done.map(|(summary, _)| summary))
}

/// Brings an archive up to date, in a run of its own or as a part of one before; also up to where the server was read.
async fn whole(
    database: Database,
    mut archive: Archive,
    selection: &Selection,
    resumed: Option<&Summary>,
    mut stop: Stop,
    report: &mut dyn Report,
) -> (Archive, Result<(Summary, Heads), Error>) {
    let database = database.without(&selection.exclude);
    let (heads, run) = match begin(&database, &mut archive, selection, resumed, &mut stop).await {
        Ok(begun) => begun,
        Err(error) => return (archive, Err(error)),
    };
    let before = resumed.filter(|before| before.run == run).cloned().unwrap_or_else(|| Summary::of(run));
    let mut first = Export::<First>::new(database, archive, heads, run, stop, report);
    let ended = first.run(selection).await;
    let mut export = first.turn::<Later>();
    let result = match ended {
        Ok(()) if !export.is_stopped() => export.run(selection).await,
        ended => ended,
    };
    let (archive, ended) = export.end(result, &before, true).await;
    (archive, ended.map(|summary| (summary, heads)))
}

/// Begins a run, or goes on with one: up to where it reads, and its number.
async fn begin(
    database: &Database,
    archive: &mut Archive,
    selection: &Selection,
    resumed: Option<&Summary>,
    stop: &mut Stop,
) -> Result<(Heads, i64), Error> {
    let heads = unless_stopped(stop, database.heads()).await?.ok_or(Error::Stopped)?;
    if let Some(server) = database.server_name() {
        archive.belong_to(server)?;
    }
    let resumed = resumed.map(|before| before.run);
    let heads_of = Stream::ALL.map(|stream| (stream, heads.of(stream)));
    let run = archive.begin_or_resume_run(resumed, selection, &heads_of)?;
    Ok((heads, run))
}

/// The positions that a run has to read, for the progress only.
#[derive(Default)]
struct PositionsToRead {
    before: u64,
    all: u64,
}

struct Export<'a, P> {
    database: Database,
    writer: ArchiveWriter,
    heads: Heads,
    run: i64,
    stop: Stop,
    report: &'a mut dyn Report,
    batch: Batch,
    counts: Counts,
    files: u64,
    pass: PhantomData<P>,
    read: u64,
    span: PositionsToRead,
    looks: Looks,
}

/// What is looked at beside what is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looks {
    /// All gaps.
    All,
    /// The gaps whose neighbours came at this time or later, milliseconds since the epoch.
    Young(i64),
    /// These alone: nothing is new.
    YoungAlone(i64),
}

/// One of the two ways to read what the server has: [`First`], into an archive that has nothing yet, and [`Later`].
trait Pass: Sized {
    /// A batch is full once its events take so many bytes.
    const BATCH_BYTES: usize;
    /// About how many bytes of events are made durable at once, if they are more than a batch's. Each commit waits for the disk
    /// a few times, and the more there is to write, the less that counts.
    const COMMIT_BYTES: usize;

    /// Whether the event of a row is archived by it.
    fn takes(row: &Row) -> bool;

    /// Reads of a stream what belongs below its watermark, or to the span up to `end` and stands elsewhere.
    async fn read_late(
        export: &mut Export<'_, Self>,
        progress: &mut StreamProgress<'_>,
        end: Option<Position>,
    ) -> Result<(), Error>;
}

impl<'a, P: Pass> Export<'a, P> {
    fn new(
        database: Database,
        archive: Archive,
        heads: Heads,
        run: i64,
        stop: Stop,
        report: &'a mut dyn Report,
    ) -> Export<'a, P> {
        Export {
            database,
            writer: ArchiveWriter::of(archive),
            heads,
            run,
            stop,
            report,
            batch: Batch::default(),
            counts: Counts::default(),
            files: 0,
            pass: PhantomData,
            read: 0,
            span: PositionsToRead::default(),
            looks: Looks::All,
        }
    }

    /// Goes on in another way.
    fn turn<Q: Pass>(self) -> Export<'a, Q> {
        let Export { database, writer, heads, run, stop, report, batch, counts, files, read, span, looks, .. } = self;
        Export {
            database,
            writer,
            heads,
            run,
            stop,
            report,
            batch,
            counts,
            files,
            pass: PhantomData,
            read,
            span,
            looks,
        }
    }

    /// Exports every scope and stream that the selection asks for.
    async fn all(&mut self, selection: &Selection) -> Result<(), Error> {
        let (scopes, caught_up) = scopes(selection, self.archive().await?.catalog())?;
        for scope in &scopes {
            for stream in Stream::ALL {
                let watermark = self.archive().await?.catalog().watermark(scope, stream)?;
                let from = watermark.as_ref().map_or(0, |watermark| watermark.position.0);
                self.span.all += self.heads.of(stream).map_or(0, |head| head.0.saturating_sub(from));
                if let Some(watermark) = watermark.filter(|_| !matches!(self.looks, Looks::YoungAlone(_))) {
                    self.check_anchor(scope, stream, &watermark).await?;
                }
            }
        }
        for scope in scopes {
            for stream in Stream::ALL {
                if !self.is_stopped() {
                    self.stream(&scope, stream).await?;
                }
            }
            if let Some(room) = scope.room().filter(|room| caught_up.contains(room.as_str()) && !self.is_stopped()) {
                self.batch.caught_up(room);
            }
        }
        self.commit().await
    }

    /// Makes sure that the archive is of this database.
    async fn check_anchor(&mut self, scope: &Scope, stream: Stream, watermark: &Watermark) -> Result<(), Error> {
        self.settle().await?;
        let archive = self.writer.archive();
        let reused = anchor::reused(archive.catalog(), &self.database, scope, stream, watermark);
        let reused = unless_stopped(&mut self.stop, reused).await?.flatten();
        reused.map_or(Ok(()), |reused| Err(Error::Reused(reused)))
    }

    /// Reads one stream of one scope: first what was missing, then what is new.
    async fn stream(&mut self, scope: &Scope, stream: Stream) -> Result<(), Error> {
        let archive = self.archive().await?;
        let watermark = archive.catalog().watermark(scope, stream)?;
        let remembered = archive.catalog().gaps(scope, stream)?;
        let at = watermark.as_ref().map(|watermark| watermark.position);
        let end = self.heads.of(stream).filter(|&head| at.is_none_or(|at| at < head));
        let mut progress =
            StreamProgress { scope, stream, watermark, gaps: remembered.clone(), moved: false, remembered };

        let late = P::read_late(self, &mut progress, end).await;
        if late.is_err() || self.is_stopped() {
            progress.report_to(&mut self.batch);
            return late;
        }
        let mut taken = Ok(());
        if let Some(end) = end {
            let mut walk = Walk::new(at, self.heads.received_ts);
            let rows = self.database.pages(scope, stream, at, end);
            taken = self.take(rows, &mut progress, Some(&mut walk)).await;
            if taken.is_ok() && !self.is_stopped() {
                walk.rest(end, &mut progress.gaps);
                let anchor = progress.watermark.take().and_then(|watermark| watermark.anchor);
                progress.watermark = Some(Watermark { position: end, anchor });
                progress.moved = true;
            } else if let Some(watermark) = &progress.watermark {
                walk.rest(watermark.position, &mut progress.gaps);
            }
            self.span.before += end.0.saturating_sub(at.map_or(0, |at| at.0));
        }
        progress.report_to(&mut self.batch);
        taken
    }

    /// Takes rows into batches, and commits each that is full. With a walk they are the stream's next ones, in order;
    /// without, late ones.
    async fn take(
        &mut self,
        mut rows: Rows,
        progress: &mut StreamProgress<'_>,
        mut walk: Option<&mut Walk>,
    ) -> Result<(), Error> {
        let start = progress.watermark.as_ref().map_or(0, |watermark| watermark.position.0);
        while let Some(chunk) = self.next(&mut rows).await? {
            let last = chunk.last().map(|row| (row.position, row.event_id().to_string()));
            for row in chunk {
                self.read += 1;
                let late = if let Some(walk) = &mut walk {
                    walk.step(row.position, row.received_ts, &mut progress.gaps);
                    false
                } else {
                    progress.gaps.fill(row.position)
                };
                let is_taken = P::takes(&row);
                match row.holder {
                    Holder::Event(event) if is_taken => self.batch.push(event, late),
                    Holder::OutlierState(state) => self.batch.push_state(*state),
                    Holder::Event(_) | Holder::Other(_) => {}
                }
            }
            if let (Some(walk), Some((position, event_id))) = (&mut walk, last) {
                progress.moved = true;
                progress.watermark = Some(Watermark { position, anchor: Some((position, event_id)) });
                if self.is_full() {
                    walk.rest(position, &mut progress.gaps);
                }
            }
            if self.is_full() {
                progress.report_to(&mut self.batch);
                self.commit().await?;
            }
            if let Some(watermark) = progress.watermark.as_ref().filter(|_| walk.is_some()) {
                #[allow(clippy::cast_precision_loss, reason = "it is shown as a percentage")]
                let part = (self.span.before + watermark.position.0 - start) as f64 / self.span.all.max(1) as f64;
                let (stream, position) = (progress.stream, watermark.position);
                self.report.progress(Progress { part: part.min(1.0), stream, position, events: self.read });
            }
        }
        Ok(())
    }

    /// The next chunk, none at the end or when the export is told to stop.
    async fn next(&mut self, rows: &mut Rows) -> Result<Option<Vec<Row>>, source::Error> {
        if self.is_stopped() {
            return Ok(None);
        }
        tokio::select! {
            chunk = rows.recv() => Ok(Some(chunk.ok_or(source::Error::BrokeOff)??).filter(|chunk| !chunk.is_empty())),
            Ok(_) = self.stop.wait_for(|stop| *stop) => Ok(None),
        }
    }

    fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }
}

/// What comes of some reading, none if the export is told to stop meanwhile.
async fn unless_stopped<T, E>(stop: &mut Stop, reading: impl Future<Output = Result<T, E>>) -> Result<Option<T>, E> {
    tokio::select! {
        read = reading => read.map(Some),
        Ok(_) = stop.wait_for(|stop| *stop) => Ok(None),
    }
}

/// What to read: the selected rooms, or the server and the rooms that its watermark had passed by, which are told apart too.
fn scopes(selection: &Selection, catalog: &Catalog) -> Result<(Vec<Scope>, BTreeSet<OwnedRoomId>), Error> {
    let rooms = |rooms: &BTreeSet<OwnedRoomId>| rooms.iter().cloned().map(Scope::Room).collect::<Vec<_>>();
    if !selection.include.is_empty() {
        return Ok((rooms(&(&selection.include - &selection.exclude)), BTreeSet::new()));
    }
    let caught_up = &catalog.left_out()? - &selection.exclude;
    let mut scopes = rooms(&caught_up);
    scopes.push(Scope::Server);
    Ok((scopes, caught_up))
}
