//! The servers that a host list stands for, each with what tokio-postgres needs to reach it.

use std::net::IpAddr;
use std::time::Duration;

use tokio_postgres::config::{ChannelBinding, SslMode};

use super::parameters::Parameters;
use super::{Error, Tls, Verify, password_file};

/// Where a server's socket is when no host is given, as Debian and Red Hat build libpq.
const SOCKET_DIRECTORY: &str = "/var/run/postgresql";
const PORT: &str = "5432";
/// How long one address may take when nothing is said.
const CONNECT_TIMEOUT: i32 = 30;

/// One server that may be connected to.
#[derive(Clone)]
pub(crate) struct Server {
    /// As errors name it.
    pub(crate) name: String,
    /// Host, port, user, password and the like; not how it is encrypted.
    pub(crate) postgres: tokio_postgres::Config,
    /// With or without encryption, in the order to be tried.
    pub(crate) modes: &'static [SslMode],
}

/// `target_session_attrs`: which servers will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionAttributes {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

pub(super) fn session(parameters: &Parameters) -> Result<SessionAttributes, Error> {
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
pub(super) fn servers(parameters: &Parameters, password_file: Option<&str>, tls: &Tls) -> Result<Vec<Server>, Error> {
    let mut common = common(parameters)?;
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
            expected: "a number from 1 to 65535 (in a URL's password, write %2F for / and %3A for :)",
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
fn common(parameters: &Parameters) -> Result<tokio_postgres::Config, Error> {
    let mut postgres = tokio_postgres::Config::new();
    let user = match parameters.get("user") {
        Some(user) => user.to_owned(),
        None => {
            whoami::username().map_err(|_| Error::Value { key: "user", expected: "given: this account has no name" })?
        }
    };
    postgres.dbname(parameters.get("dbname").unwrap_or(&user)).user(&user);
    let own_name = concat!("synapse-export ", env!("CARGO_PKG_VERSION"));
    let name = parameters.get("application_name").or_else(|| parameters.get("fallback_application_name"));
    postgres.application_name(name.unwrap_or(own_name));
    if let Some(options) = parameters.get("options") {
        postgres.options(options);
    }
    let positive = |name| Ok(parameters.number(name)?.and_then(|number| u32::try_from(number).ok()).filter(|n| *n > 0));
    let timeout = parameters.number("connect_timeout")?.unwrap_or(CONNECT_TIMEOUT);
    if timeout > 0 {
        postgres.connect_timeout(Duration::from_secs(timeout.unsigned_abs().into()));
    }
    if let Some(milliseconds) = positive("tcp_user_timeout")? {
        postgres.tcp_user_timeout(Duration::from_millis(milliseconds.into()));
    }
    postgres.keepalives(parameters.number("keepalives")? != Some(0));
    // earlier than the system's two hours and more, since firewalls forget sooner: a server that is gone without a word is
    // known to be after two minutes
    postgres.keepalives_idle(Duration::from_secs(positive("keepalives_idle")?.unwrap_or(60).into()));
    postgres.keepalives_interval(Duration::from_secs(positive("keepalives_interval")?.unwrap_or(10).into()));
    postgres.keepalives_retries(positive("keepalives_count")?.unwrap_or(6));
    let bindings = [
        ("disable", ChannelBinding::Disable),
        ("prefer", ChannelBinding::Prefer),
        ("require", ChannelBinding::Require),
    ];
    let binding = parameters.choice("channel_binding", &bindings, "disable, prefer or require")?;
    postgres.channel_binding(binding.unwrap_or(ChannelBinding::Prefer));
    Ok(postgres)
}
