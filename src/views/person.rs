//! All that one person has sent, room by room, in one document. What others said is left out of it.

use std::collections::BTreeSet;
use std::io::Write;

use super::whole::{DocumentCounts, DocumentFormat, DocumentRequest, document_days};
use crate::archive::reading::extent::extent;
use crate::archive::reading::title;
use crate::archive::reading::{names, rooms};
use crate::archive::{Catalog, Error};
use crate::document::page::{MadeOf, PersonCover, Tally};
use crate::document::{html, markdown};
use crate::event::{OwnedRoomId, UserId};

/// How many names of a person are told.
const NAMED: usize = 20;

/// Writes what a person has sent to each of some rooms, under the name of the room; also what is told of it, and how many days of rooms
/// there are.
pub fn person_days(
    catalog: &Catalog,
    rooms: &[OwnedRoomId],
    asked: &DocumentRequest<'_>,
    form: DocumentFormat,
    out: &mut dyn Write,
) -> Result<(Tally, u64), Error> {
    let (mut all, mut days) = (Tally::default(), 0);
    for room_id in rooms {
        let title = title::now(&catalog.reader(), room_id)?;
        let heading = match form {
            DocumentFormat::Markdown => markdown::room_heading(&title, room_id),
            DocumentFormat::Html => html::room_heading(&title, room_id),
        };
        out.write_all(heading.as_bytes()).map_err(Error::Transcript)?;
        let (tally, of_room) =
            document_days(catalog, &DocumentRequest { room: room_id.borrowed(), ..asked.clone() }, form, out)?;
        all.messages += tally.messages;
        all.encrypted += tally.encrypted;
        days += of_room;
    }
    Ok((all, days))
}

/// Writes what such a document begins with; `parts` are files that it leads to, and what they are called.
pub fn person_cover(
    catalog: &Catalog,
    rooms: &[OwnedRoomId],
    asked: &DocumentRequest<'_>,
    (form, parts): (DocumentFormat, &[(String, String)]),
    (tally, days): (Tally, u64),
    (made, made_of): (i64, &MadeOf),
    out: &mut dyn Write,
) -> Result<DocumentCounts, Error> {
    let reader = catalog.reader();
    let user = asked.sender.unwrap_or(UserId::of(""));
    let (mut events, mut redacted, mut unseen, mut called) = (0, 0, 0, BTreeSet::new());
    for room_id in rooms {
        let of = extent(&reader, room_id.borrowed(), asked.period.as_ref(), asked.sender, 0)?;
        events += of.events;
        redacted += of.redacted;
        unseen += of.unseen;
        if called.len() < NAMED {
            called.extend(names::names_of(&reader, room_id.borrowed(), user, NAMED - called.len())?);
        }
    }
    let cover = PersonCover {
        user_id: user.as_str(),
        names: called.into_iter().collect(),
        period: asked.period.clone(),
        rooms: rooms.len() as u64,
        events,
        tally,
        redacted,
        shows_redacted: asked.show_redacted,
        unseen,
        made,
        made_of,
        zone: asked.zone,
    };
    let text = match form {
        DocumentFormat::Markdown if reader.decrypts() => markdown::person_cover(&cover) + markdown::ENCRYPTED_HEAD,
        DocumentFormat::Markdown => markdown::person_cover(&cover),
        DocumentFormat::Html => html::person_cover(&cover, reader.decrypts(), parts),
    };
    out.write_all(text.as_bytes()).map_err(Error::Transcript)?;
    Ok(DocumentCounts { events, messages: tally.messages, days })
}

/// The directory of a room, as a name and as what leads there, and what the room is called.
pub fn room_part(catalog: &Catalog, room_id: &str) -> Result<(String, String, String), Error> {
    let reader = catalog.reader();
    let (directory, ..) = rooms::kept(&reader, room_id)?;
    let link = format!("{}/index.html", directory.replace('%', "%25"));
    Ok((directory, link, title::now(&reader, room_id)?.name))
}
