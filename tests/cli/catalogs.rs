//! Catalogs that are kept elsewhere than in their archives.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::support::archive::TestArchive;
use crate::support::story::EventRow;
use crate::{export, run, server, text};

fn moved(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory can be made");
    fs::rename(from.join("catalog.sqlite"), to.join("catalog.sqlite")).expect("it is there");
}

#[test]
fn a_catalog_elsewhere_is_found_again_by_every_command() {
    let (database, archive, local) = (server(), TestArchive::new(), tempfile::tempdir().unwrap());
    let catalog = local.path().join("of/one");
    export(&database, archive.path(), &["--catalog", text(&catalog)]).with(0);
    assert!(!archive.path().join("catalog.sqlite").exists() && catalog.join("catalog.sqlite").exists());
    assert!(archive.path().join("index.md").exists());
    database.event(EventRow::at(4));
    export(&database, archive.path(), &[]).with(0).saying("1 new event");
    let at = ["--archive", text(archive.path())];
    let show = run(&[&["watermark", "show", "--json"], &at[..]].concat()).with(0).stdout;
    assert!(show.contains("\"position\": 4"), "{show}");
    run(&[&["render", "--all"], &at[..]].concat()).with(0);
    run(&[&["watermark", "reset", "--yes"], &at[..], &["--catalog", text(&catalog)]].concat()).with(0);
    export(&database, archive.path(), &[]).with(0).saying("0 new events");
    let said = run(&[&["doctor", "--database", &database.dsn()], &at[..]].concat()).stdout;
    assert!(said.contains("each is as long as its catalog says"), "{said}");
    // it moves, and is found there
    let next = local.path().join("next");
    moved(&catalog, &next);
    for more in [&[][..], &["--catalog", text(&local.path().join("nowhere"))]] {
        export(&database, archive.path(), more).with(1).saying("and there is none").saying("--catalog DIR");
    }
    assert!(!catalog.join("catalog.sqlite").exists() && !local.path().join("nowhere").exists());
    export(&database, archive.path(), &["--catalog", text(&next)]).with(0).saying("0 new events");
    export(&database, archive.path(), &[]).with(0).saying("0 new events");
    // and back into the archive
    moved(&next, archive.path());
    export(&database, archive.path(), &["--catalog", text(archive.path())]).with(0).saying("0 new events");
    export(&database, archive.path(), &[]).with(0).saying("0 new events");
    assert_eq!(archive.lines().len(), 6);
    // where it goes with the archive
    let elsewhere = TestArchive::new();
    fs::remove_dir(elsewhere.path()).ok();
    fs::rename(archive.path(), elsewhere.path()).unwrap();
    export(&database, elsewhere.path(), &[]).with(0).saying("0 new events");
    run(&["watermark", "show", "--archive", text(elsewhere.path())]).with(0);
    fs::rename(elsewhere.path(), archive.path()).unwrap();
}

#[test]
fn a_catalog_that_is_lost_is_not_made_in_silence() {
    let (database, archive, local) = (server(), TestArchive::new(), tempfile::tempdir().unwrap());
    let elsewhere = ["--catalog", text(local.path())];
    export(&database, archive.path(), &elsewhere).with(0);
    let file = local.path().join("catalog.sqlite");
    let at = ["--archive", text(archive.path())];
    // where the remedy is to make it anew, it says all that is to be done
    let catalog = fs::read(&file).unwrap();
    fs::write(&file, "x".repeat(4096)).unwrap();
    export(&database, archive.path(), &[]).with(1).saying("is damaged").saying("synapse-export rebuild");
    fs::write(&file, catalog).unwrap();
    for make in [|file: &Path| fs::remove_file(file).unwrap(), |file: &Path| fs::write(file, "").unwrap()] {
        make(&file);
        for more in [&[][..], &elsewhere] {
            export(&database, archive.path(), more).with(1).saying("there is none").saying("`synapse-export rebuild`");
            let show = run(&[&["watermark", "show"], &at[..], more].concat()).with(1);
            assert!(show.stderr.contains("there is none") || file.exists(), "{}", show.stderr);
        }
        let doctor = run(&[&["doctor", "--database", &database.dsn()], &at[..]].concat());
        assert!(doctor.stdout.contains("ERROR    archive") || file.exists(), "{}", doctor.stdout);
    }
    // the remedy works, and nothing is read again
    fs::remove_file(&file).unwrap();
    let rebuild = |more: &[&str]| run(&[&["rebuild"], &at[..], more].concat());
    rebuild(&[]).with(0).saying("the catalog is made anew: 5 events of 1 room-day");
    database.event(EventRow::at(4));
    export(&database, archive.path(), &[]).with(0).saying("1 new event").saying("the archive has 5 events");
    // in another place, also where it is there
    let other = tempfile::tempdir().unwrap();
    rebuild(&["--catalog", text(other.path())]).with(0);
    assert!(other.path().join("catalog.sqlite").exists() && file.exists());
    export(&database, archive.path(), &[]).with(0).saying("0 new events");
    run(&[&["watermark", "show"], &at[..]].concat()).with(0);
    moved(other.path(), archive.path());
    assert_eq!(archive.lines().len(), 6);
}

#[test]
fn one_that_is_damaged_or_does_not_fit_is_made_anew_in_place() {
    let (database, archive) = (server(), TestArchive::new());
    let rebuild = || run(&["rebuild", "--archive", text(archive.path())]);
    rebuild().with(1).saying("is no archive");
    assert!(!archive.path().exists());
    database.event(EventRow { ts: Some(86_400_000), ..EventRow::at(4) });
    export(&database, archive.path(), &["--exclude-room", "!none:here.test"]).with(0);
    let (lines, transcripts) = (archive.lines(), archive.transcripts());
    let position = || archive.one("select group_concat(room_id || stream || position) from watermark");
    let before = position();
    let file = archive.path().join("catalog.sqlite");
    let deeds: [&dyn Fn(); 4] =
        [&|| {}, &|| fs::remove_file(&file).unwrap(), &|| fs::write(&file, "x".repeat(4096)).unwrap(), &|| {
            let catalog = Connection::open(&file).unwrap();
            catalog.execute_batch("drop view message; create view message as select 1").unwrap();
        }];
    for deed in deeds {
        deed();
        rebuild().with(0).saying("the catalog is made anew: 6 events of 2 room-days");
        assert_eq!(position(), before);
        assert_eq!(archive.one("select outcome || live from run order by run desc limit 1"), "rebuilt0");
        export(&database, archive.path(), &[]).with(0).saying("exporting all rooms but 1").saying("0 new events");
        assert_eq!((archive.lines(), archive.transcripts()), (lines.clone(), transcripts.clone()));
    }
    // another program's is left alone
    let own = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    Connection::open(&file).unwrap().execute_batch("create table notes (text)").unwrap();
    rebuild().with(1).saying("is not a catalog of synapse-export");
    fs::write(&file, own).unwrap();
    // a day that is lost is named, and read again
    fs::remove_file(archive.path().join("rooms/room@here.test/1970-01-02.jsonl")).unwrap();
    export(&database, archive.path(), &[]).with(1).saying("is missing").saying("`synapse-export rebuild`");
    let lost = "rooms/room@here.test/1970-01-02.jsonl has 0 events, and had 1";
    rebuild().with(3).saying(lost).saying("1 file of lines has less than was archived");
    assert_eq!(position(), "");
    export(&database, archive.path(), &[]).with(0).saying("1 new event");
    assert_eq!((archive.lines(), archive.transcripts()), (lines, transcripts));
    rebuild().with(0);
}

#[test]
fn a_catalog_of_another_archive_is_refused() {
    let (database, local) = (server(), tempfile::tempdir().unwrap());
    let [one, other, inside] = [(); 3].map(|()| TestArchive::new());
    let place = |name: &str| local.path().join(name);
    export(&database, one.path(), &["--catalog", text(&place("one"))]).with(0);
    export(&database, other.path(), &["--catalog", text(&place("other"))]).with(0);
    // one that was to share it does not remember that
    let new = TestArchive::new();
    export(&database, new.path(), &["--catalog", text(&place("one"))]).with(1).saying("of another archive");
    export(&database, new.path(), &[]).with(0);
    // exchanged by mistake
    moved(&place("one"), &place("both"));
    moved(&place("other"), &place("one"));
    moved(&place("both"), &place("other"));
    for archive in [&one, &other] {
        export(&database, archive.path(), &[]).with(1).saying("of another archive");
        run(&["watermark", "show", "--archive", text(archive.path())]).with(1).saying("of another archive");
        run(&["render", "--archive", text(archive.path())]).with(1).saying("of another archive");
    }
    // one that has its catalog inside is told how to move it
    export(&database, inside.path(), &[]).with(0);
    let to = place("inside");
    export(&database, inside.path(), &["--catalog", text(&to)]).with(1).saying("move catalog.sqlite").saying(text(&to));
    moved(inside.path(), &to);
    export(&database, inside.path(), &["--catalog", text(&to)]).with(0).saying("0 new events");
    export(&database, inside.path(), &[]).with(0).saying("0 new events");
    // and one without an id whose files are not there is another's
    let stranger = TestArchive::new();
    export(&database, stranger.path(), &[]).with(0);
    let third = TestArchive::new();
    export(&database, third.path(), &["--catalog", text(stranger.path())]).with(1).saying("of another archive");
    let catalog = Connection::open(stranger.path().join("catalog.sqlite")).unwrap();
    let ids: u32 = catalog.query_row("select count(*) from archive", [], |row| row.get(0)).unwrap();
    assert_eq!(ids, 0);
}

#[test]
fn one_that_was_cut_off_while_it_was_made_is_made_again() {
    let (database, archive, local) = (server(), TestArchive::new(), tempfile::tempdir().unwrap());
    let elsewhere = ["--catalog", text(local.path())];
    export(&database, archive.path(), &elsewhere).with(0);
    let file = archive.path().join(".archive.json");
    let kept = fs::read_to_string(&file).unwrap();
    let being_made = kept.replace('}', ",\"being_made\":true}");
    for step in 0..3 {
        fs::write(&file, &being_made).unwrap();
        match step {
            0 => fs::remove_file(local.path().join("catalog.sqlite")).unwrap(),
            1 => {
                let catalog = Connection::open(local.path().join("catalog.sqlite")).unwrap();
                catalog.execute_batch("delete from archive").unwrap();
            }
            _ => {}
        }
        if step < 2 {
            // what the archive says alone makes no catalog anywhere
            export(&database, archive.path(), &[]).with(1).saying("--catalog");
        }
        export(&database, archive.path(), &elsewhere).with(0).saying("0 new events");
        assert_eq!(fs::read_to_string(&file).unwrap(), kept);
    }
}
