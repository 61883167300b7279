//! Files of the media repository, as the archive has them: which the lines name, which of them are in `media/`, and why others are not.
//!
//! What the archive has is state; which lines name it is found in the lines, and in what was decrypted. Its tables are made when media are
//! first asked for. Files are never here: `media` copies them, and hands over what became of each.

mod erasing;
mod naming;
mod sealed;
mod told;

use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use super::writing::{Writing, signed};
use super::{Archive, Catalog, Error, HtmlPages, state};
use crate::document::media::FileType;
pub(crate) use sealed::{DecryptedFile, SealedName, plain_id};
pub use told::{LackingMedia, MediaNumbers};

/// The tables.
pub(super) const TABLES: &str = include_str!("media.sql");
/// The directory.
pub(crate) const NAME: &str = "media";
/// Of what encrypted ones are, in it.
pub(crate) const DECRYPTED: &str = "media/decrypted";
/// The setting that remembers which are copied, and from where.
const SETTING: &str = "media";

/// Which files are copied, and from where: remembered by the archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaAsked {
    /// The directories that Synapse keeps files in, which are looked in one after the other.
    pub stores: Vec<PathBuf>,
    /// Members' and rooms' pictures too.
    #[serde(default)]
    pub avatars: bool,
    /// Only files that are no larger; bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_size: Option<u64>,
    /// Only files of these media types, `image` or `image/png`; none: of all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
}

/// Why the archive lacks a file, or does not show one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lacks {
    /// It was not looked for yet.
    Wanted,
    /// The server does not know it: never fetched from another one, or deleted.
    NotDownloaded,
    /// The server knows it, and no store has it.
    Missing,
    /// The server withholds it.
    Quarantined,
    /// It is larger than asked for.
    TooLarge,
    /// It is of a type that was not asked for.
    OtherType,
    /// What the store has is not what the server knows of it.
    Damaged,
    /// It is the preview of a link.
    Preview,
    /// It is a picture of a member or a room, which were not asked for.
    Avatar,
}

impl Lacks {
    /// All of them.
    pub const ALL: [Lacks; 9] = [
        Lacks::Wanted,
        Lacks::NotDownloaded,
        Lacks::Missing,
        Lacks::Quarantined,
        Lacks::TooLarge,
        Lacks::OtherType,
        Lacks::Damaged,
        Lacks::Preview,
        Lacks::Avatar,
    ];

    /// As the catalog has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Lacks::Wanted => "wanted",
            Lacks::NotDownloaded => "not_downloaded",
            Lacks::Missing => "missing",
            Lacks::Quarantined => "quarantined",
            Lacks::TooLarge => "too_large",
            Lacks::OtherType => "other_type",
            Lacks::Damaged => "damaged",
            Lacks::Preview => "preview",
            Lacks::Avatar => "avatar",
        }
    }

    fn named(name: &str) -> Result<Lacks, Error> {
        let found = Lacks::ALL.into_iter().find(|lacks| lacks.name() == name);
        found.ok_or_else(|| Error::altered("media that lacks", name))
    }
}

/// A file that the archive has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MediaFile {
    /// Of its bytes, hexadecimal.
    pub(crate) sha256: String,
    /// By its first bytes.
    pub(crate) kind: FileType,
    pub(crate) bytes: u64,
}

impl MediaFile {
    /// Its path below the archive.
    pub(crate) fn path(&self) -> String {
        path(NAME, &self.sha256, self.kind)
    }

    /// What a catalog says of one, which others may have made.
    pub(super) fn read(sha256: String, extension: &str, bytes: i64) -> Result<MediaFile, Error> {
        let kind = FileType::of_extension(extension).ok_or_else(|| Error::altered("a file's extension", extension))?;
        if !is_digest(&sha256) {
            return Err(Error::altered("a file's SHA-256", &sha256));
        }
        Ok(MediaFile { sha256, kind, bytes: bytes.unsigned_abs() })
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Where a file of a digest lies.
pub(crate) fn path(directory: &str, digest: &str, kind: FileType) -> String {
    format!("{directory}/{}/{digest}.{}", &digest[..2], kind.extension())
}

/// A file that events name, and what the archive knows of it.
#[derive(Clone, Debug)]
pub(crate) struct Media {
    pub(crate) mxc: String,
    pub(crate) file: Option<MediaFile>,
    pub(crate) lacks: Option<Lacks>,
    /// Nothing names it but as an avatar.
    pub(crate) is_avatar: bool,
    /// What events say that it is, of encrypted ones above all.
    pub(crate) mimetypes: Vec<String>,
}

/// What became of a file that was looked for.
#[derive(Clone, Debug)]
pub(crate) enum Settled {
    /// It was copied.
    Kept(MediaFile),
    /// It was not, or is not to be shown.
    Lacks(Lacks),
    /// It is there, and may be shown again.
    Shown,
}

/// Whether there are tables.
pub(super) fn has_tables(connection: &Connection) -> Result<bool, Error> {
    let sql = "select exists (select 1 from sqlite_schema where name = 'media')";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

impl Catalog {
    /// Which files are copied, as it is remembered; none: none are.
    pub fn media_asked(&self) -> Result<Option<MediaAsked>, Error> {
        let asked: Option<String> = self.setting(SETTING)?;
        let read = |json: String| serde_json::from_str(&json).map_err(|_| Error::altered("the setting", SETTING));
        asked.map(read).transpose()
    }

    /// Some files that events name, behind one, in order.
    pub(crate) fn media_behind(&self, after: &str, most: u32) -> Result<Vec<Media>, Error> {
        let sql = "select mxc, sha256, extension, bytes, lacks,
                          not exists (select 1 from media_name n where n.mxc = media.mxc and not avatar),
                          (select json_group_array(distinct mimetype) from
                              (select mimetype from media_name n where n.mxc = media.mxc and mimetype is not null limit 20))
                     from media where mxc > ?1 order by mxc limit ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![after, most])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let sha256: Option<String> = row.get(1)?;
            let file = match sha256 {
                Some(sha256) => Some(MediaFile::read(sha256, &row.get::<_, String>(2)?, row.get(3)?)?),
                None => None,
            };
            let lacks = row.get::<_, Option<String>>(4)?.map(|name| Lacks::named(&name)).transpose()?;
            let mimetypes: String = row.get(6)?;
            found.push(Media {
                mxc: row.get(0)?,
                file,
                lacks,
                is_avatar: row.get(5)?,
                mimetypes: serde_json::from_str(&mimetypes).unwrap_or_default(),
            });
        }
        Ok(found)
    }
}

/// The days on which it is told what lines say that name some files: their own, those of what they edit or react to, and of what that
/// edits.
const DAYS: &str = "
    with named (line) as materialized (
        select line from json_each(?1) cross join media_name on mxc = value where not avatar),
     target (line, file) as materialized (
        select target.line, target.file from named cross join relation r on r.line = named.line
         cross join line target indexed by line_id on target.id_key = r.relates_to_key and target.event_id = r.relates_to
         where r.rel_type in (select type from type where name in ('m.replace', 'm.annotation')))
    select file from named cross join line using (line)
    union
    select file from target
    union
    select edited.file from target cross join relation r on r.line = target.line
     cross join line edited indexed by line_id on edited.id_key = r.relates_to_key and edited.event_id = r.relates_to
     where r.rel_type = (select type from type where name = 'm.replace')";

/// By room, the time in which members have some pictures, in milliseconds since the epoch: from when they are named until the last of
/// these members is next given a name, and a picture with that. One for each room, as every member may have several.
const TIMES_OF_AVATARS: &str = "
    select room_id, min(since), max(until) from (
        select file.room, coalesce(origin_server_ts, 0) as since,
               coalesce((select min(later.origin_server_ts) from membership later
                          where later.room = file.room and later.user_id = line.state_key
                            and later.origin_server_ts > coalesce(line.origin_server_ts, 0)
                            and later.membership in ('join', 'invite', 'knock')), ?2) as until
          from json_each(?1) cross join media_name on mxc = value cross join line using (line) cross join file using (file)
         where avatar and line.type = (select type from type where name = 'm.room.member'))
      cross join room using (room) group by room";

impl Archive {
    /// Remembers which files are copied; none: none are from now on, and those that are there stay.
    pub fn ask_for_media(&mut self, asked: Option<&MediaAsked>) -> Result<(), Error> {
        if self.catalog.media_asked()?.as_ref() == asked {
            return Ok(());
        }
        let writing = self.catalog.write()?;
        match asked {
            Some(asked) => {
                writing
                    .set(SETTING, serde_json::to_string(asked).map_err(|_| Error::altered("the setting", SETTING))?)?;
            }
            None => drop(writing.0.execute("delete from setting where name = ?1", [SETTING])?),
        }
        writing.commit()
    }

    /// Makes the tables, if they are not there. False: events cannot be found yet.
    pub(crate) fn begin_media(&mut self) -> Result<bool, Error> {
        if !self.indexed {
            return Ok(false);
        }
        if !has_tables(&self.catalog.connection)? {
            let writing = self.catalog.write()?;
            writing.0.execute_batch(TABLES)?;
            writing.commit()?;
            state::watch(&self.catalog.connection, "media")?;
        }
        Ok(true)
    }

    /// Takes in what became of files that were looked for, which are on the disk by now, and marks what shows them.
    pub(crate) fn settle_media(&mut self, settled: &[(String, Settled)]) -> Result<(), Error> {
        if settled.is_empty() {
            return Ok(());
        }
        let has_pages = self.catalog.html()? == HtmlPages::Kept;
        let writing = self.catalog.write()?;
        let mut changed = Vec::new();
        for (mxc, settled) in settled {
            let was_shown = writing.is_media_shown(mxc)?;
            match settled {
                Settled::Kept(MediaFile { sha256, kind, bytes }) => {
                    let sql = "update media set sha256 = ?2, extension = ?3, bytes = ?4, lacks = null where mxc = ?1";
                    let values = params![mxc, sha256, kind.extension(), signed(*bytes)];
                    writing.0.prepare_cached(sql)?.execute(values)?;
                }
                Settled::Lacks(lacks) => {
                    let sql = "update media set lacks = ?2 where mxc = ?1";
                    writing.0.prepare_cached(sql)?.execute([mxc, lacks.name()])?;
                }
                Settled::Shown => {
                    writing.0.prepare_cached("update media set lacks = null where mxc = ?1")?.execute([mxc])?;
                }
            }
            if was_shown != writing.is_media_shown(mxc)? {
                changed.push(&**mxc);
            }
        }
        writing.mark_media(&changed, has_pages)?;
        writing.commit()
    }
}

impl Writing<'_> {
    fn is_media_shown(&self, mxc: &str) -> Result<bool, Error> {
        let sql = "select sha256 is not null and lacks is null from media where mxc = ?1";
        let found = self.0.prepare_cached(sql)?.query_row([mxc], |row| row.get(0)).optional()?;
        Ok(found.unwrap_or_default())
    }

    /// Marks the days that show these files, or no more; pages alone show avatars.
    fn mark_media(&self, changed: &[&str], has_pages: bool) -> Result<(), Error> {
        if changed.is_empty() {
            return Ok(());
        }
        let changed = serde_json::json!(changed).to_string();
        self.mark_files(DAYS, [&changed])?;
        if has_pages { self.mark_avatars(&changed) } else { Ok(()) }
    }

    /// Marks the days on whose pages members may have some pictures.
    fn mark_avatars(&self, mxcs: &str) -> Result<(), Error> {
        let mut statement = self.0.prepare_cached(TIMES_OF_AVATARS)?;
        let mut rows = statement.query(params![mxcs, i64::MAX])?;
        while let Some(row) = rows.next()? {
            let room_id: String = row.get(0)?;
            // where every day is stale already there is nothing to look for
            if self.has_fresh_day(&room_id)? {
                self.mark_days(&room_id, row.get(1)?, row.get(2)?)?;
            }
        }
        Ok(())
    }
}
