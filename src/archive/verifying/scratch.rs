//! A temporary database of what a verification has to have in another order than it comes: the chain by file, and what was found. Gone
//! at its end; what it found is in the catalog by then.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, ToSql, params};

use super::super::chain::{ChainHead, ChainPart, CommittedBytes, FileSpan, walk_known};
use super::super::error::CHAIN;
use super::super::writing::signed;
use super::super::{Catalog, Error, layout};
use super::file::Checked;
use super::{Off, Rewritten, Verified, VerifyRequest, is_selected};
use crate::event::Verdict;

/// How many files that were written anew are named.
const NAMED: usize = 20;

/// The database, which goes with this.
pub(super) struct Scratch {
    file: tempfile::NamedTempFile,
    connection: Connection,
}

impl Scratch {
    /// Makes one where temporary files belong.
    pub(super) fn make() -> Result<Scratch, Error> {
        let place = std::env::temp_dir();
        let file = tempfile::Builder::new().prefix("synapse-export-verify.").tempfile_in(&place);
        let file = file.map_err(Error::io("make a temporary file in", &place))?;
        let connection = Connection::open(file.path())?;
        connection.execute_batch(
            "pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -8192;
             create table extent (path text, number integer, start integer, end integer, lines integer, hash text);
             create index extent_path on extent (path, start);
             create index extent_number on extent (number);
             create table unchained (path text, start integer, end integer, lines integer, hash text);
             create table result (file integer primary key, bytes integer, digest text, counts text);
             begin",
        )?;
        Ok(Scratch { file, connection })
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Takes in the chain, as far as the catalog knows it, and makes sure that it is one.
    pub(super) fn take_chain(
        &self,
        archive: &Path,
        catalog: &Catalog,
        asked: &VerifyRequest,
        sealed: Option<&ChainHead>,
        verified: &mut Verified,
    ) -> Result<(), Error> {
        self.connection.execute_batch("delete from extent")?;
        verified.head = catalog.chain_head()?;
        let Some(head) = &verified.head else {
            verified.is_sealed = sealed.map(|_| false);
            return Ok(());
        };
        let mut insert = self.connection.prepare("insert into extent values (?1, ?2, ?3, ?4, ?5, ?6)")?;
        let (mut number, mut last, mut begun, mut is_sealed) = (0_i64, ChainHead::none(), 0_u64, false);
        let mut rewritten: BTreeMap<String, u64> = BTreeMap::new();
        let walked = walk_known(archive, catalog, head.bytes, |part| {
            match part {
                ChainPart::Extent(CommittedBytes { path, from, to, lines, hash }) => {
                    if is_selected(path, asked) {
                        insert.execute(params![path, number, signed(from), signed(to), signed(lines), hash])?;
                    }
                }
                ChainPart::End { kind, follows, head, .. } => {
                    if kind == "begun" {
                        // files may have been written anew in commits that were lost
                        self.connection.prepare_cached("delete from extent where number < ?1")?.execute([number])?;
                    }
                    if kind == "rewritten" {
                        if is_sealed {
                            self.note_rewritten(number, &mut rewritten)?;
                        }
                        // what is said of a file that was written anew takes the place of all before
                        let sql = "delete from extent where number < ?1
                                      and path in (select path from extent where number = ?1)";
                        self.connection.prepare_cached(sql)?.execute([number])?;
                        let sql = "delete from extent where number = ?1 and lines = 0";
                        self.connection.prepare_cached(sql)?.execute([number])?;
                    }
                    begun += u64::from(kind == "begun" && (follows || number > 0));
                    is_sealed |= sealed == Some(&head);
                    number += 1;
                    last = head;
                }
            }
            Ok(())
        });
        match walked {
            Err(error @ Error::Chain { .. }) => {
                let remedy = error.hint().unwrap_or_default();
                verified.off(Off::Chain, || format!("{error}. Remedy: {remedy}"));
            }
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                verified.off(Off::Chain, || format!("the archive has lost its chain.jsonl. Remedy: {CHAIN}"));
            }
            walked => {
                walked?;
                if last != *head {
                    verified.off(Off::Chain, || {
                        format!("chain.jsonl does not end as the catalog and the state say. Remedy: {CHAIN}")
                    });
                }
            }
        }
        verified.begun = begun;
        verified.is_sealed = sealed.map(|_| is_sealed);
        for (path, gone) in rewritten {
            let erased = erased_lines(catalog, &path)?;
            verified.rewritten.push(Rewritten { path, gone, erased });
        }
        self.connection.execute_batch("commit; begin")?;
        Ok(())
    }

    /// Notes the files that a commit of the chain wrote anew, each with the lines that it had before and has no more.
    fn note_rewritten(&self, number: i64, rewritten: &mut BTreeMap<String, u64>) -> Result<(), Error> {
        let sql = "select path, coalesce(sum(lines) filter (where number < ?1), 0) - coalesce(sum(lines) filter (where number = ?1), 0) from extent
                    where path in (select path from extent where number = ?1) group by path order by path";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([number])?;
        while let Some(row) = rows.next()? {
            let path: String = row.get(0)?;
            if rewritten.len() < NAMED || rewritten.contains_key(&path) {
                *rewritten.entry(path).or_default() += row.get::<_, i64>(1)?.max(0).unsigned_abs();
            }
        }
        Ok(())
    }

    /// Takes in what was found of a file.
    pub(super) fn take(&self, checked: &Checked) -> Result<(), Error> {
        let counts = checked.verified.verdicts.map(|count| count.to_string()).join(",");
        let sql = "insert into result (file, bytes, digest, counts) values (?1, ?2, ?3, ?4)";
        let mut statement = self.connection.prepare_cached(sql)?;
        statement.execute(params![checked.number, signed(checked.bytes), checked.digest, counts])?;
        let sql = "insert into unchained (path, start, end, lines, hash) values (?1, ?2, ?3, ?4, ?5)";
        let mut statement = self.connection.prepare_cached(sql)?;
        for FileSpan { from, to, lines, hash } in &checked.unchained {
            statement.execute(params![checked.path, signed(*from), signed(*to), signed(*lines), hash])?;
        }
        Ok(())
    }

    /// All is taken in.
    pub(super) fn settle(&self) -> Result<(), Error> {
        Ok(self.connection.execute_batch("commit")?)
    }

    /// Shows what is in no commit of the chain.
    pub(super) fn each_unchained(
        &self,
        mut show: impl FnMut(&str, u64, u64, u64, &str) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut statement =
            self.connection.prepare("select path, start, end, lines, hash from unchained order by rowid")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let number = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
            let (path, hash): (String, String) = (row.get(0)?, row.get(4)?);
            show(&path, number(1)?, number(2)?, number(3)?, &hash)?;
        }
        Ok(())
    }

    /// Puts the verdicts into the catalog.
    pub(super) fn put_verdicts(&self, catalog: &mut Catalog) -> Result<(), Error> {
        let at = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let columns = Verdict::ALL.map(Verdict::name).join(", ");
        let sql = format!(
            "replace into judged (file, at, bytes, digest, {columns})
             select file, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 from file where file = ?1"
        );
        let mut results = self.connection.prepare("select file, bytes, digest, counts from result order by file")?;
        let mut rows = results.query([])?;
        let writing = catalog.write()?;
        {
            let mut statement = writing.0.prepare(&sql)?;
            while let Some(row) = rows.next()? {
                let (file, bytes, digest): (i64, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let counts: String = row.get(3)?;
                let counts: Vec<i64> = counts.split(',').filter_map(|count| count.parse().ok()).collect();
                let head: [&dyn ToSql; 4] = [&file, &at, &bytes, &digest];
                let all: Vec<&dyn ToSql> =
                    head.into_iter().chain(counts.iter().map(|count| -> &dyn ToSql { count })).collect();
                statement.execute(&*all)?;
            }
        }
        writing.0.execute("delete from judged where file not in (select file from file)", [])?;
        writing.commit()
    }
}

/// Of how many lines of a file something is erased, as the catalog knows it: not what is cut out of others' events.
fn erased_lines(catalog: &Catalog, path: &str) -> Result<u64, Error> {
    let Some((directory, day)) = layout::parts(path) else { return Ok(0) };
    let sql = "select count(*) from line where erased and file = (
                   select file from file join room using (room) where directory = ?1 and day = ?2)";
    let count: i64 = catalog.connection.prepare_cached(sql)?.query_row([directory, day], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// Opens the database to read what the chain says of files.
pub(super) fn open(path: &Path) -> Result<Connection, Error> {
    Ok(Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?)
}

/// What the chain says of a file, in the order of its bytes.
pub(super) fn spans(chain: &Connection, path: &str) -> Result<Vec<FileSpan>, Error> {
    let sql = "select start, end, lines, hash from extent where path = ?1 order by start, number";
    let mut statement = chain.prepare_cached(sql)?;
    let spans = statement.query_map([path], |row| FileSpan::read(row, 0))?;
    Ok(spans.collect::<Result<_, _>>()?)
}
