//! A live location with its positions, told where it began. Knows no markup.

use std::ops::ControlFlow;

use super::said::say;
use super::scene::Scene;
use super::telling::Telling;
use crate::archive::Error;
use crate::archive::reading::events::{CatalogEvent, Order, each_related};
use crate::document::beacon::{self, Info, is_info, is_position};
use crate::document::block::{GeoPosition, LiveLocation, Saying};
use crate::document::line::{Line, Span};

/// How many positions are shown, beside the last one.
const SHOWN: usize = 50;

/// Whether an event begins a live location, and may say so.
pub(super) fn begins(event: &CatalogEvent) -> bool {
    let is_redacted = event.redacted_by.is_some();
    is_info(event.kind()) && event.state_key.is_some() && !is_redacted && Info::of(event.content()).is_live
}

/// What somebody did by a state event that begins no live location.
pub(super) fn phrase(content: &str, is_hidden: bool) -> Line {
    match Info::of(content) {
        _ if is_hidden => vec![Span::words("changed their live location")],
        Info { is_live: false, .. } => vec![Span::words("stopped sharing their live location")],
        Info { description: None, .. } => vec![Span::words("shared their live location")],
        Info { description: Some(of), .. } => {
            vec![Span::words("shared their live location “"), Span::Text(of), Span::words("”")]
        }
    }
}

/// Whether a position is one of a live location: it comes from who shares that.
pub(super) fn is_of(position: &CatalogEvent, info: &CatalogEvent) -> bool {
    is_position(position.kind()) && position.state_key.is_none() && position.sender == info.sender
}

/// A live location that begins, with what there is of its positions.
pub(super) fn live(event: &CatalogEvent, scene: &mut Scene<'_>, out: &mut Telling<'_>) -> Result<(), Error> {
    let related = scene.related(event)?;
    let Info { description, timeout, .. } = Info::of(event.content());
    let mut told = LiveLocation { description, timeout, positions: Vec::new(), more: 0 };
    each_related(scene.reader, scene.room(), event.id(), "m.reference", Order::Oldest, &mut |at| {
        if is_of(&at, event) {
            let (uri, description) = beacon::position(at.content());
            let position = GeoPosition { at: scene.when(at.at), uri, description };
            if told.positions.len() > SHOWN {
                told.more += 1;
                told.positions.pop();
            }
            told.positions.push(position);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    out.end_speaker();
    say(event, Saying::LiveLocation(told), related, scene, out)?;
    out.end_speaker();
    Ok(())
}
