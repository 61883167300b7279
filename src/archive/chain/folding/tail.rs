//! The end of the chain, taken into temporary tables, and written folded from there. Nothing that lasts is changed but the chain that it
//! is written to.

use std::io;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::{Map, Value};

use super::super::super::writing::signed;
use super::super::super::{Catalog, Error};
use super::super::{Chain, ChainHead, ChainPart, CommittedBytes, FileSpan, walk};
use super::joining::Joining;

/// From how many bytes of lines on it is not worth the while to read them again.
pub(super) const SMALL: u64 = 16 * 1024;

/// Takes the end of the chain into temporary tables, from a place on, or from the last one that a seal knows: which one that is. None:
/// it is not as it should be. A commit is in a run with others if it may be folded with them.
pub(super) fn take_tail(
    catalog: &Catalog,
    archive: &Path,
    mut start: ChainHead,
    head: &ChainHead,
) -> Result<Option<ChainHead>, Error> {
    let connection = &catalog.connection;
    connection.execute_batch(
        "drop table if exists temp.tail_commit;
         drop table if exists temp.tail;
         create temp table tail_commit (number integer primary key, run integer not null, kind text not null, said text not null);
         create temp table tail (number integer not null, path text not null, first integer not null, next integer not null,
                                 lines integer not null, hash text not null);
         create index temp.tail_number on tail (number)",
    )?;
    let taking = connection.unchecked_transaction()?;
    let mut extent = taking.prepare("insert into temp.tail values (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut commit = taking.prepare("insert into temp.tail_commit values (?1, ?2, ?3, ?4)")?;
    let (mut number, mut run, mut last, mut last_head) = (0_i64, 0_i64, false, start.clone());
    let from = start.clone();
    let walked = walk(archive, &from, Some(head.bytes), |part| {
        match part {
            ChainPart::Extent(CommittedBytes { path, from, to, lines, hash }) => {
                extent.execute(params![number, path, signed(from), signed(to), signed(lines), hash])?;
            }
            ChainPart::End { kind, said, head, .. } => {
                if kind == "sealed" || kind == "begun" {
                    taking.execute_batch("delete from temp.tail; delete from temp.tail_commit")?;
                    start = head.clone();
                } else {
                    let is_folded = kind == "appended" || kind == "folded";
                    run += i64::from(!(is_folded && last));
                    last = is_folded;
                    let said = serde_json::to_string(said).unwrap_or_default();
                    commit.execute(params![number, run, kind, said])?;
                }
                number += 1;
                last_head = head;
            }
        }
        Ok(())
    });
    drop((extent, commit));
    taking.commit()?;
    match walked {
        Ok(()) => Ok((last_head == *head).then_some(start)),
        Err(Error::Chain { .. }) => Ok(None),
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether half of the lines that were taken can go.
pub(super) fn is_worth_it(catalog: &Catalog) -> Result<bool, Error> {
    let sql = "with extent as (
                   select next - first as length, first = lag(next) over file as follows, lag(next - first) over file as before
                     from temp.tail join temp.tail_commit using (number) where kind in ('appended', 'folded')
                   window file as (partition by run, path order by first, number))
               select (select count(*) from temp.tail) + (select count(*) from temp.tail_commit),
                      (select count(*) from extent where follows and length < ?1 and before < ?1)
                      + (select count(*) - count(distinct run) from temp.tail_commit)";
    let (all, fewer): (i64, i64) =
        catalog.connection.query_row(sql, [signed(SMALL)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(fewer > 0 && fewer * 2 >= all)
}

/// Adds to a chain what was taken, folded.
pub(super) fn write_folded(catalog: &Catalog, archive: &Path, chain: &mut Chain) -> Result<(), Error> {
    let connection = &catalog.connection;
    connection.execute_batch(
        "drop table if exists temp.tail_rewritten;
         create temp table tail_rewritten (path text primary key, number integer not null) without rowid;
         insert into temp.tail_rewritten
         select path, max(number) from temp.tail join temp.tail_commit using (number) where kind = 'rewritten' group by path",
    )?;
    let mut runs = connection.prepare("select run, count(*) from temp.tail_commit group by run order by run")?;
    let mut runs = runs.query([])?;
    while let Some(row) = runs.next()? {
        let (run, commits): (i64, i64) = (row.get(0)?, row.get(1)?);
        let sql = "select path, first, next, lines, hash, number from temp.tail join temp.tail_commit using (number) where run = ?1";
        if commits == 1 {
            let mut extents = connection.prepare(&format!("{sql} order by tail.rowid"))?;
            let mut extents = extents.query([run])?;
            while let Some(row) = extents.next()? {
                let path: String = row.get(0)?;
                FileSpan::read(row, 1)?.add(&path, chain)?;
            }
        } else {
            let mut extents = connection.prepare(&format!("{sql} order by path, first, number"))?;
            let mut extents = extents.query([run])?;
            let mut joining = Joining::new(archive, chain);
            while let Some(row) = extents.next()? {
                let path: String = row.get(0)?;
                if path != joining.path {
                    joining.end()?;
                    let rewritten = last_rewrite(connection, &path)?;
                    joining.begin(path, rewritten);
                }
                let number: i64 = row.get(5)?;
                joining.take(FileSpan::read(row, 1)?, number)?;
            }
            joining.end()?;
        }
        chain.close_as(said(connection, run, commits)?)?;
    }
    Ok(())
}

/// The last commit that was taken and has a file written anew; less than any: none.
fn last_rewrite(connection: &Connection, path: &str) -> Result<i64, Error> {
    let sql = "select number from temp.tail_rewritten where path = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([path], |row| row.get(0)).optional()?.unwrap_or(-1))
}

/// What a run of commits says of itself: when it ended, and if it is folded, when it began and of how many it is made.
fn said(connection: &Connection, run: i64, commits: i64) -> Result<Map<String, Value>, Error> {
    let sql =
        "select min(number), max(number), sum(coalesce(said ->> 'commits', 1)) from temp.tail_commit where run = ?1";
    let (first, last, all): (i64, i64, i64) =
        connection.query_row(sql, [run], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let of = |number: i64| -> Result<Map<String, Value>, Error> {
        let sql = "select said from temp.tail_commit where number = ?1";
        let text: String = connection.query_row(sql, [number], |row| row.get(0))?;
        Ok(serde_json::from_str(&text).unwrap_or_default())
    };
    let (first, mut said) = (of(first)?, of(last)?);
    if commits > 1 {
        let since = first.get("since").or_else(|| first.get("at")).cloned().unwrap_or_default();
        said.extend(
            [("kind", "folded".into()), ("since", since), ("commits", all.into())]
                .map(|(key, value)| (key.to_owned(), value)),
        );
    }
    Ok(said)
}
