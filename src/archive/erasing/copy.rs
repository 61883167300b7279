//! Tombstones, what lasts, and holds, in a file outside the archive: for an archive that is restored from a backup, which has them not.
//! Holds no text of any event.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::super::writing::Writing;
use super::super::{Archive, Catalog, Error};
use super::digest;
use super::request::{Request, What};
use crate::event::Erased;

/// The setting that says where they are kept.
const PLACE: &str = "tombstones";
/// How many records are taken in in one transaction.
const AT_ONCE: usize = 10_000;
const FORMAT: u64 = 1;

/// A line of the file.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Record {
    /// The first one: what follows.
    Tombstones {
        format: u64,
        erasures: u64,
        holds: u64,
        tombstones: u64,
    },
    Erasure {
        number: i64,
        what: String,
        which: String,
        whole: bool,
        lasts: bool,
        at: String,
        reason: Option<String>,
    },
    Hold {
        room_id: String,
        at: String,
        reason: Option<String>,
    },
    Tombstone {
        id: String,
        kind: String,
        line: Option<String>,
        erasure: i64,
    },
}

impl Archive {
    /// Remembers where a copy of the tombstones is kept.
    pub fn keep_tombstones_in(&mut self, path: &Path) -> Result<(), Error> {
        let path = std::path::absolute(path).map_err(Error::io("look at", path))?;
        let writing = self.catalog.write()?;
        writing.set(PLACE, path.to_string_lossy())?;
        writing.commit()
    }

    /// Writes the copy of the tombstones anew, if one is kept and it lacks something; `changed`: in any case.
    pub fn copy_tombstones(&self, changed: bool) -> Result<(), Error> {
        let Some(path) = self.catalog.setting::<String>(PLACE)? else { return Ok(()) };
        let (path, head) = (Path::new(&path), self.catalog.head()?);
        if !changed && first(path).is_some_and(|first| first == head) {
            return Ok(());
        }
        let failed = || Error::io("write", path);
        let beside = path.with_extension("new");
        let make = || {
            let mut options = File::options();
            options.write(true).create(true).truncate(true).mode(0o600).custom_flags(NO_FOLLOW);
            options.open(&beside).map(BufWriter::new)
        };
        let mut file = make().map_err(failed())?;
        let mut push = |record: &Record| -> Result<(), Error> {
            let written = serde_json::to_writer(&mut file, record).map_err(io::Error::from);
            written.and_then(|()| file.write_all(b"\n")).map_err(failed())
        };
        push(&head)?;
        self.catalog.each_record(&mut push)?;
        let file = file.into_inner().map_err(|error| failed()(error.into_error()))?;
        file.sync_all().and_then(|()| std::fs::rename(&beside, path)).map_err(failed())?;
        let parent = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        super::super::durable::sync(parent)
    }

    /// Takes in tombstones, what lasts, and holds of a copy; what they name is to be erased then. How many tombstones there were.
    pub fn take_tombstones(&mut self, path: &Path) -> Result<u64, Error> {
        let mut reader = BufReader::new(File::open(path).map_err(Error::io("open", path))?);
        let (mut text, mut at, mut count, mut erasures) = (String::new(), 0, 0, BTreeMap::new());
        let mut is_over = false;
        while !is_over {
            let writing = self.catalog.write()?;
            for _ in 0..AT_ONCE {
                text.clear();
                at += 1;
                if reader.read_line(&mut text).map_err(Error::io("read", path))? == 0 {
                    is_over = true;
                    break;
                }
                let broken = |why: &str| Error::Line { path: path.to_owned(), line: at, why: why.to_owned() };
                let record =
                    serde_json::from_str(&text).map_err(|_| broken("it is no line of a copy of tombstones"))?;
                if at == 1 && !matches!(record, Record::Tombstones { format: FORMAT, .. }) {
                    return Err(broken("it is no copy of tombstones, or one of a newer version"));
                }
                count += u64::from(matches!(record, Record::Tombstone { .. }));
                writing.take_record(record, &mut erasures).map_err(|_| broken("it is damaged"))?;
            }
            if is_over {
                let again = Request { what: What::Again, whole: false, lasts: false, reason: None };
                writing.ask(&again)?;
            }
            writing.commit()?;
        }
        Ok(count)
    }
}

#[allow(clippy::cast_possible_wrap, reason = "a flag")]
const NO_FOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits() as i32;

/// What a copy says that it has.
fn first(path: &Path) -> Option<Record> {
    let mut line = String::new();
    BufReader::new(File::open(path).ok()?).read_line(&mut line).ok()?;
    serde_json::from_str(&line).ok()
}

impl Catalog {
    fn head(&self) -> Result<Record, Error> {
        let count = |table: &str| -> Result<u64, Error> {
            let sql = format!("select count(*) from {table}");
            Ok(self.connection.query_row(&sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
        };
        let (erasures, holds, tombstones) = (count("erasure")?, count("hold")?, count("tombstone")?);
        Ok(Record::Tombstones { format: FORMAT, erasures, holds, tombstones })
    }

    fn each_record(&self, push: &mut dyn FnMut(&Record) -> Result<(), Error>) -> Result<(), Error> {
        let mut statement =
            self.connection.prepare("select erasure, what, which, whole, lasts, at, reason from erasure")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (number, what, which) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let (whole, lasts, at, reason) = (row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?);
            push(&Record::Erasure { number, what, which, whole, lasts, at, reason })?;
        }
        let mut statement = self.connection.prepare("select room_id, at, reason from hold")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            push(&Record::Hold { room_id: row.get(0)?, at: row.get(1)?, reason: row.get(2)? })?;
        }
        let mut statement = self.connection.prepare("select id, kind, line, erasure from tombstone")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (id, kind, line, erasure) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            push(&Record::Tombstone { id, kind, line, erasure })?;
        }
        Ok(())
    }
}

impl Writing<'_> {
    /// Takes in a record; `erasures`: which number each has here that has another there.
    fn take_record(&self, record: Record, erasures: &mut BTreeMap<i64, i64>) -> Result<(), Error> {
        match record {
            Record::Tombstones { .. } => {}
            Record::Erasure { number, what, which, whole, lasts, at, reason } => {
                // events are named by their tombstones
                let request = Request { what: What::of(&what, which)?, whole, lasts, reason };
                let (what, which) = request.what.columns();
                let sql = "select max(erasure) from erasure where what = ?1 and which = ?2 and whole = ?3 and at = ?4";
                let values = params![what, which, whole, at];
                let known: Option<i64> = self.0.prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
                let own = if let Some(known) = known {
                    known
                } else {
                    let sql = "insert into erasure (what, which, whole, lasts, done, at, reason) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
                    let values = params![what, which, whole, lasts, if lasts { 0 } else { 2 }, at, request.reason];
                    self.0.prepare_cached(sql)?.execute(values)?;
                    self.0.last_insert_rowid()
                };
                erasures.insert(number, own);
            }
            Record::Hold { room_id, at, reason } => {
                let sql = "insert or ignore into hold (room_id, at, reason) values (?1, ?2, ?3)";
                self.0.prepare_cached(sql)?.execute(params![room_id, at, reason])?;
            }
            Record::Tombstone { id, kind, line, erasure } => {
                let is_digest =
                    |text: &str| text.len() == digest("").len() && text.bytes().all(|it| it.is_ascii_hexdigit());
                let kind = Erased::named(&kind).filter(|_| is_digest(&id) && line.as_deref().is_none_or(is_digest));
                let kind = kind.ok_or_else(|| Error::altered("a tombstone of", &id))?;
                let erasure = erasures.get(&erasure).copied().unwrap_or_default();
                self.set_tombstone(&id, kind, line.as_deref(), erasure)?;
            }
        }
        Ok(())
    }
}
