//! What is told of media: how many there are, and why others are not. Looks at no file.

use super::super::{Catalog, Error};
use super::{Lacks, MediaFile, has_tables};

/// The files of an archive, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct MediaNumbers {
    /// Addresses that events name.
    pub named: u64,
    /// Of these, those whose file is there.
    pub kept: u64,
    /// Bytes of these, each file once.
    pub bytes: u64,
    /// Files that were decrypted.
    pub decrypted: u64,
    /// Why others are not there, or not shown, and how many.
    pub lacking: std::collections::BTreeMap<String, u64>,
}

impl MediaNumbers {
    /// Addresses of files that are asked for: all but pictures of members and rooms without `--avatars`.
    #[must_use]
    pub fn asked_for(&self) -> u64 {
        self.named.saturating_sub(self.lacking.get(Lacks::Avatar.name()).copied().unwrap_or_default())
    }

    /// Why files that are asked for are not there, or not shown, and how many.
    pub fn lacking_of_asked(&self) -> impl Iterator<Item = (&str, u64)> {
        let of_asked = self.lacking.iter().filter(|(why, _)| **why != Lacks::Avatar.name());
        of_asked.map(|(why, count)| (&**why, *count))
    }
}

/// A file that the archive lacks, or does not show.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LackingMedia {
    /// Its address.
    pub mxc: String,
    /// Why.
    pub lacks: String,
    /// How many events name it.
    pub events: u64,
    /// It was copied, and is not shown any more.
    pub hidden: bool,
}

impl Catalog {
    /// The files, in numbers; none: media were never asked for.
    pub fn media_numbers(&self) -> Result<Option<MediaNumbers>, Error> {
        if !has_tables(&self.connection)? {
            return Ok(None);
        }
        let sql = "select (select count(*) from media), (select count(*) from media where sha256 is not null),
                          (select coalesce(sum(bytes), 0) from (select distinct sha256, bytes from media where sha256 is not null)),
                          (select count(*) from media_decrypted)";
        let mut numbers = self.connection.query_row(sql, [], |row| {
            let number = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
            Ok(MediaNumbers {
                named: number(0)?,
                kept: number(1)?,
                bytes: number(2)?,
                decrypted: number(3)?,
                ..MediaNumbers::default()
            })
        })?;
        let sql = "select lacks, count(*) from media where lacks is not null group by lacks";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let lacks: String = row.get(0)?;
            numbers.lacking.insert(Lacks::named(&lacks)?.name().to_owned(), row.get::<_, i64>(1)?.unsigned_abs());
        }
        Ok(Some(numbers))
    }

    /// Hands over each file that the archive lacks, or does not show, in order.
    pub fn each_lacking_media(&self, take: &mut dyn FnMut(LackingMedia) -> Result<(), Error>) -> Result<(), Error> {
        if !has_tables(&self.connection)? {
            return Ok(());
        }
        let sql = "select mxc, lacks, (select count(*) from media_name n where n.mxc = media.mxc), sha256 is not null
                     from media where lacks is not null order by mxc";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let events = row.get::<_, i64>(2)?.unsigned_abs();
            take(LackingMedia { mxc: row.get(0)?, lacks: row.get(1)?, events, hidden: row.get(3)? })?;
        }
        Ok(())
    }

    /// Hands over each file that the archive is to have, with its path below it and its length in bytes, in order; what is not named by
    /// its own hash has none.
    pub(crate) fn each_media_file(
        &self,
        take: &mut dyn FnMut(String, u64, Option<String>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if !has_tables(&self.connection)? {
            return Ok(());
        }
        let sql = "select distinct sha256, extension, bytes from media where sha256 is not null order by sha256";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let file = MediaFile::read(row.get(0)?, &row.get::<_, String>(1)?, row.get(2)?)?;
            take(file.path(), file.bytes, Some(file.sha256))?;
        }
        let sql = "select id, extension, bytes from media_decrypted order by id";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let file = MediaFile::read(row.get(0)?, &row.get::<_, String>(1)?, row.get(2)?)?;
            take(super::path(super::DECRYPTED, &file.sha256, file.kind), file.bytes, None)?;
        }
        Ok(())
    }
}
