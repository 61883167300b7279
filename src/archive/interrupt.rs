//! Ends long work on the catalog early, once the process is told to stop. What was committed by then stays.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rusqlite::{ErrorCode, InterruptHandle};

use super::Error;

/// How often it is seen whether to stop. An interrupt that comes between two statements is forgotten, so there may be several.
const EVERY: Duration = Duration::from_millis(50);

/// Tells long work to end early.
#[derive(Clone, Default)]
pub struct Interrupt(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl Interrupt {
    /// Once this holds true, which must not take long to see.
    pub fn when(told: impl Fn() -> bool + Send + Sync + 'static) -> Interrupt {
        Interrupt(Some(Arc::new(told)))
    }

    pub(crate) fn is_told(&self) -> bool {
        self.0.as_ref().is_some_and(|told| told())
    }

    /// Fails once it is told to stop.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.is_told() { Err(Error::Stopped) } else { Ok(()) }
    }

    /// Does work whose statements on these catalogs end when it is told to stop.
    pub(crate) fn during<T>(
        &self,
        catalogs: Vec<InterruptHandle>,
        work: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let Some(told) = &self.0 else { return work() };
        let done = thread::scope(|scope| {
            let (end, goes_on) = mpsc::channel::<()>();
            scope.spawn(move || {
                while goes_on.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                    if told() {
                        catalogs.iter().for_each(InterruptHandle::interrupt);
                    }
                }
            });
            let done = work();
            drop(end);
            done
        });
        match done {
            Err(Error::Catalog(error)) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
                Err(Error::Stopped)
            }
            done => done,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use rusqlite::Connection;

    use super::*;

    #[test]
    fn a_statement_without_end_is_ended() {
        let catalog = Connection::open_in_memory().unwrap();
        let forever = "with recursive n (i) as (select 1 union all select i + 1 from n) select count(*) from n";
        let told = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&told);
        let interrupt = Interrupt::when(move || seen.load(Ordering::Relaxed));
        let ended = interrupt.during(vec![catalog.get_interrupt_handle()], || {
            told.store(true, Ordering::Relaxed);
            Ok(catalog.query_row(forever, [], |row| row.get::<_, i64>(0))?)
        });
        assert!(matches!(ended, Err(Error::Stopped)), "{ended:?}");
    }
}
