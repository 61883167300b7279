//! Which server a connection goes to, when several would do: hosts, with and without encryption, primaries and standbys.
//!
//! When a connection is lost, the next one may lead to another of them: see [`super::succession`].
//!
//! What libpq does and tokio-postgres does not: it knows no `allow`, no fallback of `prefer` after a failed handshake, and
//! of `target_session_attrs` but three.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{NoTls, SimpleQueryMessage};
use tracing::debug;

use super::bounded::{self, Connector};
use super::patience::passes;
use super::succession::{self, Succession};
use super::{Error, Refusal, SETTINGS, tls};
use crate::config::{Config, SessionAttributes};

/// A handshake that never ends, unlike a connection that is not made, is cut off after this many connect timeouts: there
/// may be as many addresses to try before it.
const TIMEOUTS: u32 = 3;
/// How long an answer may be on its way when there is no connect timeout.
const WAY: Duration = Duration::from_secs(30);

pub(super) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// All ways to the database, the best first.
#[derive(Clone)]
pub(super) struct Servers {
    ways: Arc<[Way]>,
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
}

struct Way {
    /// The server, as errors name it.
    name: String,
    /// Where the server's socket is when it runs.
    socket_directory: Option<PathBuf>,
    /// For when the way before it found a server, but not this encryption, or was turned away.
    is_fallback: bool,
    /// Whether it leads nowhere but to this machine.
    is_loopback: bool,
    /// None: over a Unix socket.
    connector: Option<Connector>,
    pool: Pool,
}

impl Servers {
    pub(super) fn new(config: &Config) -> Result<Servers, Error> {
        let any_tls = config.servers.iter().any(|server| server.modes != [SslMode::Disable]);
        let tls = any_tls.then(|| tls::connector(&config.tls)).transpose()?;
        let sessions: &[SessionAttributes] = match config.session {
            SessionAttributes::PreferStandby => &[SessionAttributes::Standby, SessionAttributes::Any],
            wanted => &[wanted],
        };
        let state = Arc::new(State::default());
        let mut on_the_way = WAY;
        let mut ways = Vec::new();
        for session in sessions.iter().copied() {
            for server in &config.servers {
                for (nth, mode) in server.modes.iter().enumerate() {
                    let mut postgres = server.postgres.clone();
                    postgres.ssl_mode(*mode);
                    let timeout = postgres.get_connect_timeout().map(|timeout| *timeout * TIMEOUTS);
                    on_the_way = postgres.get_connect_timeout().copied().unwrap_or(WAY);
                    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
                    let connector = Connector::new(&mut postgres, tls.as_ref());
                    let manager = match &connector {
                        Some(connector) => Manager::from_config(postgres, connector.clone(), recycling),
                        None => Manager::from_config(postgres, NoTls, recycling),
                    };
                    let (state, name) = (Arc::clone(&state), Arc::<str>::from(&*server.name));
                    let prepare = Hook::async_fn(move |client: &mut ClientWrapper, _| {
                        let (client, state, name): (&ClientWrapper, _, _) = (client, Arc::clone(&state), name.clone());
                        Box::pin(async move {
                            let ready = prepare(client, session, &state);
                            let limit = timeout.unwrap_or(WAY) + state.statement_timeout();
                            let ready = tokio::time::timeout(limit, ready).await;
                            debug!(server = &*name, admitted = matches!(ready, Ok(Ok(()))), "connected");
                            ready.unwrap_or(Err(HookError::message(SILENT)))
                        })
                    });
                    let pool = Pool::builder(manager).max_size(config.connections).post_create(prepare);
                    let pool = pool.create_timeout(timeout).runtime(Runtime::Tokio1).build();
                    ways.push(Way {
                        name: server.name.clone(),
                        socket_directory: server.postgres.get_hosts().iter().find_map(|host| match host {
                            Host::Unix(directory) => Some(directory.clone()),
                            Host::Tcp(_) => None,
                        }),
                        is_fallback: nth > 0,
                        is_loopback: is_loopback(&server.postgres),
                        connector,
                        pool: pool.map_err(|e| Error::Tls(e.to_string()))?,
                    });
                }
            }
        }
        Ok(Servers { ways: ways.into(), on_the_way, state })
    }

    /// Whether there has been a connection.
    pub(super) fn was_reached(&self) -> bool {
        self.state.reached.load(Ordering::Relaxed)
    }

    /// Whether what connections are made to now is an address of this machine's own.
    pub(super) fn is_loopback(&self) -> bool {
        self.ways[self.state.last.load(Ordering::Relaxed)].is_loopback
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
    pub(super) fn cancelling(&self, client: &Object) -> impl Future<Output = ()> + Send + use<> {
        let token = client.cancel_token();
        let pool = Object::pool(client);
        let is_its = |way: &&Way| pool.as_ref().is_some_and(|pool| std::ptr::eq(pool.manager(), way.pool.manager()));
        let connector = self.ways.iter().find(is_its).and_then(|way| way.connector.clone());
        async move {
            // should it fail, the statement's own timeout remains
            let _ = match connector {
                Some(connector) => token.cancel_query(connector).await,
                None => token.cancel_query(NoTls).await,
            };
        }
    }

    /// A connection the way that led there last time, else the best way that leads there now. `target` says what is
    /// looked for.
    pub(super) async fn client(&self, target: &str) -> Result<Object, Error> {
        let last = self.state.last.load(Ordering::Relaxed);
        let mut tried = match self.ways[last].pool.get().await {
            Ok(client) => {
                self.state.reached.store(true, Ordering::Relaxed);
                return Ok(client);
            }
            Err(error) => Some(error),
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
                None => way.pool.get().await,
            };
            match result {
                Ok(client) => {
                    self.state.last.store(nth, Ordering::Relaxed);
                    self.state.reached.store(true, Ordering::Relaxed);
                    return Ok(client);
                }
                Err(error) => {
                    falls_back = has_answered(&error);
                    // a server that does not run has no socket
                    let is_right = was_reached || way.socket_directory.as_ref().is_some_and(|it| it.is_dir());
                    transient |= is_transient(&error, is_right);
                    other_past |= is_message(&error, succession::OTHER_PAST);
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

/// Turns away a session that is not of the kind asked for, or on a server that may not take over, and sets up the others.
async fn prepare(client: &ClientWrapper, wanted: SessionAttributes, state: &State) -> Result<(), HookError> {
    use SessionAttributes as S;
    // before our own settings, which make every session read-only
    let of_kind = match wanted {
        S::Any | S::PreferStandby => true,
        S::Primary => !is_on(client, "select pg_is_in_recovery()").await?,
        S::Standby => is_on(client, "select pg_is_in_recovery()").await?,
        S::ReadWrite => !is_on(client, "show transaction_read_only").await?,
        S::ReadOnly => is_on(client, "show transaction_read_only").await?,
    };
    if !of_kind {
        return Err(HookError::message(match wanted {
            S::Primary => "it is a standby, and target_session_attrs=primary",
            S::Standby | S::PreferStandby => "it is no standby, and target_session_attrs asks for one",
            S::ReadWrite => "its sessions are read-only, and target_session_attrs=read-write",
            S::ReadOnly | S::Any => "its sessions can write, and target_session_attrs=read-only",
        }));
    }
    let answer = bounded::simple(client, SETTINGS).await?;
    let timeout = answer.iter().rev().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
        _ => None,
    });
    state.statement_timeout.store(timeout.unwrap_or_default(), Ordering::Relaxed);
    let succession = state.succession().clone();
    succession.admit(client).await
}

async fn is_on(client: &ClientWrapper, sql: &str) -> Result<bool, HookError> {
    let answer = bounded::simple(client, sql).await?;
    Ok(answer
        .iter()
        .any(|message| matches!(message, SimpleQueryMessage::Row(row) if matches!(row.get(0), Some("on" | "t")))))
}

/// Whether an address of a server's leads to this machine, without asking anybody for it.
fn is_loopback(postgres: &tokio_postgres::Config) -> bool {
    let is_own = |host: &Host| match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        Host::Unix(_) => true,
    };
    match postgres.get_hostaddrs() {
        [] => postgres.get_hosts().iter().all(is_own),
        addresses => addresses.iter().all(std::net::IpAddr::is_loopback),
    }
}

/// Whether there was a server, which may take kindly to another encryption.
fn has_answered(error: &PoolError) -> bool {
    use std::error::Error as _;
    let PoolError::Backend(error) = error else { return false };
    error.source().is_none_or(|cause| cause.downcast_ref::<std::io::Error>().is_none())
}

/// Whether it may work later; `is_right`: the address is no mistake.
fn is_transient(error: &PoolError, is_right: bool) -> bool {
    match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => passes(error, is_right),
        PoolError::Timeout(_) => true,
        error => is_message(error, SILENT) || is_message(error, succession::BEHIND),
    }
}

/// Whether a server was turned away for this reason.
fn is_message(error: &PoolError, reason: &str) -> bool {
    matches!(error, PoolError::PostCreateHook(HookError::Message(message)) if *message == reason)
}

fn failure(error: PoolError) -> Failure {
    match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => Refusal(error).into(),
        PoolError::PostCreateHook(HookError::Message(message)) => message.into(),
        PoolError::Timeout(_) => "no answer in time; see connect_timeout".into(),
        error => error.into(),
    }
}

/// An error and its causes on one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
