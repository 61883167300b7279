//! Threads that render, each with a connection to the catalog. They only read it: what is made of it is told to the catalog by whoever
//! asked.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::day::Memory;
use crate::archive::reading::Reader;
use crate::archive::{Catalog, Error, Interrupt};

/// The most of them.
const MOST: usize = 8;

pub(super) struct Workers<'a> {
    archive: &'a Path,
    catalogs: Vec<Catalog>,
    interrupt: Interrupt,
}

impl<'a> Workers<'a> {
    pub(super) fn new(archive: &'a Path, interrupt: Interrupt) -> Self {
        Workers { archive, catalogs: Vec::new(), interrupt }
    }

    /// What `work` makes of each thing, in any order. Each thread has a part of them, takes so many `neighbours` at a time, and
    /// helps others when it is done: two that write to the same directory wait for each other. One failure ends it all.
    /// `tell` hears how many are done, and ends it early by returning false; so it does when it is told to stop, and then what
    /// is made may be a part.
    pub(super) fn each<'t, T: Sync, R: Send>(
        &mut self,
        things: &'t [T],
        neighbours: usize,
        tell: &mut dyn FnMut(usize) -> bool,
        work: &(dyn Fn(&Reader<'_>, &mut Memory, &'t T) -> Result<R, Error> + Sync),
    ) -> Result<Vec<R>, Error> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST);
        while self.catalogs.len() < threads.min(things.len()) {
            self.catalogs.push(Catalog::open_to_render(self.archive)?);
            #[cfg(test)]
            self.catalogs.iter_mut().for_each(crate::archive::count_steps);
        }
        let interrupt = &self.interrupt;
        let part = things.len().div_ceil(self.catalogs.len().max(1)).next_multiple_of(neighbours).max(1);
        let parts: Vec<_> = things.chunks(part).map(|part| (part, AtomicUsize::new(0))).collect();
        let next = |own: usize| {
            let from = |(part, next): &(&'t [T], AtomicUsize)| {
                part.chunks(neighbours).nth(next.fetch_add(1, Ordering::Relaxed))
            };
            (0..parts.len()).find_map(|further| from(&parts[(own + further) % parts.len()]))
        };
        let goes_on = AtomicBool::new(true);
        let done = Mutex::new(Vec::with_capacity(things.len()));
        let lock = || done.lock().unwrap_or_else(PoisonError::into_inner);
        let thread = &|own: usize, catalog: &mut Catalog, tell: &mut dyn FnMut(usize)| -> Result<(), Error> {
            catalog.read(|reader| {
                let mut memory = Memory::default();
                while let Some(some) = next(own) {
                    for thing in some {
                        if !goes_on.load(Ordering::Relaxed) || interrupt.is_told() {
                            return Ok(());
                        }
                        let made = work(reader, &mut memory, thing)
                            .inspect_err(|_| goes_on.store(false, Ordering::Relaxed))?;
                        lock().push(made);
                    }
                    tell(lock().len());
                }
                Ok(())
            })
        };
        let handles = self.catalogs.iter().map(Catalog::interrupt_handle).collect();
        let Some((first, others)) = self.catalogs.split_first_mut() else { return Ok(Vec::new()) };
        let all = || {
            std::thread::scope(|scope| {
                let spawn = |(own, catalog)| scope.spawn(move || thread(own, catalog, &mut |_| ()));
                let others: Vec<_> = (1..).zip(others.iter_mut()).map(spawn).collect();
                let mut result = thread(0, first, &mut |done| {
                    if !tell(done) {
                        goes_on.store(false, Ordering::Relaxed);
                    }
                });
                for other in others {
                    result = result.and(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
                }
                result
            })
        };
        interrupt.during(handles, all)?;
        Ok(done.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}
