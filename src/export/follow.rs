//! Following: after a run has brought an archive up to date, rounds do, each with what has come since the one before, and all of them
//! as a part of that run.
//!
//! A round in which nothing is new asks one question. Ids that were missing when their neighbours came are looked for in each round
//! for a minute, which is when they come, and afterwards, as what the server judges anew, in a slower rhythm. Keeps no time of its
//! own: when a round is due, and what is made of what came, is for others.

use std::time::{Duration, Instant};

use super::later::Later;
use super::{Error, Export, Heads, Looks, Report, Stop, Summary, unless_stopped, whole};
use crate::archive::{Archive, Selection};
use crate::source::Database;

/// How long after the newest event what was missing beside it is looked for in each round.
const YOUNG: Duration = Duration::from_secs(60);
/// How often everything is looked at that may have changed.
const EVERYTHING_EVERY: Duration = Duration::from_secs(60);
/// How many times as long as such a look takes is waited before the next, at the least.
const RESTS: u32 = 20;

/// What is known from one round to the next.
pub struct Followed {
    summary: Summary,
    /// Up to where it is read.
    heads: Heads,
    /// When there was something new.
    came: Instant,
    /// When everything was looked at, and when that is to be done again.
    looked: Instant,
    again: Duration,
}

/// Brings an archive up to date as [`super::export`] does, in a run of its own or as a part of one `resumed`, for rounds to follow.
pub async fn follow(
    database: Database,
    archive: Archive,
    selection: &Selection,
    resumed: Option<&Summary>,
    stop: Stop,
    report: &mut dyn Report,
) -> (Archive, Result<Followed, Error>) {
    let (archive, done) = Box::pin(whole(database, archive, selection, resumed, stop, report)).await;
    let followed = |(summary, heads)| {
        let now = Instant::now();
        Followed { summary, heads, came: now, looked: now, again: EVERYTHING_EVERY }
    };
    (archive, done.map(followed))
}

impl Followed {
    /// What the run has done by now.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Reads what has come since the round before; how many events were new.
    pub async fn round(
        &mut self,
        database: &Database,
        archive: Archive,
        selection: &Selection,
        mut stop: Stop,
        report: &mut dyn Report,
    ) -> (Archive, Result<u64, Error>) {
        let began = Instant::now();
        let is_everything = self.looked.elapsed() >= self.again;
        let heads = match unless_stopped(&mut stop, database.heads_unless(&self.heads)).await {
            Ok(Some(heads)) => heads,
            Ok(None) => return (archive, Ok(0)),
            Err(error) => return (archive, Err(error.into())),
        };
        if heads.is_some() {
            self.came = began;
        }
        let youngest = heads.unwrap_or(self.heads).received_ts.unwrap_or(i64::MAX);
        let young = youngest.saturating_sub(i64::try_from(YOUNG.as_millis()).unwrap_or(i64::MAX));
        let looks = match heads {
            _ if is_everything => Looks::All,
            Some(_) => Looks::Young(young),
            None if self.came.elapsed() <= YOUNG => Looks::YoungAlone(young),
            None => return (archive, Ok(0)),
        };
        let heads = heads.unwrap_or(self.heads);
        let database = database.clone().without(&selection.exclude);
        let mut export = Export::<Later>::new(database, archive, heads, self.summary.run, stop, report);
        export.looks = looks;
        let result = export.round(selection).await;
        let (archive, ended) = export.end(result, &self.summary, false).await;
        let ended = ended.map(|summary| {
            let new = summary.counts.new_events().saturating_sub(self.summary.counts.new_events());
            if !summary.stopped {
                self.heads = heads;
            }
            self.summary = summary;
            if is_everything {
                self.looked = Instant::now();
                self.again = EVERYTHING_EVERY.max(began.elapsed() * RESTS);
            }
            new
        });
        (archive, ended)
    }
}

impl Looks {
    /// Whether a gap is looked at.
    pub(super) fn at(self, gap: &crate::stream::Gap) -> bool {
        match self {
            Looks::All => true,
            Looks::Young(since) | Looks::YoungAlone(since) => gap.clock >= since,
        }
    }
}

impl Export<'_, Later> {
    /// Reads what is new and, when everything is looked at, what may have changed.
    async fn round(&mut self, selection: &Selection) -> Result<(), Error> {
        if self.looks == Looks::All {
            self.un_partial_stated().await?;
            self.sticky().await?;
            self.waiting().await?;
        }
        self.all(selection).await?;
        if self.looks == Looks::All && !self.is_stopped() {
            self.bans(selection).await?;
            self.erased().await?;
        }
        Ok(())
    }
}
