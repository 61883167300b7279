//! What of Synapse's media an archive has: after its events, a page of files at a time. What it is stopped at, the next run goes on with.
//!
//! Every file that events name is asked for each time: one that is lacking may have come, one that is here may be quarantined by now.

use std::collections::HashMap;

use tokio::task::block_in_place;

use super::{Error, Stop};
use crate::archive::media::{Media, Settled};
use crate::archive::{Archive, Lacks, MediaAsked, inside};
use crate::event::media::parts;
use crate::media::{self, Stores, WantedFile};
use crate::source::{Database, StoredMedia};

/// How many files are asked for at once.
const FILES: u32 = 2_000;
/// How many bytes of them, about, are copied before the catalog learns of it: what is not on the disk then is copied again by the next run.
const BYTES: u64 = 1024 * 1024 * 1024;
/// How many encrypted ones are decrypted at once.
const SEALED: u32 = 200;

/// What became of media in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopiedMedia {
    /// Files that are new in the archive.
    pub copied: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those that were decrypted.
    pub decrypted: u64,
    /// Files that were here, and are hidden from now on, as they were quarantined.
    pub hidden: u64,
}

/// Brings an archive's media up to date. `named` hears how many new lines were looked through for names of files, and of how many, `told`
/// how many files were looked at.
pub async fn copy_media(
    database: &Database,
    archive: &mut Archive,
    asked: &MediaAsked,
    stop: &Stop,
    named: &mut (dyn FnMut(u64, u64) + Send),
    told: &mut (dyn FnMut(u64) + Send),
) -> Result<CopiedMedia, Error> {
    let mut done = CopiedMedia::default();
    if !block_in_place(|| archive.begin_media())? {
        return Ok(done);
    }
    block_in_place(|| {
        media::sweep(archive.directory())?;
        archive.name_media(named)
    })?;
    let stores = Stores::of(&asked.stores);
    let (mut after, mut looked) = (String::new(), 0);
    while !*stop.borrow() {
        let page = archive.catalog().media_behind(&after, FILES)?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.mxc);
        looked += page.len() as u64;
        let known = known(database, &page).await?;
        block_in_place(|| settle(archive, asked, &stores, page, known, &mut done))?;
        told(looked);
    }
    let mut last = None;
    while !*stop.borrow() {
        let page = block_in_place(|| archive.next_sealed(last.as_ref(), SEALED))?;
        if page.is_empty() {
            break;
        }
        last = page.last().cloned();
        block_in_place(|| decrypt(archive, page, &mut done))?;
    }
    Ok(done)
}

/// What the server knows of files.
async fn known(database: &Database, page: &[Media]) -> Result<HashMap<String, StoredMedia>, Error> {
    let (mut own, mut servers, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    for (server, id) in page.iter().filter_map(|media| parts(&media.mxc)) {
        if Some(server) == database.server_name() {
            own.push(id);
        } else {
            servers.push(server);
            ids.push(id);
        }
    }
    let name = database.server_name().unwrap_or_default();
    let local = database.local_media(&own).await?;
    let mut known: HashMap<String, StoredMedia> =
        local.into_iter().map(|stored| (format!("mxc://{name}/{}", stored.media_id), stored)).collect();
    for stored in database.remote_media(&servers, &ids).await? {
        if let Some((server, _)) = &stored.fetched {
            known.insert(format!("mxc://{server}/{}", stored.media_id), stored);
        }
    }
    Ok(known)
}

/// Copies what is to be copied of a page, and remembers what became of each.
fn settle(
    archive: &mut Archive,
    asked: &MediaAsked,
    from: &Stores,
    page: Vec<Media>,
    mut known: HashMap<String, StoredMedia>,
    done: &mut CopiedMedia,
) -> Result<(), Error> {
    let (mut settled, mut wanted) = (Vec::new(), Vec::new());
    for media in page {
        let stored = known.remove(&media.mxc);
        let quarantined = stored.as_ref().is_some_and(|stored| stored.quarantined);
        if let Some(file) = &media.file {
            // what the server has forgotten says nothing of who may see it
            let Some(stored) = stored else { continue };
            let is_there =
                inside::length(archive.directory(), &file.path()).is_ok_and(|length| length == Some(file.bytes));
            match media.lacks {
                None if quarantined => {
                    done.hidden += 1;
                    settled.push((media.mxc, Settled::Lacks(Lacks::Quarantined)));
                }
                Some(_) if is_there && !quarantined => settled.push((media.mxc, Settled::Shown)),
                before if !is_there && !quarantined && stored.length.is_some() => {
                    wanted.push(WantedFile { mxc: media.mxc, stored, before });
                }
                _ => {}
            }
            continue;
        }
        let lacks = match &stored {
            _ if media.is_avatar && !asked.avatars => Some(Lacks::Avatar),
            None => Some(Lacks::NotDownloaded),
            Some(_) if quarantined => Some(Lacks::Quarantined),
            Some(stored) => lacks(asked, stored, &media.mimetypes),
        };
        match (lacks, stored) {
            (None, Some(stored)) => wanted.push(WantedFile { mxc: media.mxc, stored, before: media.lacks }),
            (lacks, _) if lacks == media.lacks => {}
            (Some(lacks), _) => settled.push((media.mxc, Settled::Lacks(lacks))),
            (None, None) => {}
        }
    }
    archive.check_lock()?;
    archive.settle_media(&settled)?;
    let mut wanted = wanted.into_iter().peekable();
    while wanted.peek().is_some() {
        let (mut bytes, mut some) = (0, Vec::new());
        while let Some(one) = wanted.next_if(|_| bytes < BYTES) {
            bytes += one.stored.length.unwrap_or(0);
            some.push(one);
        }
        if !copy(archive, asked, from, some, done)? {
            break;
        }
    }
    Ok(())
}

/// Copies some files, and remembers what became of each; false: it was told to stop.
fn copy(
    archive: &mut Archive,
    asked: &MediaAsked,
    from: &Stores,
    wanted: Vec<WantedFile>,
    done: &mut CopiedMedia,
) -> Result<bool, Error> {
    let into = media::MediaArchive {
        directory: archive.directory(),
        readers: archive.readers(),
        interrupt: archive.interrupt(),
    };
    let made = into.copy(from, &wanted, asked.max_size)?;
    let (mut settled, mut is_whole) = (Vec::new(), true);
    for (WantedFile { mxc, before, .. }, made) in wanted.into_iter().zip(made) {
        match made {
            Some(Ok(file)) => {
                done.copied += 1;
                done.bytes += file.bytes;
                settled.push((mxc, Settled::Kept(file)));
            }
            Some(Err(lacks)) if before != Some(lacks) => settled.push((mxc, Settled::Lacks(lacks))),
            Some(Err(_)) => {}
            None => is_whole = false,
        }
    }
    archive.check_lock()?;
    archive.settle_media(&settled)?;
    Ok(is_whole)
}

/// Why a file is not to be copied.
fn lacks(asked: &MediaAsked, stored: &StoredMedia, mimetypes: &[String]) -> Option<Lacks> {
    // an address that was given out, and nothing came
    let Some(length) = stored.length else { return Some(Lacks::NotDownloaded) };
    if stored.is_preview {
        return Some(Lacks::Preview);
    }
    if asked.max_size.is_some_and(|largest| length > largest) {
        return Some(Lacks::TooLarge);
    }
    let is_asked = |kind: &str| {
        let (group, _) = kind.split_once('/').unwrap_or((kind, ""));
        asked.types.iter().any(|asked| asked.eq_ignore_ascii_case(kind) || asked.eq_ignore_ascii_case(group))
    };
    let kind = stored.media_type.as_deref().map(|kind| kind.split(';').next().unwrap_or_default().trim());
    // of what is encrypted only the event says it
    let is_of_type = match kind.filter(|kind| *kind != "application/octet-stream") {
        Some(kind) => is_asked(kind),
        None => kind.into_iter().chain(mimetypes.iter().map(String::as_str)).any(is_asked),
    };
    (!asked.types.is_empty() && !is_of_type).then_some(Lacks::OtherType)
}

/// Decrypts some files, and remembers what came of it.
fn decrypt(
    archive: &mut Archive,
    page: Vec<crate::archive::media::SealedName>,
    done: &mut CopiedMedia,
) -> Result<(), Error> {
    let into = media::MediaArchive {
        directory: archive.directory(),
        readers: archive.readers(),
        interrupt: archive.interrupt(),
    };
    let made = into.decrypt(&page)?;
    let settled: Vec<_> = page.into_iter().zip(made).filter_map(|(sealed, made)| Some((sealed, made?))).collect();
    done.decrypted += settled.iter().map(|(_, made)| made.len() as u64).sum::<u64>();
    archive.check_lock()?;
    Ok(archive.settle_sealed(&settled)?)
}
