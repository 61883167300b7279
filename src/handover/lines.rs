//! Lines as JSON, room by room and day by day. What is withheld is decided where they are read, in `archive::reading::outward`.

use std::io::Write;

use super::{Given, Handed};
use crate::archive::Error;
use crate::archive::reading::outward::{self, Including, LineSelection};
use crate::event::{Event, OwnedRoomId};

/// Writes the lines; `as_archived`: as they stand in the archive, with all that is withheld otherwise. `told` hears how many there are.
pub fn lines(
    given: &Given<'_>,
    as_archived: bool,
    out: &mut dyn Write,
    told: &mut dyn FnMut(u64),
) -> Result<Handed, Error> {
    let mut asked = given.lines();
    if as_archived {
        asked = LineSelection {
            with: Including { redacted: true, rejected: true, ..Including::default() },
            as_stored: true,
            ..asked
        };
    }
    given.during(|| write(given, &given.rooms, &asked, out, told, &mut |_| Ok(())))
}

/// Writes the lines of some rooms; `look` sees what they say.
pub(super) fn write(
    given: &Given<'_>,
    rooms: &[OwnedRoomId],
    asked: &LineSelection<'_>,
    out: &mut dyn Write,
    told: &mut dyn FnMut(u64),
    look: &mut dyn FnMut(&Event) -> Result<(), Error>,
) -> Result<Handed, Error> {
    let reader = given.catalog.reader();
    let mut handed = Handed::default();
    for room_id in rooms {
        for day in given.days(room_id.borrowed())? {
            given.goes_on()?;
            handed.unread += outward::each_line_of_day(&reader, room_id, &day, asked, &mut |line| {
                handed.events += 1;
                look(&line.event)?;
                out.write_all(line.event.line.as_bytes()).and_then(|()| out.write_all(b"\n")).map_err(Error::Transcript)
            })?;
            handed.days += 1;
            told(handed.events);
        }
    }
    Ok(handed)
}
