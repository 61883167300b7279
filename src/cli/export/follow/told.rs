//! What is told of a run that does not end: to its terminal and to the service manager. Decides nothing by what it hears.

use super::super::super::service::Service;
use super::super::Terminal;
use crate::event::{Damage, EventId, RoomId};
use crate::export::{Progress, Report};

/// Hears how it goes: a bar for what is read first, and no more than what is off for what comes.
pub(super) struct FollowProgress {
    pub(super) terminal: Terminal,
    pub(super) service: Service,
    pub(super) is_first: bool,
}

impl Report for FollowProgress {
    fn progress(&mut self, progress: Progress) {
        self.service.lives();
        if self.is_first {
            self.terminal.progress(progress);
        }
    }

    fn damaged(&mut self, event: EventId<'_>, room: RoomId<'_>, damage: &Damage) {
        self.terminal.damaged(event, room, damage);
    }

    fn unplaced(&mut self, event: EventId<'_>, room: RoomId<'_>, lacks: &str) {
        self.terminal.unplaced(event, room, lacks);
    }

    fn duplicate(&mut self, event: EventId<'_>, room: RoomId<'_>) {
        self.terminal.duplicate(event, room);
    }

    fn waiting(&mut self, event: EventId<'_>, room: RoomId<'_>) {
        self.terminal.waiting(event, room);
    }

    fn gone(&mut self, event: EventId<'_>, room: RoomId<'_>) {
        self.terminal.gone(event, room);
    }
}
