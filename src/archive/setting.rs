//! What an archive remembers of how it is kept, by name: in the catalog, and promised in the state. What a setting means is said where
//! it is used.

use rusqlite::types::FromSql;
use rusqlite::{OptionalExtension as _, ToSql};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::writing::Writing;
use super::{Archive, Catalog, Error};

/// Whether the power levels that an archive had passed by have been read.
pub(super) const POWER_LEVELS: &str = "power_levels";

impl Catalog {
    /// A setting; none: it was never set.
    pub(super) fn setting<T: FromSql>(&self, name: &str) -> Result<Option<T>, Error> {
        let sql = "select value from setting where name = ?1";
        Ok(self.connection.query_row(sql, [name], |row| row.get(0)).optional()?)
    }

    /// Whether something is set.
    pub(super) fn is_set(&self, name: &str) -> Result<bool, Error> {
        Ok(self.setting(name)?.unwrap_or_default())
    }

    /// What is remembered by a name, while something else holds for a run; none: what holds is remembered.
    pub(crate) fn remembered<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        let name = beside(name);
        let text: Option<String> = self.setting(&name)?;
        text.map(|text| serde_json::from_str(&text).map_err(|_| Error::altered("the setting", &name))).transpose()
    }

    /// Whether the power levels of rooms that were archived without them have been read.
    pub(crate) fn has_power_levels(&self) -> Result<bool, Error> {
        self.is_set(POWER_LEVELS)
    }

    /// At most `most` rooms behind one, be there lines of them or not.
    pub(crate) fn rooms_behind(&self, last: &str, most: u32) -> Result<Vec<String>, Error> {
        let sql = "select room_id from room where room_id > ?1 order by room_id limit ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rooms = statement.query_map((last, most), |row| row.get(0))?;
        Ok(rooms.collect::<Result<_, _>>()?)
    }
}

impl Writing<'_> {
    /// Remembers a setting.
    pub(super) fn set(&self, name: &str, value: impl ToSql) -> Result<(), Error> {
        self.0.prepare_cached("replace into setting (name, value) values (?1, ?2)")?.execute((name, value))?;
        Ok(())
    }
}

/// The setting that remembers what does not hold.
fn beside(name: &str) -> String {
    format!("remembered_{name}")
}

impl Archive {
    /// Remembers something by a name, while something else holds for a run.
    pub(crate) fn remember_as<T: Serialize>(&mut self, name: &str, value: &T) -> Result<(), Error> {
        let name = beside(name);
        let text = serde_json::to_string(value).map_err(|_| Error::altered("the setting", &name))?;
        let writing = self.catalog.write()?;
        writing.set(&name, text)?;
        writing.commit()
    }

    /// The power levels of rooms that were archived without them have been read.
    pub(crate) fn power_levels_are_read(&mut self) -> Result<(), Error> {
        let writing = self.catalog.write()?;
        writing.set(POWER_LEVELS, true)?;
        writing.commit()
    }
}
