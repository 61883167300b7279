//! What all endpoints share: what is known of the connections made so far.
//!
//! Connects nowhere; each of its parts is whole at any time, whoever reads or writes it.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::failover::Failover;

/// What is known of the connections made so far.
#[derive(Default)]
pub(super) struct Shared {
    /// The way that led there last time.
    pub(super) last: AtomicUsize,
    /// Whether any has.
    pub(super) reached: AtomicBool,
    /// The sessions' `statement_timeout` in milliseconds.
    pub(super) statement_timeout: AtomicU64,
    failover: Mutex<Failover>,
    /// What the user's `options` ask for, by name; none: it is not known yet whether that holds.
    pub(super) options: OnceLock<BTreeMap<String, bool>>,
}

impl Shared {
    pub(super) fn statement_timeout(&self) -> Duration {
        Duration::from_millis(self.statement_timeout.load(Ordering::Relaxed))
    }

    pub(super) fn failover(&self) -> MutexGuard<'_, Failover> {
        // each of its two halves is whole at any time
        self.failover.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
