//! What a pooler refuses, and what it has none of for a while.

use std::time::Duration;

use synapse_export::config::Config;
use synapse_export::source;
use tokio::runtime::Runtime;

use crate::left_behind::Other;
use crate::run;
use crate::support::archive::{TestArchive, chain};
use crate::support::pooler::Pooler;
use crate::support::story::{EventRow, ROOM};
use crate::support::{Database, Shape, cluster};

fn told() -> Database {
    let database = cluster().database("refusals", Shape::V1_163);
    database.user("@alice:here.test");
    database.room(ROOM, "10");
    database.event(EventRow::at(1));
    database
}

/// Exports, and checks how that ends.
#[track_caller]
fn export(dsn: &str, code: i32, parts: &[&str]) -> String {
    let archive = TestArchive::new();
    let ended = run(&["export", "--retry-for", "0s", "--database", dsn, "--archive", archive.path().to_str().unwrap()]);
    assert_eq!(ended.code, Some(code), "{dsn}: {ended:#?}");
    for part in parts {
        assert!(ended.stderr.contains(part), "{dsn}: {part}: {ended:#?}");
    }
    ended.stderr
}

#[test]
fn a_pooler_that_knows_no_transactions_is_refused() {
    let database = told();
    let pooler = Pooler::of(cluster(), "pool_mode = statement");
    let dsn = pooler.dsn(database.name());
    export(&dsn, 1, &["statement pooling mode", "pool_mode = transaction"]);
    let ended = run(&["doctor", "--database", &dsn]);
    assert_eq!(ended.code, Some(11), "{ended:#?}");
    assert!(ended.stdout.contains("pool_mode = transaction"), "{ended:#?}");
}

#[test]
fn what_is_wrong_is_said_as_without_a_pooler() {
    let database = told();
    let name = database.name();
    for role in ["alice", "other"] {
        database.execute(&format!(
            "do $$ begin create role pooled_{role} superuser login password 'right'; exception when others then null; end $$"
        ));
    }
    let databases = format!(
        "{name} = host={host} port={port}\ngone = host={host} port={port} dbname=no_such_database",
        host = cluster().directory().display(),
        port = cluster().port()
    );
    let users = "\"pooled_alice\" \"right\"\n\"pooled_nobody\" \"right\"";
    for auth in ["scram-sha-256", "md5", "plain"] {
        let pooler =
            Pooler::with(cluster(), users, &databases, &format!("auth_type = {auth}\npool_mode = transaction"));
        let dsn = |user: &str, database: &str, password: &str| {
            format!("host=127.0.0.1 port={} user={user} dbname={database} password={password}", pooler.port)
        };
        export(&dsn("pooled_alice", name, "right"), 0, &[]);
        export(&dsn("pooled_alice", name, "wrong"), 1, &["check the password"]);
        export(&dsn("pooled_stranger", name, "right"), 1, &["check the password"]);
        export(&dsn("pooled_alice", "none", "right"), 1, &["check the database's name"]);
        export(&dsn("pooled_alice", "gone", "right"), 1, &["check the database's name"]);
        export(&dsn("pooled_nobody", name, "right"), 1, &["pooled_nobody"]);
        let options = format!("{} options='-c statement_timeout=1h'", dsn("pooled_alice", name, "right"));
        export(&options, 1, &["unsupported startup parameter", "ALTER ROLE"]);
    }
}

#[test]
fn options_that_do_not_hold_are_warned_of() {
    let database = told();
    let pooler = Pooler::of(cluster(), "pool_mode = transaction\nignore_startup_parameters = options");
    let dsn = format!("{} options='-c statement_timeout=1h -c lock_timeout=7000'", pooler.dsn(database.name()));
    let said = export(&dsn, 0, &["statement_timeout is not as options asks for", "ALTER ROLE"]);
    assert_eq!(said.matches("is not as options asks for").count(), 2, "{said}");
    let ended = run(&["doctor", "--database", &dsn]);
    assert_eq!(ended.code, Some(10), "{ended:#?}");
    assert!(ended.stdout.contains("lock_timeout, statement_timeout, which does not hold"), "{ended:#?}");
    // what the role has is what was asked for
    database.execute(&format!(
        "alter database {name} set statement_timeout = '60min'; alter database {name} set lock_timeout = '7s'",
        name = database.name()
    ));
    let pooler = Pooler::of(cluster(), "pool_mode = transaction\nignore_startup_parameters = options");
    let dsn = format!("{} options='-c statement_timeout=1h -c lock_timeout=7000'", pooler.dsn(database.name()));
    assert!(!export(&dsn, 0, &[]).contains("options"));
    let direct = format!("{} options='-c statement_timeout=1h'", database.dsn());
    assert!(!export(&direct, 0, &[]).contains("options"));
}

#[test]
fn what_a_pooler_has_none_of_for_a_while_is_tried_again() {
    let database = told();
    let settings = "pool_mode = transaction\ndefault_pool_size = 1\nquery_wait_timeout = 1\nmax_client_conn = 3";
    let pooler = Pooler::of(cluster(), settings);
    let dsn = pooler.dsn(database.name());
    let holder = Other::connect(&dsn);
    holder.query("begin; select 1");
    export(&dsn, 75, &["query_wait_timeout"]);
    holder.query("rollback");

    let runtime = Runtime::new().unwrap();
    let config = Config::new(Some(&dsn), |_| None).unwrap().retrying_for(Duration::from_secs(60));
    let source = runtime.block_on(source::Database::connect(&config)).unwrap();
    holder.query("begin; select 1");
    let asking = std::thread::spawn(move || runtime.block_on(async { source.heads().await.map_err(|e| chain(&e)) }));
    let patience = std::time::Instant::now() + Duration::from_secs(30);
    while !pooler.log().contains("query_wait_timeout") || pooler.log().matches("query_wait_timeout").count() < 3 {
        assert!(std::time::Instant::now() < patience, "{}", pooler.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(!asking.is_finished());
    holder.query("rollback");
    asking.join().unwrap().unwrap();

    let others: Vec<Other> = (0..2).map(|_| Other::connect(&dsn)).collect();
    export(&dsn, 75, &["no more connections allowed"]);
    drop(others);
}

#[test]
fn without_a_pooler_there_is_none() {
    let database = told();
    for dsn in [database.dsn(), database.url()] {
        let ended = run(&["doctor", "--database", &dsn]);
        assert!(ended.stdout.contains("PostgreSQL itself answers"), "{ended:#?}");
    }
}
