//! Outputs: what leaves the house, kept up to date from the archive, never from the server: Parquet.
//!
//! What is withheld is decided in `archive::reading::outward`, which parts are stale by `archive::outputs`. A part that is stale is made
//! anew as a whole, so that it has each event once however often that is tried; the catalog forgets that it was stale once it is on the
//! disk. What fails here leaves the archive as it is. Deletes nothing that it has not made.

mod manifest;
mod parquet;

use std::path::{Path, PathBuf};

use crate::archive::{self, Archive, Output};
use crate::event::hex;

/// How many parts are made before the catalog learns of it.
const AT_ONCE: usize = 100;

/// Why an output cannot be added or fed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Of the archive, or of a file of the output.
    #[error(transparent)]
    Archive(#[from] archive::Error),
    /// No such output.
    #[error("the archive has no output {}", .0.escape_debug())]
    Unknown(String),
    /// There is one of that name.
    #[error("the archive has an output {} already", .0.escape_debug())]
    Taken(String),
    /// Its directory and the archive's are one in the other.
    #[error("{} is in the archive, or the archive in it", .0.display())]
    Inside(PathBuf),
    /// The directory has something else.
    #[error("{} is not empty, and its manifest.json does not say that it is of the output {}", directory.display(), name.escape_debug())]
    NotOurs {
        /// The directory.
        directory: PathBuf,
        /// The output.
        name: String,
    },
    /// What was there is gone.
    #[error("{} had the output {}, and has nothing of it any more", directory.display(), name.escape_debug())]
    Gone {
        /// The directory.
        directory: PathBuf,
        /// The output.
        name: String,
    },
    /// It cannot be told what is to be withheld.
    #[error("the archive does not know whom the server has erased, whose words the output {} is to withhold", .0.escape_debug())]
    ErasedUnknown(String),
    /// Events cannot be found yet.
    #[error("the archive's first export is not done, and no output can be fed before")]
    NotIndexed,
}

impl Error {
    /// What helps, where anything does that the error does not say itself.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Archive(error) => return error.hint(),
            Error::Unknown(_) => "`synapse-export output list` lists those that it has",
            Error::Taken(_) => "give it another name, or remove that one first",
            Error::Inside(_) => "give the output a directory of its own elsewhere",
            Error::NotOurs { .. } => "give the output a directory of its own",
            Error::Gone { .. } => {
                "mount that directory, or restore it; if it is lost, `synapse-export output run --anew NAME` makes all of it anew"
            }
            Error::ErasedUnknown(_) => {
                "run `synapse-export export --hide-erased`, which asks the server; or add it with --with-erased, if it may have what they said"
            }
            Error::NotIndexed => "try again when it is",
        };
        Some(hint.to_owned())
    }
}

/// What was made of an output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fed {
    /// Parts that were stale: days, rooms, members.
    pub parts: u64,
    /// Rows of their files.
    pub rows: u64,
    /// Files that were removed.
    pub removed: u64,
}

/// Remembers a new output; it is fed when it is told to.
pub fn add(archive: &mut Archive, mut output: Output) -> Result<(), Error> {
    if archive.catalog().outputs()?.iter().any(|other| other.name == output.name) {
        return Err(Error::Taken(output.name));
    }
    let directory = std::path::absolute(&output.parquet).map_err(looking_at(&output.parquet))?;
    output.parquet = real(&directory);
    let own = real(archive.directory());
    if output.parquet.starts_with(&own) || own.starts_with(&output.parquet) {
        return Err(Error::Inside(output.parquet));
    }
    knows_erased(archive, &output)?;
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| looking_at(&output.parquet)(std::io::Error::other(error)))?;
    output.id = hex::digits(&id);
    manifest::check(&output, false)?;
    Ok(archive.add_output(&output)?)
}

/// The output of a name.
pub fn find(archive: &Archive, name: &str) -> Result<Output, Error> {
    let outputs = archive.catalog().outputs()?;
    outputs.into_iter().find(|output| output.name == name).ok_or_else(|| Error::Unknown(name.to_owned()))
}

/// Forgets an output; its files stay.
pub fn remove(archive: &mut Archive, name: &str) -> Result<Output, Error> {
    let output = find(archive, name)?;
    archive.remove_output(name)?;
    Ok(output)
}

/// Makes what is stale of an output; `anew`: all of it. `told` hears how many parts are done, and of how many.
pub fn feed(archive: &mut Archive, output: &Output, anew: bool, told: &mut dyn FnMut(u64, u64)) -> Result<Fed, Error> {
    knows_erased(archive, output)?;
    if !archive.tell_outputs()? {
        return Err(Error::NotIndexed);
    }
    let standing = archive.catalog().output_standing(&output.name)?;
    manifest::check(output, standing.files > 0 && !anew)?;
    durable_directory(output)?;
    if anew {
        archive.begin_output_anew(&output.name)?;
    }
    let all = archive.catalog().output_standing(&output.name)?.stale.unwrap_or(0);
    let mut fed = Fed::default();
    if all == 0 {
        return Ok(fed);
    }
    if !manifest::is_there(output)? {
        manifest::write(archive, output, true)?;
    }
    loop {
        archive.interrupt().check()?;
        archive.check_lock()?;
        let parts = archive.catalog().stale_parts(&output.name, AT_ONCE)?;
        if parts.is_empty() {
            break;
        }
        let made = parquet::make(archive, output, &parts, &mut |done| told(fed.parts + done, all))?;
        fed.parts += parts.len() as u64;
        fed.rows += made.files.iter().map(|(_, file)| file.rows).sum::<u64>();
        fed.removed += made.removed;
        archive.parts_are_made(&output.name, &parts, &made.files)?;
    }
    fed.removed += parquet::sweep(archive, output)?;
    manifest::write(archive, output, false)?;
    Ok(fed)
}

fn durable_directory(output: &Output) -> Result<(), Error> {
    Ok(archive::durable::make_archive(&output.parquet)?)
}

/// Makes sure that it is known whom the server has erased, if that matters.
fn knows_erased(archive: &Archive, output: &Output) -> Result<(), Error> {
    if output.with_erased || output.with_redacted || archive.catalog().hides_erased()? {
        return Ok(());
    }
    Err(Error::ErasedUnknown(output.name.clone()))
}

/// A path without links, as far as it is there.
fn real(path: &Path) -> PathBuf {
    let there = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    there.map_or_else(
        || path.to_owned(),
        |(above, real)| match path.strip_prefix(above) {
            Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
            _ => real,
        },
    )
}

fn looking_at(path: &Path) -> impl FnOnce(std::io::Error) -> Error + '_ {
    move |source| Error::Archive(archive::Error::Io { doing: "look at", path: path.to_owned(), source })
}
