//! One document, in one file. What is longer than a page may be is refused with what would do.

use std::io::{self, BufWriter, Read, Seek as _, Write};
use std::path::Path;
use std::sync::Arc;

use super::media::{PageWithFiles, Within};
use super::{Given, Handed, NO_ROOM};
use crate::archive::Error;
use crate::document::page::Tally;
use crate::views::{self, DocumentFormat, DocumentRequest, Leads, MOST_OF_ANY};

/// The most bytes of a page by itself.
const LARGEST: u64 = 200_000_000;
/// How much of a document is kept in memory before its cover, which comes first, is known. Bytes.
const IN_MEMORY: usize = 1024 * 1024;

/// A page is too much for a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// What there is too much of.
    pub what: String,
    /// By what it could be cut.
    pub split: &'static str,
}

/// Writes a document; `state` stands between its cover and its days. What was encrypted is in no temporary file; the others are in the
/// directory `spool`.
pub fn document(
    given: &Given<'_>,
    form: DocumentFormat,
    mut state: Option<&mut dyn Read>,
    spool: &Path,
    out: &mut dyn Write,
) -> Result<Result<Handed, TooLong>, Error> {
    given.during(|| {
        let decrypts = given.catalog.reader().decrypts();
        let mut spooled = tempfile::spooled_tempfile_in(IN_MEMORY, spool);
        let ((tally, lost), bytes) = if decrypts {
            let mut size = CountOnly(0);
            (days(given, form, &mut size)?, size.0)
        } else {
            let tally = days(given, form, &mut BufWriter::new(&mut spooled))?;
            (tally, spooled.stream_position().map_err(Error::Transcript)?)
        };
        if let Some(too_long) = fits(tally.0.messages, bytes).filter(|_| form == DocumentFormat::Html) {
            return Ok(Err(too_long));
        }
        let handed = cover(given, form, tally, &[], out)?;
        if let Some(state) = &mut state {
            io::copy(*state, out).map_err(Error::Transcript)?;
        }
        if decrypts {
            days(given, form, out)?;
        } else {
            spooled.rewind().and_then(|()| io::copy(&mut spooled, out)).map_err(Error::Transcript)?;
        }
        views::document_end(form, out)?;
        Ok(Ok(Handed { lost, ..handed }))
    })
}

/// Writes the days of a document, with its files in it if it is a page; also how many of these the archive has lost.
fn days(given: &Given<'_>, form: DocumentFormat, out: &mut dyn Write) -> Result<((Tally, u64), u64), Error> {
    let reader = given.catalog.reader();
    let within = Within::new();
    let to_media = (form == DocumentFormat::Html).then(|| Arc::new(within.clone()) as Arc<dyn Leads>);
    let mut page = PageWithFiles::new(out, &reader, within);
    let tally = if let Some(room) = given.room() {
        let asked = DocumentRequest { to_media, ..given.asked(room) };
        views::document_days(given.catalog, &asked, form, &mut page)?
    } else {
        let asked = DocumentRequest { to_media, ..given.asked(NO_ROOM) };
        views::person_days(given.catalog, &given.rooms, &asked, form, &mut page)?
    };
    Ok((tally, page.end()?))
}

/// Writes the cover of a document; `parts` are files that the one of a person leads to.
pub(super) fn cover(
    given: &Given<'_>,
    form: DocumentFormat,
    tally: (Tally, u64),
    parts: &[(String, String)],
    out: &mut dyn Write,
) -> Result<Handed, Error> {
    let made = (given.made, &given.made_of);
    let told = if let Some(room) = given.room() {
        views::document_cover(given.catalog, &given.asked(room), form, tally, made, out)?
    } else {
        views::person_cover(given.catalog, &given.rooms, &given.asked(NO_ROOM), (form, parts), tally, made, out)?
    };
    Ok(Handed { events: told.events, messages: told.messages, days: told.days, ..Handed::default() })
}

fn fits(messages: u64, bytes: u64) -> Option<TooLong> {
    let (what, split) = match messages {
        _ if messages > MOST_OF_ANY => (format!("{messages} messages, and a page has at most {MOST_OF_ANY}"), "month"),
        _ if bytes > LARGEST => (format!("{bytes} bytes, and a page has at most {LARGEST}"), "2000"),
        _ => return None,
    };
    Some(TooLong { what, split })
}

/// Counts what is written, and writes it nowhere.
struct CountOnly(u64);

impl Write for CountOnly {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_for_a_page_is_refused_with_what_would_do() {
        let refused = |messages, bytes| fits(messages, bytes).unwrap();
        assert_eq!(fits(MOST_OF_ANY, LARGEST), None);
        assert!(refused(MOST_OF_ANY + 1, 0).what.contains("20001 messages"));
        assert_eq!([refused(MOST_OF_ANY + 1, 0).split, refused(1, LARGEST + 1).split], ["month", "2000"]);
    }
}
