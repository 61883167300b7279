//! Connections that are lost, and servers that go away for a while.

use crate::proxy::{Proxy, Way};
use crate::support::Cluster;
use crate::support::archive::TestArchive;
use crate::support::standby::Standby;
use crate::{EVENTS, Gate, Run, catch_up, count, pair, server, wait_until_at_the_gate};

#[test]
fn a_connection_lost_in_any_way_is_made_again() {
    let pair = pair();
    let database = server(&pair.primary);
    catch_up(&pair.standby, &database);
    let direct = pair.standby.dsn(database.name());
    let proxy = Proxy::to(pair.standby.port);
    // how long a silent server is waited for: what a statement may take, and connect_timeout
    let through = format!(
        "host=127.0.0.1 port={} user=postgres dbname={} connect_timeout=1 options='-c statement_timeout=4s'",
        proxy.port,
        database.name()
    );
    let terminate = || {
        pair.standby.query(
            database.name(),
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'synapse-export %' \
                and datname = current_database()",
        );
    };
    let (cut, swallow) = (|| proxy.change(Way::Cut), || proxy.change(Way::Swallowed));
    let ways: [(&str, &dyn Fn()); 3] = [
        ("terminating connection due to administrator command", &terminate),
        ("(page_live)", &cut),
        ("no answer", &swallow),
    ];
    for (reason, lose) in ways {
        let archive = TestArchive::new();
        let gate = Gate::close(&direct);
        let run = Run::export(&through, archive.path(), &[]);
        wait_until_at_the_gate(&direct);
        lose();
        drop(gate);
        let said = run.ends_with(0);
        assert!(said.contains(reason) && said.contains("trying again in"), "{said}");
        assert!(said.contains("3,000 new events") && said.contains(" 0 late arrivals"), "{said}");
        assert_eq!(count(&archive), EVENTS, "{said}");
    }
}

#[test]
fn a_restart_of_the_server_is_waited_for() {
    let primary = Cluster::start();
    let database = server(&primary);
    let standby = Standby::of(&primary, "");
    let dsn = standby.dsn(database.name());
    for mode in ["fast", "immediate"] {
        let archive = TestArchive::new();
        let gate = Gate::close(&dsn);
        let run = Run::export(&dsn, archive.path(), &[]);
        wait_until_at_the_gate(&dsn);
        standby.control(&["stop", "--mode", mode]);
        run.wait_until_it_says("cannot connect to the database");
        drop(gate);
        standby.control(&["start"]);
        let said = run.ends_with(0);
        assert_eq!(count(&archive), EVENTS, "{said}");
    }

    let archive = TestArchive::new();
    let gate = Gate::close(&dsn);
    let run = Run::export(&dsn, archive.path(), &["--retry-for", "1s"]);
    wait_until_at_the_gate(&dsn);
    standby.control(&["stop", "--mode", "fast"]);
    drop(gate);
    let said = run.ends_with(75);
    assert!(said.contains("gave up after"), "{said}");
    assert!(count(&archive) >= 1_000, "what was read is kept: {said}");
    // one that begins now does not wait at all
    let said = Run::export(&dsn, archive.path(), &[]).ends_with(75);
    assert!(!said.contains("trying again"), "{said}");
    standby.control(&["start"]);
    Run::export(&dsn, archive.path(), &[]).ends_with(0);
    assert_eq!(count(&archive), EVENTS);
}

#[test]
fn what_may_work_later_is_told_from_what_will_not() {
    let archive = TestArchive::new();
    let pair = pair();
    let port = pair.standby.port;
    for (hosts, code) in [
        ("host=127.0.0.1 port=1", 75),
        ("host=127.0.0.1,no-such-host.invalid port=1,1", 75),
        ("host=no-such-host.invalid,127.0.0.1 port=1,1", 75),
        ("host=no-such-host.invalid", 1),
        ("host=/no/such/directory", 1),
        (&format!("host=127.0.0.1 port={port} dbname=no_such_database"), 1),
        (&format!("host=127.0.0.1 port={port} sslmode=require"), 1),
        (&format!("host=127.0.0.1,127.0.0.1 port=1,{port} dbname=no_such_database"), 75),
    ] {
        Run::export(&format!("{hosts} user=postgres connect_timeout=5"), archive.path(), &[]).ends_with(code);
    }
    assert!(!archive.path().exists());
}
