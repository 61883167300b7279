//! A document in HTML that may be cut into several files: its pages one after the other in a temporary file, until it is known what stands
//! above them. Links lead to the page where their target is.

use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write};
use std::path::Path;

use tempfile::SpooledTempFile;

use crate::archive::Error;
use crate::archive::places::Places;
use crate::document::block::{Block, Writer};
use crate::document::html::Html;
use crate::document::line::Anchor;

/// The most messages that a page of a day has.
pub(super) const MOST: u64 = 2_000;
/// The most messages that any page has: what browsers still open at once.
pub const MOST_OF_ANY: u64 = 20_000;
/// A page that is longer than this is ended. Bytes.
const LONGEST: u64 = 8 * 1024 * 1024;
/// How much of an anchor is told to find its page, in characters.
const BEGIN: usize = 5;

/// Where a document is cut; pages of more than [`MOST_OF_ANY`] messages are cut in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Before each day.
    Day,
    /// Before each month.
    Month,
    /// After so many messages, at most.
    Messages(u64),
}

/// A page that is written.
#[derive(Clone, Debug, Default)]
pub(super) struct WrittenPage {
    /// Where it ends, in bytes.
    pub(super) end: u64,
    /// The first day on it, in a document of several.
    pub(super) day: Option<String>,
}

/// Pages in the making.
pub(super) struct Pages {
    html: Html<CountingWriter<BufWriter<SpooledTempFile>>>,
    split: Split,
    ended: Vec<WrittenPage>,
    /// How much of the page is there.
    messages: u64,
    /// The day that is told, and the first one on the page.
    day: Option<String>,
    first_day: Option<String>,
    /// The anchors of the first page while it is the only one.
    first: Vec<Anchor>,
    places: Option<Places>,
}

/// Counts what is written.
struct CountingWriter<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Write for CountingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Pages {
    /// Pages in a temporary file of a directory, once they are longer than `in_memory` bytes.
    pub(super) fn new(split: Split, in_memory: usize, directory: &Path) -> Pages {
        let out = BufWriter::new(tempfile::spooled_tempfile_in(in_memory, directory));
        Pages {
            html: Html::to(CountingWriter { out, bytes: 0 }),
            split,
            ended: Vec::new(),
            messages: 0,
            day: None,
            first_day: None,
            first: Vec::new(),
            places: None,
        }
    }

    fn end_page(&mut self) -> io::Result<()> {
        self.html.end()?;
        let end = self.html.out().bytes;
        self.ended.push(WrittenPage { end, day: self.first_day.take() });
        self.messages = 0;
        Ok(())
    }

    fn is_empty(&mut self) -> bool {
        let bytes = self.html.out().bytes;
        bytes == self.ended.last().map_or(0, |page| page.end)
    }

    fn is_full(&mut self) -> bool {
        let begin = self.ended.last().map_or(0, |page| page.end);
        let is_long = self.html.out().bytes - begin > LONGEST;
        let most = match self.split {
            Split::Messages(most) => most.min(MOST_OF_ANY),
            Split::Day | Split::Month => MOST_OF_ANY,
        };
        self.messages >= most || is_long
    }

    fn place(&mut self, anchor: &Anchor) -> io::Result<()> {
        let page = self.ended.len();
        if page == 0 {
            self.first.push(anchor.clone());
            return Ok(());
        }
        if self.places.is_none() {
            let places = Places::new().map_err(io::Error::other)?;
            for anchor in self.first.drain(..) {
                places.add(anchor.as_str(), 0).map_err(io::Error::other)?;
            }
            self.places = Some(places);
        }
        self.places.as_ref().map_or(Ok(()), |places| places.add(anchor.as_str(), page)).map_err(io::Error::other)
    }

    /// All of them, once all is written.
    pub(super) fn finish(mut self) -> io::Result<WrittenPages> {
        let is_empty = self.is_empty();
        if !is_empty || self.ended.is_empty() {
            self.end_page()?;
        }
        let Pages { html, ended: pages, places, .. } = self;
        let mut file = html.into_out().out.into_inner()?;
        file.rewind()?;
        Ok(WrittenPages { file: BufReader::new(file), pages, places })
    }
}

impl Writer for Pages {
    fn write(&mut self, block: &Block<'_>) -> io::Result<()> {
        match block {
            Block::Day(day) => {
                let is_new = match self.split {
                    Split::Day => true,
                    Split::Month => self.day.as_ref().is_none_or(|last| last.get(..7) != day.get(..7)),
                    Split::Messages(_) => false,
                };
                if (is_new || self.is_full()) && !self.is_empty() {
                    self.end_page()?;
                }
                self.day = Some((*day).to_owned());
            }
            Block::Said(_) | Block::Redacted(..) => {
                if self.is_full() {
                    self.end_page()?;
                    if let Some(day) = self.day.clone() {
                        self.html.write(&Block::Day(&day))?;
                    }
                }
                self.messages += 1;
            }
            _ => {}
        }
        if self.first_day.is_none() {
            self.first_day.clone_from(&self.day);
        }
        match block {
            Block::Said(said) => self.place(&said.head.anchor)?,
            Block::Redacted(head, _) => self.place(&head.anchor)?,
            Block::Small(small) => self.place(&small.anchor)?,
            Block::Unread(unread) => self.place(&unread.anchor)?,
            _ => {}
        }
        self.html.write(block)?;
        // a day of nothing but small things has pages too
        if matches!(block, Block::EndOfSmall | Block::Unread(_)) && self.is_full() { self.end_page() } else { Ok(()) }
    }

    fn is_long(&self) -> bool {
        self.html.is_long()
    }
}

/// Pages that are written, to be copied in their order.
pub(super) struct WrittenPages {
    file: BufReader<SpooledTempFile>,
    pages: Vec<WrittenPage>,
    places: Option<Places>,
}

impl WrittenPages {
    /// What they are.
    pub(super) fn pages(&self) -> &[WrittenPage] {
        &self.pages
    }

    /// Copies a page, whose number begins with 0. `file_of` tells what the file of a page is called.
    pub(super) fn copy(
        &mut self,
        number: usize,
        file_of: &dyn Fn(usize) -> String,
        out: &mut dyn Write,
    ) -> Result<(), Error> {
        let begin = number.checked_sub(1).map_or(0, |before| self.pages[before].end);
        self.file.seek(SeekFrom::Start(begin)).map_err(Error::Transcript)?;
        let mut page = (&mut self.file).take(self.pages[number].end - begin);
        let Some(places) = &self.places else {
            return io::copy(&mut page, out).map(drop).map_err(Error::Transcript);
        };
        let mut line = Vec::new();
        while page.read_until(b'\n', &mut line).map_err(Error::Transcript)? > 0 {
            copy_line(&line, number, places, file_of, out)?;
            line.clear();
        }
        Ok(())
    }

    /// Writes by which page an anchor is found that is not on the first one, for who comes from elsewhere.
    pub(super) fn write_places(&self, file_of: &dyn Fn(usize) -> String, out: &mut dyn Write) -> Result<(), Error> {
        let Some(places) = &self.places else { return Ok(()) };
        let mut put = |text: &str| out.write_all(text.as_bytes()).map_err(Error::Transcript);
        put("<template id=\"places\">")?;
        for number in 1..self.pages.len() {
            put(&format!("<i title=\"{}\">", file_of(number)))?;
            places.each_of(number, &mut |anchor| put(&anchor[..BEGIN.min(anchor.len())]))?;
            put("</i>\n")?;
        }
        put("</template>\n")
    }
}

/// Copies a line, with the names of files before anchors that are on other pages. Nobody but us can write what is looked for: of a quotation
/// mark escaping leaves nothing.
fn copy_line(
    line: &[u8],
    number: usize,
    places: &Places,
    file_of: &dyn Fn(usize) -> String,
    out: &mut dyn Write,
) -> Result<(), Error> {
    const LINK: &[u8] = b" href=\"#";
    let mut copied = 0;
    for at in memchr::memmem::find_iter(line, LINK) {
        let begin = at + LINK.len();
        let length = line[begin..].iter().position(|byte| *byte == b'"').unwrap_or(0);
        let anchor = std::str::from_utf8(&line[begin..begin + length]).unwrap_or_default();
        if let Some(page) = places.page(anchor)?.filter(|page| *page != number) {
            out.write_all(&line[copied..begin - 1]).map_err(Error::Transcript)?;
            out.write_all(file_of(page).as_bytes()).map_err(Error::Transcript)?;
            copied = begin - 1;
        }
    }
    out.write_all(&line[copied..]).map_err(Error::Transcript)
}
