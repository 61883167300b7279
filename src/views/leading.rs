//! How what is rendered leads to the files of its archive.

use std::fmt::Debug;

use crate::document::message::Here;

/// Leads to files of an archive.
pub trait Leads: Debug + Send + Sync {
    /// What leads to a file, which is given by its path below the archive; none: nothing does.
    fn to(&self, file: Here) -> Option<Here>;

    /// The same of a picture that is shown small and often: of who says something, or of a reaction.
    fn to_small(&self, file: Here) -> Option<Here> {
        self.to(file)
    }
}

/// Leads to them where they are, by the way to the archive's directory.
#[derive(Debug)]
pub(super) struct Beside(pub(super) &'static str);

impl Leads for Beside {
    fn to(&self, file: Here) -> Option<Here> {
        Some(Here { path: format!("{}{}", self.0, file.path), ..file })
    }
}
