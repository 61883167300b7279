//! Another server takes over in the middle of a run: one that may, and those that may not.

use crate::support::archive::TestArchive;
use crate::support::standby::Standby;
use crate::support::story::{EventRow, NOON, ROOM};
use crate::support::{Cluster, Database, Shape};
use crate::{EVENTS, GATE, Gate, Run, catch_up, count, fill, filling, server, wait_until, wait_until_at_the_gate};

/// Several servers of one directory, in this order.
fn either(database: &Database, ports: [u16; 2]) -> String {
    let dsn = database.dsn();
    let directory = dsn.split(' ').next().and_then(|host| host.strip_prefix("host=")).unwrap();
    let [first, second] = ports;
    format!("host={directory},{directory} port={first},{second} user=postgres dbname={}", database.name())
}

#[test]
fn a_promoted_standby_takes_over() {
    let primary = Cluster::start();
    let database = server(&primary);
    let standby = Standby::of(&primary, "");
    let archive = TestArchive::new();
    catch_up(&standby, &database);
    let gate = Gate::close(&database.dsn());
    let both = either(&database, [primary.port(), standby.port]);
    let run = Run::export(&both, archive.path(), &[]);
    wait_until_at_the_gate(&database.dsn());
    // the run's own reading may have had pages tidied up, which is logged
    catch_up(&standby, &database);
    primary.control(&["stop", "--mode", "immediate"]);
    drop(gate);
    standby.control(&["promote"]);
    let said = run.ends_with(0);
    assert!(said.contains("trying again in"), "{said}");
    assert_eq!(count(&archive), EVENTS);
    standby.query(database.name(), &filling(3_001, 3_010, NOON, "$"));
    let said = Run::export(&both, archive.path(), &[]).ends_with(0);
    assert!(said.contains("10 new events"), "{said}");
    assert_eq!(count(&archive), EVENTS + 10);
}

/// A run begins on one standby and loses it. The other lags by days: it lacks not only the newest events, but also one that
/// came late, whose neighbours are old by the clock of the first.
#[test]
fn a_standby_that_is_behind_is_waited_for() {
    let day = 24 * 60 * 60 * 1000;
    let primary = Cluster::start();
    let database = primary.database("behind", Shape::V1_163);
    database.user("@alice:here.test");
    database.room(GATE, "10");
    database.execute(
        "alter table rooms rename to rooms_; \
         create view rooms as select * from rooms_ where pg_advisory_xact_lock_shared(4711) is not null; \
         create table marker (n int)",
    );
    fill(&database, 1, 49, NOON);
    fill(&database, 51, 100, NOON);
    // the view is passed at the first row
    database.execute(&format!("update events set room_id = '{GATE}'"));
    let (fresh, stale) = (Standby::of(&primary, ""), Standby::of(&primary, ""));
    catch_up(&stale, &database);
    stale.query(database.name(), "select pg_wal_replay_pause()");
    wait_until("the replay pauses", || {
        stale.query(database.name(), "select pg_get_wal_replay_pause_state()") == "paused"
    });
    database.event(EventRow::at(50));
    fill(&database, 101, 200, NOON + 3 * day);
    catch_up(&fresh, &database);

    let (patient, hasty) = (TestArchive::new(), TestArchive::new());
    let gate = Gate::close(&fresh.dsn(database.name()));
    let both = either(&database, [fresh.port, stale.port]);
    let patient_run = Run::export(&both, patient.path(), &[]);
    let hasty_run = Run::export(&both, hasty.path(), &["--retry-for", "1s"]);
    wait_until("both are at the gate", || crate::sessions(&fresh.dsn(database.name()), crate::AT_THE_GATE) == 2);
    fresh.control(&["stop", "--mode", "immediate"]);
    drop(gate);
    let said = hasty_run.ends_with(75);
    assert!(said.contains("it is behind the server that this run began with"), "{said}");
    patient_run.wait_until_it_says("it is behind the server that this run began with");
    // one that begins here now reads what is here
    let said = Run::export(&both, hasty.path(), &[]).ends_with(0);
    assert!(said.contains("99 new events"), "{said}");
    stale.query(database.name(), "select pg_wal_replay_resume()");
    patient_run.ends_with(0);
    assert_eq!(count(&patient), 200);
    catch_up(&stale, &database);
    Run::export(&both, hasty.path(), &[]).ends_with(0);
    assert_eq!(count(&hasty), 200);
}

/// A standby is promoted before the last transactions came to it, and gives their ids to other events.
#[test]
fn a_server_with_another_past_is_turned_away() {
    let primary = Cluster::start();
    let database = server(&primary);
    let standby = Standby::of(&primary, "");
    catch_up(&standby, &database);
    standby.control(&["stop", "--mode", "fast"]);
    // what the standby will not know: two pages, with the gate in the second
    fill(&database, 3_001, 7_000, NOON);
    database.execute(&format!(
        "update events set room_id = '{ROOM}' where room_id = '{GATE}'; \
         update events set room_id = '{GATE}' where stream_ordering = 6900"
    ));
    let archive = TestArchive::new();
    let both = either(&database, [primary.port(), standby.port]);
    let gate = Gate::close(&database.dsn());
    let run = Run::export(&both, archive.path(), &[]);
    wait_until_at_the_gate(&database.dsn());
    primary.control(&["stop", "--mode", "immediate"]);
    drop(gate);
    standby.control(&["start"]);
    run.wait_until_it_says("it is behind the server that this run began with");
    standby.control(&["promote"]);
    standby.query(database.name(), &filling(3_001, 7_100, NOON, "$other"));
    let said = run.ends_with(1);
    assert!(said.contains("it has another past"), "{said}");
    let said = Run::export(&both, archive.path(), &[]).ends_with(1);
    assert!(said.contains("watermark reset"), "{said}");
    Run::of(&["watermark", "reset", "--yes", "--archive", archive.path().to_str().unwrap()]).ends_with(0);
    Run::export(&both, archive.path(), &[]).ends_with(0);
    let lines = archive.lines();
    assert!((1..=3_000).all(|id| lines.contains_key(&format!("${id}"))));
    assert!((3_001..=7_100).all(|id| lines.contains_key(&format!("$other{id}"))));
}
