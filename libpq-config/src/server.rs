//! The servers that a host list stands for, each with what tokio-postgres needs to reach it.
//!
//! Looks up no host. What libpq matches by number, hosts, addresses and ports, must be as many, or one for all.

use std::net::IpAddr;
use std::time::Duration;

use tokio_postgres::config::{ChannelBinding, SslMode};

use crate::parameters::Parameters;
use crate::{Error, Tls, Verify, password_file};

/// Where a server's socket is when no host is given, as Debian and Red Hat build libpq.
const SOCKET_DIRECTORY: &str = "/var/run/postgresql";
const PORT: &str = "5432";

/// What holds where the parameters say nothing, and libpq would leave it to the system, or wait for ever.
#[derive(Clone, Debug)]
pub struct Defaults<'a> {
    /// How the program is called in `pg_stat_activity`.
    pub application_name: &'a str,
    /// How long one address may take.
    pub connect_timeout: Duration,
    /// After how long without a word a server is asked whether it is there.
    pub keepalives_idle: Duration,
    /// After how long it is asked again.
    pub keepalives_interval: Duration,
    /// How often it is asked before it counts as gone.
    pub keepalives_count: u32,
}

/// One server that may be connected to.
#[derive(Clone)]
pub struct Server {
    /// As errors name it.
    pub name: String,
    /// Host, port, user, password and the like; not how it is encrypted.
    pub postgres: tokio_postgres::Config,
    /// With or without encryption, in the order to be tried.
    pub modes: &'static [SslMode],
}

/// `target_session_attrs`: which servers will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionAttributes {
    /// Each.
    Any,
    /// Those on which a transaction may write.
    ReadWrite,
    /// Those on which none may.
    ReadOnly,
    /// Those that are no replica.
    Primary,
    /// Replicas.
    Standby,
    /// Replicas or, if there is none, each.
    PreferStandby,
}

pub(crate) fn session(parameters: &Parameters) -> Result<SessionAttributes, Error> {
    use SessionAttributes as S;
    let choices = [
        ("any", S::Any),
        ("read-write", S::ReadWrite),
        ("read-only", S::ReadOnly),
        ("primary", S::Primary),
        ("standby", S::Standby),
        ("prefer-standby", S::PreferStandby),
    ];
    let expected = "any, read-write, read-only, primary, standby or prefer-standby";
    Ok(parameters.choice("target_session_attrs", &choices, expected)?.unwrap_or(S::Any))
}

/// The servers in the order to be tried, each with its own password.
pub(crate) fn servers(
    parameters: &Parameters,
    defaults: &Defaults,
    password_file: Option<&str>,
    tls: &Tls,
) -> Result<Vec<Server>, Error> {
    let mut common = common(parameters, defaults)?;
    let list = |name| parameters.get(name).map(|list| list.split(',').collect::<Vec<_>>());
    let (hosts, addresses) = (list("host"), list("hostaddr"));
    let count = hosts.as_ref().or(addresses.as_ref()).map_or(1, Vec::len);
    let matched = |name: &'static str, list: Option<Vec<&str>>| {
        let list = list.unwrap_or_else(|| vec![""]);
        let repeated = if list.len() == 1 && name == "port" { vec![list[0]; count] } else { list };
        if repeated.len() == count {
            Ok(repeated.into_iter().map(str::to_owned).collect())
        } else {
            Err(Error::Count(name))
        }
    };
    let none = vec![""; count];
    let hosts: Vec<String> = matched("host", hosts.or_else(|| Some(none.clone())))?;
    let addresses: Vec<String> = matched("hostaddr", addresses.or(Some(none)))?;
    let ports: Vec<String> = matched("port", list("port"))?;
    let user = common.get_user().unwrap_or_default().to_owned();
    let dbname = common.get_dbname().unwrap_or_default().to_owned();
    if let Some(password) = parameters.get("password") {
        common.password(password);
    }
    let mut servers = Vec::new();
    for ((host, address), port) in hosts.iter().zip(&addresses).zip(&ports) {
        let host = if host.is_empty() && address.is_empty() { SOCKET_DIRECTORY } else { host };
        if host.contains('@') {
            return Err(Error::Value { key: "host", expected: "without @ (in a URL's password, write %40 for @)" });
        }
        let port = if port.is_empty() { PORT } else { port };
        let mut postgres = common.clone();
        let number = port.trim().parse().ok().filter(|port| *port != 0);
        postgres.port(number.ok_or(Error::Value {
            key: "port",
            expected: "a number from 1 to 65535 (in a URL's password, write %40 for @, %2F for / and %3A for :)",
        })?);
        if !address.is_empty() {
            let address: IpAddr =
                address.parse().map_err(|_| Error::Value { key: "hostaddr", expected: "an IP address" })?;
            postgres.hostaddr(address);
        }
        if !host.is_empty() {
            postgres.host(host);
        } else if matches!(tls.verify, Verify::Host(_)) {
            return Err(Error::Value { key: "host", expected: "given for sslmode=verify-full, not hostaddr alone" });
        } else {
            postgres.host(address);
        }
        let is_socket = host.starts_with('/') && address.is_empty();
        if parameters.get("password").is_none() {
            let name = match host {
                SOCKET_DIRECTORY => "localhost",
                "" => address,
                host => host,
            };
            if let Some(password) =
                password_file.and_then(|text| password_file::find(text, [name, port, &dbname, &user]))
            {
                postgres.password(password);
            }
        }
        servers.push(Server {
            name: format!("host {}, port {port}", if host.is_empty() { address } else { host }),
            postgres,
            // PostgreSQL has no TLS on its sockets, whatever sslmode says
            modes: if is_socket { &[SslMode::Disable] } else { tls.modes },
        });
    }
    Ok(servers)
}

/// What all servers have in common.
fn common(parameters: &Parameters, defaults: &Defaults) -> Result<tokio_postgres::Config, Error> {
    let mut postgres = tokio_postgres::Config::new();
    let user = match parameters.get("user") {
        Some(user) => user.to_owned(),
        None => {
            whoami::username().map_err(|_| Error::Value { key: "user", expected: "given: this account has no name" })?
        }
    };
    postgres.dbname(parameters.get("dbname").unwrap_or(&user)).user(&user);
    let name = parameters.get("application_name").or_else(|| parameters.get("fallback_application_name"));
    postgres.application_name(name.unwrap_or(defaults.application_name));
    if let Some(options) = parameters.get("options") {
        postgres.options(options);
    }
    let positive = |name| Ok(parameters.number(name)?.and_then(|number| u32::try_from(number).ok()).filter(|n| *n > 0));
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    match parameters.number("connect_timeout")? {
        Some(given @ 1..) => {
            postgres.connect_timeout(seconds(given.unsigned_abs()));
        }
        // without an end
        Some(_) => {}
        None => {
            postgres.connect_timeout(defaults.connect_timeout);
        }
    }
    if let Some(milliseconds) = positive("tcp_user_timeout")? {
        postgres.tcp_user_timeout(Duration::from_millis(milliseconds.into()));
    }
    postgres.keepalives(parameters.number("keepalives")? != Some(0));
    postgres.keepalives_idle(positive("keepalives_idle")?.map_or(defaults.keepalives_idle, seconds));
    postgres.keepalives_interval(positive("keepalives_interval")?.map_or(defaults.keepalives_interval, seconds));
    postgres.keepalives_retries(positive("keepalives_count")?.unwrap_or(defaults.keepalives_count));
    let bindings = [
        ("disable", ChannelBinding::Disable),
        ("prefer", ChannelBinding::Prefer),
        ("require", ChannelBinding::Require),
    ];
    let binding = parameters.choice("channel_binding", &bindings, "disable, prefer or require")?;
    postgres.channel_binding(binding.unwrap_or(ChannelBinding::Prefer));
    Ok(postgres)
}
