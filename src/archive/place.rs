//! Where an archive's catalog is: in the archive or, as its `.archive.json` says, in a directory of its own, such as one on a
//! local disk. Then both carry one id, so that no catalog is taken for another's.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _};
use serde::{Deserialize, Serialize};

use super::opening::CHECKED_AT_OPEN;
use super::{Catalog, Error, Readers, durable, inside};

/// Where it is written down.
pub(super) const NAME: &str = ".archive.json";

/// What is written down.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeptElsewhere {
    id: String,
    /// The directory of `catalog.sqlite`; `.` is the archive itself, wherever that is moved.
    catalog: PathBuf,
    /// The catalog may lack, or lack its id.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    being_made: bool,
}

/// Where an archive's catalog is.
pub(super) struct CatalogLocation {
    archive: PathBuf,
    /// None: in the archive.
    kept: Option<KeptElsewhere>,
    /// It is to be written down.
    is_new: bool,
    /// It was named now. What is only written down may be of somebody else, and makes no catalog anywhere.
    is_named: bool,
}

impl CatalogLocation {
    /// Finds it, by what is written down and what was asked for now.
    pub(super) fn find(archive: &Path, directory: Option<&Path>) -> Result<CatalogLocation, Error> {
        let absolute = |path: &Path| std::path::absolute(path).map_err(Error::io("look at", path));
        let kept = read(archive)?;
        let is_named = directory.is_some();
        let place = |kept, is_new| CatalogLocation { archive: archive.to_owned(), kept, is_new, is_named };
        let Some(directory) = directory.map(absolute).transpose()? else { return Ok(place(kept, false)) };
        let is_inside = directory == absolute(archive)?;
        let directory = if is_inside { PathBuf::from(".") } else { directory };
        Ok(match kept {
            Some(kept) if kept.catalog == directory => place(Some(kept), false),
            // it was moved there
            Some(kept) => place(Some(KeptElsewhere { catalog: directory, ..kept }), true),
            None if is_inside => place(None, false),
            None if archive.join("catalog.sqlite").exists() => {
                return Err(Error::CatalogInside { archive: archive.to_owned(), directory });
            }
            None => place(Some(KeptElsewhere { id: new_id()?, catalog: directory, being_made: true }), true),
        })
    }

    /// A catalog is to be made there anew, for the archive that this is.
    pub(super) fn allow_new(&mut self) {
        if let Some(kept) = &mut self.kept
            && !kept.being_made
        {
            (kept.being_made, self.is_named, self.is_new) = (true, true, true);
        }
    }

    /// The catalog's directory.
    pub(super) fn directory(&self) -> PathBuf {
        match &self.kept {
            Some(kept) if kept.catalog != Path::new(".") => self.archive.join(&kept.catalog),
            _ => self.archive.clone(),
        }
    }

    /// What says that a catalog is this archive's, when that may be elsewhere.
    pub(super) fn id(&self) -> Option<&str> {
        self.kept.as_ref().map(|kept| &*kept.id)
    }

    /// The catalog's path.
    pub(super) fn file(&self) -> PathBuf {
        self.directory().join("catalog.sqlite")
    }

    /// The catalog's length in bytes; none: there is none.
    pub(super) fn length(&self) -> Result<Option<u64>, Error> {
        inside::length(&self.directory(), "catalog.sqlite").map_err(Error::io("look at", &self.file()))
    }

    /// Refuses to do without a catalog that was there.
    pub(super) fn may_be_new(&self) -> Result<(), Error> {
        match &self.kept {
            Some(kept) if !(kept.being_made && self.is_named) => {
                Err(Error::NoCatalog { archive: self.archive.clone(), directory: self.directory() })
            }
            _ => Ok(()),
        }
    }

    /// Makes ready for a catalog to be opened or made there.
    pub(super) fn prepare(&self) -> Result<(), Error> {
        let Some(kept) = &self.kept else { return Ok(()) };
        if !self.file().exists() {
            self.may_be_new()?;
        }
        durable::make_archive(&self.directory())?;
        if self.is_new && kept.being_made { self.write(kept, Readers::Owner) } else { Ok(()) }
    }

    /// Makes sure that a catalog is this archive's, as far as it is to be known.
    pub(super) fn check(&self, catalog: &Catalog) -> Result<(), Error> {
        match (&self.kept, id(&catalog.connection)?) {
            (Some(kept), Some(found)) if kept.id == found => Ok(()),
            (Some(kept), None) if kept.being_made && self.is_named => Ok(()),
            (None, _) => Ok(()),
            _ => Err(self.of_another()),
        }
    }

    /// Makes sure that a catalog is this archive's, gives it the id if it is new, and writes down where it is.
    pub(super) fn settle(&mut self, catalog: &mut Catalog) -> Result<(), Error> {
        let fits = self.check(catalog).and_then(|()| self.fits(catalog));
        let Some(kept) = &mut self.kept else { return fits };
        if let Err(error) = fits {
            // the next run is not to be led there
            if self.is_new && kept.being_made {
                durable::remove(&self.archive, NAME)?;
            }
            return Err(error);
        }
        if std::mem::take(&mut kept.being_made) {
            self.is_new = true;
            let writing = catalog.write()?;
            writing.0.execute("insert or ignore into archive (id) values (?1)", [&kept.id])?;
            writing.commit()?;
        }
        match &self.kept {
            Some(kept) if self.is_new => self.write(kept, catalog.readers()?),
            _ => Ok(()),
        }
    }

    /// Whether what a catalog without an id knows is in the archive; a batch that was cut off may have left more.
    fn fits(&self, catalog: &Catalog) -> Result<(), Error> {
        if self.kept.as_ref().is_none_or(|kept| !kept.being_made) {
            return Ok(());
        }
        let is_there = |path: &str, bytes: u64| {
            inside::length(&self.archive, path).is_ok_and(|length| length.is_some_and(|length| length >= bytes))
        };
        let files = catalog.some_files(CHECKED_AT_OPEN)?;
        files.iter().all(|(path, bytes)| is_there(path, *bytes)).then_some(()).ok_or_else(|| self.of_another())
    }

    fn of_another(&self) -> Error {
        Error::CatalogOfAnother { path: self.file(), archive: self.archive.clone() }
    }

    fn write(&self, kept: &KeptElsewhere, readers: Readers) -> Result<(), Error> {
        let path = self.archive.join(NAME);
        let write = || {
            let mut file = tempfile::NamedTempFile::new_in(&self.archive)?;
            serde_json::to_writer(&mut file, kept)?;
            readers.admit(file.as_file())?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(Error::io("write", &path))?;
        durable::sync(&self.archive)
    }
}

fn read(archive: &Path) -> Result<Option<KeptElsewhere>, Error> {
    let path = archive.join(NAME);
    match inside::read(archive, NAME).and_then(io::read_to_string) {
        Ok(text) => serde_json::from_str(&text).map(Some).map_err(|error| Error::io("read", &path)(error.into())),
        // what is no directory is told by who wants to use it
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(Error::io("read", &path)(error)),
    }
}

fn id(connection: &Connection) -> Result<Option<String>, Error> {
    Ok(connection.query_row("select id from archive", [], |row| row.get(0)).optional()?)
}

fn new_id() -> Result<String, Error> {
    let chance = Connection::open_in_memory()?;
    Ok(chance.query_row("select lower(hex(randomblob(16)))", [], |row| row.get(0))?)
}
