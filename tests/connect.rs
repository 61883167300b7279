//! Connecting to real servers: every `sslmode`, passwords, several hosts, a standby.

#![allow(clippy::unwrap_used, reason = "what surrounds these tests must not fail either")]

mod support;

#[path = "connect/certificates.rs"]
mod certificates;
#[path = "connect/doctor.rs"]
mod doctor;
#[path = "connect/encryption.rs"]
mod encryption;
#[path = "connect/passwords.rs"]
mod passwords;
#[path = "connect/standby.rs"]
mod standby;

use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, OnceLock};

use synapse_export::config::Config;
use synapse_export::source;

use certificates::{Authority, Issued};
use support::{Cluster, Database, Shape};

/// Who may connect how, over TCP: each role's name says it.
const WHO_MAY: &str = "
local     all         all                   trust
local     replication all                   trust
hostssl   all         tls       127.0.0.1/32 trust
hostnossl all         plain     127.0.0.1/32 trust
hostssl   all         certified 127.0.0.1/32 cert
host      all         scram     127.0.0.1/32 scram-sha-256
host      all         clear     127.0.0.1/32 password
";

const PASSWORD: &str = "pass:word is hunter2";

/// A server of our own, and a directory with the certificates a client may use.
struct Server {
    cluster: Cluster,
    database: Database,
    port: u16,
    files: PathBuf,
}

impl Server {
    /// Starts one that shows this certificate, if any; `files` is where clients find theirs.
    fn start(files: &Path, certificate: Option<&Issued>, clients: Option<&Issued>) -> Server {
        let cluster = Cluster::start();
        let database = cluster.database("connect", Shape::V1_163);
        database.user("@alice:here.test");
        let data = cluster.directory().join("data");
        let owner = std::fs::metadata(&data).unwrap();
        for (name, text) in [
            ("server.crt", certificate.map(|it| it.certificate.clone())),
            ("server.key", certificate.map(|it| it.key.clone())),
            ("clients.crt", clients.map(|it| it.certificate.clone())),
        ] {
            let Some(text) = text else { continue };
            certificates::write(&data.join(name), &text);
            chown(data.join(name), Some(owner.uid()), Some(owner.gid())).unwrap();
        }
        for role in ["tls", "plain", "certified", "scram", "clear"] {
            database.execute(&format!("create role {role} superuser login password '{PASSWORD}'"));
        }
        std::fs::write(data.join("pg_hba.conf"), WHO_MAY).unwrap();
        if certificate.is_some() {
            database.execute("alter system set ssl_ca_file = 'clients.crt'");
            database.execute("alter system set ssl = on");
        }
        database.execute("select pg_reload_conf()");
        let port = database.url().rsplit_once('/').unwrap().0.rsplit_once(':').unwrap().1.parse().unwrap();
        let server = Server { cluster, database, port, files: files.to_owned() };
        // a reload takes effect some time after it was asked for
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(30);
        let probe = if certificate.is_some() { "tls sslmode=require" } else { "plain sslmode=disable" };
        while server.connect(probe, &[]).is_err() {
            assert!(std::time::Instant::now() < patience, "{:?}", server.connect(probe, &[]).err());
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        server
    }

    /// The connection string for a role, and more parameters, over TCP to `localhost`.
    fn dsn(&self, role_and_more: &str) -> String {
        let name = self.database.query_one_text("select current_database()");
        format!("host=localhost hostaddr=127.0.0.1 port={} dbname={name} user={role_and_more}", self.port)
    }

    fn connect(&self, role_and_more: &str, env: &[(&str, &str)]) -> Result<source::Database, String> {
        connect(&self.dsn(role_and_more), env)
    }

    /// A file a client may use.
    fn file(&self, name: &str) -> String {
        self.files.join(name).display().to_string()
    }
}

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| tokio::runtime::Runtime::new().unwrap());

/// Connects, or says with all causes why not, and what helps.
fn connect(dsn: &str, env: &[(&str, &str)]) -> Result<source::Database, String> {
    let get = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
    let config = Config::new(Some(dsn), get).map_err(|error| {
        let hint = error.hint().map(|hint| format!("; {hint}"));
        format!("{error}{}", hint.unwrap_or_default())
    })?;
    RUNTIME.block_on(source::Database::connect(&config)).map_err(|error| {
        let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
        causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    })
}

/// The files of all clients, and the servers that the tests share.
struct Servers {
    good: Server,
    expired: Server,
    plain: Server,
}

fn servers() -> &'static Servers {
    static SERVERS: OnceLock<Servers> = OnceLock::new();
    SERVERS.get_or_init(|| {
        // beside a server's data, so that it goes when the server goes
        let plain = Server::start(Path::new(""), None, None);
        let files = plain.cluster.directory().join("clients");
        std::fs::create_dir(&files).unwrap();
        // who may not list it could not remove what is in it
        let owner = std::fs::metadata(plain.cluster.directory()).unwrap();
        chown(&files, Some(owner.uid()), Some(owner.gid())).unwrap();
        let (authority, other) = (Authority::new("right"), Authority::new("wrong"));
        for (name, text) in [("right.crt", &authority.own.certificate), ("wrong.crt", &other.own.certificate)] {
            certificates::write(&files.join(name), text);
        }
        let client = authority.issue("certified", 1);
        certificates::write(&files.join("client.crt"), &client.certificate);
        certificates::write(&files.join("client.key"), &client.key);
        certificates::write(&files.join("locked.key"), &client.locked(PASSWORD));
        certificates::write(&files.join("stranger.crt"), &other.issue("certified", 1).certificate);
        Servers {
            good: Server::start(&files, Some(&authority.issue("localhost", 1)), Some(&authority.own)),
            expired: Server::start(&files, Some(&authority.issue("localhost", -1)), Some(&authority.own)),
            plain,
        }
    })
}
