//! What `doctor` says of a replica.

use synapse_export::config::Config;
use synapse_export::doctor::{Examined, Severity, examine};
use tokio::runtime::Runtime;

use crate::support::Cluster;
use crate::support::standby::Standby;
use crate::{catch_up, restart_alone, server, wait_until};

/// What it says when it is asked about a database.
fn examined(dsn: &str) -> Examined {
    let config = Config::new(Some(dsn), |_| None).expect("a test's DSN is sound");
    Runtime::new().expect("a runtime can be made").block_on(examine(&config, None, None))
}

#[track_caller]
fn found(examined: &Examined, check: &str, kind: Severity, part: &str) -> bool {
    examined.findings.iter().any(|it| it.check == check && it.severity == kind && it.what.contains(part))
}

#[test]
fn a_replica_is_known_by_its_lag_and_its_settings() {
    let primary = Cluster::start();
    let database = server(&primary);
    let standby = Standby::of(&primary, "max_standby_streaming_delay = 5s\nhot_standby_feedback = off");
    let (dsn, name) = (standby.dsn(database.name()), database.name());
    catch_up(&standby, &database);

    let said = examined(&database.dsn());
    assert!(found(&said, "replica", Severity::Fine, "this is the primary"), "{said:#?}");
    assert!(said.findings.iter().all(|it| it.check != "standby settings"), "{said:#?}");

    wait_until("the replica has all it was sent", || {
        found(&examined(&dsn), "replica", Severity::Fine, "a replica that has all it has been sent")
    });
    let said = examined(&dsn);
    assert!(found(&said, "standby settings", Severity::Warning, "max_standby_streaming_delay is 5000 ms"), "{said:#?}");
    for (setting, part) in [
        ("max_standby_streaming_delay = '40s'", "waits 40 seconds"),
        ("max_standby_streaming_delay = -1", "waits for what is being read"),
        ("hot_standby_feedback = on", "hot_standby_feedback is on"),
    ] {
        standby.query(name, &format!("alter system set {setting}"));
        standby.query(name, "select pg_reload_conf()");
        wait_until(part, || found(&examined(&dsn), "standby settings", Severity::Fine, part));
    }

    standby.query(name, "select pg_wal_replay_pause()");
    wait_until("the replay pauses", || standby.query(name, "select pg_get_wal_replay_pause_state()") == "paused");
    database.execute("insert into marker values (-1)");
    wait_until("it is behind", || found(&examined(&dsn), "replica", Severity::Fine, " seconds behind"));
    standby.query(name, "select pg_wal_replay_resume()");

    // without its primary, and with nothing to replay since it started, it cannot tell
    catch_up(&standby, &database);
    restart_alone(&standby, &database);
    let said = examined(&dsn);
    assert!(found(&said, "replica", Severity::Warning, "cannot tell how far behind"), "{said:#?}");
}
