//! Outputs: what leaves the house, kept up to date from the archive, never from the server: Parquet, and tables in another PostgreSQL.
//!
//! What is withheld is decided in `archive::reading::outward`, which parts are stale by `archive::outputs`. A part that is stale is made
//! anew as a whole, so that it has each event once however often that is tried; the catalog forgets that it was stale once it is on the
//! disk. What fails here leaves the archive as it is. Deletes nothing that it has not made.

mod parquet;
mod postgres;
mod rows;

use std::path::{Path, PathBuf};

use crate::archive::{self, Archive, Output, OutputFile, To};
use crate::event::hex;
use crate::source::ServerError;

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
    /// Its address cannot be used.
    #[error("cannot use the address of the output {}", name.escape_debug())]
    Address {
        /// The output.
        name: String,
        /// Why; quotes nothing.
        source: crate::config::Error,
    },
    /// Its address has what is not to be kept.
    #[error("the address of the output {} has a password in it, and would be kept in the archive", .0.escape_debug())]
    Password(String),
    /// Its address leaves to others which database it is.
    #[error("the address of the output {} does not say in which database, on which host, as which user", .0.escape_debug())]
    Vague(String),
    /// Its database is Synapse's.
    #[error("the output {} would be in a database of Synapse's, which is only read", .0.escape_debug())]
    Synapse(String),
    /// Its database has something else by that name.
    #[error("the database of the output {} has a schema {} that is another's", .0.escape_debug(), postgres::SCHEMA)]
    NotOurSchema(String),
    /// What was there is gone.
    #[error("the database of the output {} has nothing of it any more", .0.escape_debug())]
    NoSchema(String),
    /// It cannot keep what the archive has.
    #[error("the database of the output {} has the encoding {encoding}, not UTF8", name.escape_debug())]
    Encoding {
        /// The output.
        name: String,
        /// As PostgreSQL calls it.
        encoding: String,
    },
    /// PostgreSQL, or the way to it.
    #[error("cannot {doing} the database of the output {}", name.escape_debug())]
    Server {
        /// The output.
        name: String,
        /// What was to be done.
        doing: &'static str,
        /// What it said.
        source: ServerError,
    },
    /// None of its servers is one that can be written to.
    #[error("each server of the output {} is a standby, which cannot be written to", .0.escape_debug())]
    Standby(String),
    /// Certificates, and what runs the connection.
    #[error("cannot connect to the database of the output {}: {problem}", name.escape_debug())]
    Connection {
        /// The output.
        name: String,
        /// What is wrong.
        problem: String,
    },
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
            Error::Address { source, .. } => return source.hint().map(str::to_owned),
            Error::Password(_) => "leave it out, and write it into ~/.pgpass, or a service of pg_service.conf",
            Error::Vague(_) => {
                "PGHOST and the like speak of Synapse's database: give postgres://user@host/database, or a service that has all three"
            }
            Error::Synapse(_) => "make a database of its own for it: createdb archive",
            Error::NotOurSchema(_) => {
                "give the output another database; or, if that is of an output that was removed: drop schema synapse_archive cascade"
            }
            Error::NoSchema(_) => {
                "restore that database; if it is lost, `synapse-export output run --anew NAME` makes all of it anew"
            }
            Error::Encoding { .. } => "make one: createdb --encoding UTF8 --template template0 archive",
            Error::Server { source, .. } => return Some(postgres::hint(source).to_owned()),
            Error::Standby(_) => "name the primary",
            Error::Connection { .. } => return None,
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
    /// What the archive has erased is still on its disk, since others read it.
    pub is_held: bool,
}

/// The environment, whose variables complete an address.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Where an output is, on its way to being as the archive is.
trait Destination {
    /// Makes sure that it is the output's, and makes what it needs; `had`: it had something when it was fed last. Says of the archive
    /// what is stale beyond what that knows itself; `anew`: everything, whatever is there.
    fn begin(&mut self, archive: &mut Archive, had: bool, anew: bool) -> Result<(), Error>;
    /// Makes parts anew, for good. `told` hears how many are done.
    fn make(&mut self, archive: &Archive, parts: &[String], told: &mut dyn FnMut(u64)) -> Result<MadeFiles, Error>;
    /// All parts are as the archive is; how many files were taken away.
    fn end(&mut self, archive: &Archive) -> Result<u64, Error>;
    /// Leaves nothing on the disk of what was taken away; false: something is left for now.
    fn clean(&mut self) -> Result<bool, Error> {
        Ok(true)
    }
}

/// What was made of some parts.
#[derive(Debug, Default)]
struct MadeFiles {
    /// Their files, each with its part.
    files: Vec<(String, OutputFile)>,
    /// How many files were too many.
    removed: u64,
}

/// Remembers a new output; it is fed when it is told to.
pub fn add(archive: &mut Archive, mut output: Output, env: Environment<'_>) -> Result<(), Error> {
    if archive.catalog().outputs()?.iter().any(|other| other.name == output.name) {
        return Err(Error::Taken(output.name));
    }
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| looking_at(archive.directory())(std::io::Error::other(error)))?;
    output.id = hex::digits(&id);
    knows_erased(archive, &output)?;
    match &mut output.to {
        To::Parquet(path) => {
            let directory = std::path::absolute(&path).map_err(looking_at(path))?;
            let directory = real(&directory);
            let own = real(archive.directory());
            if directory.starts_with(&own) || own.starts_with(&directory) {
                return Err(Error::Inside(directory));
            }
            path.clone_from(&directory);
            parquet::check(&output, &directory, false)?;
        }
        To::Postgres(address) => {
            let address = address.clone();
            postgres::check(&output, &address, archive.interrupt(), env)?;
        }
    }
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
pub fn feed(
    archive: &mut Archive,
    output: &Output,
    anew: bool,
    env: Environment<'_>,
    told: &mut dyn FnMut(u64, u64),
) -> Result<Fed, Error> {
    knows_erased(archive, output)?;
    if !archive.tell_outputs()? {
        return Err(Error::NotIndexed);
    }
    let standing = archive.catalog().output_standing(&output.name)?;
    let mut to: Box<dyn Destination> = match &output.to {
        To::Parquet(path) => Box::new(parquet::ParquetDirectory::of(output, path)),
        To::Postgres(address) => {
            Box::new(postgres::PostgresOutput::connect(output, address, archive.interrupt(), env)?)
        }
    };
    to.begin(archive, standing.files > 0 && !anew, anew)?;
    if anew {
        archive.begin_output_anew(&output.name)?;
    }
    let all = archive.catalog().output_standing(&output.name)?.stale.unwrap_or(0);
    let mut fed = Fed::default();
    while fed.parts < all {
        archive.interrupt().check()?;
        archive.check_lock()?;
        let parts = archive.catalog().stale_parts(&output.name, AT_ONCE)?;
        if parts.is_empty() {
            break;
        }
        let made = to.make(archive, &parts, &mut |done| told(fed.parts + done, all))?;
        fed.parts += parts.len() as u64;
        fed.rows += made.files.iter().map(|(_, file)| file.rows).sum::<u64>();
        fed.removed += made.removed;
        archive.parts_are_made(&output.name, &parts, &made.files)?;
    }
    if all > 0 {
        fed.removed += to.end(archive)?;
    }
    if archive.catalog().is_output_pending(&output.name)? {
        fed.is_held = !to.clean()?;
        if !fed.is_held {
            archive.output_is_clean(&output.name)?;
        }
    }
    Ok(fed)
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
