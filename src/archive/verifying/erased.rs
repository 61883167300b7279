//! What was erased from an archive, as its tombstones say: told with what was asked for, and whether the catalog has all of those that the
//! state has promised. Whether a line is back is looked at with the line.

use std::path::Path;

use super::super::{Catalog, Erasure, Error, state};
use super::{Off, Verified};
use crate::event::Erased;

/// How many things that were asked for are told.
const TOLD: i64 = 100;

/// What was asked for once, and how many events have a tombstone by it.
#[derive(Debug)]
pub(crate) struct ErasedBy {
    pub(crate) erasure: Erasure,
    pub(crate) tombstones: u64,
}

/// What is erased from an archive.
#[derive(Debug, Default)]
pub(crate) struct Tombstones {
    /// Whole events.
    pub(crate) whole: u64,
    /// What they said.
    pub(crate) pruned: u64,
    /// Of others: what they quoted, or what their server had copied into them.
    pub(crate) of_others: u64,
    /// By what was asked for, the newest first.
    pub(crate) by: Vec<ErasedBy>,
}

impl Tombstones {
    /// All of a catalog.
    pub(super) fn of(catalog: &Catalog) -> Result<Tombstones, Error> {
        let mut tombstones = Tombstones::default();
        let mut statement = catalog.connection.prepare("select kind, count(*) from tombstone group by kind")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let count = row.get::<_, i64>(1)?.unsigned_abs();
            *match row.get(0)? {
                Erased::Whole => &mut tombstones.whole,
                Erased::Pruned => &mut tombstones.pruned,
                Erased::Cut | Erased::Copies => &mut tombstones.of_others,
            } += count;
        }
        tombstones.by = catalog.erased_by(TOLD)?;
        Ok(tombstones)
    }
}

/// Makes sure that the catalog has all tombstones that the state has.
pub(super) fn check_promised(archive: &Path, catalog: &Catalog, verified: &mut Verified) -> Result<(), Error> {
    state::each_tombstone(archive, |id, kind| {
        if catalog.tombstone_of(id)? < Some(kind) {
            verified.off(Off::Erased, || {
                format!(
                    "the catalog has no tombstone of the event whose id has the SHA-256 {id}, which state.jsonl says was erased ({})",
                    kind.name()
                )
            });
        }
        Ok(())
    })
}
