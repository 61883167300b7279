//! Which server a connection goes to, when several would do: hosts, with and without encryption, primaries and standbys.
//!
//! What libpq does and tokio-postgres does not: it knows no `allow`, no fallback of `prefer` after a failed handshake, and
//! of `target_session_attrs` but three.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::config::SslMode;

use super::{Error, SETTINGS, tls};
use crate::config::{Config, SessionAttributes};

/// At most this many connections to one server.
const CONNECTIONS: usize = 2;
/// A handshake that never ends, unlike a connection that is not made, is cut off after this many connect timeouts: there
/// may be as many addresses to try before it.
const TIMEOUTS: u32 = 3;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// All ways to the database, the best first.
#[derive(Clone)]
pub(super) struct Servers {
    ways: Arc<[Way]>,
    /// The way that led there last time.
    last: Arc<AtomicUsize>,
}

struct Way {
    /// The server, as errors name it.
    name: String,
    /// For when the way before it found a server, but not this encryption, or was turned away.
    is_fallback: bool,
    pool: Pool,
}

impl Servers {
    pub(super) fn new(config: &Config) -> Result<Servers, Error> {
        let any_tls = config.servers.iter().any(|server| server.modes != [SslMode::Disable]);
        let connector = any_tls.then(|| tls::connector(&config.tls)).transpose()?;
        let sessions: &[SessionAttributes] = match config.session {
            SessionAttributes::PreferStandby => &[SessionAttributes::Standby, SessionAttributes::Any],
            wanted => &[wanted],
        };
        let mut ways = Vec::new();
        for session in sessions.iter().copied() {
            for server in &config.servers {
                for (nth, mode) in server.modes.iter().enumerate() {
                    let mut postgres = server.postgres.clone();
                    postgres.ssl_mode(*mode);
                    let timeout = postgres.get_connect_timeout().map(|timeout| *timeout * TIMEOUTS);
                    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
                    let manager = match &connector {
                        Some(connector) => Manager::from_config(postgres, connector.clone(), recycling),
                        None => Manager::from_config(postgres, tokio_postgres::NoTls, recycling),
                    };
                    let prepare =
                        Hook::async_fn(move |client: &mut ClientWrapper, _| Box::pin(prepare(client, session)));
                    let pool = Pool::builder(manager).max_size(CONNECTIONS).post_create(prepare);
                    let pool = pool.create_timeout(timeout).runtime(Runtime::Tokio1).build();
                    ways.push(Way {
                        name: server.name.clone(),
                        is_fallback: nth > 0,
                        pool: pool.map_err(|e| Error::Tls(e.to_string()))?,
                    });
                }
            }
        }
        Ok(Servers { ways: ways.into(), last: Arc::default() })
    }

    /// A connection the way that led there last time, else the best way that leads there now. `target` says what is
    /// looked for.
    pub(super) async fn client(&self, target: &str) -> Result<Object, Error> {
        let last = self.last.load(Ordering::Relaxed);
        let mut tried = match self.ways[last].pool.get().await {
            Ok(client) => return Ok(client),
            Err(error) => Some(error),
        };
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
                    self.last.store(nth, Ordering::Relaxed);
                    return Ok(client);
                }
                Err(error) => {
                    falls_back = has_answered(&error);
                    failures.push((&way.name, failure(error)));
                }
            }
        }
        let (name, source) = failures.pop().unwrap_or(("no host", "there is nothing to try".into()));
        let others = failures.iter().map(|(name, error)| format!("{name}: {}; ", chain(&**error)));
        Err(Error::Connect { target: format!("{}{name}, {target}", others.collect::<String>()), source })
    }
}

/// Turns away a session that is not of the kind asked for, and sets up the others.
async fn prepare(client: &mut ClientWrapper, wanted: SessionAttributes) -> Result<(), HookError> {
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
    client.batch_execute(SETTINGS).await.map_err(HookError::Backend)
}

async fn is_on(client: &ClientWrapper, sql: &str) -> Result<bool, HookError> {
    let answer = client.simple_query(sql).await.map_err(HookError::Backend)?;
    Ok(answer
        .iter()
        .any(|message| matches!(message, SimpleQueryMessage::Row(row) if matches!(row.get(0), Some("on" | "t")))))
}

/// Whether there was a server, which may take kindly to another encryption.
fn has_answered(error: &PoolError) -> bool {
    use std::error::Error as _;
    let PoolError::Backend(error) = error else { return false };
    error.source().is_none_or(|cause| cause.downcast_ref::<std::io::Error>().is_none())
}

fn failure(error: PoolError) -> Failure {
    match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => error.into(),
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
