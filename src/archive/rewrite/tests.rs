use std::sync::{Arc, Mutex};
use std::{fs, io};

use super::*;
use crate::archive::Hook;
use crate::event::tests::stored;
use crate::event::{Event, EventId, Stored};

const ROOM: &str = "rooms/r@x";

fn line(event_id: &str, ts: i64) -> String {
    let json = format!(r#"{{"type":"m.room.message","content":{{}},"origin_server_ts":{ts}}}"#);
    Event::from_stored(&Stored { event_id: EventId::of(event_id), origin_server_ts: Some(ts), ..stored(Some(&json)) })
        .line
}

/// An archive of three days, one of a single line.
fn archive() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join(ROOM)).unwrap();
    for (day, ids) in [("1970-01-01", "$1 $2 $3"), ("1970-01-02", "$4"), ("1970-01-03", "$5 $6")] {
        let ts = (day[9..].parse::<i64>().unwrap() - 1) * 86_400_000;
        let lines: String = ids.split(' ').map(|id| line(id, ts) + "\n").collect();
        fs::write(directory.path().join(ROOM).join(format!("{day}.jsonl")), lines).unwrap();
    }
    directory
}

type Found = (Vec<(String, String)>, Vec<(String, i64, i64)>);

/// Every file in the room's directory, and what the catalog says of the files of lines.
fn found(directory: &Path) -> Found {
    let names = durable::names(directory, ROOM).unwrap();
    let read = |name: &String| fs::read_to_string(directory.join(ROOM).join(name)).unwrap();
    let files = names.iter().map(|name| (name.clone(), read(name))).collect();
    let catalog = Catalog::open_to_read(directory).unwrap();
    let mut statement = catalog
        .connection
        .prepare("select room.directory || file.day, bytes, events from file join room using (room) order by 1")
        .unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    (files, rows.map(Result::unwrap).collect())
}

fn rewrite(archive: &mut Archive) -> Result<(), Error> {
    let paths = ["1970-01-01", "1970-01-02"].map(|day| format!("{ROOM}/{day}.jsonl"));
    let change = |_: &Catalog, _: &str, _, line: &str| {
        Ok(match line {
            line if line.contains("$1") => LineChange::Keep,
            line if line.contains("$2") => LineChange::Replace(line.replace("{}", r#"{"body":"known by now"}"#)),
            _ => LineChange::Drop,
        })
    };
    archive.rewrite(&paths.into(), change, |writing| {
        writing.0.execute("delete from line where event_id in ('$3', '$4')", [])?;
        Ok(())
    })
}

fn failing_at(at: usize) -> (Hook, Arc<Mutex<Vec<Step>>>) {
    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&steps);
    let hook = move |step| {
        let mut seen = seen.lock().unwrap();
        seen.push(step);
        if seen.len() == at + 1 { Err(io::Error::other("gone")) } else { Ok(()) }
    };
    (Box::new(hook), steps)
}

#[test]
fn files_are_as_before_or_as_they_were_to_be_whichever_step_is_the_last() {
    let reference = archive();
    drop(Archive::open(reference.path(), None).unwrap());
    let before = found(reference.path());
    rewrite(&mut Archive::open(reference.path(), None).unwrap()).unwrap();
    let after = found(reference.path());
    assert_eq!(after.0.len(), 2, "{after:?}");
    assert_eq!(after.0[0].1.lines().count(), 2);
    assert!(after.0[0].1.contains("known by now"), "{after:?}");
    assert_eq!(after.1.iter().map(|(_, _, events)| events).sum::<i64>(), 4);
    assert_eq!(after.0[1], before.0[2]);

    let (mut undone, mut completed) = (0, 0);
    for at in 0.. {
        let directory = archive();
        drop(Archive::open(directory.path(), None).unwrap());
        let (hook, steps) = failing_at(at);
        let ended = rewrite(&mut Archive::open(directory.path(), Some(hook)).unwrap());
        if ended.is_ok() {
            assert_eq!(steps.lock().unwrap().len(), at, "the last step was tried");
            break;
        }
        // once more in the middle of mending that
        for at in 0.. {
            let (hook, _) = failing_at(at);
            if Archive::open(directory.path(), Some(hook)).is_ok() {
                break;
            }
        }
        drop(Archive::open(directory.path(), None).unwrap());
        let found = found(directory.path());
        if found == before {
            undone += 1;
        } else {
            assert_eq!(found, after, "{:?}", steps.lock().unwrap());
            completed += 1;
        }
    }
    assert!(undone >= 4 && completed >= 3, "{undone} undone, {completed} completed");
}

#[test]
fn a_file_that_is_not_as_the_catalog_knows_it_is_left_alone() {
    let directory = archive();
    let mut archive = Archive::open(directory.path(), None).unwrap();
    let path = directory.path().join(ROOM).join("1970-01-01.jsonl");
    fs::write(&path, "somebody else's\n").unwrap();
    assert!(matches!(rewrite(&mut archive), Err(Error::Changed { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "somebody else's\n");
}
