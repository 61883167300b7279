//! What an event names: which one it is, where it has its place, and whether it may be shown.

use super::super::Error;
use super::anchor_name;
use super::day::Day;
use super::shown::{self, Shown};

impl Day<'_, '_> {
    /// What an edit names.
    pub(super) fn edited_by(&self, edit: &Shown) -> Result<Option<Shown>, Error> {
        let id = edit.relates_to.as_deref().unwrap_or_default();
        shown::event(self.connection, self.room_id, id)
    }

    /// Whether nothing of an event is to be shown, since it is redacted or what it edits is.
    pub(super) fn is_hidden(&mut self, event: &Shown) -> Result<bool, Error> {
        let edited_too = !self.options.show_redacted;
        let (connection, room_id) = (self.connection, self.room_id);
        Ok(event.redacted_by.is_some()
            || edited_too && shown::is_redacted(connection, room_id, event, self.names.redactors())?)
    }

    /// An event that has a place of its own: for an edit that is told with its target, the target.
    pub(super) fn placed(&mut self, mut event: Shown) -> Result<Shown, Error> {
        for _ in 0..shown::DEEPEST {
            if !event.is_edit() {
                break;
            }
            let Some(target) = self.edited_by(&event)? else { break };
            if event.flaw(&target).is_some() && !self.is_hidden(&event)? {
                break;
            }
            event = target;
        }
        Ok(event)
    }

    /// An event that others name, where it has its place.
    pub(super) fn named(&mut self, id: &str) -> Result<Option<Shown>, Error> {
        shown::event(self.connection, self.room_id, id)?.map(|event| self.placed(event)).transpose()
    }

    /// A link to an event.
    pub(super) fn pointer(&self, target: &Shown, text: &str) -> String {
        format!("[{text}]({})", self.address(target))
    }

    pub(super) fn address(&self, target: &Shown) -> String {
        let name = anchor_name(&target.event_id);
        if target.day == self.name || self.options.one_document {
            format!("#{name}")
        } else {
            format!("{}.md#{name}", target.day)
        }
    }
}
