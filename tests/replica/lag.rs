//! How far behind a replica is, and `--max-lag`.

use crate::support::Cluster;
use crate::support::archive::TestArchive;
use crate::support::standby::Standby;
use crate::support::story::EventRow;
use crate::{EVENTS, Run, catch_up, count, restart_alone, server, wait_until};

#[test]
fn a_replica_says_how_far_behind_it_is_and_may_be_too_far() {
    let primary = Cluster::start();
    let database = server(&primary);
    let standby = Standby::of(&primary, "");
    let (dsn, name) = (standby.dsn(database.name()), database.name());
    let archive = TestArchive::new();
    let export = |more: &[&str]| Run::export(&dsn, archive.path(), more);

    // a primary has no lag
    let said = Run::export(&database.dsn(), archive.path(), &["--max-lag", "0s"]).ends_with(0);
    assert!(!said.contains("replica"), "{said}");

    // an idle one still writes a little to its log now and then
    catch_up(&standby, &database);
    wait_until("the replica has all it was sent", || {
        let said = export(&[]).ends_with(0);
        said.contains("reading a replica that has all it has been sent")
    });

    standby.query(name, "select pg_wal_replay_pause()");
    wait_until("the replay pauses", || standby.query(name, "select pg_get_wal_replay_pause_state()") == "paused");
    database.event(EventRow::at(EVENTS + 1));
    wait_until("there is something to replay", || {
        standby.query(name, "select pg_last_wal_receive_lsn() <> pg_last_wal_replay_lsn()") == "t"
    });
    let said = export(&["--max-lag", "1h"]).ends_with(0);
    assert!(said.contains("reading a replica, ") && said.contains(" s behind"), "{said}");
    let said = export(&["--max-lag", "0s"]).ends_with(75);
    assert!(said.contains(" s behind, and --max-lag allows 0 seconds"), "{said}");
    standby.query(name, "select pg_wal_replay_resume()");
    catch_up(&standby, &database);

    // after a restart without a primary, with nothing to replay, nobody knows
    restart_alone(&standby, &database);
    let said = export(&["--max-lag", "365d"]).ends_with(75);
    assert!(said.contains("cannot tell how far behind"), "{said}");
    let said = export(&[]).ends_with(0);
    assert!(said.contains("reading a replica that cannot tell how far behind it is"), "{said}");
    assert_eq!(count(&archive), EVENTS + 1);
}
