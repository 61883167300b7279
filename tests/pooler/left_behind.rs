//! What the program leaves on a pooler's connections, and what it makes of what others have left there.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::support::archive::TestArchive;
use crate::support::pooler::Pooler;
use crate::support::story::{EventRow, ROOM};
use crate::support::{Database, Shape, cluster};
use crate::{Ended, run, wait_until};

/// As Synapse and others set up what they take for their own connections.
const LEFT_BEHIND: &str = "set statement_timeout = '1h'; set bytea_output = 'escape'; set enable_indexscan = off; \
    set enable_indexonlyscan = off; set lock_timeout = '2h'; set search_path = nowhere; set row_security = off; \
    set default_transaction_isolation = 'repeatable read'; set transform_null_equals = on; set work_mem = '1MB'; \
    create temporary table events (n int)";

/// What a session is like, but for what PgBouncer sets for each client.
const STATE: &str = "select string_agg(name || '=' || setting, ' ' order by name) || ' ' || \
        (select count(*) from pg_prepared_statements) || ' prepared ' || \
        (select count(*) from pg_locks where pid = pg_backend_pid() and locktype = 'advisory') || ' locks ' || \
        (select count(*) from pg_class where relpersistence = 't') || ' temporary ' || pg_backend_pid() \
      from pg_settings where name not in \
        ('application_name', 'client_encoding', 'DateStyle', 'TimeZone', 'standard_conforming_strings')";

/// Another client of the pooler, with the same user.
pub(crate) struct Other {
    client: Client,
    runtime: Runtime,
}

impl Other {
    pub(crate) fn connect(dsn: &str) -> Other {
        let runtime = Runtime::new().unwrap();
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(dsn, NoTls).await.unwrap();
            tokio::spawn(connection);
            client
        });
        Other { client, runtime }
    }

    /// The first column of the last row that statements give.
    #[track_caller]
    pub(crate) fn query(&self, sql: &str) -> String {
        let answer = self.runtime.block_on(self.client.simple_query(sql)).unwrap_or_else(|e| panic!("{sql}\n{e:?}"));
        let rows = answer.iter().rev().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
            _ => None,
        });
        rows.unwrap_or_default()
    }
}

/// A server with two rooms, some events of every kind, and a table for others to write to.
fn told(hint: &str) -> Database {
    let database = cluster().database(hint, Shape::V1_163);
    database.user("@alice:here.test");
    database.room(ROOM, "10");
    database.event(EventRow::state(1, "m.room.name", "", &serde_json::json!({"name": "The room"})));
    for id in (2..40).chain([-1, -2]) {
        database.event(EventRow::at(id));
    }
    database.redaction("$7", EventRow { content: "{}".to_owned(), ..EventRow::at(50) });
    database.event(EventRow { outlier: true, ..EventRow::at(51) });
    database.de_outlier("$51", 52);
    database.execute("create table written (n int)");
    database
}

/// Every command that reads the database, with something to do for each.
fn commands(dsn: &str, archive: &TestArchive) -> Vec<Vec<String>> {
    let path = archive.path().display().to_string();
    let (place, both) = (["--database", dsn], ["--database", dsn, "--archive", &*path]);
    let commands: [(&[&str], &[&str]); 10] = [
        (&["doctor"], &place),
        (&["export", "--no-markdown"], &both),
        (&["watermark", "reset", "--yes"], &["--archive", &*path]),
        (&["export", "--connections", "4"], &both),
        (&["room", ROOM], &place),
        (&["room", "The room", "--state", "--honour-redactions"], &place),
        (&["room", ROOM, "--format", "markdown"], &place),
        (&["rooms", "--sort", "events"], &place),
        (&["export", "--room", ROOM], &both),
        (&["doctor", "--json"], &both),
    ];
    let whole = |(command, place): (&[&str], &[&str])| command.iter().chain(place).map(ToString::to_string).collect();
    commands.into_iter().map(whole).collect()
}

#[track_caller]
fn did_its_work(arguments: &[String], ended: &Ended) {
    let expected = if arguments[0] == "doctor" { &[0, 10][..] } else { &[0] };
    assert!(ended.code.is_some_and(|code| expected.contains(&code)), "{arguments:?}: {ended:#?}");
}

#[test]
fn every_command_leaves_another_clients_connection_as_it_was() {
    for mode in ["transaction", "session"] {
        let database = told("left_behind");
        // in the mode session nobody else gets a connection before it is given back, which resets it
        let size = if mode == "transaction" { 1 } else { 4 };
        let pooler = Pooler::of(cluster(), &format!("pool_mode = {mode}\ndefault_pool_size = {size}"));
        let dsn = pooler.dsn(database.name());
        let (other, archive) = (Other::connect(&dsn), TestArchive::new());
        other.query(LEFT_BEHIND);
        let before = other.query(STATE);
        let end = Arc::new(AtomicBool::new(false));
        let writing = std::thread::spawn({
            let (dsn, end) = (dsn.clone(), Arc::clone(&end));
            move || {
                let (writer, mut count) = (Other::connect(&dsn), 0);
                while !end.load(Ordering::Relaxed) {
                    writer.query("insert into public.written values (1)");
                    count += 1;
                }
                count
            }
        });
        for arguments in commands(&dsn, &archive) {
            let ended = run(&arguments);
            did_its_work(&arguments, &ended);
            assert_eq!(other.query(STATE), before, "{mode}: {arguments:?}");
            if arguments[0] == "doctor" {
                let said = if mode == "transaction" { "for a transaction only" } else { "perhaps in the mode session" };
                assert!(ended.stdout.contains(said), "{mode}: {ended:#?}");
            }
        }
        end.store(true, Ordering::Relaxed);
        let written = writing.join().unwrap();
        assert!(written > 50, "{written}");
        assert_eq!(database.query_one_text("select count(*) from written"), written.to_string());
        assert_eq!(archive.lines().len(), 43);
    }
}

#[test]
fn two_exports_share_one_connection() {
    let database = told("at_once");
    let pooler = Pooler::of(cluster(), "pool_mode = transaction\ndefault_pool_size = 1");
    let dsn = pooler.dsn(database.name());
    for _ in 0..3 {
        let archives = [TestArchive::new(), TestArchive::new()];
        let children = archives.each_ref().map(|archive| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_synapse-export"));
            command.env_clear().args(["export", "--database", &dsn, "--archive"]).arg(archive.path());
            command.stderr(Stdio::piped()).spawn().unwrap()
        });
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        assert_eq!(archives.map(|archive| archive.lines().len()), [43, 43]);
    }
}

/// What a transaction of the program's meets: a role's own timeout stays, another client's does not.
#[test]
fn what_others_have_set_counts_for_nothing() {
    let database = told("set_by_others");
    database.execute(&format!(
        "alter database {} set lock_timeout = '7s'; alter table rooms rename to rooms_; \
         create view rooms as select * from rooms_ \
          where current_setting('statement_timeout') = '5min' and current_setting('lock_timeout') = '7s' \
            and current_setting('idle_in_transaction_session_timeout') = '1min' \
            and current_setting('search_path') = '\"$user\", public, pg_temp' and current_setting('enable_indexscan') = 'on' \
            and current_setting('enable_seqscan') = 'off' and current_setting('transaction_read_only') = 'on' \
            and current_setting('transform_null_equals') = 'off' and current_setting('row_security') = 'on' \
            and current_setting('transaction_isolation') = 'read committed'",
        database.name()
    ));
    let pooler = Pooler::of(cluster(), "pool_mode = transaction\ndefault_pool_size = 1");
    let (dsn, archive) = (pooler.dsn(database.name()), TestArchive::new());
    let other = Other::connect(&dsn);
    other.query(LEFT_BEHIND);
    let ended = run(&["export", "--database", &dsn, "--archive", archive.path().to_str().unwrap()]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(archive.lines().len(), 43);
    let version = archive.one("select version from room");
    assert_eq!(version, "10", "the room is there when all are as expected");
}

/// No request to cancel is sent, which may come to another client's statement; and still nothing runs on.
#[test]
fn a_statement_that_is_broken_off_ends_with_its_connection() {
    let database = told("broken_off");
    database.execute(
        "alter table rooms rename to rooms_; \
         create view rooms as select * from rooms_ where pg_advisory_xact_lock_shared(4712) is not null",
    );
    let gate = Other::connect(&database.dsn());
    gate.query("select pg_advisory_lock(4712)");
    let pooler =
        Pooler::of(cluster(), "pool_mode = transaction\ndefault_pool_size = 1\nverbose = 2\nlog_connections = 1");
    let (dsn, archive) = (pooler.dsn(database.name()), TestArchive::new());
    let mut command = Command::new(env!("CARGO_BIN_EXE_synapse-export"));
    command.env_clear().args(["export", "--database", &dsn, "--archive"]).arg(archive.path());
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let waiting =
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'advisory'";
    wait_until("the export is at the gate", || database.query_one_text(waiting) == "1");
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(143));
    let began = Instant::now();
    // others have a connection at once
    let other = Other::connect(&dsn);
    assert_eq!(other.query("select 1"), "1");
    wait_until("the statement has ended", || database.query_one_text(waiting) == "0");
    assert!(began.elapsed().as_secs() < 15, "{:?}", began.elapsed());
    let log = pooler.log();
    assert!(log.contains("closing because: client"), "{log}");
    assert!(!log.to_lowercase().contains("cancel"), "{log}");
    // without a pooler one is sent
    gate.query("select 1");
}
