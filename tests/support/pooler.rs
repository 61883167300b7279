//! A PgBouncer of a test's own, in front of a test's server.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::Cluster;
use super::standby::as_owner;

/// A running PgBouncer, stopped when dropped or when the test process ends; its files are its server's.
pub struct Pooler {
    pub port: u16,
    directory: PathBuf,
    script: Child,
}

impl Pooler {
    /// A pooler for all databases and users of a server, which asks nobody for a password, with these lines in its
    /// configuration.
    pub fn of(cluster: &Cluster, settings: &str) -> Self {
        let databases =
            format!("* = host={} port={} auth_user=postgres", cluster.directory().display(), cluster.port());
        Self::with(cluster, r#""postgres" """#, &databases, &format!("auth_type = trust\n{settings}"))
    }

    /// A pooler with these users and databases.
    pub fn with(cluster: &Cluster, users: &str, databases: &str, settings: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let directory = cluster.directory().join(format!("pooler{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        let mut command = Command::new("sh");
        command.args(["-c", include_str!("pooler.sh"), "pooler.sh"]).arg(&directory).args([users, databases, settings]);
        as_owner(&mut command, cluster.directory());
        command.env_clear().env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut script = command.spawn().expect("cannot run sh");
        let output = BufReader::new(script.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let output: Vec<String> = output.collect();
        let port = output.last().and_then(|line| line.strip_prefix("port ")).and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| {
            panic!("cannot start PgBouncer, which ./testdata/prerequisites installs: {output:#?}\n{}", log(&directory))
        });
        Self { port, directory, script }
    }

    /// How to connect, as `key=value` pairs.
    pub fn dsn(&self, database: &str) -> String {
        format!("host=127.0.0.1 port={} user=postgres dbname={database}", self.port)
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        log(&self.directory)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // waiting closes standard input, which is what ends the script
        self.script.wait().ok();
    }
}

fn log(directory: &Path) -> String {
    std::fs::read_to_string(directory.join("log")).unwrap_or_default()
}
