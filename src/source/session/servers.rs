//! Which server a connection goes to, when several would do: hosts, with and without encryption, primaries and standbys.
//!
//! Each transaction may meet another of them, behind a pooler even over the same connection: so what is asked of a server is
//! asked when a transaction begins, see [`super::endpoint`]. For who may take over see [`super::failover`].
//!
//! What libpq does and tokio-postgres does not: it knows no `allow`, no fallback of `prefer` after a failed handshake, and
//! of `target_session_attrs` but three.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use libpq_config::SessionAttributes;
use tokio_postgres::config::{Host, SslMode, SslNegotiation};

use super::bounded::{Bounding, Excess, Failure};
use super::endpoint::{Begun, Endpoint, chain};
use super::failover::Failover;
use super::options;
use super::shared::Shared;
use crate::config::Config;
use crate::source::error::Error;
use crate::source::tls;

/// A handshake that never ends, unlike a connection that is not made, is cut off after this many connect timeouts: there
/// may be as many addresses to try before it.
const TIMEOUTS: u32 = 3;
/// How long an answer may be on its way when there is no connect timeout.
const ON_THE_WAY: Duration = Duration::from_secs(30);

/// All ways to the database, the best first.
#[derive(Clone)]
pub(super) struct Servers {
    endpoints: Arc<[Endpoint]>,
    /// Why a connection was given up.
    excess: Excess,
    /// How long an answer may be on its way.
    on_the_way: Duration,
    state: Arc<Shared>,
}

impl Servers {
    pub(super) fn new(config: &Config) -> Result<Servers, Error> {
        let any_tls = config.connection.servers.iter().any(|server| server.modes != [SslMode::Disable]);
        let connector = any_tls.then(|| tls::connector(&config.connection.tls)).transpose()?;
        let sessions: &[SessionAttributes] = match config.connection.session {
            SessionAttributes::PreferStandby => &[SessionAttributes::Standby, SessionAttributes::Any],
            wanted => &[wanted],
        };
        let excess = Excess::default();
        let mut on_the_way = ON_THE_WAY;
        let mut endpoints = Vec::new();
        for session in sessions.iter().copied() {
            for server in &config.connection.servers {
                for (nth, mode) in server.modes.iter().enumerate() {
                    let mut postgres = server.postgres.clone();
                    let socket_directory = server.postgres.get_hosts().iter().find_map(|host| match host {
                        Host::Unix(directory) => Some(directory.clone()),
                        Host::Tcp(_) => None,
                    });
                    let bounding = Bounding::new(&mut postgres, *mode, connector.as_ref(), &excess);
                    if socket_directory.is_some() {
                        postgres.ssl_mode(*mode).ssl_negotiation(SslNegotiation::Postgres);
                    }
                    let timeout = postgres.get_connect_timeout().map(|timeout| *timeout * TIMEOUTS);
                    let postgres_options = postgres.get_options().map(options::asked_for).unwrap_or_default();
                    on_the_way = postgres.get_connect_timeout().copied().unwrap_or(ON_THE_WAY);
                    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
                    let manager = Manager::from_config(postgres, bounding.clone(), recycling);
                    let pool = Pool::builder(manager).max_size(config.connections);
                    let pool = pool.create_timeout(timeout).runtime(Runtime::Tokio1).build();
                    endpoints.push(Endpoint {
                        name: server.name.clone(),
                        socket_directory,
                        bounding,
                        is_fallback: nth > 0,
                        is_loopback: is_loopback(&server.postgres),
                        wanted: session,
                        options: postgres_options,
                        limit: timeout.unwrap_or(ON_THE_WAY),
                        pool: pool.map_err(|e| Error::Tls(e.to_string()))?,
                    });
                }
            }
        }
        Ok(Servers { endpoints: endpoints.into(), excess, on_the_way, state: Arc::default() })
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

    /// Whether the way that was gone last leads nowhere but to this machine.
    pub(super) fn is_loopback(&self) -> bool {
        self.endpoints[self.state.last.load(Ordering::Relaxed)].is_loopback
    }

    /// Which server may take over when a connection is lost.
    pub(super) fn failover(&self) -> MutexGuard<'_, Failover> {
        self.state.failover()
    }

    /// What of a server was too much, if that is why a connection has ended.
    pub(super) fn excess(&self) -> Option<&'static str> {
        self.excess.take()
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
        let mut tried = match self.endpoints[last].begin(&self.state).await {
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
        for (nth, endpoint) in self.endpoints.iter().enumerate() {
            if endpoint.is_fallback && !falls_back {
                continue;
            }
            let result = match tried.take_if(|_| nth == last) {
                Some(error) => Err(error),
                None => endpoint.begin(&self.state).await,
            };
            match result {
                Ok(begun) => {
                    self.state.last.store(nth, Ordering::Relaxed);
                    self.state.reached.store(true, Ordering::Relaxed);
                    return Ok(begun);
                }
                Err(error) => {
                    falls_back = error.has_answered();
                    // a server that does not run has no socket
                    let is_right = was_reached || endpoint.socket_directory.as_ref().is_some_and(|it| it.is_dir());
                    transient |= error.is_transient(is_right, was_reached);
                    other_past |= error.is_of_another_past();
                    if endpoint.is_fallback {
                        // that it knows no TLS is not why it turned away who came without
                        failures
                            .pop_if(|(name, failure)| *name == endpoint.name && chain(&**failure).ends_with(NO_TLS));
                    }
                    failures.push((&endpoint.name, error.cause()));
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

/// What tokio-postgres says of such a server.
const NO_TLS: &str = "server does not support TLS";

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
