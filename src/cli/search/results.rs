//! What a search has found, as it is written: for people, or as JSON. Finds none, and lets no control character through to a terminal.

use std::io::{self, Read as _, Seek as _, Write as _};

use anyhow::Result;
use serde::Serialize;
use tempfile::SpooledTempFile;

use super::super::log::{harmless, readable};
use super::super::output::DataOutput;
use crate::archive;
use crate::document::line::When;
use crate::document::time::Zone;
use crate::views::found::SearchResult;

/// How much of what was said around results is kept in memory before it is in a file. Bytes.
const IN_MEMORY: usize = 1024 * 1024;

/// What was said around each result, in their order.
pub(super) struct Passages {
    all: SpooledTempFile,
    /// How long each is, in bytes.
    lengths: Vec<u64>,
}

impl Passages {
    /// With what was decrypted among them they are in memory, however long, as that goes into no file.
    pub(super) fn new(decrypts: bool) -> Passages {
        let in_memory = if decrypts { usize::MAX } else { IN_MEMORY };
        Passages { all: tempfile::spooled_tempfile(in_memory), lengths: Vec::new() }
    }

    /// Adds the next one, which is written.
    pub(super) fn add(
        &mut self,
        write: impl FnOnce(&mut dyn io::Write) -> Result<(), archive::Error>,
    ) -> Result<(), archive::Error> {
        let from = self.all.stream_position().map_err(archive::Error::Transcript)?;
        write(&mut self.all)?;
        let to = self.all.stream_position().map_err(archive::Error::Transcript)?;
        self.lengths.push(to - from);
        Ok(())
    }
}

/// Writes results, the first ones with their passages, if there are any.
pub(super) fn write(is_json: bool, zone: Zone, told: &[SearchResult], mut passages: Passages) -> Result<()> {
    let mut out = DataOutput::stdout();
    let is_bold = out.is_terminal() && console::colors_enabled();
    passages.all.rewind()?;
    let mut lengths = passages.lengths.iter();
    for told in told {
        if is_json {
            writeln!(out, "{}", harmless(&serde_json::to_string(&Json::of(told))?))?;
            continue;
        }
        let SearchResult { hit, room, sender, transcript, .. } = told;
        let when = When::from(hit.at, None, zone).to_string();
        let marks = [
            (hit.is_earlier, "said before it was edited"),
            (hit.edited_by.is_some() && !hit.is_earlier, "edited"),
            (hit.is_redacted, "redacted"),
            (hit.encrypted.is_some_and(|encrypted| encrypted.authenticated), "🔒"),
            (hit.encrypted.is_some_and(|encrypted| !encrypted.authenticated), "🔒?"),
        ];
        let marks = marks.iter().filter(|(holds, _)| *holds).map(|(_, mark)| (*mark).to_owned());
        let head: Vec<String> = [when, readable(room), readable(sender)].into_iter().chain(marks).collect();
        writeln!(out, "{}", head.join(" · "))?;
        let text = match &hit.body {
            Some(_) => highlighted(told, is_bold),
            None if hit.kind == "m.room.encrypted" => "(encrypted)".to_owned(),
            None if hit.is_redacted => "(redacted)".to_owned(),
            None => "(no text)".to_owned(),
        };
        writeln!(out, "  {text}\n  {}  {}", readable(transcript), readable(&hit.event_id))?;
        if let Some(length) = lengths.next() {
            writeln!(out)?;
            io::copy(&mut (&mut passages.all).take(*length), &mut out)?;
        }
        writeln!(out)?;
    }
    Ok(out.flush()?)
}

/// A snippet with what was found in bold.
fn highlighted(told: &SearchResult, is_bold: bool) -> String {
    let (text, mut shown, mut at) = (&told.snippet.text, String::new(), 0);
    for hit in &told.snippet.hits {
        shown.push_str(&readable(&text[at..hit.start]));
        let found = readable(&text[hit.clone()]);
        if is_bold {
            shown.push_str(&console::style(found).bold().force_styling(true).to_string());
        } else {
            shown.push_str(&found);
        }
        at = hit.end;
    }
    shown + &readable(&text[at..])
}

/// A result as JSON tells it.
#[derive(Serialize)]
struct Json<'a> {
    event_id: &'a str,
    room_id: &'a str,
    room: &'a str,
    sender: Option<&'a str>,
    sender_name: &'a str,
    origin_server_ts: Option<i64>,
    day: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    body: Option<&'a str>,
    snippet: &'a str,
    /// Characters of the snippet, from and to before.
    hits: Vec<[usize; 2]>,
    transcript: &'a str,
    edited_by: Option<&'a str>,
    earlier: bool,
    redacted: bool,
    /// It was encrypted, and can be read; whether its session is vouched for.
    #[serde(skip_serializing_if = "Option::is_none")]
    authenticated: Option<bool>,
}

impl<'a> Json<'a> {
    fn of(told: &'a SearchResult) -> Json<'a> {
        let SearchResult { hit, room, sender, snippet, transcript } = told;
        let characters = |end: usize| snippet.text[..end].chars().count();
        Json {
            event_id: &hit.event_id,
            room_id: &hit.room_id,
            room,
            sender: hit.sender.as_deref(),
            sender_name: sender,
            origin_server_ts: hit.at,
            day: &hit.day,
            kind: &hit.kind,
            body: hit.body.as_deref(),
            snippet: &snippet.text,
            hits: snippet.hits.iter().map(|hit| [characters(hit.start), characters(hit.end)]).collect(),
            transcript,
            edited_by: hit.edited_by.as_deref(),
            earlier: hit.is_earlier,
            redacted: hit.is_redacted,
            authenticated: hit.encrypted.map(|encrypted| encrypted.authenticated),
        }
    }
}
