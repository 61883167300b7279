//! Calls in a few words: who called, who answered or declined, how long it was; who joined or left a call of many. Each call of two
//! is told where it began; what is not of a call of its day, alone.

use super::scene::Scene;
use crate::archive::Error;
use crate::archive::reading::events::{CatalogEvent, each_of_kinds};
use crate::document::call::{self, Call, Calls, SIGNALS, Signal, Taking};
use crate::document::fold::Remark;
use crate::document::line::{Line, Span};
use crate::document::time;
use crate::event::UserId;

/// The calls of a day.
fn of_day<'s>(scene: &'s mut Scene<'_>) -> Result<&'s Calls, Error> {
    if scene.calls.is_none() {
        let mut calls = Calls::default();
        each_of_kinds(scene.reader, scene.room(), scene.day, &SIGNALS, &mut |event| {
            if let Some(signal) = Signal::of(event.kind()) {
                let sender = UserId::of(event.sender.as_deref().unwrap_or_default());
                calls.take(signal, event.id(), sender, event.at, event.content());
            }
            Ok(())
        })?;
        scene.calls = Some(calls);
    }
    Ok(scene.calls.get_or_insert_default())
}

/// What an event of a call says that is not told with another.
pub(super) fn signal(event: &CatalogEvent, signal: Signal, scene: &mut Scene<'_>) -> Result<Option<Line>, Error> {
    let is_redacted = event.redacted_by.is_some();
    if is_redacted && signal != Signal::Invite {
        return Ok(None);
    }
    let call = of_day(scene)?.of(event.content()).cloned();
    let alone = match (signal, &call) {
        (Signal::Invite, _) => {
            return invite(event, call.filter(|call| call.invite == event.event_id), scene).map(Some);
        }
        (_, Some(_)) => return Ok(None),
        (Signal::Answer, None) => " answered a call",
        (Signal::Reject, None) => " declined a call",
        (Signal::Hangup, None) => " ended a call",
    };
    Ok(Some(vec![Span::Name(scene.sender(event)?), Span::words(alone)]))
}

/// A call, how it went on: `Alice called, Bob answered, and they talked for 7 min`.
fn invite(event: &CatalogEvent, call: Option<Call>, scene: &mut Scene<'_>) -> Result<Line, Error> {
    let mut what = vec![Span::Name(scene.sender(event)?), Span::words(" called")];
    if scene.is_hidden(event)? {
        return Ok(what);
    }
    if let Some(invited) = call::invited(event.content()) {
        what.extend([Span::words(" "), Span::Name(scene.names.shown(Some(&invited), event.at)?)]);
    }
    if call::is_video(event.content()) {
        what.push(Span::words(" by video"));
    }
    let Some(call) = call else { return Ok(what) };
    let (who, did) = match (&call.answered, &call.declined) {
        (Some(answered), _) => (Some(answered), " answered"),
        (None, Some(declined)) => (Some(declined), " declined"),
        (None, None) if call.is_over => (None, "nobody answered"),
        (None, None) => return Ok(what),
    };
    what.push(Span::words(", "));
    if let Some((who, at)) = who {
        what.push(Span::Name(scene.names.shown(Some(who), *at)?));
    }
    what.push(Span::words(did));
    if let Some(talked) = call.talked() {
        what.push(Span::Words(format!(", and they talked for {}", time::span(talked)).into()));
    }
    Ok(what)
}

/// That somebody joined or left a call of many; none: it says nothing new.
pub(super) fn membership(
    event: &CatalogEvent,
    is_hidden: bool,
    scene: &mut Scene<'_>,
) -> Result<Option<Remark>, Error> {
    let name = scene.sender(event)?;
    let did = match call::taking(event.content(), event.at) {
        _ if is_hidden => {
            return Ok(Some(Remark::Other(vec![Span::Name(name), Span::words(" joined or left the call")])));
        }
        Taking::Joins => " joined the call",
        Taking::Leaves => " left the call",
        Taking::Stays => return Ok(None),
    };
    Ok(Some(Remark::Alike(name, vec![Span::words(did)])))
}
