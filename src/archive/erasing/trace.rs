//! Leaves nothing of what is erased in files that only its lines were taken out of: the catalog with its log or journal, the state,
//! and what killed runs have left. Erases nothing itself.

use super::super::full_text::has_tables;
use super::super::{Archive, Error, Step, durable, inside, sections};
use super::ERASING;

/// What files are called that were to take another one's place, and did not.
const NEW: (&str, &str) = (".", ".new");

impl Archive {
    /// Leaves nothing of what was erased. The lines, and what is made of them, have to be without it by then.
    ///
    /// # Errors
    /// When who reads the catalog keeps something there: it is to be tried again later.
    pub fn leave_no_trace(&mut self) -> Result<(), Error> {
        self.steps().at(Step::Erase)?;
        let catalog = self.catalog.connection.get_interrupt_handle();
        self.interrupt.clone().during(vec![catalog], || {
            if has_tables(&self.catalog.connection)? {
                let writing = self.catalog.write()?;
                // what was deleted is in the index until its segments are one
                writing.0.execute("insert into search (search) values ('optimize')", [])?;
                writing.commit()?;
            }
            self.catalog.renew_state(&self.directory)?;
            self.sweep_new_files()?;
            self.steps().at(Step::Erase)?;
            self.catalog.connection.execute_batch("vacuum")?;
            self.leave_no_log()
        })?;
        self.steps().at(Step::Erase)?;
        let writing = self.catalog.write()?;
        writing.set(ERASING, false)?;
        writing.commit()?;
        self.catalog.sync_state()
    }

    /// Takes away what killed runs have rendered and not put in its place.
    fn sweep_new_files(&self) -> Result<(), Error> {
        let sweep = |directory: &str| -> Result<(), Error> {
            let below = |name: &str| if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") };
            for name in durable::names(&self.directory, directory)? {
                let is_new = name.starts_with(NEW.0) && name.ends_with(NEW.1);
                if is_new && name != ".catalog.sqlite.new" {
                    durable::remove(&self.directory, &below(&name))?;
                }
            }
            Ok(())
        };
        sweep("")?;
        sweep(super::super::media::NAME)?;
        if inside::directory(&self.directory, sections::DIRECTORY).is_ok() {
            sweep(sections::DIRECTORY)?;
        }
        durable::names(&self.directory, "rooms")?.iter().try_for_each(|room| sweep(&format!("rooms/{room}")))
    }

    /// The directories of rooms of which no line is left.
    pub(crate) fn rooms_without_lines(&self) -> Result<Vec<String>, Error> {
        let mut statement = self.catalog.connection.prepare("select directory from room where not has_lines")?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }
}
