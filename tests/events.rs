//! What becomes of rows: stories of a server, told to a database, exported, and read back from the archive.

mod support;

#[path = "events/access.rs"]
mod access;
#[path = "events/duplicates.rs"]
mod duplicates;
#[path = "events/lines.rs"]
mod lines;
#[path = "events/places.rs"]
mod places;
#[path = "events/redactions.rs"]
mod redactions;
#[path = "events/rejudged.rs"]
mod rejudged;
#[path = "events/said.rs"]
mod said;
#[path = "events/selection.rs"]
mod selection;
#[path = "events/sticky.rs"]
mod sticky;
#[path = "events/streams.rs"]
mod streams;
#[path = "events/waiting.rs"]
mod waiting;

use support::story::ROOM;
use support::{Database, Shape, cluster};

const SHAPES: [Shape; 3] = [Shape::V1_60, Shape::V1_90, Shape::V1_163];

/// A server with one user and one room.
fn server(shape: Shape) -> Database {
    let database = cluster().database("events", shape);
    database.user("@alice:here.test");
    database.room(ROOM, "10");
    database
}
