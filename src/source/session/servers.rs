//! Which server a connection goes to, when several would do: hosts, with and without encryption, primaries and standbys.
//!
//! Each transaction may meet another of them, behind a pooler even over the same connection: so what is asked of a server is
//! asked in the round trip that begins the transaction. See [`super::succession`] for who may take over.
//!
//! What libpq does and tokio-postgres does not: it knows no `allow`, no fallback of `prefer` after a failed handshake, and
//! of `target_session_attrs` but three.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use futures_util::future::join3;
use postgres_native_tls::MakeTlsConnector;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{CancelToken, Client, NoTls};
use tracing::{debug, warn};

use super::patience::passes;
use super::process::named_at_login;
use super::succession::{self, Succession};
use super::{BEGIN, Error, Refusal, options, tls, typed};
use crate::config::{Config, SessionAttributes};
use crate::source::queries::OPENING;

/// A handshake that never ends, unlike a connection that is not made, is cut off after this many connect timeouts: there
/// may be as many addresses to try before it.
const TIMEOUTS: u32 = 3;
/// How long an answer may be on its way when there is no connect timeout.
const WAY: Duration = Duration::from_secs(30);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// All ways to the database, the best first.
#[derive(Clone)]
pub(super) struct Servers {
    ways: Arc<[Way]>,
    connector: Option<MakeTlsConnector>,
    /// How long an answer may be on its way.
    on_the_way: Duration,
    state: Arc<State>,
}

/// What is known of the connections made so far.
#[derive(Default)]
struct State {
    /// The way that led there last time.
    last: AtomicUsize,
    /// Whether any has.
    reached: AtomicBool,
    /// The sessions' `statement_timeout` in milliseconds.
    statement_timeout: AtomicU64,
    succession: Mutex<Succession>,
    /// What the user's `options` ask for, by name; none: it is not known yet whether that holds.
    options: OnceLock<BTreeMap<String, bool>>,
}

/// A connection with an open transaction.
pub(super) struct Begun {
    pub(super) client: Object,
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

struct Way {
    /// The server, as errors name it.
    name: String,
    /// Where the server's socket is when it runs.
    socket_directory: Option<PathBuf>,
    /// For when the way before it found a server, but not this encryption, or was turned away.
    is_fallback: bool,
    /// What its sessions must be.
    wanted: SessionAttributes,
    /// The settings that the user asks for there.
    options: Vec<(String, String)>,
    /// How long it may take to begin, without the time of a statement.
    limit: Duration,
    pool: Pool,
}

/// Why a way leads nowhere now.
enum Failed {
    /// There is no connection.
    Connection(PoolError),
    /// The transaction does not begin.
    Beginning(tokio_postgres::Error),
    /// It is not the server that is wanted, or does not answer.
    Unfit(&'static str),
}

/// A connection on its way into a transaction. Whoever does not wait for that closes it.
struct Opening(Option<Object>);

impl Drop for Opening {
    fn drop(&mut self) {
        drop(self.0.take().map(Object::take));
    }
}

impl Servers {
    pub(super) fn new(config: &Config) -> Result<Servers, Error> {
        let any_tls = config.servers.iter().any(|server| server.modes != [SslMode::Disable]);
        let connector = any_tls.then(|| tls::connector(&config.tls)).transpose()?;
        let sessions: &[SessionAttributes] = match config.session {
            SessionAttributes::PreferStandby => &[SessionAttributes::Standby, SessionAttributes::Any],
            wanted => &[wanted],
        };
        let mut on_the_way = WAY;
        let mut ways = Vec::new();
        for session in sessions.iter().copied() {
            for server in &config.servers {
                for (nth, mode) in server.modes.iter().enumerate() {
                    let mut postgres = server.postgres.clone();
                    postgres.ssl_mode(*mode);
                    let timeout = postgres.get_connect_timeout().map(|timeout| *timeout * TIMEOUTS);
                    let postgres_options = postgres.get_options().map(options::asked_for).unwrap_or_default();
                    on_the_way = postgres.get_connect_timeout().copied().unwrap_or(WAY);
                    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
                    let manager = match &connector {
                        Some(connector) => Manager::from_config(postgres, connector.clone(), recycling),
                        None => Manager::from_config(postgres, NoTls, recycling),
                    };
                    let pool = Pool::builder(manager).max_size(config.connections);
                    let pool = pool.create_timeout(timeout).runtime(Runtime::Tokio1).build();
                    ways.push(Way {
                        name: server.name.clone(),
                        socket_directory: server.postgres.get_hosts().iter().find_map(|host| match host {
                            Host::Unix(directory) => Some(directory.clone()),
                            Host::Tcp(_) => None,
                        }),
                        is_fallback: nth > 0,
                        wanted: session,
                        options: postgres_options,
                        limit: timeout.unwrap_or(WAY),
                        pool: pool.map_err(|e| Error::Tls(e.to_string()))?,
                    });
                }
            }
        }
        Ok(Servers { ways: ways.into(), connector, on_the_way, state: Arc::default() })
    }

    /// Whether there has been a connection.
    pub(super) fn was_reached(&self) -> bool {
        self.state.reached.load(Ordering::Relaxed)
    }

    /// How long the server lets a statement run.
    pub(super) fn statement_timeout(&self) -> Duration {
        self.state.statement_timeout()
    }

    /// How long a server that is there may be silent: a statement's time, and that of its answer's way.
    pub(super) fn silence(&self) -> Duration {
        self.statement_timeout() + self.on_the_way
    }

    /// Which server may take over when a connection is lost.
    pub(super) fn succession(&self) -> MutexGuard<'_, Succession> {
        self.state.succession()
    }

    /// Asks the server to cancel what a connection of ours is waiting for, with the same encryption.
    pub(super) fn cancelling(&self, token: CancelToken) -> impl Future<Output = ()> + Send + use<> {
        let connector = self.connector.clone();
        async move {
            // should it fail, the statement's own timeout remains
            let _ = match connector {
                Some(connector) => token.cancel_query(connector).await,
                None => token.cancel_query(NoTls).await,
            };
        }
    }

    /// The settings that the user asks for and that do not hold, as far as it is known.
    pub(super) fn lost_options(&self) -> Vec<String> {
        let options = self.state.options.get().into_iter().flatten();
        options.filter(|(_, holds)| !**holds).map(|(name, _)| name.clone()).collect()
    }

    /// Begins a transaction the way that led there last time, else the best way that leads there now. `target` says what is
    /// looked for.
    pub(super) async fn begin(&self, target: &str) -> Result<Begun, Error> {
        let last = self.state.last.load(Ordering::Relaxed);
        let mut tried = match self.ways[last].begin(&self.state).await {
            Ok(begun) => {
                self.state.reached.store(true, Ordering::Relaxed);
                return Ok(begun);
            }
            Err(failed) => Some(failed),
        };
        let was_reached = self.was_reached();
        let (mut transient, mut other_past) = (false, false);
        let mut failures: Vec<(&str, Failure)> = Vec::new();
        let mut falls_back = false;
        for (nth, way) in self.ways.iter().enumerate() {
            if way.is_fallback && !falls_back {
                continue;
            }
            let result = match tried.take_if(|_| nth == last) {
                Some(error) => Err(error),
                None => way.begin(&self.state).await,
            };
            match result {
                Ok(begun) => {
                    self.state.last.store(nth, Ordering::Relaxed);
                    self.state.reached.store(true, Ordering::Relaxed);
                    return Ok(begun);
                }
                Err(error) => {
                    falls_back = has_answered(&error);
                    // a server that does not run has no socket
                    let is_right = was_reached || way.socket_directory.as_ref().is_some_and(|it| it.is_dir());
                    transient |= is_transient(&error, is_right);
                    other_past |= matches!(error, Failed::Unfit(succession::OTHER_PAST));
                    if way.is_fallback {
                        // that it knows no TLS is not why it turned away who came without
                        failures.pop_if(|(name, failure)| *name == way.name && chain(&**failure).ends_with(NO_TLS));
                    }
                    failures.push((&way.name, failure(error)));
                }
            }
        }
        let (name, source) = failures.pop().unwrap_or(("no host", "there is nothing to try".into()));
        let others = failures.iter().map(|(name, error)| format!("{name}: {}; ", chain(&**error)));
        let target = format!("{}{name}, {target}", others.collect::<String>());
        // who was promoted stays: waiting for the others would only delay the bad news
        Err(Error::Connect { target, transient: transient && !other_past, source })
    }
}

impl State {
    fn statement_timeout(&self) -> Duration {
        Duration::from_millis(self.statement_timeout.load(Ordering::Relaxed))
    }

    fn succession(&self) -> MutexGuard<'_, Succession> {
        // each of its two halves is whole at any time
        self.succession.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What tokio-postgres says of such a server.
const NO_TLS: &str = "server does not support TLS";
const SILENT: &str = "it accepts connections and does not answer";

impl Way {
    /// Begins a transaction on a connection of the pool's.
    async fn begin(&self, state: &State) -> Result<Begun, Failed> {
        loop {
            let client = self.pool.get().await.map_err(Failed::Connection)?;
            let is_new = Object::metrics(&client).recycle_count == 0;
            let mut opening = Opening(Some(client));
            let Some(client) = &opening.0 else { continue };
            let begun = async {
                if is_new && state.options.get().is_none() {
                    self.check_options(client, state).await?;
                }
                self.open(client, state).await
            };
            let limit = self.limit + state.statement_timeout();
            let begun = tokio::time::timeout(limit, begun).await.unwrap_or(Err(Failed::Unfit(SILENT)));
            if is_new {
                debug!(server = &*self.name, admitted = begun.is_ok(), "connected");
            }
            match begun {
                Ok(process) => {
                    let named = named_at_login(client);
                    if let Some(client) = opening.0.take() {
                        return Ok(Begun { client, process, named });
                    }
                }
                // what has lain idle may have been closed meanwhile, which says nothing of the server
                Err(Failed::Beginning(_)) if !is_new => {}
                Err(failed) => return Err(failed),
            }
        }
    }

    /// Finds out which of the user's own settings hold.
    async fn check_options(&self, client: &Client, state: &State) -> Result<(), Failed> {
        let mut all = BTreeMap::new();
        for (name, value) in &self.options {
            let holds = options::holds(client, name, value).await.map_err(Failed::Beginning)?;
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
    async fn open(&self, client: &Client, state: &State) -> Result<i32, Failed> {
        let succession = state.succession().clone();
        let kept = state.options.get().into_iter().flatten().filter(|(_, holds)| **holds).map(|(name, _)| &**name);
        let kept: Vec<&str> = kept.collect();
        let mut by_log = true;
        let (opened, here) = loop {
            // one after the other, each without waiting for the answer to the one before
            let parameters: [&(dyn ToSql + Sync); 1] = [&kept];
            let (begun, opened, here) = join3(
                client.batch_execute(BEGIN),
                typed(client, &OPENING.sql, &parameters),
                succession.ask(client, by_log),
            )
            .await;
            let opened = begun.and(opened).map_err(Failed::Beginning)?;
            match here {
                Ok(here) if !by_log || here.as_ref().is_none_or(|here| here.heads.is_some()) => break (opened, here),
                Ok(_) => {}
                // some hosted servers do not have the functions
                Err(error) if by_log && error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED) => {}
                Err(error) => return Err(Failed::Beginning(error)),
            }
            by_log = false;
            client.batch_execute("rollback").await.map_err(Failed::Beginning)?;
        };
        let told = |opened: &tokio_postgres::Row| {
            let timeout: i64 = opened.try_get(3)?;
            Ok((opened.try_get(0)?, opened.try_get(1)?, opened.try_get(2)?, timeout.unsigned_abs()))
        };
        let opened = opened.first().ok_or(Failed::Unfit(SILENT))?;
        let (process, is_standby, is_read_only, timeout) = told(opened).map_err(Failed::Beginning)?;
        if let Some(reason) = unfit(self.wanted, is_standby, is_read_only) {
            return Err(Failed::Unfit(reason));
        }
        if let Some(reason) = here.and_then(|here| succession.turns_away(&here)) {
            return Err(Failed::Unfit(reason));
        }
        state.statement_timeout.store(timeout, Ordering::Relaxed);
        Ok(process)
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

/// Whether there was a server, which may take kindly to another encryption.
fn has_answered(failed: &Failed) -> bool {
    use std::error::Error as _;
    let Failed::Connection(PoolError::Backend(error)) = failed else { return false };
    error.source().is_none_or(|cause| cause.downcast_ref::<std::io::Error>().is_none())
}

/// Whether it may work later; `is_right`: the address is no mistake.
fn is_transient(failed: &Failed, is_right: bool) -> bool {
    match failed {
        // a timeout that another client has set for itself
        Failed::Beginning(error) if error.code() == Some(&SqlState::QUERY_CANCELED) => true,
        Failed::Connection(PoolError::Backend(error)) | Failed::Beginning(error) => passes(error, is_right),
        Failed::Connection(error) => matches!(error, PoolError::Timeout(_)),
        Failed::Unfit(reason) => [SILENT, succession::BEHIND].contains(reason),
    }
}

fn failure(failed: Failed) -> Failure {
    match failed {
        Failed::Connection(PoolError::Backend(error)) | Failed::Beginning(error) => Refusal(error).into(),
        Failed::Unfit(reason) => reason.into(),
        Failed::Connection(PoolError::Timeout(_)) => "no answer in time; see connect_timeout".into(),
        Failed::Connection(error) => error.into(),
    }
}

/// An error and its causes on one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
