//! PDUs that an index does not show though they are there: looked for in all of `event_json`, once and slowly.
//!
//! Only where it is asked for, and never faster than lets the server do its own work.

use std::time::Instant;

use super::later::Later;
use super::{Error, Export, unless_stopped};

/// How many pages of the table one statement looks at: about a megabyte.
const PAGES: i64 = 128;
/// After how many statements it is remembered how far the search is.
const REMEMBERED: u32 = 50;

impl Export<'_, Later> {
    /// Looks for the PDUs of all events that are archived without theirs. What is found is read as if it came now. Between two
    /// statements it waits as long as one took, so that the server has most of its time for others; one that is stopped
    /// is gone on with by the next.
    pub(super) async fn look_for_missing(&mut self) -> Result<(), Error> {
        let sought = self.archive().await?.begin_search()?;
        let Some((ids, mut page)) = sought else { return Ok(()) };
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let pages = unless_stopped(&mut self.stop, self.database.json_pages()).await?.unwrap_or(0);
        let mut statements = 0;
        while page < pages {
            if self.is_stopped() {
                return Ok(());
            }
            let began = Instant::now();
            let found = unless_stopped(&mut self.stop, self.database.look_for(page, PAGES, &ids)).await?;
            let Some(found) = found else { return Ok(()) };
            let any = !found.is_empty();
            for event in found {
                self.batch.push(Box::new(event), true);
            }
            page += PAGES;
            statements += 1;
            if any || statements % REMEMBERED == 0 {
                self.commit().await?;
                self.archive().await?.searched_up_to(page)?;
            }
            tokio::select! {
                () = tokio::time::sleep(began.elapsed()) => {}
                Ok(_) = self.stop.wait_for(|stop| *stop) => {}
            }
        }
        self.commit().await?;
        Ok(self.archive().await?.end_search()?)
    }
}
