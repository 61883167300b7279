//! One way to the database, and how a transaction begins on it: what it needs is set, and what is asked of its server is asked,
//! in one round trip.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use deadpool_postgres::{Object, Pool, PoolError};
use futures_util::future::join3;
use libpq_config::SessionAttributes;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tracing::{debug, warn};

use super::bounded::{Bounding, Failure};
use super::process::named_at_login;
use super::shared::Shared;
use super::typed::typed;
use super::{failover, options};
use crate::source::server_error::{ServerError, passes};
use crate::source::statements::OPENING;

/// A standby knows no `SERIALIZABLE`, which a role or a database may have made the default.
const BEGIN: &str = "begin isolation level read committed read only";
const SILENT: &str = "it accepts connections and does not answer";

/// What tokio-postgres says of a server that leaves a channel binding out.
const UNBOUND: &str = "server did not use channel binding";
/// RFC 5929 (tls-server-end-point) takes the hash that the certificate is signed with, and Ed25519 and Ed448 have none.
const ABOUT_BINDING: &str = "it comes with TLS and a password in SCRAM, and no channel binding exists for a certificate with an Ed25519 or Ed448 signature; give the server one of ECDSA or RSA, or use channel_binding=prefer with sslmode=verify-full";

/// A connection with an open transaction.
pub(super) struct Begun {
    pub(super) client: Object,
    /// What makes another connection there, to cancel a statement.
    pub(super) bounding: Bounding,
    /// The process that answers.
    pub(super) process: i32,
    /// The process that was named at login, if that can be told. Behind a pooler it is another.
    pub(super) named: Option<i32>,
}

impl Begun {
    /// Whether there is a pooler in between.
    pub(super) fn is_pooled(&self) -> bool {
        self.named.is_some_and(|named| named != self.process)
    }
}

/// One way to the database: a host, an encryption, a kind of session.
pub(super) struct Endpoint {
    /// The server, as errors name it.
    pub(super) name: String,
    /// Where the server's socket is when it runs.
    pub(super) socket_directory: Option<PathBuf>,
    /// For when the way before it found a server, but not this encryption, or was turned away.
    pub(super) is_fallback: bool,
    /// Whether it leads nowhere but to this machine.
    pub(super) is_loopback: bool,
    /// What its sessions must be.
    pub(super) wanted: SessionAttributes,
    /// The settings that the user asks for there.
    pub(super) options: Vec<(String, String)>,
    /// How long it may take to begin, without the time of a statement.
    pub(super) limit: Duration,
    pub(super) pool: Pool,
    pub(super) bounding: Bounding,
}

/// Why a way leads nowhere now.
pub(super) enum EndpointFailure {
    /// There is no connection.
    Connection(PoolError),
    /// The transaction does not begin.
    Beginning(tokio_postgres::Error),
    /// It is not the server that is wanted, or does not answer.
    Unfit(&'static str),
}

/// A connection on its way into a transaction. Whoever does not wait for that closes it.
struct ClosedUnlessBegun(Option<Object>);

impl Drop for ClosedUnlessBegun {
    fn drop(&mut self) {
        drop(self.0.take().map(Object::take));
    }
}

impl EndpointFailure {
    /// Whether there was a server, which may take kindly to another encryption.
    pub(super) fn has_answered(&self) -> bool {
        use std::error::Error as _;
        let EndpointFailure::Connection(PoolError::Backend(error)) = self else { return false };
        error.source().is_none_or(|cause| cause.downcast_ref::<std::io::Error>().is_none())
    }

    /// Whether it may work later; `is_right`: the address is no mistake, `was_reached`: it has worked before.
    pub(super) fn is_transient(&self, is_right: bool, was_reached: bool) -> bool {
        match self {
            // a timeout that another client has set for itself
            EndpointFailure::Beginning(error) if error.code() == Some(&SqlState::QUERY_CANCELED) => true,
            EndpointFailure::Connection(PoolError::Backend(error)) | EndpointFailure::Beginning(error) => {
                passes(error, is_right)
            }
            EndpointFailure::Connection(error) => matches!(error, PoolError::Timeout(_)),
            EndpointFailure::Unfit(SILENT | failover::BEHIND) => true,
            // behind a balancing pooler, or while one server takes over from another, the next may be of the right kind
            EndpointFailure::Unfit(_) => was_reached && !self.is_of_another_past(),
        }
    }

    /// Whether its server must not be read in this run at all.
    pub(super) fn is_of_another_past(&self) -> bool {
        matches!(self, EndpointFailure::Unfit(failover::OTHER_PAST))
    }

    /// What it is to the user.
    pub(super) fn cause(self) -> Failure {
        match self {
            EndpointFailure::Connection(PoolError::Backend(error)) if chain(&error).ends_with(UNBOUND) => {
                format!("{UNBOUND}, and channel_binding=require asks for it: {ABOUT_BINDING}").into()
            }
            EndpointFailure::Connection(PoolError::Backend(error)) | EndpointFailure::Beginning(error) => {
                ServerError(error).into()
            }
            EndpointFailure::Unfit(reason) => reason.into(),
            EndpointFailure::Connection(PoolError::Timeout(_)) => "no answer in time; see connect_timeout".into(),
            EndpointFailure::Connection(error) => error.into(),
        }
    }
}

impl Endpoint {
    /// Begins a transaction on a connection of the pool's.
    pub(super) async fn begin(&self, state: &Shared) -> Result<Begun, EndpointFailure> {
        loop {
            let client = self.pool.get().await.map_err(EndpointFailure::Connection)?;
            let is_new = Object::metrics(&client).recycle_count == 0;
            let mut opening = ClosedUnlessBegun(Some(client));
            let Some(client) = &opening.0 else { continue };
            let begun = async {
                if is_new && state.options.get().is_none() {
                    self.check_options(client, state).await?;
                }
                self.open(client, state).await
            };
            let limit = self.limit + state.statement_timeout();
            let begun = tokio::time::timeout(limit, begun).await.unwrap_or(Err(EndpointFailure::Unfit(SILENT)));
            if is_new {
                debug!(server = &*self.name, admitted = begun.is_ok(), "connected");
            }
            match begun {
                Ok(process) => {
                    let named = named_at_login(client);
                    if let Some(client) = opening.0.take() {
                        return Ok(Begun { client, bounding: self.bounding.clone(), process, named });
                    }
                }
                // what has lain idle may have been closed meanwhile, which says nothing of the server
                Err(EndpointFailure::Beginning(_)) if !is_new => {}
                Err(failed) => return Err(failed),
            }
        }
    }

    /// Finds out which of the user's own settings hold.
    async fn check_options(&self, client: &Client, state: &Shared) -> Result<(), EndpointFailure> {
        let mut all = BTreeMap::new();
        for (name, value) in &self.options {
            let holds = options::holds(client, name, value).await.map_err(EndpointFailure::Beginning)?;
            all.insert(name.clone(), holds);
            if !holds {
                warn!(
                    setting = name,
                    "{name} is not as options asks for: something between here and PostgreSQL leaves it out. Set it for the role: ALTER ROLE ... SET {name} = ..."
                );
            }
        }
        let _ = state.options.set(all);
        Ok(())
    }

    /// Begins a transaction, in one round trip, unless the session is not of the kind asked for, or is on a server that may
    /// not take over; which process answers.
    async fn open(&self, client: &Client, state: &Shared) -> Result<i32, EndpointFailure> {
        let failover = state.failover().clone();
        let kept = state.options.get().into_iter().flatten().filter(|(_, holds)| **holds).map(|(name, _)| &**name);
        let kept: Vec<&str> = kept.collect();
        let mut by_log = true;
        let (opened, here) = loop {
            // one after the other, each without waiting for the answer to the one before
            let parameters: [&(dyn ToSql + Sync); 1] = [&kept];
            let (begun, opened, here) = join3(
                client.batch_execute(BEGIN),
                typed(client, &OPENING.statement, &parameters),
                failover.ask(client, by_log),
            )
            .await;
            let opened = begun.and(opened).map_err(EndpointFailure::Beginning)?;
            match here {
                Ok(here) if !by_log || here.as_ref().is_none_or(|here| here.heads.is_some()) => break (opened, here),
                Ok(_) => {}
                // some hosted servers do not have the functions
                Err(error) if by_log && error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED) => {}
                Err(error) => return Err(EndpointFailure::Beginning(error)),
            }
            by_log = false;
            client.batch_execute("rollback").await.map_err(EndpointFailure::Beginning)?;
        };
        let opened = opened.first().ok_or(EndpointFailure::Unfit(SILENT))?;
        let opened = OPENING.read(opened).map_err(EndpointFailure::Beginning)?;
        if let Some(reason) = unfit(self.wanted, opened.standby, opened.read_only) {
            return Err(EndpointFailure::Unfit(reason));
        }
        if let Some(reason) = here.and_then(|here| failover.turns_away(&here)) {
            return Err(EndpointFailure::Unfit(reason));
        }
        state.statement_timeout.store(opened.statement_timeout.unsigned_abs(), Ordering::Relaxed);
        Ok(opened.process)
    }
}

/// Why a session is not of the kind asked for, if it is not. `is_read_only`: as it is without us.
fn unfit(wanted: SessionAttributes, is_standby: bool, is_read_only: bool) -> Option<&'static str> {
    use SessionAttributes as S;
    let is_read_only = is_standby || is_read_only;
    match wanted {
        S::Primary if is_standby => Some("it is a standby, and target_session_attrs=primary"),
        S::Standby | S::PreferStandby if !is_standby => Some("it is no standby, and target_session_attrs asks for one"),
        S::ReadWrite if is_read_only => Some("its sessions are read-only, and target_session_attrs=read-write"),
        S::ReadOnly if !is_read_only => Some("its sessions can write, and target_session_attrs=read-only"),
        _ => None,
    }
}

/// An error and its causes on one line.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
