//! A standby that must cancel a page to go on with its replay.

use crate::proxy::{Proxy, Way};
use crate::support::archive::TestArchive;
use crate::support::story::EventRow;
use crate::support::{Database, standby::Standby};
use crate::{
    EVENTS, GATE_AT, Gate, Pair, Run, catch_up, count, pair, server, sessions, wait_until, wait_until_at_the_gate,
};

/// How many statements a standby has cancelled for this reason.
fn conflicts(standby: &Standby, database: &Database, kind: &str) -> u32 {
    let sql = format!("select confl_{kind} from pg_stat_database_conflicts where datname = current_database()");
    standby.query(database.name(), &sql).parse().unwrap()
}

/// Removes rows that an older snapshot may still see.
fn vacuum(database: &Database) {
    database.execute("insert into litter select generate_series(1, 1000)");
    database.execute("delete from litter");
    database.execute("vacuum litter");
}

/// Takes the lock that an upgrade of Synapse takes.
fn lock(database: &Database) {
    database.execute("begin; lock table events in access exclusive mode; commit");
}

#[test]
fn a_page_cancelled_by_a_vacuum_or_a_lock_goes_on_where_it_was() {
    let pair = pair();
    for (kind, provoke) in [("snapshot", vacuum as fn(&Database)), ("lock", lock)] {
        let (database, archive) = (server(&pair.primary), TestArchive::new());
        catch_up(&pair.standby, &database);
        let dsn = pair.standby.dsn(database.name());
        let gate = Gate::close(&dsn);
        let run = Run::export(&dsn, archive.path(), &[]);
        wait_until_at_the_gate(&dsn);
        wait_until("there is a conflict", || {
            provoke(&database);
            run.said().contains("conflict with recovery")
        });
        run.wait_until_it_says("canceling statement due to conflict with recovery");
        drop(gate);
        let said = run.ends_with(0);
        assert!(said.contains("trying again in"), "{said}");
        assert!(said.contains("3,000 new events") && said.contains(" 0 late arrivals"), "{said}");
        assert_eq!(count(&archive), EVENTS, "{said}");
        wait_until("the conflict is counted", || conflicts(&pair.standby, &database, kind) > 0);
        database.event(EventRow::at(EVENTS + 1));
        catch_up(&pair.standby, &database);
        let said = Run::export(&dsn, archive.path(), &[]).ends_with(0);
        assert!(said.contains("done: 1 new event"), "{said}");
        assert_eq!(count(&archive), EVENTS + 1);
    }
}

#[test]
fn a_session_ended_by_a_conflict_between_two_statements_is_replaced() {
    // on a server of its own: what other tests do to shared tables must not meet the page at the gate
    let pair = Pair::start();
    let (database, archive) = (server(&pair.primary), TestArchive::new());
    catch_up(&pair.standby, &database);
    let dsn = pair.standby.dsn(database.name());
    let proxy = Proxy::to(pair.standby.port);
    let through = format!("host=127.0.0.1 port={} user=postgres dbname={}", proxy.port, database.name());
    let gate = Gate::close(&dsn);
    let run = Run::export(&through, archive.path(), &[]);
    wait_until_at_the_gate(&dsn);
    // the page ends, but its commit does not come through
    proxy.change(Way::Upward);
    drop(gate);
    wait_until("the transaction is idle", || sessions(&dsn, "state = 'idle in transaction'") == 1);
    wait_until("the session is ended", || {
        lock(&database);
        pair.standby.log().contains("FATAL:  terminating connection due to conflict with recovery")
    });
    let said = run.ends_with(0);
    // of what a session says of its end between two statements, a client may see no more than that it is closed
    let shown = ["terminating connection due to conflict with recovery", "connection closed"];
    assert!(shown.iter().any(|part| said.contains(part)) && said.contains("trying again in"), "{said}");
    assert_eq!(count(&archive), EVENTS, "{said}");
    wait_until("the conflict is counted", || conflicts(&pair.standby, &database, "lock") > 0);
}

#[test]
fn a_replica_that_always_cancels_is_given_up_with_a_remedy() {
    let pair = pair();
    let (database, archive) = (server(&pair.primary), TestArchive::new());
    catch_up(&pair.standby, &database);
    let dsn = pair.standby.dsn(database.name());
    let gate = Gate::close(&dsn);
    let mut run = Run::export(&dsn, archive.path(), &["--retry-for", "1s"]);
    wait_until("the run gives up", || {
        if sessions(&dsn, crate::AT_THE_GATE) == 1 {
            lock(&database);
        }
        run.is_over()
    });
    let said = run.ends_with(75);
    for part in ["gave up after", "hot_standby_feedback", "max_standby_streaming_delay", "conflict with recovery"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let read = count(&archive);
    assert!((1_000..GATE_AT).contains(&read), "{read} events were read before the gate: {said}");
    drop(gate);
    Run::export(&dsn, archive.path(), &[]).ends_with(0);
    assert_eq!(count(&archive), EVENTS);
}
