//! Takes files away with the last event that names them. A file goes before the catalog forgets it, so that who is killed in between does
//! it again.

use rusqlite::params;

use super::super::{Archive, Error, durable};
use super::{MediaFile, has_tables};

/// How many are looked at in one transaction.
const AT_ONCE: u32 = 500;

impl Archive {
    /// Takes away the files that erased events have named, and no other event does; what was decrypted of the others is made anew by what
    /// the others say. Which lines name which files has to be known: see [`Archive::name_media`].
    pub(in crate::archive) fn release_media(&mut self) -> Result<(), Error> {
        if !has_tables(&self.catalog.connection)? {
            return Ok(());
        }
        loop {
            self.interrupt.check()?;
            let released = self.released(AT_ONCE)?;
            if released.is_empty() {
                return Ok(());
            }
            for (mxc, file, is_named) in &released {
                self.remove_decrypted(mxc)?;
                if let Some(file) = file.as_ref().filter(|_| !is_named)
                    && !self.is_used_otherwise(mxc, file)?
                {
                    durable::remove(&self.directory, &file.path())?;
                }
            }
            let writing = self.catalog.write()?;
            for (mxc, _, is_named) in &released {
                writing.0.prepare_cached("delete from media_decrypted where mxc = ?1")?.execute([mxc])?;
                if *is_named {
                    let sql = "update media_name set sealed = 1 where mxc = ?1 and sealed > 1";
                    writing.0.prepare_cached(sql)?.execute([mxc])?;
                } else {
                    writing.0.prepare_cached("delete from media where mxc = ?1")?.execute([mxc])?;
                }
                writing.0.prepare_cached("delete from media_released where mxc = ?1")?.execute([mxc])?;
            }
            writing.commit()?;
        }
    }

    /// Some of what erased events have named: address, file, and whether another event names it.
    fn released(&self, most: u32) -> Result<Vec<(String, Option<MediaFile>, bool)>, Error> {
        let sql = "select mxc, sha256, extension, bytes, exists (select 1 from media_name n where n.mxc = released.mxc)
                     from media_released released left join media using (mxc) order by mxc limit ?1";
        let mut statement = self.catalog.connection.prepare_cached(sql)?;
        let mut rows = statement.query([most])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let file = match row.get::<_, Option<String>>(1)? {
                Some(sha256) => Some(MediaFile::read(sha256, &row.get::<_, String>(2)?, row.get(3)?)?),
                None => None,
            };
            found.push((row.get(0)?, file, row.get(4)?));
        }
        Ok(found)
    }

    /// Whether another address has the same file, which stays.
    fn is_used_otherwise(&self, mxc: &str, file: &MediaFile) -> Result<bool, Error> {
        let sql = "select exists (select 1 from media where sha256 = ?2 and mxc <> ?1
                      and (mxc not in (select mxc from media_released) or exists (select 1 from media_name n where n.mxc = media.mxc)))";
        let values = params![mxc, file.sha256];
        Ok(self.catalog.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }
}
