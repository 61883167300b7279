//! Several hosts, and `target_session_attrs` with a real hot standby.

use super::support::standby::Standby;
use super::{connect, servers};

#[test]
fn the_session_is_of_the_kind_asked_for() {
    let primary = &servers().plain;
    let standby = Standby::of(&primary.cluster, "");
    let name = primary.database.query_one_text("select current_database()");
    let (p, s) = (primary.port, standby.port);
    let read_only = "options='-c default_transaction_read_only=on'";
    for (attributes, ports, answered_by) in [
        ("any", vec![p, s], Some(p)),
        ("any", vec![1, s], Some(s)),
        ("primary", vec![s, p], Some(p)),
        ("primary", vec![s], None),
        ("standby", vec![p, s], Some(s)),
        ("standby", vec![p], None),
        ("prefer-standby", vec![p, s], Some(s)),
        ("prefer-standby", vec![p], Some(p)),
        ("prefer-standby", vec![1, p], Some(p)),
        ("read-write", vec![s, p], Some(p)),
        ("read-write", vec![s], None),
        ("read-only", vec![p, s], Some(s)),
        ("read-only", vec![p], None),
        (&format!("read-only {read_only}"), vec![p], Some(p)),
        (&format!("read-write {read_only}"), vec![p], None),
    ] {
        let list = |items: Vec<String>| items.join(",");
        let hosts = list(vec!["localhost".to_owned(); ports.len()]);
        let addresses = list(vec!["127.0.0.1".to_owned(); ports.len()]);
        let ports = list(ports.iter().map(ToString::to_string).collect());
        let asked = format!(
            "host={hosts} hostaddr={addresses} port={ports} user=plain dbname={name} application_name=seeker target_session_attrs={attributes}"
        );
        let connected = connect(&asked, &[]);
        let count = |port| {
            let here = format!("host=127.0.0.1 port={port} user=plain dbname={name}");
            sessions(&here)
        };
        match answered_by {
            None => {
                let error = connected.err().expect(&asked);
                assert!(error.contains("target_session_attrs"), "{asked}: {error}");
            }
            Some(port) => {
                let _held = connected.unwrap_or_else(|error| panic!("{asked}: {error}"));
                assert!(count(port) > 0, "{asked}");
            }
        }
    }
}

/// How many sessions of the program's a server has.
fn sessions(dsn: &str) -> i64 {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(dsn, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let sql = "select count(*) from pg_stat_activity where application_name = 'seeker'";
        client.query_one(sql, &[]).await.unwrap().get(0)
    })
}

#[test]
fn all_hosts_that_failed_are_named() {
    let error = connect("host=127.0.0.1,::1,/nowhere port=1,2,3 user=u", &[]).err().unwrap();
    for part in ["host 127.0.0.1, port 1: ", "host ::1, port 2: ", "host /nowhere, port 3", "user u"] {
        assert!(error.contains(part), "{error}");
    }
}
