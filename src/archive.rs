//! The directory of an archive: JSONL, one file per room and day, and the catalog that indexes them.
//!
//! One writer at a time. A batch of events is durable or absent: it is recorded which files it appends to, they are appended
//! to and synced, then the catalog moves in one transaction (see [`Archive::commit`]); [`Archive::open`] undoes what was cut
//! off in between. The catalog's unique event ids decide what is new, so no event has two lines; before they can, in a first
//! export, second ones are taken out at its end. A line once written is changed in one way only, a file as a whole and with
//! the catalog's consent (`rewrite`). A file may be compressed (`compacting`), of which only `lines` knows. What is read to be shown is read through `reading`, and what was rendered of it is kept by
//! `view_state`; how anything is shown is none of this module's business. What no line says is in the catalog, and follows in the
//! `state`, from which it is made `anew` if it is lost. Knows no database but its own.

mod adding;
mod anew;
mod batch;
mod before;
mod borrowed;
mod catalog;
mod chain;
mod commit;
mod compacting;
mod decrypted;
mod decrypting;
pub(crate) mod durable;
mod erased;
mod erasing;
mod error;
mod figures;
mod full_text;
pub(crate) mod hashed;
mod ids;
mod indexes;
pub(crate) mod inside;
mod interrupt;
pub mod layout;
mod lines;
mod linked;
mod lock;
mod look;
pub(crate) mod media;
mod mending;
mod network;
mod opening;
mod ours;
pub(crate) mod outputs;
mod place;
pub(crate) mod places;
mod plaintexts;
mod readers;
pub(crate) mod reading;
mod rebuild;
mod redacting;
pub(crate) mod replace;
mod rewrite;
mod run;
mod schema;
mod search;
mod second_lines;
pub(crate) mod sections;
mod server_keys;
mod setting;
mod shares;
mod stale;
mod stale_views;
mod state;
mod step;
pub(crate) mod verifying;
mod view_state;
mod waiting;
#[cfg(test)]
mod work;
mod writing;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use anew::RebuildProgress;
pub use batch::{Advance, Batch, Committed, Counts};
pub(crate) use borrowed::Borrowed;
pub use catalog::{Catalog, Selection, VERSION as CATALOG_VERSION};
pub(crate) use chain::ChainHead;
pub use compacting::Compacted;
pub(crate) use decrypted::{DecryptedContent, EncryptionDetails, Judgement, Lacking};
pub use decrypted::{DecryptedNumbers, DecryptedOfRoom};
pub(crate) use decrypting::{EncryptedEvent, EncryptedPage};
pub(crate) use erased::ERASED;
pub(crate) use erasing::ERASED_HERE;
pub use erasing::{
    Age, Buried, Erasure, Foreseen, Hold, Policy, Request, Selected, TakenRequest, What, leave_request,
    requests as erase_requests,
};
pub use error::Error;
pub use figures::Figures;
pub use full_text::SearchStanding;
pub use interrupt::Interrupt;
pub use lock::{Turn, is_wanted};
pub use look::{Look, look};
pub use media::{LackingMedia, Lacks, MediaAsked, MediaNumbers};
pub use opening::Opening;
pub use ours::foreign_owner;
pub(crate) use outputs::OutputFile;
pub use outputs::{Output, OutputStanding, To};
pub use plaintexts::{Plaintext, Plaintexts, SealedPlaintexts};
pub use readers::Readers;
pub use run::{LastRun, RunOutcome};
pub use second_lines::SecondLines;
pub use shares::{ArchiveTotals, GroupedBy, Share, SharesOf};
pub use stale_views::Transcripts;
pub(crate) use stale_views::{HtmlPages, StaleDay};
pub use step::{Hook, Step};
pub(crate) use view_state::{RenderedRoom, UnlinkedRoom, ViewState};
#[cfg(test)]
pub(crate) use work::count_steps;

use crate::stream::Stream;
use lock::Lock;
use step::Steps;

/// How long an archive that is held open waits for those who look, to empty its log.
const WAITS_TO_REST: Duration = Duration::from_millis(100);

/// An archive, open to be written to by this process alone.
pub struct Archive {
    directory: PathBuf,
    catalog: Catalog,
    hook: Option<Hook>,
    interrupt: Interrupt,
    /// Who may read what is made.
    readers: Readers,
    /// Without indexes, during the first export, nothing can be looked up.
    indexed: bool,
    second_lines: SecondLines,
    /// No other export comes, for which something could wait.
    once: bool,
    /// Whether it has damaged lines; none: not looked yet.
    damaged: Option<bool>,
    lost: u64,
    lock: Lock,
}

impl Archive {
    /// Of how many files of lines less was there than had been archived, when the catalog was made anew on opening.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The same archive, into which is exported but once: events without their PDU do not wait for it, and are damaged at once.
    #[must_use]
    pub fn for_once(self) -> Archive {
        Archive { once: true, ..self }
    }

    /// Lets what is read of it be what encrypted events say.
    pub fn read_with(&mut self, plaintexts: Plaintexts) {
        self.catalog.plaintexts = Some(plaintexts);
    }

    /// Whether the catalog can tell what is archived already.
    #[must_use]
    pub fn is_indexed(&self) -> bool {
        self.indexed
    }

    /// The archive's catalog.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Makes sure that the archive is that of a server, or belongs to none yet.
    pub fn belong_to(&mut self, server: &str) -> Result<(), Error> {
        match self.catalog.server()? {
            Some(own) if own != server => Err(Error::OtherServer { own, found: server.to_owned() }),
            Some(_) => Ok(()),
            None => {
                let writing = self.catalog.write()?;
                writing.0.execute("insert into server (name) values (?1)", [server])?;
                writing.commit()
            }
        }
    }

    /// Says up to which id of Synapse's `un_partial_stated_event_stream` its new judgements are followed.
    pub fn rejudged_up_to(&mut self, position: i64) -> Result<(), Error> {
        let writing = self.catalog.write()?;
        writing.0.execute("delete from rejudged", [])?;
        writing.0.execute("insert into rejudged (position) values (?1)", [position])?;
        writing.commit()
    }

    /// Forgets the sticky events that had expired at a time, milliseconds since the epoch: they stay soft-failed.
    pub fn unstick(&mut self, time: i64) -> Result<(), Error> {
        let writing = self.catalog.write()?;
        writing.0.execute("delete from sticky where until < ?1", [time])?;
        writing.commit()
    }

    /// Forgets how far streams are archived, so that the next export reads them again; what is archived stays.
    pub fn reset(&mut self, streams: &[Stream]) -> Result<(), Error> {
        self.index()?;
        let writing = self.catalog.write()?;
        for stream in streams {
            writing.reset(*stream)?;
        }
        writing.commit()
    }

    /// Empties the catalog's write-ahead log, when there is time for it: for who copies the archive, and so that the log does not stay
    /// as long as it once was. False: somebody who looks kept it from that.
    pub fn rest(&mut self) -> Result<bool, Error> {
        self.check_lock()?;
        self.catalog.empty_log(WAITS_TO_REST)
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Who may read what is made in it.
    pub(crate) fn readers(&self) -> Readers {
        self.readers
    }

    /// What ends long work early.
    pub(crate) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// Makes sure that no other writer has taken over.
    pub(crate) fn check_lock(&self) -> Result<(), Error> {
        self.lock.held().check()
    }

    fn steps(&mut self) -> Steps<'_> {
        Steps { hook: self.hook.as_mut(), directory: &self.directory, held: self.lock.held() }
    }
}
