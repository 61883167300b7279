//! Replicas and bad days: recovery conflicts, lost connections, restarts, failovers, standbys that lag. With real servers.

#![allow(clippy::unwrap_used, reason = "what surrounds these tests must not fail either")]

mod support;

#[path = "replica/conflicts.rs"]
mod conflicts;
#[path = "replica/connections.rs"]
mod connections;
#[path = "replica/doctor.rs"]
mod doctor;
#[path = "replica/lag.rs"]
mod lag;
#[path = "replica/logical.rs"]
mod logical;
#[path = "replica/manners.rs"]
mod manners;
#[path = "replica/proxy.rs"]
mod proxy;
#[path = "replica/succession.rs"]
mod succession;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio_postgres::NoTls;

use support::archive::TestArchive;
use support::standby::Standby;
use support::story::{NOON, ROOM};
use support::{Cluster, Database, Shape, wait_until};

/// A room whose version can be read only while nobody holds the gate.
const GATE: &str = "!gate:here.test";
const EVENTS: i64 = 3_000;
/// The event of that room; the rows before it are more than a chunk.
const GATE_AT: i64 = 1_700;

/// A server and its standby, which gives no query any time before it goes on with its replay.
struct Pair {
    standby: Standby,
    primary: Cluster,
}

impl Pair {
    fn start() -> Pair {
        let primary = Cluster::start();
        let settings = "max_standby_streaming_delay = 0\nmax_standby_archive_delay = 0\nhot_standby_feedback = off";
        Pair { standby: Standby::of(&primary, settings), primary }
    }
}

/// The one that tests share which leave it as it is.
fn pair() -> &'static Pair {
    static PAIR: OnceLock<Pair> = OnceLock::new();
    PAIR.get_or_init(Pair::start)
}

/// A Synapse with [`EVENTS`] events, and a gate in the middle.
fn server(primary: &Cluster) -> Database {
    let database = primary.database("replica", Shape::V1_163);
    database.user("@alice:here.test");
    database.room(ROOM, "10");
    database.room(GATE, "10");
    fill(&database, 1, EVENTS, NOON);
    database.execute(&format!("update events set room_id = '{GATE}' where stream_ordering = {GATE_AT}"));
    database.execute(
        "alter table rooms rename to rooms_; \
         create view rooms as select * from rooms_ \
          where room_id <> '!gate:here.test' or pg_advisory_xact_lock_shared(4711) is not null; \
         create table marker (n int); create table litter (n int)",
    );
    database
}

/// Messages with these ids, a second apart, from `since` (milliseconds) on.
fn fill(database: &Database, first: i64, last: i64, since: i64) {
    database.execute(&filling(first, last, since, "$"));
}

fn filling(first: i64, last: i64, since: i64, prefix: &str) -> String {
    format!(
        "insert into events (stream_ordering, topological_ordering, event_id, type, room_id, processed, outlier, \
                             origin_server_ts, received_ts, sender) \
         select i, i, '{prefix}' || i, 'm.room.message', '{ROOM}', true, false, {since} + i * 1000, {since} + i * 1000, \
                '@alice:here.test' \
           from generate_series({first}, {last}) i; \
         insert into event_json (event_id, room_id, internal_metadata, json) \
         select event_id, room_id, '{{}}', '{{\"content\":{{\"body\":\"' || repeat('x', 200) || '\"}}}}' \
           from events where stream_ordering between {first} and {last}"
    )
}

/// Waits until a standby has all that its primary has of a database.
#[track_caller]
fn catch_up(standby: &Standby, database: &Database) {
    let marker = database.query_one_text("insert into marker select count(*) from marker returning n");
    let name = database.name();
    wait_until("the standby has replayed everything", || {
        support::standby::query(&standby.dsn(name), "select max(n) from marker").is_ok_and(|max| max == marker)
    });
}

/// Restarts a standby without its primary and with nothing to replay: nobody knows how far behind it is.
#[track_caller]
fn restart_alone(standby: &Standby, database: &Database) {
    let name = database.name();
    database.execute("checkpoint");
    let end = database.query_one_text("select pg_current_wal_lsn()");
    wait_until("the checkpoint is replayed", || {
        standby.query(name, &format!("select pg_last_wal_replay_lsn() >= '{end}'")) == "t"
    });
    standby.query(name, "checkpoint");
    standby.query(name, "alter system set primary_conninfo = ''");
    standby.control(&["restart", "--mode", "fast"]);
}

/// Keeps everybody from reading the room of [`GATE`], until it is dropped or its server stops.
struct Gate {
    _session: tokio_postgres::Client,
    _runtime: Runtime,
}

impl Gate {
    fn close(dsn: &str) -> Gate {
        let runtime = Runtime::new().unwrap();
        let session = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(dsn, NoTls).await.unwrap();
            tokio::spawn(connection);
            client.batch_execute("select pg_advisory_lock(4711)").await.unwrap();
            client
        });
        Gate { _session: session, _runtime: runtime }
    }
}

/// Sessions of the program's in a database, of which this holds.
fn sessions(dsn: &str, condition: &str) -> u32 {
    let sql = format!(
        "select count(*) from pg_stat_activity \
          where datname = current_database() and application_name like 'synapse-export %' and {condition}"
    );
    support::standby::query(dsn, &sql).ok().and_then(|count| count.parse().ok()).unwrap_or_default()
}

const AT_THE_GATE: &str = "wait_event = 'advisory'";

/// How many events an archive has, each with one line.
#[track_caller]
fn count(archive: &TestArchive) -> i64 {
    i64::try_from(archive.lines().len()).unwrap()
}

/// The command at work.
struct Run {
    child: Child,
    said: Arc<Mutex<String>>,
    listening: JoinHandle<()>,
}

impl Run {
    fn export(dsn: &str, archive: &Path, more: &[&str]) -> Run {
        let mut arguments = vec!["export", "--database", dsn, "--archive", archive.to_str().unwrap()];
        arguments.extend(more);
        Run::of(&arguments)
    }

    fn of(arguments: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_synapse-export"));
        command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (stderr, heard) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&said));
        let listening = std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut heard = heard.lock().unwrap();
                heard.push_str(&line);
                heard.push('\n');
            }
        });
        Run { child, said, listening }
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    #[track_caller]
    fn wait_until_it_says(&self, part: &str) {
        let patience = Instant::now() + Duration::from_secs(30);
        while !self.said().contains(part) {
            assert!(Instant::now() < patience, "it does not say {part:?}: {}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end, which must be this one; what it said.
    #[track_caller]
    fn ends_with(mut self, code: i32) -> String {
        let patience = Instant::now() + Duration::from_secs(60);
        while !self.is_over() {
            if Instant::now() > patience {
                self.child.kill().unwrap();
                panic!("it does not end: {}", self.said());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let status = self.child.wait().unwrap();
        self.listening.join().unwrap();
        let said = self.said.lock().unwrap().clone();
        assert_eq!(status.code(), Some(code), "{said}");
        said
    }
}

#[track_caller]
fn wait_until_at_the_gate(dsn: &str) {
    wait_until("the export is at the gate", || sessions(dsn, AT_THE_GATE) == 1);
}
