//! What is erased where others hold the archive, or have what it had: requests, and outputs.

use std::fs::{self, File};
use std::path::PathBuf;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use synapse_export::event::RoomId;

use super::*;

/// Whether an output says something anywhere.
pub(super) fn says(output: &Path, what: &str) -> bool {
    let mut directories = vec![output.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a directory can be listed") {
            let path = entry.expect("a directory can be listed").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "parquet") {
                let reader = SerializedFileReader::new(File::open(&path).expect("it is there")).expect("it is Parquet");
                let mut rows = reader.get_row_iter(None).expect("it has rows");
                if rows.any(|row| row.expect("it can be read").to_string().contains(what)) {
                    return true;
                }
            }
        }
    }
    false
}

fn output(archive: &TestArchive, words: &[&str]) -> Ended {
    run(&[&["output", words[0], "--archive", path(archive)], &words[1..]].concat())
}

#[test]
fn an_output_is_pending_until_it_has_nothing_of_it_any_more() {
    let (database, archive) = (server(), TestArchive::new());
    export(&database, &archive, &[]).with(3);
    let place = tempfile::tempdir().unwrap();
    let directory: PathBuf = place.path().join("parquet");
    let to = format!("parquet:{}", directory.display());
    output(&archive, &["add", "warehouse", &to, "--with-redacted"]).with(0);
    output(&archive, &["run"]).with(0);
    assert!(says(&directory, "secretword") && says(&directory, "hello"));
    let doctor = || run(&["doctor", "--database", &database.dsn(), "--archive", path(&archive)]);

    // it cannot be reached
    let aside = place.path().join("aside");
    fs::rename(&directory, &aside).unwrap();
    erase(&archive, &["--sender", MALLORY, "--yes"]).with(3).telling("pending: warehouse");
    nowhere(&archive, &SECRETS);
    assert!(doctor().stdout.contains("pending: warehouse"));
    erase(&archive, &["--go-on"]).with(3).telling("pending: warehouse");
    export(&database, &archive, &[]).with(3);
    // what was promised outlives the catalog
    fs::remove_file(archive.path().join("catalog.sqlite")).unwrap();
    run(&["rebuild", "--archive", path(&archive)]).with(0);
    assert!(doctor().stdout.contains("pending: warehouse"));

    fs::rename(&aside, &directory).unwrap();
    erase(&archive, &["--go-on"]).with(0);
    for secret in SECRETS {
        assert!(!says(&directory, secret), "{secret}");
    }
    let told = doctor();
    assert!(says(&directory, "hello") && !told.stdout.contains("pending: warehouse"), "{told:#?}");
    // one that can be reached has it no more when the command ends
    assert!(says(&directory, "alicereply"));
    erase(&archive, &["--event", "$8", "--yes"]).with(0);
    assert!(!says(&directory, "alicereply"));
}

#[test]
fn what_is_asked_for_while_another_run_holds_the_archive_is_carried_out_by_the_next() {
    let (database, archive) = (server(), TestArchive::new());
    export(&database, &archive, &[]).with(3);
    let requests = || {
        let names =
            fs::read_dir(archive.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(".erase.")).count()
    };
    let mut held = synapse_export::archive::Archive::open(archive.path(), None).unwrap();
    erase(&archive, &["--sender", MALLORY]).with(75);
    assert_eq!(requests(), 0, "a dry run asks for nothing");
    erase(&archive, &["--sender", MALLORY, "--reason", "a letter", "--yes"]).with(75).telling("not erased yet");
    erase(&archive, &["--room", "!other:here.test", "--once", "--yes"]).with(75);
    assert_eq!(requests(), 2);
    somewhere(&archive, &SECRETS);
    let told = run(&["doctor", "--database", &database.dsn(), "--archive", path(&archive)]);
    assert!(told.stdout.contains("2 requests to erase something"), "{told:#?}");
    held.hold(RoomId::of("!other:here.test"), None).unwrap();
    erase(&archive, &["--room", "!other:here.test", "--yes"]).with(1).telling("on hold");
    drop(held);
    // an export carries out what it can, and names what it cannot
    database.event(by(MALLORY, EventRow::message(50, "secretlater")));
    export(&database, &archive, &[]).with(3).telling("not erased").telling("on hold");
    assert_eq!(requests(), 0);
    // what he is called in the room on hold stays
    nowhere(&archive, &SECRETS.into_iter().filter(|secret| *secret != "Zanzibar").collect::<Vec<_>>());
    nowhere(&archive, &["secretlater"]);
    somewhere(&archive, &OTHERS);
    assert_eq!(archive.one("select reason from erasure"), "a letter");
}
