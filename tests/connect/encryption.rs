//! Every `sslmode`, against every kind of server.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use super::support::Shape;
use super::support::story::ROOM;
use super::{RUNTIME, connect, servers};

#[test]
fn every_mode_asks_for_what_its_name_says() {
    let servers = servers();
    let (good, expired, plain) = (&servers.good, &servers.expired, &servers.plain);
    let [right, wrong] = ["right.crt", "wrong.crt"].map(|name| format!("sslrootcert={}", good.file(name)));
    let (right, wrong) = (right.as_str(), wrong.as_str());
    // the roles "tls" and "plain" are let in one way only, so that a success tells which way it was
    for (server, role, mode, root, outcome) in [
        (good, "plain", "disable", "", ""),
        (good, "tls", "disable", "", "no encryption"),
        (good, "plain", "allow", "", ""),
        (good, "tls", "allow", "", ""),
        (good, "plain", "prefer", "", ""),
        (good, "tls", "prefer", "", ""),
        (good, "tls", "prefer", wrong, ""),
        (good, "tls", "require", "", ""),
        (good, "plain", "require", "", "SSL encryption"),
        (good, "tls", "require", right, ""),
        (good, "tls", "require", wrong, "certificate verify failed"),
        (good, "tls", "verify-ca", right, ""),
        (good, "tls", "verify-ca", wrong, "certificate verify failed"),
        (good, "tls", "verify-ca", "sslrootcert=/nowhere", "/nowhere"),
        (good, "tls", "verify-ca", "", "sslrootcert"),
        (good, "plain", "verify-ca", right, "SSL encryption"),
        (good, "tls", "verify-full", right, ""),
        (good, "tls", "verify-full", wrong, "certificate verify failed"),
        (good, "tls", "verify-full", "sslrootcert=system", "certificate verify failed"),
        (expired, "tls", "require", "", ""),
        (expired, "tls", "require", right, "expired"),
        (expired, "tls", "verify-ca", right, "expired"),
        (expired, "tls", "verify-full", right, "expired"),
        (plain, "plain", "disable", "", ""),
        (plain, "plain", "allow", "", ""),
        (plain, "plain", "prefer", "", ""),
        (plain, "plain", "require", "", "server does not support TLS"),
        (plain, "plain", "verify-ca", right, "server does not support TLS"),
        (plain, "plain", "verify-full", right, "server does not support TLS"),
    ] {
        let asked = format!("{role} sslmode={mode} {root}");
        check(server.connect(&asked, &[]).err(), outcome, &format!("port {} {asked}", server.port));
    }
}

#[track_caller]
fn check(error: Option<String>, outcome: &str, asked: &str) {
    match error {
        None => assert_eq!(outcome, "", "{asked}"),
        Some(error) => assert!(!outcome.is_empty() && error.contains(outcome), "{asked}: {error}"),
    }
}

#[test]
fn only_verify_full_looks_at_the_name() {
    let good = &servers().good;
    let right = format!("sslrootcert={}", good.file("right.crt"));
    for (host, mode, outcome) in [
        ("host=other.test", "verify-full", "hostname mismatch"),
        ("host=127.0.0.1", "verify-full", "IP address mismatch"),
        ("host=''", "verify-full", "'host'"),
        ("host=other.test", "verify-ca", ""),
        ("host=other.test", "require", ""),
        ("host=''", "verify-ca", ""),
    ] {
        let asked = good.dsn(&format!("tls sslmode={mode} {right}")).replace("host=localhost", host);
        check(connect(&asked, &[]).err(), outcome, &asked);
    }
}

#[test]
fn sockets_have_no_encryption_whatever_is_asked() {
    let good = &servers().good;
    let right = good.file("right.crt");
    let asked = format!("{} sslmode=verify-full sslrootcert={right}", good.database.dsn());
    check(connect(&asked, &[]).err(), "", &asked);
}

#[test]
fn a_client_certificate_is_shown_when_asked_for() {
    let good = &servers().good;
    let file = |name: &str| good.file(name);
    let (client, key, locked) = (file("client.crt"), file("client.key"), file("locked.key"));
    let open = file("open.key");
    std::fs::copy(&key, &open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
    let password = super::PASSWORD;
    for (files, outcome) in [
        (format!("sslcert={client} sslkey={key}"), ""),
        (String::new(), "certificate"),
        (format!("sslcert={client} sslkey={locked} sslpassword='{password}'"), ""),
        (format!("sslcert={client} sslkey={locked}"), "give sslpassword"),
        (format!("sslcert={client} sslkey={locked} sslpassword=other"), "does not decrypt"),
        (format!("sslcert={client} sslkey={open}"), "chmod 600"),
        (format!("sslcert={client} sslkey=/nowhere"), "/nowhere"),
        (format!("sslcert=/nowhere sslkey={key}"), "/nowhere"),
        (format!("sslcert={} sslkey={key}", file("stranger.crt")), "key values mismatch"),
    ] {
        let error = good.connect(&format!("certified sslmode=require {files}"), &[]).err();
        assert!(!error.as_ref().is_some_and(|error| error.contains(password)), "{error:?}");
        check(error, outcome, &files);
    }
}

#[test]
fn channel_binding_is_had_or_refused() {
    let servers = servers();
    for (server, asked, outcome) in [
        (&servers.good, "scram sslmode=require channel_binding=require", ""),
        (&servers.good, "scram sslmode=require channel_binding=prefer", ""),
        (&servers.good, "scram sslmode=require channel_binding=disable", ""),
        (&servers.good, "scram sslmode=disable channel_binding=require", "channel binding"),
        (&servers.good, "clear sslmode=require channel_binding=require", "channel binding"),
        (&servers.good, "tls sslmode=require channel_binding=require", "channel binding"),
        (&servers.plain, "scram channel_binding=require", "channel binding"),
    ] {
        let with_password = format!("{asked} password='{}'", super::PASSWORD);
        check(server.connect(&with_password, &[]).err(), outcome, asked);
    }
}

#[test]
fn a_certificate_that_knows_no_channel_binding_is_said_to_be_of_that_kind() {
    let certificate = super::certificates::ed25519("localhost");
    let server = super::Server::start(std::path::Path::new(""), Some(&certificate), Some(&certificate));
    for (binding, outcome) in
        [("require", "no channel binding exists for a certificate"), ("prefer", ""), ("disable", "")]
    {
        let asked = format!("scram sslmode=require channel_binding={binding}");
        check(server.connect(&format!("{asked} password='{}'", super::PASSWORD), &[]).err(), outcome, &asked);
    }
}

#[test]
fn a_statement_is_cancelled_with_the_encryption_of_its_session() {
    let good = &servers().good;
    let authority = format!("sslrootcert={}", good.file("right.crt"));
    for asked in [format!("tls sslmode=verify-full {authority}"), "plain sslmode=disable".to_owned()] {
        a_statement_is_cancelled(&good.dsn(&asked));
    }
}

fn a_statement_is_cancelled(asked: &str) {
    let good = &servers().good;
    let database = good.cluster.database("cancelled", Shape::V1_163);
    database.user("@alice:here.test");
    database.room(ROOM, "10");
    database.events([1]);
    database.execute(
        "alter table rooms rename to rooms_; create view rooms as select * from rooms_ where pg_sleep(60) is not null",
    );
    let asked = asked.replace(good.database.name(), database.name());
    let source = connect(&asked, &[]).unwrap();
    let sleeping = || {
        let asleep = "wait_event = 'PgSleep' and datname = current_database()";
        database.query_one_text(&format!("select count(*) from pg_stat_activity where {asleep}"))
    };
    let patience = Instant::now() + Duration::from_secs(20);
    RUNTIME.block_on(async {
        let rows = source.room(ROOM, None, None, false);
        while sleeping() != "1" {
            assert!(Instant::now() < patience, "no statement is run");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        drop(rows);
        source.close().await;
    });
    while sleeping() != "0" {
        assert!(Instant::now() < patience, "the statement goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
}
