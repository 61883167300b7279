//! SIGINT and SIGTERM: the first ends what is under way where it loses nothing, the second ends the process. The only code that hears
//! them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::info;

use crate::archive::{self, Interrupt};

/// SIGTERMs no further apart are one: `timeout` sends it to its command and, at once, to all of its process group.
const ONE: Duration = Duration::from_millis(500);

/// Ends what takes long in an archive at the first signal.
pub(super) fn interrupt(signal: &watch::Receiver<Option<u8>>) -> Interrupt {
    let signal = signal.clone();
    Interrupt::when(move || signal.borrow().is_some())
}

/// Whether it is no failure, but what was to be ended.
pub(super) fn is_stopped(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(archive::Error::Stopped))
        || matches!(error.downcast_ref(), Some(crate::export::Error::Stopped))
}

/// The first signal.
pub(super) async fn first(mut signal: watch::Receiver<Option<u8>>) -> Option<u8> {
    signal.wait_for(Option::is_some).await.ok().and_then(|number| *number)
}

/// What a signal does to a run at a time, for who sends one.
#[derive(Clone)]
pub(super) struct Now(Arc<Mutex<&'static str>>);

impl Now {
    pub(super) fn is(what: &'static str) -> Now {
        Now(Arc::new(Mutex::new(what)))
    }

    /// From now on it does something else.
    pub(super) fn becomes(&self, what: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    fn what(&self) -> &'static str {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sets `stop` at the first SIGINT or SIGTERM, tells which it was and says what happens now; the second ends the process at
/// once.
pub(super) fn watch_signals(stop: watch::Sender<bool>, now: Now) -> Result<watch::Receiver<Option<u8>>> {
    // in a thread of its own: the others may be waiting for somebody to read from a pipe
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let context = runtime.enter();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    drop(context);
    let (which, signalled) = watch::channel(None);
    let watching = async move {
        let mut terminated: Option<Instant> = None;
        loop {
            let number = tokio::select! {
                _ = interrupt.recv() => 2,
                _ = terminate.recv() => 15,
            };
            if number == 15 && terminated.replace(Instant::now()).is_some_and(|last| last.elapsed() < ONE) {
                continue;
            }
            if which.borrow().is_some() {
                super::leftovers::remove();
                std::process::exit(128 + i32::from(number));
            }
            which.send_replace(Some(number));
            stop.send_replace(true);
            info!("{}; once more to stop at once", now.what());
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || runtime.block_on::<_>(watching))?;
    Ok(signalled)
}
