//! A pooler that gives each transaction another server, one of which lags.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::support::archive::TestArchive;
use crate::support::pooler::Pooler;
use crate::support::standby::Standby;
use crate::support::story::{EventRow, NOON, ROOM};
use crate::support::{Cluster, Shape};
use crate::{run, wait_until};

const DAY: i64 = 24 * 60 * 60 * 1000;

/// Passes each connection on to one of several servers, in an order that looks like chance: how many statements there are before
/// another one decides nothing then.
struct Balancer {
    port: u16,
    next: Arc<AtomicUsize>,
    _runtime: Runtime,
}

impl Balancer {
    fn to(servers: Vec<u16>) -> Balancer {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let (port, next) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
        let counting = Arc::clone(&next);
        runtime.spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let server = servers[mixed(counting.fetch_add(1, Ordering::Relaxed)) % servers.len()];
                tokio::spawn(async move {
                    let Ok(mut server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Balancer { port, next, _runtime: runtime }
    }
}

fn mixed(nth: usize) -> usize {
    // the fractional part of the golden ratio's multiples (Knuth, "The Art of Computer Programming", 6.4)
    ((nth as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 61) as usize
}

/// After how many runs it would be no chance that they all began alike.
const MOST_RUNS: usize = 24;

/// What a standby has not replayed yet is old by the server's clock, and would never be looked for again.
#[test]
fn a_page_of_a_standby_that_lags_moves_no_watermark() {
    let primary = Cluster::start();
    let database = primary.database("balanced", Shape::V1_163);
    database.user("@alice:here.test");
    database.room(ROOM, "10");
    let at = |id: i64, day: i64| EventRow { received_ts: Some(NOON + day * DAY), ..EventRow::at(id) };
    for id in (1..40).chain(60..70) {
        database.event(at(id, 0));
    }
    let standby = Standby::of(&primary, "");
    database.execute("create table marker (n int)");
    let name = database.name();
    let has = |sql: &str| standby.query(name, sql);
    wait_until("the standby has all", || has("select count(*) from pg_class where relname = 'marker'") == "1");
    standby.query(name, "select pg_wal_replay_pause()");
    wait_until("the replay pauses", || has("select pg_get_wal_replay_pause_state()") == "paused");
    // late ones, and newer ones
    for id in 40..60 {
        database.event(at(id, 0));
    }
    for id in 70..100 {
        database.event(at(id, 3));
    }
    let count = |archive: &TestArchive| archive.lines().len();
    let balancer = Balancer::to(vec![primary.port(), standby.port]);
    let databases = format!("{name} = host=127.0.0.1 port={}", balancer.port);
    // each transaction gets a connection of its own
    let settings = "auth_type = trust\npool_mode = transaction\ndefault_pool_size = 1\nserver_lifetime = 0\nserver_round_robin = 1";
    let pooler = Pooler::with(&primary, r#""postgres" """#, &databases, settings);
    let (mut archives, mut behind, mut whole) = (Vec::new(), 0, 0);
    for first in 0..MOST_RUNS {
        if first >= 4 && behind > 0 && whole > 0 {
            break;
        }
        balancer.next.store(first, Ordering::Relaxed);
        let archive = TestArchive::new();
        let path = archive.path().to_str().unwrap().to_owned();
        let ended = run(&["export", "--database", &pooler.dsn(name), "--archive", &path, "--retry-for", "60s"]);
        assert_eq!(ended.code, Some(0), "{ended:#?}\n{}", pooler.log());
        // a run that began with the newest id of the primary has all, with that of the standby all up to there that it met
        assert!([49, 69, 99].contains(&count(&archive)), "{}: {ended:#?}", count(&archive));
        behind += ended.stderr.matches("it is behind the server that this run began with").count();
        whole += usize::from(count(&archive) == 99);
        archives.push(archive);
    }
    // who asks for the primary reads nothing else, transaction by transaction
    let primary_only = format!("{} target_session_attrs=primary", pooler.dsn(name));
    let mut refused = String::new();
    let turned_away = "it is a standby, and target_session_attrs=primary; trying again";
    for first in 0..MOST_RUNS {
        if first >= 4 && refused.contains(turned_away) {
            break;
        }
        balancer.next.store(first, Ordering::Relaxed);
        let archive = TestArchive::new();
        let path = archive.path().to_str().unwrap().to_owned();
        let ended = run(&["export", "--database", &primary_only, "--archive", &path, "--retry-for", "60s"]);
        // before a connection there is no patience
        if ended.code == Some(0) {
            assert_eq!(count(&archive), 99, "{ended:#?}");
            refused += &ended.stderr;
        }
    }
    assert!(refused.contains(turned_away), "{refused}");
    standby.query(name, "select pg_wal_replay_resume()");
    wait_until("the standby has all", || has("select count(*) from events") == "99");
    for archive in &archives {
        let path = archive.path().to_str().unwrap();
        let ended = run(&["export", "--database", &pooler.dsn(name), "--archive", path]);
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert_eq!(count(archive), 99, "{ended:#?}");
    }
    assert!(behind > 0 && whole > 0, "{behind} turned away, {whole} from the primary");
}
