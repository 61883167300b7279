//! What a service manager is told (`sd_notify` of systemd): that it is ready, what it does, that it lives, that it stops. Where there is
//! none, nobody is told. Tells numbers only, nothing of any event.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// The service manager.
#[derive(Clone)]
pub(super) struct Service {
    /// How often it is told at the most that this lives; none: it does not ask for that.
    every: Option<Duration>,
    /// When it was told last.
    told: Arc<Mutex<Option<Instant>>>,
    /// The last status.
    said: Arc<Mutex<String>>,
}

#[allow(clippy::unused_self, reason = "who tells holds the one that is told")]
impl Service {
    pub(super) fn new() -> Service {
        // twice as often as would be enough
        let every = sd_notify::watchdog_enabled().map(|within| within / 4);
        Service { every, told: Arc::default(), said: Arc::default() }
    }

    /// It does what it was started for.
    pub(super) fn ready(&self) {
        tell(&[NotifyState::Ready]);
    }

    /// What it does now.
    pub(super) fn status(&self, status: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if *said != status {
            status.clone_into(&mut said);
            tell(&[NotifyState::Status(status)]);
        }
    }

    /// It ends.
    pub(super) fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }

    /// It gets on; called often.
    pub(super) fn lives(&self) {
        let Some(every) = self.every else { return };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|at| at.elapsed() >= every) {
            *told = Some(Instant::now());
            tell(&[NotifyState::Watchdog]);
        }
    }
}

fn tell(state: &[NotifyState<'_>]) {
    // a manager that cannot be told finds out by itself
    let _ = sd_notify::notify(state);
}
