//! Runs that are cut short: by a signal, by a full disk.

use std::io::{Read as _, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::archives::{modes, modes_expected};
use crate::support::archive::{TestArchive, entries};
use crate::support::story::{EventRow, ROOM};
use crate::support::wait_until;
use crate::support::{Database, Shape, cluster};
use crate::{export, run, server, text};

/// Events of a size, 1,000 a day.
fn fill(database: &Database, first: i64, last: i64, bytes: usize) {
    database.execute(&format!(
        "insert into events (stream_ordering, topological_ordering, event_id, type, room_id, processed, outlier, \
                             origin_server_ts, received_ts, sender) \
         select i, i, '$' || i, 'm.room.message', '{ROOM}', true, false, 1795348800000 + i * 86400, 1795348800000 + i, \
                '@alice:here.test' \
           from generate_series({first}, {last}) i; \
         insert into event_json (event_id, room_id, internal_metadata, json) \
         select event_id, room_id, '{{}}', '{{\"content\":{{\"body\":\"' || repeat('x', {bytes}) || '\"}}}}' \
           from events where stream_ordering between {first} and {last}"
    ));
}

#[test]
fn a_signal_ends_a_run_after_its_batch() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let database = server();
        let archive = TestArchive::new();
        // The second page has a room whose version takes a minute to find out.
        fill(&database, 10, 6_000, 10);
        database.event(EventRow { room_id: "!slow:here.test".to_owned(), ..EventRow::at(6_001) });
        database.room("!slow:here.test", "10");
        database.execute(
            "alter table rooms rename to rooms_; \
             create view rooms as select * from rooms_ where room_id <> '!slow:here.test' or pg_sleep(60) is not null",
        );
        let mut child = spawn(&database, archive.path());
        let sleeping =
            "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()";
        wait_until("the export is at its second page", || database.query_one_text(sleeping) == "1");
        assert_eq!(modes(archive.path()), modes_expected(archive.path()), "in the middle of a run");
        kill(&child, signal);
        let began = Instant::now();
        let output = {
            child.wait().unwrap();
            child.wait_with_output().unwrap()
        };
        assert_eq!(output.status.code(), Some(code));
        assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("stopped:"), "{said}");
        let archived = archive.lines().len();
        assert!((1_000..6_000).contains(&archived), "{archived} events were committed: {said}");
        assert_eq!(archive.one("select outcome from run"), "stopped");

        database.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database(); \
             drop view rooms; alter table rooms_ rename to rooms",
        );
        export(&database, archive.path(), &[]).with(0);
        assert_eq!(archive.lines().len(), 6_000 - 10 + 1 + 5 + 1);
        export(&database, archive.path(), &[]).with(0).saying("0 new events");
    }
}

/// The command in the background, with a umask that lets everybody in.
fn spawn(database: &Database, archive: &Path) -> Child {
    Command::new("sh")
        .args(["-c", r#"umask 000; exec "$0" export --database "$1" --archive "$2""#])
        .args([env!("CARGO_BIN_EXE_synapse-export"), &database.dsn(), text(archive)])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("cannot run sh")
}

pub(crate) fn kill(child: &Child, signal: &str) {
    let status = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()));
}

/// A server with some 3 MB of events in four days.
fn large_server() -> Database {
    let database = cluster().database("full_disk", Shape::V1_163);
    database.user("@alice:here.test");
    database.room(ROOM, "10");
    fill(&database, 1, 3_000, 1_000);
    database
}

#[test]
fn no_more_room_in_a_file_ends_a_run_that_the_next_one_completes() {
    let database = large_server();
    let archive = TestArchive::new();
    let mut failures = 0;
    // Each step has its own file that grows: the catalog, its log, the lines.
    for blocks in [16, 64, 256, 1_024, 2_048, 4_096, 8_192, 16_384] {
        for archive in [&archive, &TestArchive::new()] {
            let output = Command::new("sh")
                .args(["-c", r#"trap '' XFSZ; ulimit -f "$3" && exec "$0" export --database "$1" --archive "$2""#])
                .args([env!("CARGO_BIN_EXE_synapse-export"), &database.dsn(), text(archive.path())])
                .arg(blocks.to_string())
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            if output.status.success() {
                assert_eq!(archive.lines().len(), 3_000);
                continue;
            }
            failures += 1;
            assert_eq!(output.status.code(), Some(1), "{blocks} blocks: {said}");
            let names_it = ["File too large", "catalog.sqlite"].iter().any(|part| said.contains(part));
            assert!(names_it, "{blocks} blocks: {said}");
        }
    }
    assert!(failures >= 4, "the limit was met {failures} times only");
    export(&database, archive.path(), &[]).with(0);
    assert_eq!(archive.lines().len(), 3_000);
}

#[test]
fn a_full_disk_ends_a_run_that_the_next_one_completes() {
    let database = large_server();
    // A small file system of its own, seen by nobody else and gone with its shell.
    let unshare = |way: &[&str], script: &str, arguments: &[&str]| {
        Command::new("unshare").args(way).args(["sh", "-c", script]).args(arguments).output().unwrap()
    };
    let ways = [&["--mount"][..], &["--mount", "--user", "--map-root-user"]];
    let may = |way: &&&[&str]| unshare(way, "mount -t tmpfs tmpfs /mnt", &[]).status.success();
    let Some(way) = ways.iter().find(may) else {
        // The test above meets the same errors by a limit on the size of files.
        writeln!(std::io::stderr(), "note: nothing may be mounted here, so no disk was filled").unwrap();
        return;
    };
    let script = r#"
        mount -t tmpfs -o size="$3" tmpfs /mnt
        "$0" export --quiet --database "$1" --archive /mnt/archive
        echo "code $?" >&2
        mount -o remount,size=64m /mnt
        "$0" export --quiet --database "$1" --archive /mnt/archive && cp -a /mnt/archive "$2""#;
    for size in ["128k", "1m", "3m", "5m", "7m"] {
        let archive = TestArchive::new();
        let arguments = [env!("CARGO_BIN_EXE_synapse-export"), &database.dsn(), text(archive.path()), size];
        let output = unshare(way, script, &arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{size}: {said}");
        assert!(said.contains("code 1"), "{size}: {said}");
        assert!(said.contains("No space left") || said.contains("disk is full"), "{size}: {said}");
        assert_eq!(archive.lines().len(), 3_000, "{size}");
    }
}

#[test]
fn a_dump_that_nobody_reads_hears_signals() {
    let database = large_server();
    let mut child = Command::new(env!("CARGO_BIN_EXE_synapse-export"))
        .args(["room", "--database", &database.dsn(), ROOM])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0; 100]).unwrap();
    fills_up(&child);
    kill(&child, "INT");
    let mut said = [0; 8];
    child.stderr.as_mut().unwrap().read_exact(&mut said).unwrap();
    assert_eq!(&said, b"stopping");
    kill(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// Returns when the pipe that a child writes to, and that holds far less than it has to write, is about full.
fn fills_up(child: &Child) {
    let pipe = child.stdout.as_ref().expect("piped");
    wait_until("the pipe is full", || rustix::io::ioctl_fionread(pipe).expect("a pipe") >= 32 * 1024);
}

#[test]
fn a_second_signal_leaves_no_temporary_archive_behind() {
    let database = large_server();
    let temporary = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_synapse-export"))
        .args(["room", "--format", "markdown", "--database", &database.dsn(), ROOM])
        .env("TMPDIR", temporary.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    fills_up(&child);
    assert_eq!(entries(temporary.path()).len(), 1);
    // nobody reads, so that it cannot end in good order
    kill(&child, "TERM");
    let mut said = [0; 8];
    child.stderr.as_mut().unwrap().read_exact(&mut said).unwrap();
    assert_eq!(&said, b"stopping");
    // two at once are one
    std::thread::sleep(Duration::from_millis(600));
    kill(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert!(entries(temporary.path()).is_empty(), "{:?}", entries(temporary.path()));
}

/// Sends a signal and waits for the end; the exit code.
fn end(child: &mut Child, signal: &str) -> Option<i32> {
    kill(child, signal);
    child.wait().expect("it is a child").code()
}

#[test]
fn a_signal_ends_what_takes_long_without_the_server() {
    const LINES: usize = 100_000;
    let database = server();
    let archive = TestArchive::new();
    let room = archive.path().join("rooms/r@here.test");
    std::fs::create_dir_all(&room).unwrap();
    let line = |i| {
        format!(
            r#"{{"event_id":"${i}","room_id":"!r:here.test","synapse":{{"stream_ordering":{i},"topological_ordering":{i},"received_ts":null,"room_version":"10"}},"type":"m.room.message","sender":"@alice:here.test","content":{{"body":"{i}"}},"origin_server_ts":1795348800000}}
"#
        )
    };
    std::fs::write(room.join("2026-11-22.jsonl"), (100..LINES + 100).map(line).collect::<String>()).unwrap();

    // the catalog is made anew
    let mut child = spawn(&database, archive.path());
    wait_until("it has begun", || archive.path().join(".catalog.sqlite.new-journal").exists());
    assert_eq!(end(&mut child, "TERM"), Some(143));
    assert!(!archive.path().join("catalog.sqlite").exists(), "it was done before it heard of it");
    // which goes on with what there is
    export(&database, archive.path(), &["--no-markdown"]).with(0);
    assert!(!archive.path().join(".catalog.sqlite.new").exists());

    // one long day is rendered
    let mut child = Command::new(env!("CARGO_BIN_EXE_synapse-export"))
        .args(["render", "--archive", text(archive.path())])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("it has begun", || archive.path().join("catalog.sqlite-shm").exists());
    assert_eq!(end(&mut child, "TERM"), Some(143));
    let dirty = format!("select count(*) from stale join file using (file) where events = {LINES}");
    assert_eq!(archive.one(&dirty), "1", "it was done before it heard of it");
    run(&["render", "--archive", text(archive.path())]).with(0);
    assert_eq!(archive.one(&dirty), "0");
}

#[test]
fn a_signal_while_it_connects_says_what_is_true() {
    // takes connections, and never says anything
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dsn = format!("postgres://u@127.0.0.1:{}/d?sslmode=disable", silent.local_addr().unwrap().port());
    let archive = TestArchive::new();
    for (arguments, said) in [
        (&["export", "--archive", text(archive.path())][..], "stopping before anything is read"),
        (&["room", "!a:b"], "stopped while connecting: nothing was written"),
        (&["rooms"], "stopped while connecting: nothing was listed"),
    ] {
        let child = Command::new(env!("CARGO_BIN_EXE_synapse-export"))
            .env_clear()
            .args(arguments)
            .args(["--database", &dsn])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _connection = silent.accept().unwrap();
        kill(&child, "TERM");
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(143), "{told}");
        assert!(told.contains(said) && !told.contains("batch") && !told.contains("cut off"), "{told}");
    }
}

#[test]
fn who_waits_for_a_locked_catalog_is_told_after_a_second() {
    let (database, archive) = (server(), TestArchive::new());
    export(&database, archive.path(), &[]).with(0);
    let lock = rusqlite::Connection::open(archive.path().join("catalog.sqlite")).unwrap();
    lock.execute_batch("begin immediate").unwrap();
    let holding = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(2_500));
        lock.execute_batch("commit").unwrap();
    });
    let began = Instant::now();
    export(&database, archive.path(), &[]).with(0).saying("waiting for the catalog, which another process has locked");
    assert!(began.elapsed() > Duration::from_secs(1));
    holding.join().unwrap();
}
