//! Who reads for a receiver of rows, by itself, until it is done or nobody listens any more.
//!
//! A channel of few chunks is in between, so that a slow receiver slows the reading down, and memory stays flat.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_postgres::types::ToSql;

use super::row::Row;
use crate::source::database::Database;
use crate::source::error::Error;
use crate::source::lookups::Lookups;
use crate::source::statements::{Statement, StoredPage};

/// How many chunks are fetched ahead over a connection, so that the database works on while a batch is committed.
pub(super) const CHUNKS_AHEAD: usize = 16;
/// How many of them wait for their receiver where they come from several connections.
pub(super) const CHUNKS_WAITING: usize = 2;

/// Rows on their way, in chunks, until an error or an empty chunk, which says that there are no more.
pub type Rows = mpsc::Receiver<Result<Vec<Row>, Error>>;

/// What a statement is run with, beside what all statements over `stored.sql` have in common.
pub(super) type StatementParameters = Vec<Box<dyn ToSql + Sync + Send>>;

/// Reads for a receiver of rows.
pub(super) struct PageReader {
    pub(super) database: Database,
    pub(super) lookups: Arc<Lookups>,
    pub(super) rows: mpsc::Sender<Result<Vec<Row>, Error>>,
}

impl PageReader {
    /// A reader over a channel of so many chunks, which has looked up nothing, and what it will read.
    pub(super) fn new(database: &Database, chunks: usize) -> (PageReader, Rows) {
        let (rows, receiver) = mpsc::channel(chunks);
        (PageReader { database: database.clone(), lookups: Arc::default(), rows }, receiver)
    }

    /// A page's statement, as this database needs it, without what is looked up already.
    pub(super) fn statement(&self, page: StoredPage) -> Statement {
        page.statement(self.database.schema.columns(), self.lookups.at_hand())
    }

    /// Lets `reading` go on by itself until it ends or nobody listens any more.
    pub(super) fn start<F>(self, reading: impl FnOnce(PageReader) -> F)
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let (session, rows) = (self.database.session.clone(), self.rows.clone());
        let reading = reading(self);
        session.spawn(async move {
            let ended = tokio::select! {
                ended = reading => ended,
                () = rows.closed() => return,
            };
            let _ = rows.send(ended.map(|()| Vec::new())).await;
        });
    }
}
