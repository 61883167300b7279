//! The database is only read, whoever connects: nothing in it changes, and nobody has to wait.

use std::time::{Duration, Instant};

use crate::support::archive::TestArchive;
use crate::support::standby::query;
use crate::support::{Cluster, Database, Shape};
use crate::{commands, run, tell};

/// A server of a test's own: transaction ids and sessions are counted for all databases together.
fn server(cluster: &Cluster) -> Database {
    let database = cluster.database("left_as_it_was", Shape::V1_163);
    tell(&database);
    database
}

/// Runs every command, each of which must do its work.
#[track_caller]
fn run_all(dsn: &str, before_each: impl Fn()) {
    let (archive, files) = (TestArchive::new(), tempfile::tempdir().expect("a directory can be made"));
    let place = ["--database", dsn, "--retry-for", "0s"];
    for (arguments, _) in commands(&place, archive.path(), files.path()) {
        before_each();
        let ended = run(&arguments, &[]);
        let expected = if arguments[0] == "doctor" { &[0, 10][..] } else { &[0] };
        assert!(ended.code.is_some_and(|code| expected.contains(&code)), "{arguments:?}: {ended:#?}");
    }
    assert_eq!(archive.one("select count(*) from event"), "16");
}

/// All that would change if anything was written: what is there, the next transaction id, and what PostgreSQL has counted.
fn state(database: &Database) -> [String; 3] {
    let written = "select (select sum(n_tup_ins + n_tup_upd + n_tup_del) from pg_stat_all_tables) || ' ' || \
                          tup_inserted || ' ' || tup_updated || ' ' || tup_deleted || ' ' || temp_files \
                     from pg_stat_database where datname = current_database()";
    // PostgreSQL adds up what a session has done when it ends, and now and then before
    database.execute("select pg_sleep(1.1)");
    let next = "select pg_snapshot_xmax(pg_current_snapshot())";
    [database.dump(), database.query_one_text(next), database.query_one_text(written)]
}

#[test]
fn every_command_leaves_the_database_as_it_was() {
    let cluster = Cluster::start();
    let database = server(&cluster);
    let read = "select idx_tup_fetch > 0 from pg_stat_all_tables where relname = 'event_json'";
    database.execute("select pg_sleep(1.1); select pg_stat_reset()");
    assert_eq!(database.query_one_text(read), "f");
    let before = state(&database);
    assert!(before[0].contains("sesame body"), "{before:#?}");
    run_all(&database.dsn(), || ());
    let after = state(&database);
    assert!(after == before, "{before:#?}\n{after:#?}");
    assert_eq!(database.query_one_text(read), "t", "it counts");
    database.execute("update users set name = name");
    let written = state(&database);
    assert!(written[0] == before[0] && written[1] != before[1] && written[2] != before[2], "{written:#?}");
}

#[test]
fn every_command_takes_the_weakest_lock_only() {
    let cluster = Cluster::start();
    let database = server(&cluster);
    let all = "select string_agg(oid::regclass::text, ', ') from pg_class where relkind in ('r', 'p') and not relisshared \
                and relnamespace in ('public'::regnamespace, 'pg_catalog'::regnamespace)";
    let all = database.query_one_text(all);
    // it stands in the way of every lock but ACCESS SHARE
    database.execute(&format!("begin; lock table {all} in exclusive mode"));
    let next = "set lock_timeout = '1ms'; begin; lock table users in row share mode";
    assert!(query(&database.dsn(), next).is_err_and(|error| error.contains("lock timeout")));
    run_all(&database.dsn(), || ());
}

#[test]
fn every_command_makes_do_with_two_connections() {
    let cluster = Cluster::start();
    let database = server(&cluster);
    database.psql(include_str!("../../sql/reader_role.sql"));
    database.psql(include_str!("../../sql/reader_role_media.sql"));
    let dsn = database.dsn().replace("user=postgres", "user=synapse_export");
    let most = database.query_one_text("select rolconnlimit from pg_roles where rolname = 'synapse_export'");
    assert!(most.parse::<u32>().is_ok_and(|most| most >= 16), "--connections 16 is more than {most}");
    let limit = |limit: u32| database.execute(&format!("alter role synapse_export connection limit {limit}"));
    limit(0);
    let refused = run(&["rooms", "--database", &dsn], &[]);
    assert!(refused.code == Some(75) && refused.stderr.contains("too many connections"), "{refused:#?}");
    limit(2);
    // PostgreSQL counts a session until it has noticed its end
    run_all(&dsn, || {
        let patience = Instant::now() + Duration::from_secs(10);
        let sessions = "select count(*) from pg_stat_activity where usename = 'synapse_export'";
        while database.query_one_text(sessions) != "0" {
            assert!(Instant::now() < patience, "a session stays");
            std::thread::sleep(Duration::from_millis(5));
        }
    });
}
