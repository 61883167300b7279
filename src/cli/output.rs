//! Where data go: to stdout, or to a file that is there only once it is whole. Never leaves half of one in its place.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, IsTerminal as _, StdoutLock, Write};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use tempfile::{NamedTempFile, PersistError, TempDir};

use super::leftovers::Leftover;

pub(super) enum DataOutput {
    Stdout(StdoutLock<'static>),
    /// Beside its place, until it is finished; dropped before, it is removed.
    File(NamedTempFile, PathBuf, Leftover),
}

impl DataOutput {
    pub(super) fn stdout() -> DataOutput {
        DataOutput::Stdout(io::stdout().lock())
    }

    /// To a file that must not be there yet and that only its owner can read; without one, or to `-`, to stdout.
    pub(super) fn to(path: Option<&Path>) -> Result<DataOutput> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else { return Ok(DataOutput::stdout()) };
        let cannot = || format!("cannot create {}", path.display());
        match path.symlink_metadata() {
            Ok(_) => bail!("{} is there already: remove it, or choose another --output", path.display()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(cannot),
        }
        if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            bail!("{} is a directory's name: --output takes that of a file", path.display());
        }
        // only its owner can read what this makes
        let file =
            tempfile::Builder::new().prefix("synapse-export.").tempfile_in(directory_of(path)).with_context(cannot)?;
        let leftover = Leftover::new(file.path());
        Ok(DataOutput::File(file, path.to_owned(), leftover))
    }

    pub(super) fn is_terminal(&self) -> bool {
        matches!(self, DataOutput::Stdout(stdout) if stdout.is_terminal())
    }

    /// The file, and where it is until it is finished; none: it is stdout.
    pub(super) fn file(&self) -> Option<(&File, &Path)> {
        match self {
            DataOutput::Stdout(_) => None,
            DataOutput::File(file, ..) => Some((file.as_file(), file.path())),
        }
    }

    /// All is written: a file gets its name.
    pub(super) fn finish(mut self) -> Result<()> {
        self.flush()?;
        let DataOutput::File(file, path, _leftover) = self else { return Ok(()) };
        let cannot = |doing| format!("cannot {doing} {}", path.display());
        file.as_file().sync_all().with_context(|| cannot("sync"))?;
        let named = file.persist_noclobber(&path).or_else(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => Err(error),
            _ => take_name(error.file, &path),
        });
        named.map_err(|error| error.error).with_context(|| cannot("create"))?;
        match File::open(directory_of(&path)).and_then(|directory| directory.sync_all()) {
            // some file systems have nothing to sync there, and who may write to a directory need not be allowed to read it
            Err(error)
                if !matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied
                ) =>
            {
                Err(error).with_context(|| cannot("sync the directory of"))
            }
            _ => Ok(()),
        }
    }

    /// An error that says where it happened. Its kind stays: a closed pipe is no failure.
    fn named<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            let name = match self {
                DataOutput::Stdout(_) => "stdout".into(),
                DataOutput::File(_, path, _) => path.display().to_string(),
            };
            io::Error::new(error.kind(), format!("cannot write to {name}: {error}"))
        })
    }
}

/// A directory that is there only once all is in it: beside its place until it is finished; dropped before, it is removed.
pub(super) struct OutputDirectory(TempDir, PathBuf, Leftover);

impl OutputDirectory {
    /// One that must not be there yet and that only its owner can look into.
    pub(super) fn to(path: &Path) -> Result<OutputDirectory> {
        let cannot = || format!("cannot create {}", path.display());
        match path.symlink_metadata() {
            Ok(_) => bail!("{} is there already: remove it, or choose another --output", path.display()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(cannot),
        }
        let directory = tempfile::Builder::new()
            .prefix("synapse-export.")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(directory_of(path))
            .with_context(cannot)?;
        let leftover = Leftover::new(directory.path());
        Ok(OutputDirectory(directory, path.to_owned(), leftover))
    }

    /// Where to write until then.
    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// All is written: it gets its name.
    pub(super) fn finish(self) -> Result<()> {
        let OutputDirectory(directory, path, _leftover) = self;
        let cannot = || format!("cannot create {}", path.display());
        File::open(directory.path()).and_then(|opened| opened.sync_all()).with_context(cannot)?;
        if path.symlink_metadata().is_ok() {
            bail!("{} is there by now: choose another --output", path.display());
        }
        // a directory that somebody makes in between is not taken away either, unless it is empty
        fs::rename(directory.path(), &path).with_context(cannot)?;
        let _ = directory.keep();
        Ok(())
    }
}

/// Gives a file its name on a file system that can neither rename without replacing nor make links: an empty file takes the name
/// first, which succeeds only where nobody has it.
fn take_name(file: NamedTempFile, path: &Path) -> Result<File, PersistError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => file.persist(path).inspect_err(|_| {
            let _ = fs::remove_file(path);
        }),
        Err(error) => Err(PersistError { error, file }),
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl Write for DataOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match self {
            DataOutput::Stdout(stdout) => stdout.write(bytes),
            DataOutput::File(file, ..) => file.as_file_mut().write(bytes),
        };
        self.named(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = match self {
            DataOutput::Stdout(stdout) => stdout.flush(),
            DataOutput::File(file, ..) => file.as_file_mut().flush(),
        };
        self.named(flushed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_somebody_has_meanwhile_stays_his() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("room.jsonl");
        let written = || {
            let mut file = NamedTempFile::new_in(&directory).unwrap();
            file.write_all(b"ours").unwrap();
            file
        };
        take_name(written(), &path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "ours");
        for theirs in ["theirs", ""] {
            fs::write(&path, theirs).unwrap();
            let refused = take_name(written(), &path).unwrap_err();
            assert_eq!(refused.error.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read_to_string(&path).unwrap(), theirs);
        }
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(directory.path().join("elsewhere"), &path).unwrap();
        assert!(take_name(written(), &path).is_err() && !directory.path().join("elsewhere").exists());
    }
}
