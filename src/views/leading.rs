//! How what is rendered leads to the files of its archive. Opens none of them, and judges none: what may be shown is decided before.

use std::fmt::Debug;

use crate::document::message::FileLink;

/// Leads to files of an archive.
pub trait Leads: Debug + Send + Sync {
    /// What leads to a file, which is given by its path below the archive; none: nothing does.
    fn to(&self, file: FileLink) -> Option<FileLink>;

    /// The same of a picture that is shown small and often: of who says something, or of a reaction.
    fn to_small(&self, file: FileLink) -> Option<FileLink> {
        self.to(file)
    }
}

/// Leads to them where they are, by the way to the archive's directory.
#[derive(Debug)]
pub(super) struct BesideArchive(pub(super) &'static str);

impl Leads for BesideArchive {
    fn to(&self, file: FileLink) -> Option<FileLink> {
        Some(FileLink { path: format!("{}{}", self.0, file.path), ..file })
    }
}
