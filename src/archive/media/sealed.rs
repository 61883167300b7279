//! Encrypted files whose keys the archive can read, in events or in what these say: which are to be decrypted, and what came of it. They
//! are made anew from what is there, and are no state. Knows no cipher.

use rusqlite::params;
use sha2::{Digest as _, Sha256};

use super::super::writing::signed;
use super::super::{Archive, Error, durable};
use super::naming::PLACE;
use super::{DECRYPTED, MediaFile, has_tables, path};
use crate::document::media::FileType;
use crate::event::hex::digits as hex;
use crate::event::media::{EncryptedFile, named};

/// An encrypted file that an event names, and how it says to decrypt it; empty: that cannot be read.
#[derive(Clone, Debug)]
pub(crate) struct SealedName {
    pub(crate) mxc: String,
    line: i64,
    pub(crate) file: MediaFile,
    pub(crate) ways: Vec<EncryptedFile>,
}

/// A file that was decrypted.
#[derive(Clone, Debug)]
pub(crate) struct DecryptedFile {
    /// See [`plain_id`].
    pub(crate) id: String,
    pub(crate) kind: FileType,
    pub(crate) bytes: u64,
}

impl DecryptedFile {
    /// Its path below the archive.
    pub(crate) fn path(&self) -> String {
        path(DECRYPTED, &self.id, self.kind)
    }
}

/// What a file is called that was decrypted: another one for each way to decrypt it, so that whoever gives a wrong key makes a file of
/// his own.
pub(crate) fn plain_id(sha256: &str, sealed: &EncryptedFile) -> String {
    let mut digest = Sha256::new();
    digest.update(sha256);
    digest.update(sealed.key);
    digest.update(sealed.iv);
    hex(&digest.finalize())
}

impl Archive {
    /// Some encrypted files that are here and not decrypted yet, behind one, in order.
    pub(crate) fn next_sealed(&self, after: Option<&SealedName>, most: u32) -> Result<Vec<SealedName>, Error> {
        if !has_tables(&self.catalog.connection)? {
            return Ok(Vec::new());
        }
        let (mxc, line) = after.map_or(("", 0), |after| (&*after.mxc, after.line));
        let sql = "select mxc, line, sha256, extension, bytes
                     from media_name indexed by media_sealed cross join media using (mxc)
                    where sealed = 1 and (mxc, line) > (?1, ?2) and sha256 is not null and lacks is null
                    order by mxc, line limit ?3";
        let mut statement = self.catalog.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![mxc, line, most])?;
        let (mut found, mut open) = (Vec::new(), None);
        while let Some(row) = rows.next()? {
            let (mxc, line): (String, i64) = (row.get(0)?, row.get(1)?);
            let file = MediaFile::read(row.get(2)?, &row.get::<_, String>(3)?, row.get(4)?)?;
            let mut ways = Vec::new();
            for place in self.catalog.media_places(&format!("{PLACE} and line.line = ?1"), params![line])? {
                let Some((kind, content)) = self.content(place, &mut open)? else { continue };
                ways.extend(named(&kind, &content).into_iter().filter(|it| it.mxc == mxc).filter_map(|it| it.sealed));
            }
            found.push(SealedName { mxc, line, file, ways });
        }
        Ok(found)
    }

    /// Takes in which files were decrypted, which are on the disk by now, and marks what shows them. Of one none of whose ways was right
    /// there is none.
    pub(crate) fn settle_sealed(&mut self, settled: &[(SealedName, Vec<DecryptedFile>)]) -> Result<(), Error> {
        let writing = self.catalog.write()?;
        let mut changed = Vec::new();
        for (SealedName { mxc, line, ways, .. }, made) in settled {
            for DecryptedFile { id, kind, bytes } in made {
                let sql = "insert or replace into media_decrypted (id, mxc, extension, bytes) values (?1, ?2, ?3, ?4)";
                writing.0.prepare_cached(sql)?.execute(params![id, mxc, kind.extension(), signed(*bytes)])?;
                changed.push(&**mxc);
            }
            let sealed = match (ways.is_empty(), made.is_empty()) {
                (true, _) => 0,
                (_, false) => 2,
                _ => 3,
            };
            let sql = "update media_name set sealed = ?3 where mxc = ?1 and line = ?2";
            writing.0.prepare_cached(sql)?.execute(params![mxc, line, sealed])?;
        }
        // what is encrypted is nobody's picture
        writing.mark_media(&changed, false)?;
        writing.commit()
    }

    /// Takes away all that was decrypted of files, and marks what shows it.
    pub(in crate::archive) fn forget_decrypted_media(&mut self) -> Result<(), Error> {
        if has_tables(&self.catalog.connection)? {
            let writing = self.catalog.write()?;
            let sql = "select coalesce(json_group_array(distinct mxc), '[]') from media_decrypted";
            let decrypted: String = writing.0.query_row(sql, [], |row| row.get(0))?;
            writing.mark_files(super::DAYS, [decrypted])?;
            writing
                .0
                .execute_batch("update media_name set sealed = 1 where sealed > 1; delete from media_decrypted")?;
            writing.commit()?;
        }
        // also what a run has left there that was killed
        for directory in durable::names(&self.directory, DECRYPTED)? {
            let directory = format!("{DECRYPTED}/{directory}");
            for name in durable::names(&self.directory, &directory)? {
                durable::remove(&self.directory, &format!("{directory}/{name}"))?;
            }
            self.interrupt.check()?;
        }
        Ok(())
    }

    /// Takes away what was decrypted of a file.
    pub(super) fn remove_decrypted(&self, mxc: &str) -> Result<(), Error> {
        let mut statement = self
            .catalog
            .connection
            .prepare_cached("select id, extension, bytes from media_decrypted where mxc = ?1")?;
        let mut rows = statement.query([mxc])?;
        while let Some(row) = rows.next()? {
            let plain = MediaFile::read(row.get(0)?, &row.get::<_, String>(1)?, row.get(2)?)?;
            durable::remove(&self.directory, &path(DECRYPTED, &plain.sha256, plain.kind))?;
        }
        Ok(())
    }
}
