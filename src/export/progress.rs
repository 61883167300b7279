//! How far one stream of one scope has come while it is read: its watermark and its gaps.
//!
//! Reads and writes nothing: a batch carries what has changed, together with the events that it covers.

use crate::archive::{Advance, Batch};
use crate::stream::{Gaps, Scope, Stream, Watermark};

/// The watermark and the gaps of a stream of a scope, as they change.
pub(super) struct StreamProgress<'a> {
    pub(super) scope: &'a Scope,
    pub(super) stream: Stream,
    pub(super) watermark: Option<Watermark>,
    /// The watermark is not as the catalog knows it.
    pub(super) moved: bool,
    pub(super) gaps: Gaps,
    /// The gaps as the catalog knows them.
    pub(super) remembered: Gaps,
}

impl StreamProgress<'_> {
    /// Lets a batch carry what has changed.
    pub(super) fn report_to(&mut self, batch: &mut Batch) {
        let changed = self.gaps != self.remembered;
        if self.moved || changed {
            batch.advance(Advance {
                scope: self.scope.clone(),
                stream: self.stream,
                watermark: self.watermark.clone().filter(|_| self.moved),
                gaps: changed.then(|| self.gaps.clone()),
            });
            self.remembered = self.gaps.clone();
        }
    }
}
