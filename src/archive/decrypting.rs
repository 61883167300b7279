//! What of an archive is to be decrypted, a page at a time, and what became of that: kept in `decrypted.sqlite` first, then the views
//! that show something else by it are marked, and last the catalog remembers how far this is. Should it be cut off in between, it is done again.

use std::collections::HashMap;

use rusqlite::params;

use super::catalog::key;
use super::decrypted::{Decrypted, DecryptedNumbers, DecryptedOfRoom, Judgement, Lacking, NAME, WantedSession};
use super::lines::{self, Open};
use super::plaintexts::Plaintexts;
use super::stale::Stale;
use super::{Archive, Catalog, Error, durable, inside};
use crate::event::{Erased, Event, OwnedEventId};

/// How many lines are read at once, and how many bytes of them.
const LINES: i64 = 10_000;
const BYTES: u64 = 16 * 1024 * 1024;
/// How many events are told at once that have changed, and how many of them that are to be read for that.
const CHANGED: i64 = 10_000;
const READ: usize = 200;
/// The setting that remembers what is to be decrypted with.
const DECRYPT: &str = "decrypt";

/// An encrypted event of the archive.
pub(crate) struct EncryptedEvent {
    pub(crate) event: Event,
    /// Whether clients see it.
    pub(crate) is_accepted: bool,
}

/// Some encrypted events, and what of the archive they are.
pub(crate) struct EncryptedPage {
    pub(crate) events: Vec<EncryptedEvent>,
    of: LinesTaken,
}

enum LinesTaken {
    /// All up to a line that were not looked at.
    New(i64),
    /// Lines of which something has changed.
    Again(Vec<i64>),
    /// Those that lacked something.
    Wanted,
}

/// Where an encrypted line is.
struct EncryptedLine {
    line: i64,
    path: String,
    start: u64,
    length: u64,
    is_accepted: bool,
}

/// What is asked of a line.
const PLACE: &str = "select line.line, 'rooms/' || room.directory || '/' || file.day || '.jsonl', start, length,
     not rejected and not soft_failed from line cross join file using (file) cross join room using (room)";

impl Catalog {
    /// With what events are decrypted, as it was remembered, JSON; none: they are not.
    pub fn decrypts_with(&self) -> Result<Option<String>, Error> {
        self.setting(DECRYPT)
    }

    /// What became of the encrypted events, in numbers; none: nothing was ever decrypted.
    pub fn decrypted_numbers(&self) -> Result<Option<DecryptedNumbers>, Error> {
        self.plaintexts
            .as_ref()
            .and_then(Plaintexts::kept)
            .map(Decrypted::numbers)
            .transpose()
            .map_err(Error::of_decrypted)
    }

    /// The same of an archive that is looked at.
    pub fn decrypted_numbers_in(archive: &std::path::Path) -> Result<Option<DecryptedNumbers>, Error> {
        Decrypted::open_to_read(archive)?.map(|decrypted| decrypted.numbers()).transpose().map_err(Error::of_decrypted)
    }

    /// The bytes of what is kept beside an archive's catalog of them; none: there is nothing.
    #[must_use]
    pub fn decrypted_bytes_in(archive: &std::path::Path) -> Option<u64> {
        inside::length(archive, NAME).ok().flatten()
    }

    /// What each source opens of each room, and what cannot be read of it.
    pub fn each_decrypted_room(&self, take: &mut dyn FnMut(DecryptedOfRoom)) -> Result<(), Error> {
        let kept = self.plaintexts.as_ref().and_then(Plaintexts::kept);
        kept.map_or(Ok(()), |decrypted| decrypted.each_room(take)).map_err(Error::of_decrypted)
    }

    /// Looks also at what could be decrypted.
    pub fn with_decrypted(mut self, archive: &std::path::Path) -> Result<Catalog, Error> {
        self.plaintexts = Decrypted::open_to_read(archive)?.map(Plaintexts::Kept);
        Ok(self)
    }
}

impl Archive {
    /// Opens `decrypted.sqlite`, if there is one.
    pub(super) fn open_decrypted(&mut self) -> Result<(), Error> {
        if durable::names(&self.directory, "")?.contains(NAME) {
            let decrypted = Decrypted::open_to_write(&self.directory, self.readers, self.lock.held())?;
            self.catalog.plaintexts = Some(Plaintexts::Kept(decrypted));
        }
        Ok(())
    }

    /// Remembers with what events are decrypted, JSON that has no key in it; none: they are not from now on.
    pub fn decrypt_with(&mut self, sources: Option<&str>) -> Result<(), Error> {
        if self.catalog.decrypts_with()?.as_deref() == sources {
            return Ok(());
        }
        let writing = self.catalog.write()?;
        match sources {
            Some(sources) => writing.set(DECRYPT, sources)?,
            None => drop(writing.0.execute("delete from setting where name = ?1", [DECRYPT])?),
        }
        writing.commit()
    }

    /// Begins to decrypt: makes the file, if there is none, and tells the catalog what it was not told.
    pub(crate) fn begin_decrypting(&mut self) -> Result<(), Error> {
        if self.catalog.plaintexts.is_none() {
            let decrypted = Decrypted::open_to_write(&self.directory, self.readers, self.lock.held())?;
            durable::sync(&self.directory)?;
            self.catalog.plaintexts = Some(Plaintexts::Kept(decrypted));
        }
        let (on, interrupt) = (!self.catalog.is_search_off()?, self.interrupt.clone());
        self.decrypted()?.set_search(on, &interrupt).map_err(Error::of_decrypted)?;
        let id = self.decrypted()?.id().map_err(Error::of_decrypted)?;
        let is_known = "select exists (select 1 from decrypting where decrypted = ?1)";
        if !self.catalog.connection.query_row(is_known, [&id], |row| row.get::<_, bool>(0))? {
            let writing = self.catalog.write()?;
            writing.0.execute_batch("delete from decrypting; delete from to_judge")?;
            writing.0.execute("insert into decrypting (decrypted, line) values (?1, 0)", [&id])?;
            writing.commit()?;
        }
        self.tell_changed(&[])
    }

    fn decrypted(&mut self) -> Result<&mut Decrypted, Error> {
        let kept = self.catalog.plaintexts.as_mut().and_then(Plaintexts::kept_mut);
        kept.ok_or_else(|| Error::io("open", &self.directory.join(NAME))(std::io::ErrorKind::NotFound.into()))
    }

    /// The next events that are to be looked at; none: all were.
    pub(crate) fn next_encrypted(&mut self) -> Result<Option<EncryptedPage>, Error> {
        let catalog = &self.catalog;
        let sql = format!("{PLACE} where line.line in (select line from to_judge order by line limit ?1)");
        let again = catalog.places(&sql, params![LINES])?;
        if !again.is_empty() {
            let (events, _) = self.read_encrypted(again, false)?;
            let lines = events.iter().map(|(line, _)| *line).collect();
            return Ok(Some(EncryptedPage {
                events: events.into_iter().map(|(_, event)| event).collect(),
                of: LinesTaken::Again(lines),
            }));
        }
        let sql = "select line, (select type from type where name = 'm.room.encrypted'),
                          (select coalesce(max(line), 0) from line) from decrypting";
        let (at, kind, last): (i64, Option<i64>, i64) =
            catalog.connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        if at >= last {
            return Ok(None);
        }
        let sql = format!("{PLACE} where line.line > ?1 and line.type = ?2 order by line.line limit ?3");
        let places = catalog.places(&sql, params![at, kind, LINES])?;
        let is_all = places.len() < usize::try_from(LINES).unwrap_or(usize::MAX);
        let (mut bytes, mut taken) = (0, 0);
        for place in &places {
            bytes += place.length;
            if bytes > BYTES && taken > 0 {
                break;
            }
            taken += 1;
        }
        let up_to = if is_all && taken == places.len() { last } else { places[taken - 1].line };
        let places = places.into_iter().take(taken).collect();
        let (events, _) = self.read_encrypted(places, true)?;
        Ok(Some(EncryptedPage {
            events: events.into_iter().map(|(_, event)| event).collect(),
            of: LinesTaken::New(up_to),
        }))
    }

    /// Reads encrypted lines; only those of which nothing is known, if it is said so.
    fn read_encrypted(
        &mut self,
        mut places: Vec<EncryptedLine>,
        only_new: bool,
    ) -> Result<(Vec<(i64, EncryptedEvent)>, u64), Error> {
        places.sort_by(|one, other| (&one.path, one.start).cmp(&(&other.path, other.start)));
        let mut open: Option<(String, Open)> = None;
        let (mut events, mut broken) = (Vec::with_capacity(places.len()), 0);
        for EncryptedLine { line, path, start, length, is_accepted } in places {
            if open.as_ref().is_none_or(|(opened, _)| *opened != path) {
                open = Some((path.clone(), Open::new(&self.directory, &path)?));
            }
            let Some((_, file)) = &open else { continue };
            if length > lines::LONGEST {
                broken += 1;
                continue;
            }
            let day = super::layout::parts(&path).map_or("", |(_, day)| day);
            let Ok(event) = Event::from_line(&file.read(start, length)?, day) else {
                broken += 1;
                continue;
            };
            if only_new {
                let known = self.decrypted()?.knows(&event.event_id, event.stream_ordering, is_accepted);
                if known.map_err(Error::of_decrypted)? {
                    continue;
                }
            }
            events.push((line, EncryptedEvent { event, is_accepted }));
        }
        Ok((events, broken))
    }

    /// Keeps what became of the events of a page, and marks what shows something else by it; `now` is milliseconds since the epoch.
    pub(crate) fn keep_decrypted(
        &mut self,
        page: &EncryptedPage,
        judged: &[Judgement<'_>],
        now: i64,
    ) -> Result<(), Error> {
        self.decrypted()?.in_one(|decrypted| decrypted.keep(judged, now))?;
        self.tell_changed(&page.events)?;
        let writing = self.catalog.write()?;
        match &page.of {
            LinesTaken::New(line) => drop(writing.0.execute("update decrypting set line = ?1", [line])?),
            LinesTaken::Again(lines) => {
                let mut done = writing.0.prepare_cached("delete from to_judge where line = ?1")?;
                lines.iter().try_for_each(|line| done.execute([line]).map(drop))?;
            }
            LinesTaken::Wanted => return Ok(()),
        }
        writing.commit()
    }

    /// Marks the views of what can be read, or no more, since that was last told.
    fn tell_changed(&mut self, at_hand: &[EncryptedEvent]) -> Result<(), Error> {
        let at_hand: HashMap<&str, &Event> = at_hand.iter().map(|one| (one.event.id().as_str(), &one.event)).collect();
        loop {
            let mut changed = self.decrypted()?.changed(CHANGED).map_err(Error::of_decrypted)?;
            let mut read = 0;
            changed.retain(|(_, event_id)| {
                read += usize::from(!at_hand.contains_key(&**event_id));
                at_hand.contains_key(&**event_id) || read <= READ
            });
            if changed.is_empty() {
                return Ok(());
            }
            let mut read = Vec::new();
            for (_, event_id) in changed.iter().filter(|(_, event_id)| !at_hand.contains_key(&**event_id)) {
                let sql = format!("{PLACE} where line.id_key = {} and line.event_id = ?1", key!("?1"));
                let places = self.catalog.places(&sql, params![event_id])?;
                read.extend(self.read_encrypted(places, false)?.0.into_iter().map(|(_, one)| one.event));
            }
            let writing = self.catalog.write()?;
            let mut stale = Stale::default();
            let known = changed.iter().filter_map(|(_, event_id)| at_hand.get(&**event_id).copied());
            for event in known.chain(&read) {
                writing.outputs_change(&event.event_id)?;
                stale.day(event.room(), &event.day.to_string());
                stale.add(event, true, &writing)?;
                writing.is_named_anew(&event.event_id)?;
            }
            stale.mark(&writing)?;
            writing.commit()?;
            self.decrypted()?.is_told(&changed)?;
        }
    }

    /// Some sessions of events that lack something, behind one.
    pub(crate) fn wanted(&mut self, lacking: Lacking, after: i64, most: u32) -> Result<Vec<WantedSession>, Error> {
        self.decrypted()?.wanted(lacking, after, most).map_err(Error::of_decrypted)
    }

    /// Some of these events, behind that of a number, and the number of the last; none: there are no others.
    pub(crate) fn wanted_of(
        &mut self,
        lacking: Lacking,
        session: i64,
        after: i64,
        most: u32,
    ) -> Result<Option<(EncryptedPage, i64)>, Error> {
        let wanted = self.decrypted()?.wanted_of(lacking, session, after, most).map_err(Error::of_decrypted)?;
        let Some(&(last, _)) = wanted.last() else { return Ok(None) };
        let mut events = Vec::new();
        for (_, event_id) in &wanted {
            let sql = format!("{PLACE} where line.id_key = {} and line.event_id = ?1", key!("?1"));
            let places = self.catalog.places(&sql, params![event_id])?;
            events.extend(self.read_encrypted(places, false)?.0.into_iter().map(|(_, one)| one));
        }
        Ok(Some((EncryptedPage { events, of: LinesTaken::Wanted }, last)))
    }

    /// When a source was last looked through for what is lacking, milliseconds since the epoch, and what it said then of having
    /// changed.
    pub(crate) fn looked(&mut self, lacking: Lacking, source: &str) -> Result<Option<(i64, Option<String>)>, Error> {
        self.decrypted()?.looked(lacking, source).map_err(Error::of_decrypted)
    }

    /// Remembers that sources were looked through.
    pub(crate) fn have_looked(
        &mut self,
        lacking: Lacking,
        sources: &[(String, Option<String>)],
        now: i64,
    ) -> Result<(), Error> {
        self.decrypted()?.have_looked(lacking, sources, now)
    }

    /// Takes away what all events say, and marks what shows it; false: there is nothing.
    pub fn forget_plaintexts(&mut self) -> Result<bool, Error> {
        if self.catalog.plaintexts.is_none() {
            return Ok(false);
        }
        let interrupt = self.interrupt.clone();
        self.decrypted()?.forget_all(&interrupt).map_err(Error::of_decrypted)?;
        self.tell_changed(&[])?;
        self.forget_decrypted_media()?;
        Ok(true)
    }

    /// Takes away for good what some events say, beside their lines, and of those that go whole all but a hash. How many of them had
    /// said something.
    pub(super) fn erase_plaintexts(&mut self, events: &[(OwnedEventId, Erased)]) -> Result<u64, Error> {
        if self.catalog.plaintexts.is_none() || events.is_empty() {
            return Ok(0);
        }
        let erased = self.decrypted()?.erase(events).map_err(Error::of_decrypted)?;
        self.tell_changed(&[])?;
        Ok(erased)
    }

    /// Makes the index of what could be decrypted, or takes it away.
    pub(super) fn search_decrypted(&mut self, on: bool) -> Result<(), Error> {
        let interrupt = self.interrupt.clone();
        match self.catalog.plaintexts.as_mut().and_then(Plaintexts::kept_mut) {
            Some(decrypted) => decrypted.set_search(on, &interrupt).map_err(Error::of_decrypted),
            None => Ok(()),
        }
    }
}

impl Catalog {
    fn places(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<EncryptedLine>, Error> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let places = statement.query_map(values, |row| {
            Ok(EncryptedLine {
                line: row.get(0)?,
                path: row.get(1)?,
                start: row.get::<_, i64>(2)?.unsigned_abs(),
                length: row.get::<_, i64>(3)?.unsigned_abs(),
                is_accepted: row.get(4)?,
            })
        })?;
        Ok(places.collect::<Result<_, _>>()?)
    }
}

impl Decrypted {
    /// Some events that can be read, or no more, since the catalog was told.
    fn changed(&self, most: i64) -> Result<Vec<(i64, String)>, Error> {
        let sql = "select event, event_id from changed cross join event using (event) order by event limit ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_map([most], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
    }

    /// The catalog was told of them.
    fn is_told(&mut self, changed: &[(i64, String)]) -> Result<(), Error> {
        self.in_one(|this| {
            let mut told = this.connection.prepare_cached("delete from changed where event = ?1")?;
            changed.iter().try_for_each(|(event, _)| told.execute([event]).map(drop).map_err(Error::from))
        })
    }
}
