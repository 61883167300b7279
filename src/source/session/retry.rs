//! Failures that pass: how long, and after which pauses, the same is tried again.
//!
//! Never before the first connection, and never what does not pass by itself: see [`crate::source::Error::is_transient`].

use std::error::Error as StdError;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;
use tracing::{debug, info};

use super::servers::Servers;
use crate::source::error::Error;

/// The same is tried again after a tenth of a second, then after ever longer, at most ten seconds; each time up to twice
/// as long by chance, so that not all who wait come at once.
const DELAYS: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(100))
    .with_max_delay(Duration::from_secs(10))
    .without_max_times()
    .with_jitter();

/// How many reasons are told while the same fails: what has numbers in it is another one each time.
const TOLD: usize = 8;

/// Waits between attempts at the same thing, as long as the user has patience.
pub(in crate::source) struct Retry<'a> {
    servers: &'a Servers,
    limit: Duration,
    /// The first failure, and how many there were.
    failing: Option<(Instant, u32)>,
    delays: ExponentialBackoff,
    /// What was said of it: what goes on is no news.
    told: Vec<String>,
}

impl<'a> Retry<'a> {
    pub(super) fn new(servers: &'a Servers, limit: Duration) -> Self {
        Retry { servers, limit, failing: None, delays: DELAYS.build(), told: Vec::new() }
    }

    /// It got further: whatever fails now is another failure.
    pub(in crate::source) fn got_further(&mut self) {
        if let Some((since, _)) = self.failing {
            let seconds = since.elapsed().as_secs_f64();
            info!(seconds, "the database answers again, after {seconds:.1} s");
            *self = Retry::new(self.servers, self.limit);
        }
    }

    /// Waits before the next attempt; gives the error back when there is to be none. Before the first connection there is
    /// none: who starts a program wants to know at once that it cannot work.
    pub(in crate::source) async fn wait(&mut self, error: Error) -> Result<(), Error> {
        // of which the connection's end is all that is seen here
        let error = self.servers.excess().map_or(error, Error::Excess);
        if !error.is_transient() || !self.servers.was_reached() {
            return Err(error);
        }
        let (since, attempts) = self.failing.unwrap_or((Instant::now(), 0));
        self.failing = Some((since, attempts + 1));
        let left = self.limit.saturating_sub(since.elapsed());
        if left.is_zero() {
            let (attempts, seconds) = (attempts + 1, since.elapsed().as_secs());
            return Err(Error::GaveUp { attempts, seconds, source: Box::new(error) });
        }
        let delay = self.delays.next().unwrap_or_default().min(left);
        let seconds = delay.as_secs_f64();
        let (attempts, said) = (attempts + 1, said(&error));
        if self.told.len() < TOLD && !self.told.contains(&said) {
            info!(attempts, seconds, "{said}; trying again in {seconds:.1} s");
            self.told.push(said);
        } else {
            debug!(attempts, seconds, "{said}; trying again in {seconds:.1} s");
        }
        tokio::time::sleep(delay).await;
        Ok(())
    }
}

/// An error and its causes on one line.
fn said(error: &Error) -> String {
    let mut said = String::new();
    let mut cause: Option<&dyn StdError> = Some(error);
    while let Some(error) = cause {
        if !said.is_empty() {
            said.push_str(": ");
        }
        said.push_str(&error.to_string().replace('\n', " "));
        cause = error.source();
    }
    said
}
