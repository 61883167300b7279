//! Which outputs may still have what was erased from the archive: a setting, and so promised in the state, from the erasing until the
//! output is as the archive is and says that nothing of it is left on its disk.

use super::super::{Archive, Catalog, Error};
use super::Output;

/// What the names of these settings begin with.
pub(super) const SETTING: &str = "pending ";

impl Catalog {
    /// Whether an output may still have what was erased from the archive.
    pub(crate) fn is_output_pending(&self, name: &str) -> Result<bool, Error> {
        Ok(self.setting::<String>(&format!("{SETTING}{name}"))?.is_some())
    }

    /// The outputs that may still have what was erased from the archive, by name.
    pub fn pending_outputs(&self) -> Result<Vec<Output>, Error> {
        let mut outputs = self.outputs()?;
        let mut error = None;
        outputs.retain(|output| {
            let is_pending = self.is_output_pending(&output.name);
            is_pending.unwrap_or_else(|failed| {
                error = Some(failed);
                false
            })
        });
        error.map_or(Ok(outputs), Err)
    }
}

impl Archive {
    /// Says that some outputs may have what was erased from the archive, until each is made and says that it has nothing of it.
    pub(crate) fn outputs_are_pending(&mut self, some: impl Fn(&Output) -> bool) -> Result<(), Error> {
        let mut outputs = self.catalog.outputs()?;
        outputs.retain(some);
        if outputs.is_empty() {
            return Ok(());
        }
        let writing = self.catalog.write()?;
        for Output { name, .. } in &outputs {
            writing.set(&format!("{SETTING}{name}"), "erased".to_owned())?;
        }
        writing.commit()
    }

    /// An output has nothing any more of what was erased from the archive.
    pub(crate) fn output_is_clean(&mut self, name: &str) -> Result<(), Error> {
        let writing = self.catalog.write()?;
        writing.0.execute("delete from setting where name = ?1", [format!("{SETTING}{name}")])?;
        writing.commit()
    }
}
