//! Files of Synapse's media repository → an archive's `media/`: where a store has one, how it is copied, what encrypted ones are.
//!
//! Copies are clones where the file system can make them, never hard links, which would share Synapse's permissions and its later changes.
//! A file is named by its bytes, gets its place when all of it is there, and is on the disk before the catalog hears of it. Knows no SQL, and
//! writes nothing to a store.

mod copy;
mod decrypt;
mod store;
mod verify;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::archive::media::{DecryptedFile, MediaFile, SealedName};
use crate::archive::{self, Interrupt, Lacks, Readers, durable, inside};
use crate::source::StoredMedia;
use copy::Into;
pub(crate) use copy::sweep;
pub(crate) use store::Stores;
pub(crate) use verify::verify;

/// How many files are copied at a time, at most.
const THREADS: usize = 4;

/// A file that is to be copied.
#[derive(Debug)]
pub(crate) struct WantedFile {
    pub(crate) mxc: String,
    pub(crate) stored: StoredMedia,
    /// Why the archive lacked it until now.
    pub(crate) before: Option<Lacks>,
}

/// Where copies go.
pub(crate) struct MediaArchive<'a> {
    pub(crate) directory: &'a Path,
    pub(crate) readers: Readers,
    pub(crate) interrupt: &'a Interrupt,
}

impl MediaArchive<'_> {
    /// Copies files that stores have, at most so large in bytes, and returns when they are on the disk: what became of each, in order; none
    /// of one that was not come to before it was told to stop.
    pub(crate) fn copy(
        &self,
        stores: &Stores,
        wanted: &[WantedFile],
        largest: Option<u64>,
    ) -> Result<Vec<Option<Result<MediaFile, Lacks>>>, archive::Error> {
        self.each(wanted, &|into, wanted| {
            let Some(file) = stores.open(&wanted.stored) else { return Ok(Err(Lacks::Missing)) };
            copy::copy(into, &file, &wanted.stored, largest)
        })
    }

    /// Decrypts files that are in the archive, by every way that is given for each: what came of it.
    pub(crate) fn decrypt(&self, sealed: &[SealedName]) -> Result<Vec<Option<Vec<DecryptedFile>>>, archive::Error> {
        self.each(sealed, &|into, sealed| decrypt::decrypt(into, sealed))
    }

    fn each<T: Sync, M: HasPaths + Send>(
        &self,
        all: &[T],
        one_by_one: &(dyn Fn(&mut Into<'_>, &T) -> Result<M, archive::Error> + Sync),
    ) -> Result<Vec<Option<M>>, archive::Error> {
        let MediaArchive { directory, readers, .. } = *self;
        // opened before anything is written, so that it learns of every failure since
        let whole = File::open(directory).map_err(archive::Error::io("open", directory))?;
        let own = directory.join(archive::media::NAME);
        inside::make_directory(directory, archive::media::NAME, readers)
            .map_err(archive::Error::io("make the directory", &own))?;
        let next = AtomicUsize::new(0);
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS).min(all.len().max(1));
        let work = |number: usize| -> Result<Vec<(usize, M)>, archive::Error> {
            let mut done = Vec::new();
            let mut into = Into::new(directory, readers, number);
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(one) = all.get(at).filter(|_| !self.interrupt.is_told()) else { return Ok(done) };
                done.push((at, one_by_one(&mut into, one)?));
            }
        };
        let made: Vec<_> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|number| scope.spawn(move || work(number))).collect();
            let own = work(0);
            let others =
                others.into_iter().map(|it| it.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            others.chain([own]).collect()
        });
        let mut settled: Vec<Option<M>> = all.iter().map(|_| None).collect();
        let mut paths: Vec<PathBuf> = Vec::new();
        for made in made {
            for (at, one) in made? {
                one.paths(&mut |path| paths.push(directory.join(path)));
                settled[at] = Some(one);
            }
        }
        let mut directories: BTreeSet<PathBuf> =
            paths.iter().filter_map(|path| path.parent()).map(Path::to_owned).collect();
        let above: Vec<PathBuf> = directories.iter().filter_map(|path| path.parent()).map(Path::to_owned).collect();
        directories.extend(above);
        directories.insert(own);
        if !paths.is_empty() {
            durable::sync_files(directory, &whole, &paths, &directories)?;
            durable::sync(directory)?;
        }
        Ok(settled)
    }
}

/// What was made of a file, which has paths below the archive.
trait HasPaths {
    fn paths(&self, take: &mut dyn FnMut(String));
}

impl HasPaths for Result<MediaFile, Lacks> {
    fn paths(&self, take: &mut dyn FnMut(String)) {
        if let Ok(file) = self {
            take(file.path());
        }
    }
}

impl HasPaths for Vec<DecryptedFile> {
    fn paths(&self, take: &mut dyn FnMut(String)) {
        self.iter().map(DecryptedFile::path).for_each(take);
    }
}
