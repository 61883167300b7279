//! The index of search against the texts that it is of: every word of every line that is to be in it, and no other. Of what was decrypted
//! nothing is looked at.
//!
//! What is to be in it is put into an index of its own, some lines at a time, and both are read word by word. Each word at its place is a
//! number by chance, and of some lines together only the sum is kept: so that neither the words' order matters nor how many there are.

use std::hash::BuildHasher as _;

use foldhash::quality::RandomState;
use rusqlite::Connection;

use super::super::full_text::{self, BLOCK, SAID, TOKENIZER, is_searched, words_of};
use super::super::{Catalog, Error, Interrupt};
use super::{Off, Verified};

/// How many sums are kept.
const SUMS: usize = 64 * 1024;
/// How many lines are put into an index of their own at once.
const LINES: i64 = 32 * 1024;

/// The sums of words, of some lines each.
struct Sums {
    sums: Vec<u64>,
    chance: RandomState,
}

impl Sums {
    fn new(chance: &RandomState) -> Sums {
        Sums { sums: vec![0; SUMS], chance: chance.clone() }
    }

    /// Takes in all words of an index, but for lines that something has changed of since.
    fn add(&mut self, connection: &Connection, table: &str, interrupt: &Interrupt) -> Result<(), Error> {
        let sql = format!("select term, doc, col, offset from temp.{table}");
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut count = 0_u64;
        while let Some(row) = rows.next()? {
            let (word, line, column, place): (_, i64, _, i64) =
                (row.get_ref(0)?.as_bytes(), row.get(1)?, row.get_ref(2)?.as_bytes(), row.get(3)?);
            let hash = self.chance.hash_one((word.unwrap_or_default(), line, column.unwrap_or_default(), place));
            let sum = &mut self.sums[sum_of(line)];
            *sum = sum.wrapping_add(hash);
            count += 1;
            if count.is_multiple_of(64 * 1024) {
                interrupt.check()?;
            }
        }
        Ok(())
    }
}

fn sum_of(line: i64) -> usize {
    usize::try_from(line >> BLOCK).unwrap_or_default() % SUMS
}

/// Compares the index of search with what it is of, as far as it has come.
pub(super) fn check(catalog: &Catalog, interrupt: &Interrupt, verified: &mut Verified) -> Result<(), Error> {
    let reading = catalog.connection.unchecked_transaction()?;
    let Some(last) = full_text::indexed(&reading)? else { return Ok(()) };
    reading.execute_batch("create virtual table temp.words_of_index using fts5vocab(main, search, instance)")?;
    let chance = RandomState::default();
    let (mut found, mut expected) = (Sums::new(&chance), Sums::new(&chance));
    let changed: bool = reading.query_row("select exists (select 1 from search_changed)", [], |row| row.get(0))?;
    if changed {
        // of which it is known that they are not as they should be
        return Ok(());
    }
    found.add(&reading, "words_of_index", interrupt)?;
    let own = Connection::open_in_memory()?;
    own.execute_batch(&format!(
        "create virtual table own using fts5 (body, has, content='', columnsize=0, tokenize=\"{TOKENIZER}\");
         create virtual table temp.words using fts5vocab(main, own, instance)"
    ))?;
    let sql = format!(
        "select said.line, {SAID} from said cross join line on line.line = said.line
          where said.line > ?1 and said.line <= ?2 and {} order by said.line",
        is_searched()
    );
    let mut texts = reading.prepare(&sql)?;
    let mut put = own.prepare("insert into own (rowid, body, has) values (?1, ?2, ?3)")?;
    let mut from = 0;
    while from < last {
        interrupt.check()?;
        let to = (from + LINES).min(last);
        let filling = own.unchecked_transaction()?;
        let mut rows = texts.query([from, to])?;
        while let Some(row) = rows.next()? {
            let [body, has] = words_of(row.get(1)?, row.get(2)?, row.get(3)?);
            put.execute(rusqlite::params![row.get::<_, i64>(0)?, body, has])?;
        }
        filling.commit()?;
        expected.add(&own, "words", interrupt)?;
        own.execute("insert into own (own) values ('delete-all')", [])?;
        from = to;
    }
    for (block, _) in
        (0..).zip(found.sums.iter().zip(&expected.sums)).filter(|(_, (found, expected))| found != expected)
    {
        verified.off(Off::Search, || {
            let (first, last): (u64, u64) = (block << BLOCK, ((block + 1) << BLOCK) - 1);
            format!(
                "the index of search has not the words of lines {first} to {last} of the catalog, or others; `synapse-export search --index off`, and then `--index on`, makes it anew"
            )
        });
    }
    Ok(())
}
