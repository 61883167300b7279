//! What of an archive's lines is not to be shown unless that is asked for: what is redacted, and what repeats that. Withholds too much
//! rather than too little: what cannot be read with certainty counts as a quote.

use std::borrow::Cow;

use crate::archive::Error;
use crate::archive::reading::Reader;
use crate::archive::reading::events;
use crate::archive::reading::found::LocatedEvent;
use crate::archive::reading::redactions::{self, Redactors};
use crate::event::{Event, EventId, Object, RoomId};

/// Why a line is not to be shown: something is redacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Withheld {
    Itself,
    Edited,
    Quoted,
    /// Its line holds a text that cannot be read with certainty.
    Unknown,
}

/// What such a text may have in it if it repeats others.
const REPEATS: [&str; 4] = ["m.replace", "m.in_reply_to", "mx-reply", "prev_content"];

impl Withheld {
    /// Why an event is not to be shown, if it is not: it is redacted, or what it edits or quotes is.
    pub(crate) fn of(reader: &Reader<'_>, found: &LocatedEvent, line: &str) -> Result<Option<Withheld>, Error> {
        let (event, room) = (&found.event, RoomId::of(&found.room_id));
        let mut redactors = Redactors::default();
        // of what is erased there is nothing left to be withheld
        if Event::from_line(line, "").is_ok_and(|event| event.is_erased()) {
            return Ok(None);
        }
        if event.redacted_by.is_some() {
            return Ok(Some(Withheld::Itself));
        }
        if redactions::is_redacted(reader, room, event, &mut redactors)? {
            return Ok(Some(Withheld::Edited));
        }
        if found.damaged && REPEATS.iter().any(|word| line.contains(word)) {
            return Ok(Some(Withheld::Unknown));
        }
        let mut quoted = vec![replaced(line)];
        if quotes(event.content()) {
            quoted.push(event.replies_to.clone());
            if let Some(edited) = event.relates_to.as_ref().filter(|_| event.is_edit()) {
                quoted.push(events::event(reader, room, EventId::of(edited))?.and_then(|edited| edited.replies_to));
            }
        }
        for quoted in quoted.into_iter().flatten() {
            if redactions::is_id_redacted(reader, room, EventId::of(&quoted), &mut redactors)? {
                return Ok(Some(Withheld::Quoted));
            }
        }
        Ok(None)
    }

    /// The same in words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Withheld::Itself => "it is redacted",
            Withheld::Edited => "what it edits is redacted",
            Withheld::Quoted => "what it quotes is redacted",
            Withheld::Unknown => "it is damaged, and whether it repeats what is redacted cannot be told",
        }
    }
}

/// The state event whose content a server has put beside that of a line's event, which replaces it.
fn replaced(line: &str) -> Option<String> {
    let unsigned = Object::of(line).object("unsigned")?;
    unsigned.get("prev_content")?;
    unsigned.text("replaces_state").map(Cow::into_owned)
}

/// Whether a content repeats what it answers, for clients that know no replies.
fn quotes(content: &str) -> bool {
    let content = Object::of(content);
    let quotes = |content: &Object<'_>| {
        let body = content.text("body").unwrap_or_default();
        let body = body.strip_prefix("* ").unwrap_or(&body);
        let html = content.text("formatted_body").unwrap_or_default();
        body.starts_with("> <") || body.starts_with("> * <") || html.to_ascii_lowercase().contains("<mx-reply")
    };
    quotes(&content) || content.object("m.new_content").is_some_and(|new| quotes(&new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_before_an_answer_is_known() {
        for (content, expected) in [
            (r#"{"body":"> <@a:x> what\n\nwell"}"#, true),
            (r#"{"body":"> * <@a:x> waves\n\nwell"}"#, true),
            (r#"{"body":"* > <@a:x> what\n\nwell","m.new_content":{"body":"well"}}"#, true),
            (r#"{"body":"* well","m.new_content":{"body":"> <@a:x> what\n\nwell"}}"#, true),
            (r#"{"body":"well","formatted_body":"<MX-reply>what</MX-reply>well"}"#, true),
            (r#"{"body":"> what they say\n\nwell"}"#, false),
            ("{}", false),
            ("", false),
        ] {
            assert_eq!(quotes(content), expected, "{content}");
        }
    }
}
