//! An export that follows: what comes is archived, once, whatever happens to the server, the disk, or the archive meanwhile.

#![allow(clippy::unwrap_used, reason = "what surrounds these tests must not fail either")]

mod support;

use std::io::Write as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use support::archive::{TestArchive, entries};
use support::standby::Standby;
use support::story::{EventRow, NOON, ROOM};
use support::{Cluster, Database, Shape, cluster, wait_until};

const OTHER: &str = "!other:here.test";

/// A server with one user, two rooms and five events.
fn server(cluster: &Cluster) -> Database {
    let database = cluster.database("follow", Shape::V1_163);
    database.user("@alice:here.test");
    database.room(ROOM, "10");
    database.room(OTHER, "10");
    database.events([1, 2, 3, -1, -2]);
    database
}

/// An export that follows, ended when dropped.
struct Follower {
    child: Child,
    said: PathBuf,
}

impl Follower {
    fn start(dsn: &str, archive: &TestArchive, more: &[&str]) -> Follower {
        Follower::start_with(dsn, archive, more, &[])
    }

    fn start_with(dsn: &str, archive: &TestArchive, more: &[&str], environment: &[(&str, &str)]) -> Follower {
        let said = archive.path().with_extension("log");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&said).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_synapse-export"));
        command.args(["export", "--follow", "--interval", "1s", "--render-every", "1s", "--database", dsn]);
        command.arg("--archive").arg(archive.path()).args(more).env_clear().envs(environment.iter().copied());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Follower { child, said }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.said).unwrap()
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()));
    }

    /// Waits until it has said something, so many times in all.
    #[track_caller]
    fn has_said(&self, part: &str, times: usize) {
        wait_until(part, || self.said().matches(part).count() >= times);
    }

    /// Tells it to end; its status. It has 5 seconds, and on a busy machine as many times as many as that is slower.
    #[track_caller]
    fn end(mut self) -> Option<i32> {
        let began = Instant::now();
        let look = Command::new(env!("CARGO_BIN_EXE_synapse-export")).arg("--version").output().unwrap();
        // it takes 3 ms where there is nothing else to do
        let slowness = (began.elapsed().as_secs_f64() / 0.003).max(1.0);
        assert!(look.status.success());
        // as `timeout` does: the command, and then its group
        self.signal("TERM");
        self.signal("TERM");
        let began = Instant::now();
        let status = self.child.wait().unwrap();
        let most = Duration::from_secs_f64(5.0 * slowness);
        assert!(began.elapsed() < most, "it took {:?} of {most:?}: {}", began.elapsed(), self.said());
        status.code()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "{:?}: {}", self.child.try_wait(), self.said());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many lines there are by now.
fn count(archive: &TestArchive) -> usize {
    let rooms = archive.path().join("rooms");
    let lines = |path: &Path| std::fs::read_to_string(path).map_or(0, |text| text.matches('\n').count());
    let files = entries(&rooms)
        .into_iter()
        .flat_map(|room| entries(&rooms.join(&room)).into_iter().map(move |file| (room.clone(), file)));
    files
        .filter(|(_, file)| file.strip_suffix(".jsonl").is_some())
        .map(|(room, file)| lines(&rooms.join(room).join(file)))
        .sum()
}

#[track_caller]
fn has(archive: &TestArchive, lines: usize) {
    wait_until(&format!("{lines} events are archived"), || count(archive) == lines);
}

fn run(archive: &TestArchive, command: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_synapse-export"));
    program.args(command).arg("--archive").arg(archive.path()).env_clear().output().unwrap()
}

/// Runs a command that has to wait for the one that follows.
#[track_caller]
fn let_in(archive: &TestArchive, command: &[&str]) {
    let lock = archive.path().join(".lock");
    wait_until("it follows", || std::fs::read_to_string(&lock).is_ok_and(|lock| lock.contains("\"lets_in\":true")));
    let output = run(archive, command);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("waiting for the export that follows"), "{command:?}: {said}");
}

#[test]
fn what_comes_is_archived_once_and_a_signal_ends_it() {
    let (database, archive) = (server(cluster()), TestArchive::new());
    let told = archive.path().with_extension("socket");
    let manager = UnixDatagram::bind(&told).unwrap();
    // one that does not listen would hold up who tells it
    let listening = std::thread::spawn(move || {
        let (mut messages, mut buffer) = (String::new(), [0; 4096]);
        while !messages.contains("STOPPING=1") {
            let length = manager.recv(&mut buffer).unwrap();
            messages += &String::from_utf8_lossy(&buffer[..length]);
            messages.push('\n');
        }
        messages
    });
    let killed = Follower::start(&database.dsn(), &archive, &[]);
    has(&archive, 5);
    drop(killed);
    let environment = [("NOTIFY_SOCKET", told.to_str().unwrap()), ("WATCHDOG_USEC", "2000000")];
    let follower = Follower::start_with(&database.dsn(), &archive, &["--log-level", "debug"], &environment);
    // one that commits late, one from before
    database.events([5, 7, -4]);
    has(&archive, 8);
    database.event(EventRow::message(6, "late"));
    has(&archive, 9);
    database.event(EventRow { outlier: true, sender: "@bob:far.test".to_owned(), ..EventRow::at(8) });
    database.event(EventRow::message(9, "and seen"));
    has(&archive, 10);
    database.de_outlier("$8", 10);
    has(&archive, 11);
    let transcript = archive.path().join("rooms/room@here.test/2026-11-22.md");
    wait_until("it is rendered", || std::fs::read_to_string(&transcript).is_ok_and(|text| text.contains("and seen")));
    let log = archive.path().join("catalog.sqlite-wal");
    wait_until("the log is emptied", || log.metadata().is_ok_and(|log| log.len() == 0));
    let connections = "select count(*) from pg_stat_activity where datname = current_database() and application_name like 'synapse-export%'";
    assert_ne!(database.query_one_text(connections), "0");
    let said = follower.said();
    assert_eq!(follower.end(), Some(0), "{said}");
    wait_until("no connection is left", || database.query_one_text(connections) == "0");
    assert_eq!(archive.one("select outcome from run order by run desc limit 1"), "done");
    assert_eq!(archive.one("select sum(live + backfill) from run"), "11");
    let other = archive.transcripts_agree(&database);
    assert_eq!(archive.lines(), other.lines());

    let messages = listening.join().unwrap();
    let at = |part: &str| messages.find(part).unwrap_or_else(|| panic!("no {part}: {messages}"));
    assert!(at("READY=1") < at("STATUS=following") && at("WATCHDOG=1") < at("STOPPING=1"), "{messages}");
}

#[test]
fn who_waits_is_let_in_and_another_export_is_not() {
    let (database, archive) = (server(cluster()), TestArchive::new());
    let follower = Follower::start(&database.dsn(), &archive, &[]);
    has(&archive, 5);
    let_in(&archive, &["render", "--all"]);
    database.events([5]);
    has(&archive, 6);
    let_in(&archive, &["watermark", "reset", "--yes"]);
    let_in(&archive, &["erase", "--event", "$5", "--yes"]);
    let_in(&archive, &["keys", "forget"]);
    database.events([6]);
    has(&archive, 7);
    let output = run(&archive, &["export", "--database", &database.dsn()]);
    assert_eq!(output.status.code(), Some(75), "{}", String::from_utf8_lossy(&output.stderr));
    follower.has_said("letting another command in", 4);
    follower.has_said("going on after", 4);
    // what a killed command has left costs a turn, no more
    std::fs::write(archive.path().join(".lock.wanted"), "").unwrap();
    follower.has_said("going on after", 5);
    wait_until("it is swept away", || !archive.path().join(".lock.wanted").exists());
    database.events([7]);
    has(&archive, 8);
    assert_eq!(follower.end(), Some(0));
    assert_eq!(archive.one("select count(*) from run"), "1", "all of a day is one run");
    assert!(!archive.path().join(".lock").exists());
    let lines = archive.lines();
    assert!(lines["$5"].text.contains("erased") && lines.len() == 8, "{lines:?}");
}

#[test]
fn days_are_compressed_and_erased_beside_it() {
    let (database, archive) = (server(cluster()), TestArchive::new());
    database.event(EventRow::message(4, "secretfirst"));
    let follower = Follower::start(&database.dsn(), &archive, &[]);
    has(&archive, 6);
    let_in(&archive, &["compact", "--older-than", "0d"]);
    has(&archive, 0);
    // what comes for a day that is compressed is appended to it, and erased from it
    database.event(EventRow::message(5, "secretsecond"));
    database.event(EventRow::message(6, "stays"));
    let archived = |events: &str| archive.one("select count(*) from event") == events;
    wait_until("it is archived", || archived("8"));
    let_in(&archive, &["erase", "--event", "$4", "--event", "$5", "--whole", "--yes"]);
    assert!(archived("6"));
    database.event(EventRow::message(7, "later"));
    wait_until("it goes on", || archived("7"));
    assert_eq!(follower.end(), Some(0));
    assert!(run(&archive, &["compact", "--expand"]).status.success());
    let ids: Vec<String> = archive.lines().into_keys().collect();
    assert_eq!(ids, ["$-1", "$-2", "$1", "$2", "$3", "$6", "$7"]);
    let mut search = Command::new("grep");
    let found = search.args(["-r", "-a", "-l", "-e", "secretfirst", "-e", "secretsecond"]).arg(archive.path());
    assert_eq!(found.output().unwrap().status.code(), Some(1), "it is nowhere");
    // the events of these tests prove nothing: all else holds, though what came last may not be rendered yet
    let output = run(&archive, &["verify", "--json"]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let off: Vec<&String> = found["off"].as_object().unwrap().keys().collect();
    assert_eq!(off, ["event"], "{found}");
    assert_eq!(found["chain"]["unchained_lines"], 0, "{found}");
}

#[test]
fn a_server_that_is_away_is_waited_for_and_that_is_said_once() {
    let cluster = Cluster::start();
    let database = server(&cluster);
    let archive = TestArchive::new();
    let dsn = database.dsn();
    let follower = Follower::start(&dsn, &archive, &["--retry-for", "1s"]);
    // one that fails in the middle is another run
    follower.has_said("done:", 1);
    for times in 1..=2 {
        cluster.control(&["stop", "--mode", "fast"]);
        follower.has_said("trying again until it works", times);
        // for longer than one pause
        std::thread::sleep(Duration::from_secs(4));
        cluster.control(&["start", "--options", &format!("-p {}", cluster.port())]);
        let id = 10 + times;
        let sql = format!(
            "with event as (insert into events (stream_ordering, topological_ordering, event_id, type, room_id, processed, outlier, \
                     origin_server_ts, received_ts, sender) \
             values ({id}, {id}, '${id}', 'm.room.message', '{ROOM}', true, false, {NOON}, {NOON}, '@alice:here.test')) \
             insert into event_json (event_id, room_id, internal_metadata, json) values ('${id}', '{ROOM}', '{{}}', '{{}}') returning 1"
        );
        support::standby::query(&dsn, &sql).unwrap();
        has(&archive, 5 + times);
        follower.has_said("back again", times);
    }
    let said = follower.said();
    assert_eq!((said.matches("until it works").count(), said.matches("back again").count()), (2, 2), "{said}");
    assert_eq!(follower.end(), Some(0));
    assert_eq!(archive.one("select count(*) || outcome from run"), "1done");
}

#[test]
fn what_makes_no_sense_at_first_ends_it() {
    let archive = TestArchive::new();
    let dsn = "host=127.0.0.1 port=1 user=nobody dbname=none";
    let mut follower = Follower::start(dsn, &archive, &[]);
    assert_eq!(follower.child.wait().unwrap().code(), Some(75), "{}", follower.said());
    let database = server(cluster());
    let mut follower = Follower::start(&database.dsn(), &archive, &["--room", "!nowhere:here.test"]);
    assert_eq!(follower.child.wait().unwrap().code(), Some(1), "{}", follower.said());
}

#[test]
fn a_hangup_has_the_configuration_read_again() {
    let (database, archive) = (server(cluster()), TestArchive::new());
    database.event(EventRow::at(4).within(OTHER));
    let config = archive.path().with_extension("toml");
    let metrics = archive.path().with_extension("prom");
    let with = format!("metrics-file = '{}'\n", metrics.display());
    std::fs::write(&config, format!("room = ['{ROOM}']\n")).unwrap();
    let follower = Follower::start(&database.dsn(), &archive, &["--config", config.to_str().unwrap()]);
    has(&archive, 5);
    std::fs::write(&config, "rooms = []\n").unwrap();
    follower.signal("HUP");
    follower.has_said("what was read before holds", 1);
    database.events([5]);
    has(&archive, 6);
    std::fs::write(&config, format!("room = ['{ROOM}', '{OTHER}']\n{with}")).unwrap();
    follower.signal("HUP");
    follower.has_said("the configuration is read again", 1);
    has(&archive, 7);
    let has_figures = |part: &str| std::fs::read_to_string(&metrics).is_ok_and(|text| text.contains(part));
    wait_until("there are figures", || has_figures("stream=\"live\"} 5"));
    database.events([6]);
    wait_until("they are of what comes", || has_figures("stream=\"live\"} 6"));
    assert_eq!(follower.end(), Some(0));
}

#[test]
fn a_full_disk_is_waited_for() {
    let database = server(cluster());
    database.execute(&format!(
        "insert into events (stream_ordering, topological_ordering, event_id, type, room_id, processed, outlier, \
                             origin_server_ts, received_ts, sender) \
         select i, i, '$' || i, 'm.room.message', '{ROOM}', true, false, {NOON}, {NOON}, '@alice:here.test' \
           from generate_series(10, 3009) i; \
         insert into event_json (event_id, room_id, internal_metadata, json) \
         select event_id, room_id, '{{}}', '{{\"content\":{{\"body\":\"' || repeat('x', 1000) || '\"}}}}' \
           from events where stream_ordering >= 10"
    ));
    // a small file system of its own, seen by nobody else and gone with its shell
    let unshare = |way: &[&str], script: &str, arguments: &[&str]| {
        Command::new("unshare").args(way).args(["sh", "-c", script]).args(arguments).output().unwrap()
    };
    let ways = [&["--mount"][..], &["--mount", "--user", "--map-root-user"]];
    let may = |way: &&&[&str]| unshare(way, "mount -t tmpfs tmpfs /mnt", &[]).status.success();
    let Some(way) = ways.iter().find(may) else {
        writeln!(std::io::stderr(), "note: nothing may be mounted here, so no disk was filled").unwrap();
        return;
    };
    let script = r#"
        mount -t tmpfs -o size=3m tmpfs /mnt
        "$0" export --follow --interval 1s --database "$1" --archive /mnt/archive 2>"$2.log" &
        follower=$!
        until grep -q 'until it works' "$2.log"; do sleep 0.1; done
        mount -o remount,size=64m /mnt
        until grep -q 'back again' "$2.log"; do sleep 0.1; done
        kill "$follower"
        wait "$follower"
        echo "code $?"
        cp -a /mnt/archive "$2"
        cat "$2.log""#;
    let archive = TestArchive::new();
    let place = archive.path().to_str().unwrap();
    let output = unshare(way, script, &[env!("CARGO_BIN_EXE_synapse-export"), &database.dsn(), place]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("code 0") && said.matches("until it works").count() == 1, "{said}");
    assert_eq!(archive.lines().len(), 3_005);
}

#[test]
fn a_copy_is_made_beside_it() {
    let (database, archive) = (server(cluster()), TestArchive::new());
    let follower = Follower::start(&database.dsn(), &archive, &[]);
    has(&archive, 5);
    let copy = archive.path().with_file_name("copy");
    let command = format!("cp -R \"$SYNAPSE_EXPORT_ARCHIVE\" '{}'", copy.display());
    let dsn = database.dsn();
    // what it reads itself is in the copy too
    database.events([5]);
    let_in(&archive, &["export", "--database", &dsn, "--hold-while", &command]);
    let verify = ["verify", "--quick", "--archive", copy.to_str().unwrap()];
    let output = Command::new(env!("CARGO_BIN_EXE_synapse-export")).args(verify).env_clear().output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let sql = "select count(*) from event";
    let catalog = rusqlite::Connection::open(copy.join("catalog.sqlite")).unwrap();
    assert_eq!(catalog.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap(), 6);
    follower.has_said("going on after", 1);
    database.events([6]);
    has(&archive, 7);
    assert_eq!(follower.end(), Some(0));
}

#[test]
fn a_standby_that_takes_over_is_followed() {
    let cluster = Cluster::start();
    let (database, archive) = (server(&cluster), TestArchive::new());
    let standby = Standby::of(&cluster, "");
    let directory = cluster.directory().display();
    let dsn = format!(
        "host={directory},{directory} port={},{} user=postgres dbname={} target_session_attrs=read-write",
        cluster.port(),
        standby.port,
        database.name()
    );
    let follower = Follower::start(&dsn, &archive, &["--retry-for", "1s"]);
    has(&archive, 5);
    database.events([5]);
    has(&archive, 6);
    let is_replayed = || standby.query(database.name(), "select count(*) from events") == "6";
    wait_until("the standby has it all", is_replayed);
    cluster.control(&["stop", "--mode", "immediate"]);
    follower.has_said("trying again until it works", 1);
    standby.control(&["promote"]);
    let sql = format!(
        "insert into events (stream_ordering, topological_ordering, event_id, type, room_id, processed, outlier, \
                             origin_server_ts, received_ts, sender) \
         values (6, 6, '$6', 'm.room.message', '{ROOM}', true, false, {NOON}, {NOON}, '@alice:here.test'); \
         insert into event_json (event_id, room_id, internal_metadata, json) values ('$6', '{ROOM}', '{{}}', '{{}}')"
    );
    standby.query(database.name(), &sql);
    has(&archive, 7);
    follower.has_said("back again", 1);
    assert_eq!(follower.end(), Some(0));
    assert_eq!(archive.ids(), "$-1 $-2 $1 $2 $3 $5 $6");
}
