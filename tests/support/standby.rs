//! Hot standbys of a test's own server, and what an administrator does to servers.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::SimpleQueryMessage;

use super::{Cluster, open, wait};

/// A hot standby of a server, stopped when dropped or when the test process ends; its files are its primary's.
pub struct Standby {
    pub port: u16,
    programs: PathBuf,
    directory: PathBuf,
    data: PathBuf,
    script: Child,
}

impl Standby {
    /// Makes a standby of a server, as it is now, with these lines in its `postgresql.conf`.
    pub fn of(primary: &Cluster, settings: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (directory, programs) = (primary.directory().to_owned(), primary.programs.clone());
        let data = directory.join(format!("standby{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        let mut command = Command::new("sh");
        command.args(["-c", include_str!("standby.sh"), "standby.sh"]).arg(&programs).arg(&data);
        command.arg(format!("host={} port={} user=postgres", directory.display(), primary.port)).arg(settings);
        as_owner(&mut command, &directory);
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut script = command.spawn().expect("cannot run sh");
        let output = BufReader::new(script.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let output: Vec<String> = output.collect();
        let port = output.last().and_then(|line| line.strip_prefix("port ")).and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("cannot make a standby: {output:#?}"));
        Self { port, programs, directory, data, script }
    }

    /// How to connect over the Unix socket, as `key=value` pairs.
    pub fn dsn(&self, database: &str) -> String {
        format!("host={} port={} user=postgres dbname={database}", self.directory.display(), self.port)
    }

    /// The only column of the only row that the last of these statements gives; tried again when a conflict with recovery
    /// or a restart meets it.
    #[track_caller]
    pub fn query(&self, database: &str, sql: &str) -> String {
        let mut error = String::new();
        for _ in 0..200 {
            match query(&self.dsn(database), sql) {
                Ok(text) => return text,
                Err(failed) => error = failed,
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("{sql}\n{error}");
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.data.with_extension("log")).expect("a server has a log")
    }

    /// `pg_ctl` with these arguments.
    #[track_caller]
    pub fn control(&self, arguments: &[&str]) {
        control(&self.programs, &self.data, arguments);
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        // waiting closes standard input, which is what ends the script
        self.script.wait().ok();
    }
}

impl Cluster {
    /// `pg_ctl` with these arguments.
    #[track_caller]
    pub fn control(&self, arguments: &[&str]) {
        control(&self.programs, &self.directory.join("data"), arguments);
    }
}

#[track_caller]
fn control(programs: &Path, data: &Path, arguments: &[&str]) {
    let mut command = Command::new(programs.join("pg_ctl"));
    command.args(arguments).args(["--silent", "--wait", "--pgdata"]).arg(data);
    // the server must not hold the pipes of whoever runs the tests
    command.arg("--log").arg(data.with_extension("log")).stdout(Stdio::null()).stderr(Stdio::null());
    as_owner(&mut command, data);
    let status = command.status().expect("cannot run pg_ctl");
    assert!(status.success(), "pg_ctl {arguments:?}: {status}");
}

/// PostgreSQL wants to be run by whom its files belong to.
pub(super) fn as_owner(command: &mut Command, directory: &Path) {
    let owner = std::fs::metadata(directory).expect("a server's directory is there");
    if std::fs::metadata("/proc/self").expect("this is Linux").uid() != owner.uid() {
        command.uid(owner.uid()).gid(owner.gid());
    }
    command.current_dir("/");
}

/// Runs statements elsewhere, and gives the last one's only column of its only row, or nothing.
pub fn query(dsn: &str, sql: &str) -> Result<String, String> {
    let answer = wait(async { open(dsn).await?.simple_query(sql).await }).map_err(|error| format!("{error:?}"))?;
    let text = answer.iter().rev().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
        _ => None,
    });
    Ok(text.unwrap_or_default())
}
