//! The sections of the list of rooms, where there are too many rooms for one page: which there are, and which of them are not as their
//! rooms are.
//!
//! Rooms are listed by what they are called in `by-name/`, then by id. A section begins with each room whose id's hash says so, and ends
//! before the next such: so where sections end depends on the rooms that there are, not on the order in which they came, and a room that
//! comes, goes or is renamed concerns its own section, and one beside it. Triggers note which are stale, whoever changes a room. Its tables
//! are there only while the rooms are so many; a catalog that is made anew has none of it, and all is stale again. Writes no list: that is
//! `views::list`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use rusqlite::{OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};

use super::view_state::ViewState;
use super::writing::signed;
use super::{Error, durable, inside};

/// The tables, and triggers.
pub(super) const TABLES: &str = include_str!("sections.sql");
/// Takes them away.
const DROP: &str = "
    drop trigger room_section_room; drop trigger room_section_room_gone; drop trigger room_section_namesake;
    drop index room_in_order; drop table room_section;";
/// The directory of their files, in the archive's own.
pub(crate) const DIRECTORY: &str = "index";
/// One room of so many begins a section. Tests have fewer rooms.
const ONE_OF: u16 = if cfg!(test) { 4 } else { 256 };

/// A place in the list of rooms: that of a room, or where it begins, before all rooms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ListPlace {
    /// What the room is called in `by-name/`.
    pub(crate) by_name: String,
    pub(crate) room_id: String,
}

/// Rooms that follow each other in the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Section {
    /// Its first room; the first section begins where the list does, and may have no room.
    pub(crate) from: ListPlace,
    pub(crate) rooms: u64,
    /// In how many files, of each form, it is.
    pub(crate) parts: u64,
}

/// Whether a section begins with a room.
pub(crate) fn begins(room_id: &str) -> bool {
    let hash = Sha256::digest(room_id);
    u16::from_be_bytes([hash[0], hash[1]]) % ONE_OF == 0
}

impl Section {
    /// A file of it, below the archive, without its ending: the number of a part begins with 1.
    pub(crate) fn stem(&self, part: u64) -> String {
        let mut stem = format!("{DIRECTORY}/");
        // no id tells what else is there, nor has two
        for byte in &Sha256::digest(&self.from.room_id)[16..] {
            let _ = write!(stem, "{byte:02x}");
        }
        if part > 1 {
            let _ = write!(stem, ".{part}");
        }
        stem
    }
}

/// Whether a name in their directory is one that a file of a section may have, or had while it was written.
pub(crate) fn is_file(name: &str) -> bool {
    let name = name.strip_prefix('.').and_then(|name| name.strip_suffix(".new")).unwrap_or(name);
    let Some((stem, "md" | "html")) = name.rsplit_once('.') else { return false };
    let (hash, part) = stem.split_once('.').unwrap_or((stem, "2"));
    hash.len() == 32
        && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && part.bytes().all(|byte| byte.is_ascii_digit())
}

/// The names in their directory that are files of sections, or were.
pub(crate) fn files(archive: &Path) -> Result<BTreeSet<String>, Error> {
    // that name is anybody's where there is no section
    if inside::directory(archive, DIRECTORY).is_err() {
        return Ok(BTreeSet::new());
    }
    let mut names = durable::names(archive, DIRECTORY)?;
    names.retain(|name| is_file(name));
    Ok(names)
}

impl ViewState<'_> {
    /// Keeps sections from now on; there is one, which is stale.
    pub(crate) fn keep_sections(&self) -> Result<(), Error> {
        let sql = "insert into room_section (by_name, room_id, rooms, parts, stale) values ('', '', 0, 0, 1)";
        Ok(self.0.0.execute_batch(&format!("{TABLES} {sql};"))?)
    }

    /// Keeps none any more.
    pub(crate) fn forget_sections(&self) -> Result<(), Error> {
        Ok(self.0.0.execute_batch(DROP)?)
    }

    /// Says that all sections are stale, if there are any.
    pub(super) fn sections_are_gone(&self) -> Result<(), Error> {
        if super::reading::sections::are_kept(&self.reader())? {
            self.0.0.execute("update room_section set stale = 1", [])?;
        }
        Ok(())
    }

    /// Forgets the first sections that are stale, up to one that is not: where their rooms begin and end. A section whose first room is
    /// no more where it was goes with the one before. What they are now is said by [`ViewState::add_section`]. None: none is stale.
    pub(crate) fn take_stale_sections(&self) -> Result<Option<(ListPlace, Option<ListPlace>)>, Error> {
        let place = |row: &rusqlite::Row<'_>| Ok(ListPlace { by_name: row.get(0)?, room_id: row.get(1)? });
        let one = |sql: &str, of: &ListPlace| -> Result<Option<ListPlace>, Error> {
            Ok(self.0.0.prepare_cached(sql)?.query_row([&of.by_name, &of.room_id], place).optional()?)
        };
        let sql = "select by_name, room_id from room_section where stale order by by_name, room_id limit 1";
        let Some(stale) = self.0.0.prepare_cached(sql)?.query_row([], place).optional()? else { return Ok(None) };
        let sql = "select by_name, room_id from room_section
                    where (by_name, room_id) > (?1, ?2) and not stale order by by_name, room_id limit 1";
        let until = one(sql, &stale)?;
        let mut from = stale;
        while !self.is_beginning(&from)? {
            let sql = "select by_name, room_id from room_section
                        where (by_name, room_id) < (?1, ?2) order by by_name desc, room_id desc limit 1";
            from = one(sql, &from)?.unwrap_or_default();
        }
        let sql = "delete from room_section where (by_name, room_id) >= (?1, ?2)";
        match &until {
            None => self.0.0.prepare_cached(sql)?.execute([&from.by_name, &from.room_id])?,
            Some(until) => {
                let sql = format!("{sql} and (by_name, room_id) < (?3, ?4)");
                let values = [&from.by_name, &from.room_id, &until.by_name, &until.room_id];
                self.0.0.prepare_cached(&sql)?.execute(values)?
            }
        };
        Ok(Some((from, until)))
    }

    /// Whether a section begins at a place.
    fn is_beginning(&self, place: &ListPlace) -> Result<bool, Error> {
        if *place == ListPlace::default() {
            return Ok(true);
        }
        let sql = "select exists (select 1 from room where room_id = ?2 and by_name = ?1 collate nocase and has_lines)";
        let is_there = self.0.0.prepare_cached(sql)?.query_row([&place.by_name, &place.room_id], |row| row.get(0))?;
        Ok(is_there && begins(&place.room_id))
    }

    /// A section is written as its rooms are.
    pub(crate) fn add_section(&self, section: &Section) -> Result<(), Error> {
        let sql = "insert into room_section (by_name, room_id, rooms, parts, stale) values (?1, ?2, ?3, ?4, 0)";
        let Section { from, rooms, parts } = section;
        let values = params![from.by_name, from.room_id, signed(*rooms), signed(*parts)];
        self.0.0.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}
