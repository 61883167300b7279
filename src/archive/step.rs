//! The points of writing at which something can go wrong: there it is made sure that the lock is still held, and there tests make
//! it fail.
//!
//! Writes nothing, and knows nothing of what is written between two of them.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::Error;
use super::lock::HeldLock;

/// A point in the commit of a batch; tests make it fail there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Before the intent is recorded.
    Intend,
    /// Before a file is appended to.
    Append,
    /// When half of a file's new lines are written.
    HalfAppended,
    /// Before the files are synced.
    Sync,
    /// Before the catalog moves.
    Record,
    /// After it has moved.
    Recorded,
    /// Before one of the catalog's indexes is made.
    Index,
    /// Before an unfinished batch is undone, or a file that was written anew takes its place at last.
    Recover,
    /// Before files of lines are written anew.
    Rewrite,
    /// Before a file that was written anew takes the old one's place, and before one goes of which there is another form.
    Replace,
    /// Before lines get their tombstones, and between what leaves no trace of them.
    Erase,
}

/// Called at every [`Step`].
pub type Hook = Box<dyn FnMut(Step) -> io::Result<()> + Send>;

/// Where it is made sure that the lock is still held, and tests make a commit fail.
pub(super) struct Steps<'a> {
    pub(super) hook: Option<&'a mut Hook>,
    pub(super) directory: &'a Path,
    pub(super) held: Arc<HeldLock>,
}

impl Steps<'_> {
    pub(super) fn at(&mut self, step: Step) -> Result<(), Error> {
        self.hook.as_mut().map_or(Ok(()), |hook| hook(step)).map_err(Error::io("write to", self.directory))?;
        match step {
            Step::Recorded => Ok(()),
            Step::Append | Step::HalfAppended => self.held.check_now_and_then(),
            _ => self.held.check(),
        }
    }
}
