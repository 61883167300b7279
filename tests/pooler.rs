//! A pooler between the program and PostgreSQL: a real PgBouncer. Nothing of ours stays on its connections, nothing on them
//! changes what is read, and each transaction may be on another server.

#![allow(clippy::unwrap_used, reason = "what surrounds these tests must not fail either")]

mod support;

#[path = "pooler/balancing.rs"]
mod balancing;
#[path = "pooler/left_behind.rs"]
mod left_behind;
#[path = "pooler/refusals.rs"]
mod refusals;

// all that is told of exports holds through a pooler too
#[path = "events/access.rs"]
mod access;
#[path = "events/duplicates.rs"]
mod duplicates;
#[path = "events/lines.rs"]
mod lines;
#[path = "events/places.rs"]
mod places;
#[path = "events/redactions.rs"]
mod redactions;
#[path = "events/rejudged.rs"]
mod rejudged;
#[path = "events/said.rs"]
mod said;
#[path = "events/selection.rs"]
mod selection;
#[path = "events/sticky.rs"]
mod sticky;
#[path = "events/streams.rs"]
mod streams;
#[path = "events/waiting.rs"]
mod waiting;

use std::sync::OnceLock;
use std::time::Duration;

use assert_cmd::Command;

use support::pooler::Pooler;
use support::story::ROOM;
use support::{Database, Shape, cluster, wait_until};

const SHAPES: [Shape; 3] = [Shape::V1_60, Shape::V1_90, Shape::V1_163];

/// A server with one user and one room, which is reached through a pooler in the mode `transaction`.
fn server(shape: Shape) -> Database {
    static POOLER: OnceLock<Pooler> = OnceLock::new();
    let pooler = POOLER.get_or_init(|| {
        let settings = "pool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 500\nserver_idle_timeout = 5";
        Pooler::of(cluster(), settings)
    });
    let database = cluster().database("pooled", shape);
    database.user("@alice:here.test");
    database.room(ROOM, "10");
    database.through(pooler)
}

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs the program with nothing of this process's environment.
fn run<A: AsRef<str>>(arguments: &[A]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_synapse-export"));
    command.env_clear().timeout(Duration::from_secs(120));
    let output = command.args(arguments.iter().map(AsRef::as_ref)).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}
