//! Where the archive has a file that an event names. Leads to none that the catalog has as hidden or missing; whether it is still there shows
//! when it is opened.

use std::fs::File;
use std::io::ErrorKind;

use rusqlite::{OptionalExtension as _, params};

use super::super::lines::LineReader;
use super::super::media::{DECRYPTED, MediaFile, has_tables, path, plain_id};
use super::super::{Error, inside};
use super::Reader;
use crate::document::message::FileLink;
use crate::event::media::EncryptedFile;

impl Reader<'_> {
    /// Opens a file of the archive by its path, as [`media`](Reader::media) gives it; none: it is there no more.
    pub(crate) fn open_media(&self, path: &str) -> Result<Option<File>, Error> {
        let archive = self.lines.map(LineReader::archive).unwrap_or_default();
        match inside::read(&archive, path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some).map_err(Error::io("open", &archive.join(path))),
        }
    }

    /// Whether files were ever asked for.
    pub(crate) fn has_media(&self) -> Result<bool, Error> {
        let has_media = match self.has_media.get() {
            Some(has_media) => has_media,
            None => has_tables(self.connection)?,
        };
        self.has_media.set(Some(has_media));
        Ok(has_media)
    }

    /// The file of an address, or what it is if it is encrypted: by its path below the archive. None: the archive does not have it,
    /// or does not show it.
    pub(crate) fn media(&self, mxc: &str, sealed: Option<&EncryptedFile>) -> Result<Option<FileLink>, Error> {
        if !self.has_media()? {
            return Ok(None);
        }
        let sql = "select sha256, extension, bytes from media where mxc = ?1 and sha256 is not null and lacks is null";
        let mut statement = self.connection.prepare_cached(sql)?;
        let read =
            |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?));
        let Some((sha256, extension, bytes)) = statement.query_row([mxc], read).optional()? else {
            return Ok(None);
        };
        let file = MediaFile::read(sha256, &extension, bytes)?;
        let Some(sealed) = sealed else {
            return Ok(Some(FileLink { path: file.path(), shown: file.kind.shown(), bytes: file.bytes }));
        };
        let sql = "select id, extension, bytes from media_decrypted where id = ?1 and mxc = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let found = statement.query_row(params![plain_id(&file.sha256, sealed), mxc], read).optional()?;
        let Some((id, extension, bytes)) = found else { return Ok(None) };
        let plain = MediaFile::read(id, &extension, bytes)?;
        Ok(Some(FileLink {
            path: path(DECRYPTED, &plain.sha256, plain.kind),
            shown: plain.kind.shown(),
            bytes: plain.bytes,
        }))
    }
}
