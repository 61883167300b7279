//! Where data go: to stdout, or to a file that is there only once it is whole.

use std::fs::File;
use std::io::{self, IsTerminal as _, StdoutLock, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use tempfile::NamedTempFile;

pub(super) enum Output {
    Stdout(StdoutLock<'static>),
    /// Beside its place, until it is finished; dropped before, it is removed.
    File(NamedTempFile, PathBuf),
}

impl Output {
    pub(super) fn stdout() -> Output {
        Output::Stdout(io::stdout().lock())
    }

    /// To a file that must not be there yet and that only its owner can read; without one, or to `-`, to stdout.
    pub(super) fn to(path: Option<&Path>) -> Result<Output> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else { return Ok(Output::stdout()) };
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
        Ok(Output::File(file, path.to_owned()))
    }

    pub(super) fn is_terminal(&self) -> bool {
        matches!(self, Output::Stdout(stdout) if stdout.is_terminal())
    }

    /// All is written: a file gets its name.
    pub(super) fn finish(mut self) -> Result<()> {
        self.flush()?;
        let Output::File(file, path) = self else { return Ok(()) };
        let cannot = |doing| format!("cannot {doing} {}", path.display());
        file.as_file().sync_all().with_context(|| cannot("sync"))?;
        let named = file.persist_noclobber(&path).or_else(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => Err(error),
            // some file systems cannot rename without replacing, and have no links either
            _ => error.file.persist(&path),
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
                Output::Stdout(_) => "stdout".into(),
                Output::File(_, path) => path.display().to_string(),
            };
            io::Error::new(error.kind(), format!("cannot write to {name}: {error}"))
        })
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match self {
            Output::Stdout(stdout) => stdout.write(bytes),
            Output::File(file, _) => file.as_file_mut().write(bytes),
        };
        self.named(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = match self {
            Output::Stdout(stdout) => stdout.flush(),
            Output::File(file, _) => file.as_file_mut().flush(),
        };
        self.named(flushed)
    }
}
