//! A PostgreSQL server of the test process's own, with a database for each test.
//!
//! It never uses a server that is there already, and leaves nothing behind, however the test process ends.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of this")]

pub mod archive;
pub mod ended;
pub mod pooler;
pub mod standby;
pub mod story;

use std::future::Future;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// Waits for a condition, never for a time: two minutes are for a busy machine.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(120);
    while !holds() {
        assert!(Instant::now() < patience, "after two minutes it still is not so that {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The sets of tables in `testdata/schema`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Synapse 1.60 while `events.stream_ordering` is still an integer.
    V1_60,
    /// Synapse 1.90 to 1.113.
    V1_90,
    /// Synapse 1.163.
    V1_163,
    /// No tables: a database that is not Synapse's.
    Empty,
}

impl Shape {
    fn tables(self) -> &'static str {
        match self {
            Self::V1_60 => include_str!("../../testdata/schema/1.60.sql"),
            Self::V1_90 => include_str!("../../testdata/schema/1.90.sql"),
            Self::V1_163 => include_str!("../../testdata/schema/1.163.sql"),
            Self::Empty => "",
        }
    }
}

/// The server that all tests of this process share, started by the first that asks for it.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::start)
}

/// A running PostgreSQL server, which stops when this is dropped or the process ends, in whatever way.
pub struct Cluster {
    programs: PathBuf,
    directory: PathBuf,
    port: u16,
    script: Child,
}

impl Cluster {
    /// Starts a server in a new directory; its superuser is `postgres`, and it asks nobody for a password.
    pub fn start() -> Self {
        let programs = postgres_programs();
        let mut command = Command::new("sh");
        command.args(["-c", include_str!("postgres.sh"), "postgres.sh"]).arg(&programs);
        // A socket's path holds at most 107 bytes, and only /tmp is sure to let another user in.
        let (temporary, root) = (std::env::temp_dir(), id(&["-u"]) == Some(0));
        command.arg(if root || temporary.as_os_str().len() > 60 { Path::new("/tmp") } else { &temporary });
        if root {
            // PostgreSQL refuses to be run by root.
            let user = ["postgres", "nobody"].into_iter().find(|user| id(&["-u", user]).is_some());
            let user =
                user.expect("PostgreSQL won't run as root, and there is no user postgres or nobody to run it as");
            command.uid(id(&["-u", user]).expect("the user was just found"));
            command.gid(id(&["-g", user]).expect("a user has a group"));
        }
        // A group of its own: what interrupts or kills the tests must leave it alive to tidy up.
        command.process_group(0).current_dir("/").env_clear().env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
        let mut script = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("cannot run sh");
        let mut output = String::new();
        script.stdout.take().expect("piped").read_to_string(&mut output).expect("sh prints text");
        let started = output.trim_end().lines().last().and_then(|line| line.rsplit_once(' '));
        match started.map(|(directory, port)| (PathBuf::from(directory), port.parse())) {
            Some((directory, Ok(port))) if directory.is_dir() => Self { programs, directory, port, script },
            _ => {
                script.wait().expect("sh was run");
                panic!("cannot start PostgreSQL from {}:\n{output}", programs.display());
            }
        }
    }

    /// The port of its socket, and of 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where the server keeps its data and its socket.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Creates a database with the tables of `shape`; `hint` is the start of its name, for whoever reads logs.
    pub fn database(&self, hint: &str, shape: Shape) -> Database {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let hint: String = hint.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(40).collect();
        let name = format!("{}_{}", hint.to_lowercase(), COUNT.fetch_add(1, Ordering::Relaxed));
        let administration = self.dsn("postgres");
        execute(&connect(&administration), &format!(r#"create database "{name}" template template0"#));
        let client = connect(&self.dsn(&name));
        execute(&client, shape.tables());
        Database {
            dsn: self.dsn(&name),
            told: self.dsn(&name),
            url: format!("postgresql://postgres@127.0.0.1:{}/{name}", self.port),
            psql: self.programs.join("psql"),
            administration,
            name,
            shape,
            client,
        }
    }

    fn dsn(&self, database: &str) -> String {
        format!("host={} port={} user=postgres dbname={database}", self.directory.display(), self.port)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Waiting closes the script's standard input first, which is what tells it to stop the server.
        self.script.wait().ok();
    }
}

/// A database of one test, gone when dropped. Its functions block, and panic when PostgreSQL reports an error.
pub struct Database {
    name: String,
    shape: Shape,
    dsn: String,
    /// How others are told to connect.
    told: String,
    url: String,
    psql: PathBuf,
    administration: String,
    client: Client,
}

impl Database {
    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How to connect over the Unix socket, or through a pooler, as `key=value` pairs.
    pub fn dsn(&self) -> String {
        self.told.clone()
    }

    /// The same database, to which others come through a pooler.
    pub fn through(mut self, pooler: &pooler::Pooler) -> Self {
        self.told = pooler.dsn(&self.name);
        self
    }

    /// Where psql and PostgreSQL's other programs are.
    pub fn programs(&self) -> &Path {
        self.psql.parent().expect("psql is in a directory")
    }

    /// How to connect over TCP, as a URL.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Loads a file of `testdata/servers`, named by its Synapse version: `"1.113.0"`.
    pub fn load_server(&self, version: &str) {
        let path = format!("{}/testdata/servers/{version}.sql.gz", env!("CARGO_MANIFEST_DIR"));
        let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("cannot open {path}: {error}"));
        let mut script = String::new();
        flate2::read::GzDecoder::new(file).read_to_string(&mut script).expect("cannot unpack the server's data");

        self.psql(&script);
        // A server that has run for a while has statistics.
        self.execute("analyze");
    }

    /// Runs a script with what psql adds to SQL, in one transaction.
    #[track_caller]
    pub fn psql(&self, script: &str) {
        let mut psql = Command::new(&self.psql)
            .args(["-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-d", &self.dsn])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("cannot run psql");
        // A psql that stops early breaks the pipe; its status then says more than that.
        let written = psql.stdin.take().expect("piped").write_all(script.as_bytes());
        assert!(psql.wait().expect("psql ran").success(), "psql cannot run the script in {:?}", self.shape);
        written.expect("cannot write to psql");
    }

    /// What psql says of a script that is run as a user runs one.
    pub fn try_psql(&self, script: &str) -> std::process::Output {
        let mut psql = Command::new(&self.psql)
            .args(["-X", "-d", &self.dsn])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("cannot run psql");
        // it may stop early
        let _ = psql.stdin.take().expect("piped").write_all(script.as_bytes());
        psql.wait_with_output().expect("psql ran")
    }

    /// Where psql is.
    pub fn psql_program(&self) -> &Path {
        &self.psql
    }

    /// All that is in it, as `pg_dump` writes it.
    #[track_caller]
    pub fn dump(&self) -> String {
        let mut command = Command::new(self.psql.with_file_name("pg_dump"));
        let output = command.args(["-d", &self.dsn]).env_clear().output().expect("cannot run pg_dump");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("pg_dump writes UTF-8");
        // newer ones begin and end with a word that is another each time
        text.lines().filter(|line| !line.contains("restrict ")).collect::<Vec<_>>().join("\n")
    }

    /// Runs statements, separated by semicolons.
    #[track_caller]
    pub fn execute(&self, sql: &str) {
        execute(&self.client, sql);
    }

    /// The only column of the only row of a query, as text; NULL is empty, as in psql.
    #[track_caller]
    pub fn query_one_text(&self, sql: &str) -> String {
        let answer = wait(self.client.simple_query(sql)).unwrap_or_else(|error| panic!("{sql}\n{error:?}"));
        let mut rows = answer.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        match (rows.next(), rows.next()) {
            (Some(row), None) if row.len() == 1 => row.get(0).unwrap_or_default().to_owned(),
            _ => panic!("{sql}\nis not one row of one column"),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!(r#"drop database if exists "{}" with (force)"#, self.name);
        // A test that fails has said why already: a panic in a panic would hide it.
        let dropped = wait(async { open(&self.administration).await?.batch_execute(&sql).await });
        if let Err(error) = dropped {
            writeln!(std::io::stderr(), "{sql}: {error:?}").ok();
        }
    }
}

/// The directory of PostgreSQL's server programs, found by the script that also installs them.
fn postgres_programs() -> PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/prerequisites");
    let output = Command::new(script).arg("--postgres").stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {script}: {error}"));
    assert!(
        output.status.success(),
        "these tests need PostgreSQL's server programs: run ./testdata/prerequisites to install them ({})",
        String::from_utf8_lossy(&output.stderr).trim_end()
    );
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end())
}

/// What `id` prints, when it prints a number.
fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().expect("cannot run id");
    String::from_utf8_lossy(&output.stdout).trim_end().parse().ok()
}

async fn open(dsn: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(dsn, NoTls).await?;
    // Its error is also that of the query that meets it.
    tokio::spawn(async { drop(connection.await) });
    Ok(client)
}

#[track_caller]
fn connect(dsn: &str) -> Client {
    wait(open(dsn)).unwrap_or_else(|error| panic!("{dsn}: {error:?}"))
}

#[track_caller]
fn execute(client: &Client, sql: &str) {
    if let Err(error) = wait(client.batch_execute(sql)) {
        panic!("{sql}\n{error:?}");
    }
}

/// Runs a future to its end, also where a test is itself asynchronous: hence a thread of its own.
fn wait<T: Send>(future: impl Future<Output = T> + Send) -> T {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| Runtime::new().expect("cannot start a runtime"));
    std::thread::scope(|scope| scope.spawn(|| runtime.block_on(future)).join().expect("a query panicked"))
}
