//! The tests' own PostgreSQL: apart for each test, and gone after it.

mod support;

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::story::{EventRow, ROOM};
use support::{Cluster, Shape, cluster};

/// Tells this test's child, which runs the same test, that it is the one to be killed.
const VICTIM: &str = "SYNAPSE_EXPORT_TEST_VICTIM";

#[test]
fn a_killed_test_process_leaves_nothing_behind() {
    if std::env::var_os(VICTIM).is_some() {
        let cluster = Cluster::start();
        println!("\ncluster {}", cluster.directory().display());
        std::thread::sleep(Duration::from_mins(1));
        panic!("nobody killed this test process");
    }

    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_killed_test_process_leaves_nothing_behind", "--nocapture"])
        .env(VICTIM, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let directory = lines.find_map(|line| line.unwrap().strip_prefix("cluster ").map(str::to_owned)).unwrap();
    let postmaster = std::fs::read_to_string(Path::new(&directory).join("data/postmaster.pid")).unwrap();
    let process = postmaster.lines().next().unwrap();
    let port = postmaster.lines().nth(3).unwrap().parse::<u16>().unwrap();
    assert!(is_alive(process));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());

    victim.kill().unwrap();
    victim.wait().unwrap();
    let patience = Instant::now() + Duration::from_secs(30);
    while Path::new(&directory).exists() || is_alive(process) {
        assert!(Instant::now() < patience, "{directory} or process {process} outlived the test process by 30 s");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

fn is_alive(process: &str) -> bool {
    let signal = format!("kill -0 {process}");
    Command::new("sh").args(["-c", &signal]).stderr(Stdio::null()).status().expect("cannot run sh").success()
}

#[test]
fn a_dropped_cluster_is_gone() {
    let cluster = Cluster::start();
    let directory = cluster.directory().to_owned();
    assert!(directory.join("data").exists());
    drop(cluster);
    assert!(!directory.exists());
}

#[test]
fn two_databases_are_apart() {
    let (one, other) = (cluster().database("apart", Shape::V1_90), cluster().database("apart", Shape::V1_90));
    one.event(EventRow::at(1));
    assert_eq!(one.query_one_text("select count(*) from events"), "1");
    assert_eq!(other.query_one_text("select count(*) from events"), "0");
    assert_ne!(one.dsn(), other.dsn());
}

#[test]
fn a_dropped_database_is_gone() {
    let (kept, dropped) = (cluster().database("kept", Shape::V1_90), cluster().database("dropped", Shape::V1_90));
    let name = dropped.query_one_text("select current_database()");
    let count = format!("select count(*) from pg_database where datname = '{name}'");
    assert_eq!(kept.query_one_text(&count), "1");
    drop(dropped);
    assert_eq!(kept.query_one_text(&count), "0");
}

#[test]
fn the_servers_load_into_their_shapes() {
    for (version, shape, events) in
        [("1.60.0", Shape::V1_60, "670"), ("1.90.0", Shape::V1_90, "782"), ("1.113.0", Shape::V1_90, "782")]
    {
        let database = cluster().database("server", shape);
        database.load_server(version);
        assert_eq!(database.query_one_text("select count(*) from events join event_json using (event_id)"), events);
        assert_eq!(database.query_one_text("select count(*) from users where password_hash <> ''"), "0");
    }
}

#[tokio::test]
async fn an_asynchronous_test_may_use_it_and_connect_both_ways() {
    let database = cluster().database("both_ways", Shape::V1_90);
    let name = database.query_one_text("select current_database()");
    for way in [database.dsn(), database.url()] {
        let (client, connection) = tokio_postgres::connect(&way, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let row = client.query_one("select current_database()::text", &[]).await.unwrap();
        assert_eq!(row.get::<_, String>(0), name, "{way}");
    }
}

#[test]
fn a_story_is_told_in_every_shape() {
    for shape in [Shape::V1_60, Shape::V1_90, Shape::V1_163] {
        let database = cluster().database("story", shape);
        database.user("@alice:here.test");
        database.room(ROOM, "10");
        for name in [(1, "first name"), (2, "second name")] {
            database.event(EventRow {
                event_type: "m.room.name".to_owned(),
                state_key: Some(String::new()),
                content: format!(r#"{{"name":"{}"}}"#, name.1),
                ..EventRow::at(name.0)
            });
        }
        database.event(EventRow::message(3, "a secret"));
        database.redaction("$3", EventRow { content: "{}".to_owned(), ..EventRow::at(4) });
        database.event(EventRow { outlier: true, ..EventRow::at(5) });
        database.event(EventRow { rejected: Some("auth_error".to_owned()), ..EventRow::at(6) });
        database.event(EventRow { json: Some("no JSON".to_owned()), ..EventRow::at(-1) });

        let one = |sql: &str| database.query_one_text(sql);
        assert_eq!(one("select event_id from current_state_events"), "$2");
        assert_eq!(one("select json::json #>> '{content,body}' from event_json where event_id = '$3'"), "a secret");
        assert_eq!(one("select json::json ->> 'redacts' from event_json where event_id = '$4'"), "$3");
        assert_eq!(one("select reason from rejections where event_id = '$6'"), "auth_error");
        let reason = if shape == Shape::V1_60 { "" } else { "auth_error" };
        assert_eq!(one("select rejection_reason from events where event_id = '$6'"), reason);
        assert_eq!(one("select json from event_json where event_id = '$-1'"), "no JSON");

        database.censor("$3");
        assert_eq!(one("select json::json ->> 'content' from event_json where event_id = '$3'"), "{}");
        assert_eq!(one("select have_censored from redactions where redacts = '$3'"), "t");
        database.de_outlier("$5", 7);
        assert_eq!(one("select outlier from events where event_id = '$5'"), "f");
        assert_eq!(one("select event_stream_ordering from ex_outlier_stream where event_id = '$5'"), "7");
    }
}
