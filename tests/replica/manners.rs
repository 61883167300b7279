//! What the server has to bear: locks, connections, transactions, and statements nobody waits for.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use synapse_export::archive::{Archive, Selection, Step};
use synapse_export::config::Config;
use synapse_export::{export, source};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::support::archive::{Heard, TestArchive};
use crate::support::standby::query;
use crate::support::story::{EventRow, ROOM};
use crate::support::{Database, Shape, cluster};
use crate::{EVENTS, GATE, Gate, Run, catch_up, count, pair, server, sessions, wait_until, wait_until_at_the_gate};

#[test]
fn a_signal_cancels_the_statement() {
    let pair = pair();
    let (database, archive) = (server(&pair.primary), TestArchive::new());
    catch_up(&pair.standby, &database);
    let dsn = pair.standby.dsn(database.name());
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let gate = Gate::close(&dsn);
        let run = Run::export(&dsn, archive.path(), &[]);
        wait_until_at_the_gate(&dsn);
        let status = Command::new("kill").args(["-s", signal, &run.child.id().to_string()]).status();
        assert!(status.unwrap().success());
        let said = run.ends_with(code);
        assert!(said.contains("stopped:"), "{said}");
        // the gate is still closed: nothing but a cancelling can have ended it, unless it took as long as a lock_timeout
        let began = Instant::now();
        wait_until("no session is left", || sessions(&dsn, "true") == 0);
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        drop(gate);
    }
    Run::export(&dsn, archive.path(), &[]).ends_with(0);
    assert_eq!(count(&archive), EVENTS);
}

/// What the sessions of the program have locked, beside what they wait for at the gate.
fn locks(dsn: &str) -> String {
    let sql = "select string_agg(distinct mode, ' ') from pg_locks join pg_stat_activity using (pid) \
                where datname = current_database() and application_name like 'synapse-export %' \
                  and locktype not in ('virtualxid', 'advisory')";
    query(dsn, sql).unwrap()
}

#[test]
fn no_command_takes_more_than_the_weakest_lock_and_two_connections() {
    let primary = cluster();
    let database = server(primary);
    let (dsn, archive) = (database.dsn(), TestArchive::new());
    let export = |more: &[&str]| Run::export(&dsn, archive.path(), more);
    let looked_at = |what: &str, run: Run| {
        wait_until_at_the_gate(&dsn);
        assert_eq!(locks(&dsn), "AccessShareLock", "{what}");
        assert!((1..=2).contains(&sessions(&dsn, "true")), "{what}");
        assert_eq!(sessions(&dsn, "xact_start is not null"), 1, "{what}");
        run
    };
    let gate = Gate::close(&dsn);
    let live = looked_at("the live stream", export(&[]));
    drop(gate);
    live.ends_with(0);

    // something new in each: a page of the backfill stream, what was missing, what was de-outliered, a room's pages
    let gated = |id| EventRow { room_id: GATE.to_owned(), ..EventRow::at(id) };
    database.event(EventRow::at(4_010));
    export(&[]).ends_with(0);
    for (what, more, id) in
        [("backfill", vec![], -1), ("a late event", vec![], 4_000), ("one room", vec!["--room", GATE], 4_020)]
    {
        database.event(gated(id));
        let gate = Gate::close(&dsn);
        let run = looked_at(what, export(&more));
        drop(gate);
        run.ends_with(0);
    }
    database.event(EventRow { outlier: true, ..gated(4_030) });
    export(&["--room", GATE]).ends_with(0);
    database.de_outlier("$4030", 4_031);
    let gate = Gate::close(&dsn);
    let run = looked_at("a de-outliered event of a room", export(&[]));
    drop(gate);
    run.ends_with(0);

    let gate = Gate::close(&dsn);
    let run = looked_at("room", Run::of(&["room", GATE, "--database", &dsn]));
    drop(gate);
    run.ends_with(0);
}

/// An archive that cannot keep up holds back no vacuum, and is not taken for a statement that takes too long.
#[test]
fn a_slow_archive_keeps_no_transaction_open() {
    const LARGE: i64 = 120;
    let database: Database = cluster().database("slow", Shape::V1_163);
    database.user("@alice:here.test");
    database.room(ROOM, "10");
    // more than is fetched ahead and in a batch
    database.execute(&crate::filling(1, LARGE, 0, "$"));
    database.execute("update event_json set json = '{\"content\":{\"body\":\"' || repeat('x', 400000) || '\"}}'");
    let archive = TestArchive::new();
    let dsn = format!("{} options='-c statement_timeout=3s'", database.dsn());
    let (closed, was_open) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (seen_closed, seen_open, own) = (Arc::clone(&closed), Arc::clone(&was_open), database.dsn());
    let hook = Box::new(move |step: Step| {
        if step == Step::Append && !seen_closed.swap(true, Ordering::Relaxed) {
            wait_until("a page waits for the archive", || sessions(&own, "wait_event = 'ClientWrite'") == 1);
            seen_open.store(true, Ordering::Relaxed);
            wait_until("no transaction is open", || sessions(&own, "xact_start is not null") == 0);
        }
        Ok(())
    });
    let config = Config::new(Some(&dsn), |_| None).unwrap();
    let (_stop, never) = watch::channel(false);
    let summary = Runtime::new().unwrap().block_on(async {
        let source = source::Database::connect(&config).await.unwrap();
        let writable = Archive::open(archive.path(), Some(hook)).unwrap();
        let (all, mut heard) = (Selection::default(), Heard::default());
        Box::pin(export::export(source, writable, &all, never, &mut heard)).await.1.unwrap()
    });
    assert!(was_open.load(Ordering::Relaxed) && closed.load(Ordering::Relaxed));
    assert_eq!(summary.counts.live, 120);
    assert_eq!(count(&archive), LARGE);
}

#[test]
fn timeouts_are_set_where_nobody_has_set_any() {
    let database = server(cluster());
    database.execute(&format!("alter role postgres in database {} set lock_timeout = '7s'", database.name()));
    let dsn = format!("{} options='-c statement_timeout=1h'", database.dsn());
    let archive = TestArchive::new();
    // the settings as the program's own session sees them
    database.execute(
        "create or replace view rooms as select * from rooms_ \
          where room_id <> '!gate:here.test' or pg_advisory_xact_lock_shared(4711) is not null and \
                current_setting('statement_timeout') = '1h' and current_setting('lock_timeout') = '7s' and \
                current_setting('idle_in_transaction_session_timeout') = '1min'",
    );
    Run::export(&dsn, archive.path(), &[]).ends_with(0);
    let version = format!("select version from room where room_id = '{GATE}'");
    assert_eq!(archive.one(&version), "10", "the room is there when all three are as expected");
}
