//! Failures that pass, and how long they are borne with.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;
use tracing::info;

use super::super::PoolerRefusal;
use super::{Error, Session};

/// The same is tried again after a tenth of a second, then after ever longer, at most ten seconds; each time up to twice
/// as long by chance, so that not all who wait come at once.
const DELAYS: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(100))
    .with_max_delay(Duration::from_secs(10))
    .without_max_times()
    .with_jitter();

/// Waits between attempts at the same thing, as long as the user has patience.
pub(in crate::source) struct Patience<'a> {
    session: &'a Session,
    /// The first failure, and how many there were.
    failing: Option<(Instant, u32)>,
    delays: ExponentialBackoff,
}

impl<'a> Patience<'a> {
    pub(super) fn new(session: &'a Session) -> Self {
        Patience { session, failing: None, delays: DELAYS.build() }
    }

    /// It got further: whatever fails now is another failure.
    pub(in crate::source) fn restore(&mut self) {
        *self = Patience::new(self.session);
    }

    /// Waits before the next attempt; gives the error back when there is to be none. Before the first connection there is
    /// none: who starts a program wants to know at once that it cannot work.
    pub(in crate::source) async fn wait(&mut self, error: Error) -> Result<(), Error> {
        // of which the connection's end is all that is seen here
        let error = self.session.servers.excess().map_or(error, Error::Excess);
        if !error.is_transient() || !self.session.servers.was_reached() {
            return Err(error);
        }
        let (since, attempts) = self.failing.unwrap_or((Instant::now(), 0));
        self.failing = Some((since, attempts + 1));
        let left = self.session.retry_for.saturating_sub(since.elapsed());
        if left.is_zero() {
            let (attempts, seconds) = (attempts + 1, since.elapsed().as_secs());
            return Err(Error::GaveUp { attempts, seconds, source: Box::new(error) });
        }
        let delay = self.delays.next().unwrap_or_default().min(left);
        let seconds = delay.as_secs_f64();
        info!(attempts = attempts + 1, seconds, "{}; trying again in {seconds:.1} s", said(&error));
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

/// Whether the same may work later: the server is starting or stopping, has no connection to spare, has lost the
/// connection, or had to cancel the statement for something more important. `is_right`: the address is no mistake, so that
/// one that leads nowhere now may lead there later.
pub(in crate::source) fn passes(error: &tokio_postgres::Error, is_right: bool) -> bool {
    if let Some(code) = error.code() {
        if PoolerRefusal::of(error).is_some() {
            return false;
        }
        return code.code().starts_with("08") || TRANSIENT.contains(&code.code());
    }
    // invalid data: the server says what no PostgreSQL says, or more than is taken in
    let of_the_way = |kind| {
        !matches!(kind, io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidData)
            && (is_right || is_of_the_way(kind))
    };
    error.is_closed() || io_error(error).is_some_and(of_the_way)
}

/// The states that pass (PostgreSQL manual, "PostgreSQL Error Codes"), beside the whole class of connection errors.
const TRANSIENT: [&str; 10] = [
    "40001", // also a conflict with recovery, in a statement or between two of them
    "40P01", // deadlock
    "57P01", // shut down, or ended by an administrator
    "57P02", // crashed
    "57P03", // starting up, or stopping
    "57P05", // idle_session_timeout
    "25P03", // idle_in_transaction_session_timeout
    "25P04", // transaction_timeout
    "53300", // no connection to spare
    "55P03", // lock_timeout
];

/// What the operating system said, if it is the cause.
fn io_error(error: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    let own = error.downcast_ref().map(io::Error::kind);
    own.or_else(|| io_error(error.source()?))
}

fn is_of_the_way(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as K;
    matches!(
        kind,
        K::ConnectionRefused
            | K::ConnectionReset
            | K::ConnectionAborted
            | K::BrokenPipe
            | K::UnexpectedEof
            | K::TimedOut
            | K::HostUnreachable
            | K::NetworkUnreachable
            | K::NetworkDown
    )
}
