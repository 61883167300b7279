//! What a room is now, by its state events. What it was called at a time is for `archive::reading::title`; writes nothing.

use crate::archive::Error;
use crate::archive::reading::{Reader, rooms, title};
use crate::document::message::topic;
use crate::document::page::{RoomFacts, Title};
use crate::event::Object;

/// What a room is now; its version as far as it is known without its creation.
pub(crate) fn facts(reader: &Reader<'_>, room_id: &str, version: Option<String>) -> Result<RoomFacts, Error> {
    let newest = |kind: &str| title::state(reader, room_id, kind);
    let text = |content: &Option<String>, key: &str| Some(Object::of(content.as_deref()?).given(key)?.into_owned());
    let (create, encryption) = (newest("m.room.create")?, newest("m.room.encryption")?);
    let Title { name, aliases } = title::now(reader, room_id)?;
    let creator = rooms::creator(reader, room_id)?;
    let successors = rooms::successors(reader, room_id)?;
    Ok(RoomFacts {
        id: room_id.to_owned(),
        name,
        aliases,
        topic: newest("m.room.topic")?.as_deref().map(Object::of).as_ref().and_then(topic),
        version: version.or_else(|| text(&create, "room_version")),
        kind: text(&create, "type"),
        encryption: text(&encryption, "algorithm"),
        creator,
        predecessor: rooms::predecessor(reader, room_id)?.map(|id| rooms::linked(reader, &id)).transpose()?,
        successors: successors.iter().map(|id| rooms::linked(reader, id)).collect::<Result<_, _>>()?,
    })
}
