//! Logical subscribers: in their initial copy, while they follow, and when they do not.

use synapse_export::config::Config;
use synapse_export::doctor::{Severity, examine};
use tokio::runtime::Runtime;

use crate::support::archive::TestArchive;
use crate::support::story::{EventRow, ROOM};
use crate::support::{Cluster, Database, Shape};
use crate::{Run, wait_until};

/// What lets rows be changed and deleted, on either side.
const IDENTITIES: &str = "
    alter table events replica identity using index events_event_id_key;
    alter table event_json replica identity using index event_json_event_id_key";
/// The tables that an export reads.
const PUBLICATION: &str = "
    create publication synapse for table events, event_json, ex_outlier_stream, rejections, redactions, rooms, users,
                                         room_ban_redactions, un_partial_stated_event_stream";

/// A server whose write-ahead log can be read by subscribers, and which tries again soon.
fn logical() -> Cluster {
    let cluster = Cluster::start();
    let settings = cluster.database("settings", Shape::V1_163);
    settings.execute("alter system set wal_level = logical");
    settings.execute("alter system set wal_retrieve_retry_interval = '100ms'");
    settings.execute("alter system set wal_receiver_status_interval = '1s'");
    cluster.control(&["restart", "--mode", "fast"]);
    cluster
}

/// What `doctor` says in a check.
#[track_caller]
fn doctor_says(dsn: &str, check: &str) -> Option<(Severity, String)> {
    let config = Config::new(Some(dsn), |_| None).unwrap();
    let examined = Runtime::new().unwrap().block_on(examine(&config, None, None));
    examined.findings.into_iter().find(|it| it.check == check).map(|it| (it.severity, it.what))
}

/// How far the copy of a table has come.
fn state(subscriber: &Database, table: &str) -> String {
    subscriber.query_one_text(&format!(
        "select coalesce(min(srsubstate::text), '') from pg_subscription_rel where srrelid = '{table}'::regclass"
    ))
}

#[test]
fn a_logical_subscriber_is_exported_when_it_has_its_tables() {
    let (primary, replica) = (logical(), logical());
    let publisher = primary.database("publisher", Shape::V1_163);
    let subscriber = replica.database("subscriber", Shape::V1_163);
    let (archive, dsn) = (TestArchive::new(), subscriber.dsn());
    publisher.user("@alice:here.test");
    publisher.room(ROOM, "10");
    publisher.events(1..=3);
    publisher.execute(IDENTITIES);
    subscriber.execute(IDENTITIES);
    publisher.execute(PUBLICATION);
    // what the copy stumbles over until it is taken away
    let stranger =
        "insert into event_json (event_id, room_id, internal_metadata, json) values ('$stranger', '', '', '')";
    publisher.execute(stranger);
    subscriber.execute(stranger);
    let said = Run::export(&dsn, TestArchive::new().path(), &["--max-lag", "0s"]).ends_with(0);
    assert!(!said.contains("reading"), "nothing is subscribed to yet: {said}");

    subscriber.execute(&format!("create subscription synapse connection '{}' publication synapse", publisher.dsn()));
    wait_until("all tables but one are copied", || {
        let rest = "select count(*) from pg_subscription_rel where srsubstate <> 'r'";
        subscriber.query_one_text(rest) == "1" && state(&subscriber, "event_json") == "d"
    });
    subscriber.psql(include_str!("../../sql/reader_role.sql"));
    let reader = dsn.replace("user=postgres", "user=synapse_export");
    for dsn in [&dsn, &reader] {
        let said = Run::export(dsn, archive.path(), &[]).ends_with(75);
        assert!(said.contains("a logical subscriber that has yet to copy event_json:"), "{said}");
        let (kind, what) = doctor_says(dsn, "initial copy").unwrap();
        assert!(kind == Severity::Warning && what.contains("has yet to copy event_json:"), "{what}");
    }
    assert!(!archive.path().exists(), "nothing was begun");
    // who may see what is redacted is not known yet either
    let room = |more: &[&str]| Run::of(&[&["room", ROOM, "--database", &reader, "--honour-redactions"], more].concat());
    let said = room(&[]).ends_with(75);
    assert!(said.contains("has yet to copy event_json:") && said.contains("--during-initial-copy"), "{said}");
    room(&["--during-initial-copy"]).ends_with(3);
    let said = Run::export(&reader, archive.path(), &["--during-initial-copy"]).ends_with(3);
    assert!(said.contains("3 not whole yet") && said.contains("event $2 in"), "{said}");

    subscriber.execute("delete from event_json");
    wait_until("the last table is copied", || state(&subscriber, "event_json") == "r");
    wait_until("the subscriber is in touch", || {
        doctor_says(&reader, "replica").is_some_and(|(kind, _)| kind == Severity::Fine)
    });
    for dsn in [&dsn, &reader] {
        let (_, what) = doctor_says(dsn, "replica").unwrap();
        assert!(what.starts_with("this is a logical subscriber, ") && what.ends_with(" behind"), "{what}");
        assert_eq!(doctor_says(dsn, "initial copy"), None);
    }
    let said = Run::export(&reader, archive.path(), &["--max-lag", "1h"]).ends_with(0);
    assert!(said.contains("reading a logical subscriber, ") && said.contains(" s behind"), "{said}");
    assert_eq!(archive.ids(), "$1 $2 $3");

    // what comes later, what changes, and what is purged
    publisher.event(EventRow { outlier: true, sender: "@bob:far.test".to_owned(), ..EventRow::at(4) });
    publisher.events(5..=6);
    publisher.de_outlier("$4", 7);
    publisher.execute("delete from events where event_id = '$1'; delete from event_json where event_id = '$1'");
    wait_until("it has all of it", || {
        subscriber.query_one_text("select count(*) from events where event_id = '$1' or outlier") == "0"
            && subscriber.query_one_text("select count(*) from ex_outlier_stream") == "1"
    });
    Run::export(&reader, archive.path(), &[]).ends_with(0);
    assert_eq!(archive.ids(), "$1 $2 $3 $4 $5 $6");

    // who does not follow does not know
    subscriber.execute("alter subscription synapse disable");
    wait_until("it is out of touch", || {
        // its worker ends when it next looks
        let worker = "select count(*) from pg_stat_activity where backend_type = 'logical replication worker'";
        subscriber.query_one_text(worker) == "0"
    });
    let said = Run::export(&reader, archive.path(), &["--max-lag", "365d"]).ends_with(75);
    assert!(said.contains("the database is a logical subscriber that cannot tell how far behind"), "{said}");
    let said = Run::export(&reader, archive.path(), &[]).ends_with(0);
    assert!(said.contains("reading a logical subscriber that cannot tell how far behind it is"), "{said}");
    let (kind, what) = doctor_says(&reader, "replica").unwrap();
    assert!(kind == Severity::Warning && what.contains("cannot tell"), "{what}");

    // nobody shows it to who may not see it
    subscriber.execute("revoke select on pg_subscription_rel from public");
    Run::export(&reader, archive.path(), &[]).ends_with(0);
    assert_eq!(doctor_says(&reader, "initial copy").unwrap().0, Severity::Unknown);
    // its slot keeps the publisher's database from being dropped
    subscriber.execute("drop subscription synapse");
}
