//! Transcripts: what they look like, and that the same events give the same bytes whatever way they came.

mod support;

#[path = "transcripts/any_path.rs"]
mod any_path;
#[path = "transcripts/golden.rs"]
mod golden;
#[path = "transcripts/kinds.rs"]
mod kinds;
#[path = "transcripts/names.rs"]
mod names;
#[path = "transcripts/order.rs"]
mod order;
#[path = "transcripts/real_servers.rs"]
mod real_servers;
#[path = "transcripts/rooms.rs"]
mod rooms;
#[path = "transcripts/told.rs"]
mod told;
