//! What Synapse knows of the files of its media repository. Opens no file: where one lies in a store is for [`crate::media`].

use super::database::Database;
use super::error::{Error, Problem};
use super::schema::{Needed, Schema};
use super::statements;

/// What has the server's own files.
const LOCAL: Needed =
    ("local_media_repository", &["media_id", "media_type", "media_length", "quarantined_by", "url_cache"]);
/// What has those of others that it has fetched.
const REMOTE: Needed = (
    "remote_media_cache",
    &["media_origin", "media_id", "media_type", "media_length", "filesystem_id", "quarantined_by"],
);
/// The column of the hash, which older versions have not.
const SHA256: &str = "sha256";

/// A file as Synapse knows it.
#[derive(Clone, Debug)]
pub struct StoredMedia {
    /// Its id, on its own server.
    pub media_id: String,
    /// Another server, whose file this one has fetched under this name; none: it is this server's own.
    pub fetched: Option<(String, Option<String>)>,
    /// What whoever uploaded it said that it is.
    pub media_type: Option<String>,
    /// Bytes; none: it was never uploaded.
    pub length: Option<u64>,
    /// SHA-256, hexadecimal.
    pub sha256: Option<String>,
    /// An administrator has it withheld.
    pub quarantined: bool,
    /// It was made for the preview of a link.
    pub is_preview: bool,
}

impl Schema {
    /// Whether it can be read what is known of files.
    pub fn suffices_for_media(&self) -> Result<(), Problem> {
        self.check(&[LOCAL, REMOTE])
    }

    fn sha256(&self, (table, _): Needed) -> [(&'static str, &'static str); 1] {
        [(SHA256, statements::sha256(self.can_read(table, SHA256)))]
    }
}

impl Database {
    /// What is known of this server's own files by their ids.
    pub async fn local_media(&self, media_ids: &[&str]) -> Result<Vec<StoredMedia>, Error> {
        if media_ids.is_empty() {
            return Ok(Vec::new());
        }
        let query = statements::LOCAL_MEDIA.filled(&self.schema.sha256(LOCAL));
        let rows = self.all(&query, &[&media_ids]).await?;
        let media = |row: statements::LocalMediaRow| StoredMedia {
            media_id: row.media_id,
            fetched: None,
            media_type: row.media_type,
            length: length(row.media_length),
            sha256: row.sha256,
            quarantined: row.quarantined,
            is_preview: row.preview,
        };
        Ok(rows.into_iter().map(media).collect())
    }

    /// What is known of other servers' files by their servers and ids, which are given in the same order.
    pub async fn remote_media(&self, servers: &[&str], media_ids: &[&str]) -> Result<Vec<StoredMedia>, Error> {
        if media_ids.is_empty() {
            return Ok(Vec::new());
        }
        let query = statements::REMOTE_MEDIA.filled(&self.schema.sha256(REMOTE));
        let rows = self.all(&query, &[&servers, &media_ids]).await?;
        let media = |row: statements::RemoteMediaRow| StoredMedia {
            media_id: row.media_id,
            fetched: Some((row.media_origin, row.filesystem_id)),
            media_type: row.media_type,
            length: length(row.media_length),
            sha256: row.sha256,
            quarantined: row.quarantined,
            is_preview: false,
        };
        Ok(rows.into_iter().map(media).collect())
    }
}

fn length(length: Option<i64>) -> Option<u64> {
    length.and_then(|length| length.try_into().ok())
}
