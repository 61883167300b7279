//! Who else may read an archive: a group, where it is let in, with any tool, beside an export and after one that was killed; and
//! what can be read where nobody may write.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use rusqlite::Connection;
use synapse_export::archive::{self, Readers, Step};

use crate::archives::{modes, modes_expected};
use crate::support::Database;
use crate::support::archive::{TestArchive, entries};
use crate::support::story::{EventRow, ROOM};
use crate::{Ended, export, run, server, text};

const PROGRAM: &str = env!("CARGO_BIN_EXE_synapse-export");
/// Another user of this machine, and his group.
const READER: (u32, u32) = (64_001, 64_002);

/// Whether this is a user who can be another one.
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// A command as the reader runs it; where nobody can be another user, as who owns the archive runs it.
fn reader(program: &str, arguments: &[&str]) -> Ended {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin");
    if is_root() {
        command.uid(READER.0).gid(READER.1);
    }
    let output = command.output().expect("the command can be run");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it speaks UTF-8");
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// What SQLite itself says, opening the catalog with plain `mode=ro`.
fn asked(catalog: &Path, sql: &str) -> String {
    const SCRIPT: &str = "import sqlite3, sys\n\
        catalog = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True, timeout=30)\n\
        print(catalog.execute(sys.argv[2]).fetchone()[0])";
    let said = reader("python3", &["-c", SCRIPT, text(catalog), sql]);
    if said.code == Some(0) { said.stdout.trim().to_owned() } else { said.stderr }
}

/// A place for an archive that others may go to, which is the reader's group's.
fn place() -> TestArchive {
    let archive = TestArchive::new();
    let above = archive.path().parent().expect("it is in a directory");
    fs::set_permissions(above, fs::Permissions::from_mode(0o711)).expect("its owner may");
    for directory in [archive.path().to_owned(), above.join("catalog")] {
        give(&directory);
    }
    archive
}

/// Makes a directory of the reader's group.
fn give(directory: &Path) {
    fs::create_dir(directory).expect("it is not there yet");
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).expect("its owner may");
    if is_root() {
        chown(directory, None, Some(READER.1)).expect("root may");
    }
}

/// The modes that everything in an archive for the group has.
fn for_the_group(archive: &Path) -> Vec<(String, String)> {
    let mode = |path: &str| match Path::new(path) {
        path if path.is_dir() => "2750",
        path if path.ends_with(".lock") => "600",
        _ => "640",
    };
    modes(archive).into_iter().map(|(path, _)| (path.clone(), mode(&path).to_owned())).collect()
}

#[track_caller]
fn is_the_groups(directory: &Path) {
    assert_eq!(modes(directory), for_the_group(directory));
    let group = |path: &Path| fs::metadata(path).expect("it is there").gid();
    for (path, _) in modes(directory) {
        assert_eq!(group(Path::new(&path)), group(directory), "{path}");
    }
}

/// The export of a server whose events are all in it.
fn exported(more: &[&str]) -> (Database, TestArchive) {
    let (database, archive) = (server(), place());
    database.event(EventRow::message(5, "hello"));
    export(&database, archive.path(), more).with(0);
    (database, archive)
}

#[test]
fn a_group_reads_all_of_an_archive_and_writes_nothing() {
    for elsewhere in [false, true] {
        let (database, archive) = (server(), place());
        database.event(EventRow::message(5, "hello"));
        let above = archive.path().parent().unwrap();
        let catalog = if elsewhere { above.join("catalog") } else { archive.path().to_owned() };
        let place = ["--catalog", text(&catalog)];
        // what is there already is changed, and what is made later is made so, whatever the umask
        export(&database, archive.path(), &[&place[..], &["--room", ROOM]].concat()).with(0);
        assert_eq!(modes(archive.path()), modes_expected(archive.path()));
        let mut given = Command::new("sh");
        given.args(["-c", r#"umask 077; exec "$0" "$@""#, PROGRAM, "render", "--group-readable"]);
        assert!(given.args(["--archive", text(archive.path())]).status().unwrap().success());
        is_the_groups(archive.path());
        database.room("!new:here.test", "10");
        database.event(EventRow { room_id: "!new:here.test".to_owned(), ..EventRow::at(6) });
        database.event(EventRow { ts: Some(1_700_000_000_000), ..EventRow::at(7) });
        let mut again = Command::new("sh");
        again.args(["-c", r#"umask 077; exec "$0" "$@""#, PROGRAM, "export", "--all-rooms"]);
        let again = again.args(["--archive", text(archive.path()), "--database", &database.dsn()]);
        assert!(again.status().unwrap().success());
        for directory in [archive.path(), &*catalog] {
            is_the_groups(directory);
        }
        let file = catalog.join("catalog.sqlite");
        assert_eq!(asked(&file, "select count(*) from event"), "8");
        assert_eq!(asked(&file, "pragma journal_mode"), "delete", "as SQLite calls any that is no log");
        reader("grep", &["-rqs", "hello", text(&archive.path().join("rooms"))]).with(0);
        reader("cat", &[text(&archive.path().join("index.md"))]).with(0);
        let show = reader(PROGRAM, &["watermark", "show", "--archive", text(archive.path())]).with(0).stdout;
        assert!(show.contains("position 7"), "{show}");
        let event = reader(PROGRAM, &["show", "$1", "--archive", text(archive.path())]).with(0).stdout;
        assert!(event.contains("hello"), "{event}");
        if is_root() {
            for path in [archive.path().join("new"), archive.path().join("rooms/new")] {
                reader("touch", &[text(&path)]).with(1).saying("Permission denied");
            }
            reader(PROGRAM, &["render", "--archive", text(archive.path())]).with(1).saying("Permission denied");
        }
        let doctor = run(&["doctor", "--database", &database.dsn(), "--archive", text(archive.path())]).stdout;
        assert!(doctor.contains("its owner and its group may look into it"), "{doctor}");
        // and back
        run(&["render", "--no-group-readable", "--archive", text(archive.path())]).with(0);
        for directory in [archive.path(), &*catalog] {
            assert_eq!(modes(directory), modes_expected(directory));
        }
        if is_root() {
            reader(PROGRAM, &["watermark", "show", "--archive", text(archive.path())])
                .with(1)
                .saying("Permission denied");
        }
        database.event(EventRow::at(8));
        export(&database, archive.path(), &[]).with(0).saying("1 new event");
        assert_eq!(modes(archive.path()), modes_expected(archive.path()));
        assert_eq!(
            Connection::open(&file)
                .unwrap()
                .query_row("pragma journal_mode", [], |row| row.get::<_, String>(0))
                .unwrap(),
            "wal"
        );
    }
}

#[test]
fn doctor_tells_what_the_group_cannot_read() {
    let (database, archive) = exported(&["--group-readable"]);
    let doctor = || {
        let said = run(&["doctor", "--json", "--database", &database.dsn(), "--archive", text(archive.path())]).stdout;
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        let of = said["findings"].as_array().unwrap().iter().find(|it| it["check"] == "archive's permissions");
        let of = of.unwrap();
        (of["kind"].as_str().unwrap().to_owned(), of["what"].as_str().unwrap().to_owned(), of["remedy"].clone())
    };
    assert_eq!(doctor().0, "fine");
    let room = archive.path().join("rooms").join(entries(&archive.path().join("rooms")).first().unwrap());
    for name in ["catalog.sqlite", "2026-11-22.jsonl", "index.md"] {
        let path = if name == "catalog.sqlite" { archive.path().join(name) } else { room.join(name) };
        assert!(path.exists(), "{path:?}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let (kind, what, _) = doctor();
        assert!(kind == "warning" && what.contains(name), "{what}");
    }
    fs::set_permissions(archive.path(), fs::Permissions::from_mode(0o750)).unwrap();
    let (kind, what, _) = doctor();
    assert!(kind == "warning" && what.contains("mode 0750"), "{what}");
    run(&["render", "--group-readable", "--archive", text(archive.path())]).with(0);
    assert_eq!(doctor().0, "fine");
    is_the_groups(archive.path());
}

#[test]
fn nothing_is_given_away_through_a_link() {
    let (_database, archive) = exported(&[]);
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("file");
    fs::write(&file, "secret").unwrap();
    for path in [outside.path(), &file] {
        fs::set_permissions(path, fs::Permissions::from_mode(if path.is_dir() { 0o700 } else { 0o600 })).unwrap();
    }
    std::os::unix::fs::symlink(outside.path(), archive.path().join("rooms/away")).unwrap();
    std::os::unix::fs::symlink(
        &file,
        archive
            .path()
            .join("rooms")
            .join(entries(&archive.path().join("rooms")).first().unwrap())
            .join("2026-01-01.jsonl"),
    )
    .unwrap();
    run(&["render", "--group-readable", "--archive", text(archive.path())]).with(0);
    assert_eq!(modes(outside.path()), modes_expected(outside.path()));
    is_the_groups(archive.path());
}

#[test]
fn a_group_that_its_owner_does_not_belong_to_is_refused() {
    if !is_root() {
        // whose groups this user is a member of cannot be chosen; the others of these tests let his own in
        writeln!(std::io::stderr(), "note: no other user can be had here").unwrap();
        return;
    }
    let (_database, archive) = exported(&[]);
    let owned = Command::new("chown").args(["-R", &format!("{}:0", READER.0), text(archive.path())]).status();
    assert!(owned.unwrap().success());
    let give = ["render", "--group-readable", "--archive", text(archive.path())];
    reader(PROGRAM, &give).with(1).saying("gid 0").saying("chgrp");
    chown(archive.path(), None, Some(READER.1)).unwrap();
    // what is begun is gone on with by any run
    reader(PROGRAM, &["render", "--archive", text(archive.path())]).with(0);
    is_the_groups(archive.path());
}

#[test]
fn a_catalog_that_another_program_has_open_is_told_of_and_left_as_it_was() {
    let (database, archive) = exported(&[]);
    let open = Connection::open(archive.path().join("catalog.sqlite")).unwrap();
    open.query_row("select count(*) from event", [], |row| row.get::<_, i64>(0)).unwrap();
    export(&database, archive.path(), &["--group-readable"]).with(75).saying("close it there");
    assert_eq!(modes(archive.path()).len(), modes_expected(archive.path()).len());
    export(&database, archive.path(), &[]).with(0);
    drop(open);
    export(&database, archive.path(), &["--group-readable"]).with(0);
    is_the_groups(archive.path());
}

#[test]
fn a_group_reads_beside_an_export_and_what_one_that_was_killed_has_left() {
    let (database, archive) = (server(), place());
    // without one for a first export, which has nothing to look anything up by
    archive::Archive::open(archive.path(), None).unwrap().set_readers(Readers::Group).unwrap();
    for events in [6, 8] {
        database.event(EventRow::message(events, "more"));
        let path = archive.path().to_owned();
        let killed = path.parent().unwrap().join("killed");
        let hook = move |step: Step| {
            let of = |archive: &Path| asked(&archive.join("catalog.sqlite"), "select count(*) from event");
            let found = of(&path);
            assert!(found.parse::<u32>().is_ok(), "beside an export at {step:?}: {found}");
            let _ = fs::remove_dir_all(&killed);
            assert!(Command::new("cp").arg("-a").args([&path, &killed]).status().unwrap().success());
            let found = of(&killed);
            assert!(found.parse::<u32>().is_ok(), "after one that was killed at {step:?}: {found}");
            Ok(())
        };
        archive.export_hooked(&database, Box::new(hook)).unwrap();
        is_the_groups(archive.path());
    }
}

#[test]
fn a_commit_that_was_cut_off_is_told_of_until_its_owner_has_undone_it() {
    let (database, archive) = exported(&["--group-readable"]);
    let file = archive.path().join("catalog.sqlite");
    let journal = archive.path().join("catalog.sqlite-journal");
    // a part of it is in the catalog already, as when a commit is killed while it writes there
    let writing = Connection::open(&file).unwrap();
    writing.execute_batch("pragma journal_mode = persist; pragma cache_size = 1; begin immediate").unwrap();
    let sql = "insert into left_out select value || hex(zeroblob(500)) from json_each('[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]')";
    writing.execute(sql, []).unwrap();
    writing.execute("update left_out set room_id = room_id || 'x'", []).unwrap();
    let [catalog, log] = [&file, &journal].map(|path| fs::read(path).unwrap());
    writing.execute_batch("rollback").unwrap();
    drop(writing);
    fs::write(&file, catalog).unwrap();
    fs::write(&journal, log).unwrap();
    let show = ["watermark", "show", "--archive", text(archive.path())];
    if is_root() {
        reader(PROGRAM, &show).with(75).saying("a run was killed").saying("synapse-export export");
        assert!(asked(&file, "select count(*) from event").contains("readonly"), "SQLite says so too");
    }
    export(&database, archive.path(), &[]).with(0).saying("0 new events");
    reader(PROGRAM, &show).with(0);
    assert_eq!(asked(&file, "select count(*) from left_out"), "0");
    is_the_groups(archive.path());
}

#[test]
fn the_log_of_a_catalog_is_empty_after_each_run() {
    let (database, archive) = exported(&[]);
    let log = archive.path().join("catalog.sqlite-wal");
    let is_empty = || fs::metadata(&log).map_or(0, |log| log.len()) == 0;
    assert!(is_empty());
    // also while somebody has it open
    let open = Connection::open(archive.path().join("catalog.sqlite")).unwrap();
    open.query_row("select count(*) from event", [], |row| row.get::<_, i64>(0)).unwrap();
    database.event(EventRow::at(8));
    export(&database, archive.path(), &[]).with(0).saying("1 new event");
    assert!(is_empty() && log.exists());
    run(&["render", "--all", "--archive", text(archive.path())]).with(0);
    assert!(is_empty());
    // a look that goes on holds up nobody for long
    open.execute_batch("begin; select count(*) from event").unwrap();
    database.event(EventRow::at(9));
    export(&database, archive.path(), &[]).with(0).saying("1 new event");
    assert!(!is_empty());
    open.execute_batch("commit").unwrap();
    export(&database, archive.path(), &[]).with(0).saying("0 new events");
    assert!(is_empty());
}

/// Runs a script with the archive mounted at `/mnt`, where nobody may write; none where nothing may be mounted.
fn on_a_read_only_mount(archive: &Path, script: &str) -> Option<String> {
    let script = format!(r#"mount --bind "$1" /mnt && mount -o remount,ro,bind /mnt && {{ {script}; }} 2>&1"#);
    let mounted = |way: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(way).args(["sh", "-c", &script, PROGRAM, text(archive)]);
        let output = command.output().ok()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if said.is_empty() { None } else { Some(said) }
    };
    mounted(&["--mount"]).or_else(|| mounted(&["--mount", "--user", "--map-root-user"]))
}

#[test]
fn an_archive_on_a_read_only_mount_is_read_as_it_lies_there_while_no_export_runs() {
    let show = r#""$0" watermark show --archive /mnt; echo "code $?""#;
    let (database, archive) = exported(&[]);
    let Some(said) = on_a_read_only_mount(archive.path(), show) else {
        writeln!(std::io::stderr(), "note: nothing may be mounted here").unwrap();
        return;
    };
    assert!(said.contains("position 5") && said.contains("code 0"), "{said}");
    // one that is being written to, or has something in its log, is not looked at in this way
    let lock = fs::File::open(archive.path()).unwrap();
    lock.try_lock().unwrap();
    let said = on_a_read_only_mount(archive.path(), show).unwrap();
    assert!(said.contains("is writing to /mnt") && said.contains("code 75"), "{said}");
    drop(lock);
    let open = Connection::open(archive.path().join("catalog.sqlite")).unwrap();
    open.execute_batch("begin; select count(*) from event").unwrap();
    database.event(EventRow::at(8));
    export(&database, archive.path(), &[]).with(0).saying("1 new event");
    let copy = archive.path().parent().unwrap().join("copy");
    assert!(Command::new("cp").arg("-a").args([archive.path(), &copy]).status().unwrap().success());
    fs::remove_file(copy.join("catalog.sqlite-shm")).unwrap();
    let said = on_a_read_only_mount(&copy, show).unwrap();
    assert!(said.contains("--group-readable") && said.contains("code 1"), "{said}");
    drop(open);
    // one for the group needs none of this
    export(&database, archive.path(), &["--group-readable"]).with(0);
    let lock = fs::File::open(archive.path()).unwrap();
    lock.try_lock().unwrap();
    let said = on_a_read_only_mount(archive.path(), show).unwrap();
    assert!(said.contains("position 8") && said.contains("code 0"), "{said}");
    drop(lock);
}

#[test]
fn who_may_not_write_beside_a_catalog_is_told_how_to_read_it() {
    let (_database, archive) = exported(&[]);
    // as somebody lets others in by hand
    let may = if is_root() { "-R go+rX" } else { "-R a-w" };
    let chmod = |mode: &str| {
        let mode: Vec<&str> = mode.split(' ').collect();
        assert!(Command::new("chmod").args(mode).arg(archive.path()).status().unwrap().success());
    };
    chmod(may);
    let show = ["watermark", "show", "--archive", text(archive.path())];
    reader(PROGRAM, &show).with(1).saying("write-ahead log").saying("--group-readable");
    chmod("-R u+w,go=");
}
