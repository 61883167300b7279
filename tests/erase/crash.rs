//! An erasure that is cut off at any step, and gone on with.

use std::io;
use std::sync::{Arc, Mutex};

use super::*;
use synapse_export::archive::{Archive, Hook, Request, Step, What};
use synapse_export::event::UserId;

fn failing_at(at: usize) -> (Hook, Arc<Mutex<Vec<Step>>>) {
    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&steps);
    let hook = move |step| {
        let mut seen = seen.lock().expect("no hook panics");
        seen.push(step);
        if seen.len() == at + 1 { Err(io::Error::other("gone")) } else { Ok(()) }
    };
    (Box::new(hook), steps)
}

#[test]
fn whichever_step_is_the_last_the_next_run_completes_it() {
    for whole in [false, true] {
        let database = server();
        let request = Request { what: What::Sender(UserId::of(MALLORY).owned()), whole, lasts: true, reason: None };
        let erase_with = |archive: &TestArchive, hook: Option<Hook>| -> Result<(), synapse_export::archive::Error> {
            let mut archive = Archive::open(archive.path(), hook)?;
            archive.select_to_erase(&request, 0, false)?;
            archive.erase_selected(&mut |_, _| true)?;
            synapse_export::views::render(&mut archive, &mut |_, _| true)?;
            synapse_export::views::forget_rooms(&mut archive)?;
            archive.leave_no_trace()
        };
        let reference = TestArchive::new();
        export(&database, &reference, &[]).with(3);
        erase_with(&reference, None).unwrap();
        nowhere(&reference, &SECRETS);
        let (lines, transcripts) = (reference.lines(), reference.transcripts());
        let mut steps = 0;
        for at in 0.. {
            let archive = TestArchive::new();
            export(&database, &archive, &[]).with(3);
            let (hook, seen) = failing_at(at);
            if erase_with(&archive, Some(hook)).is_ok() {
                assert_eq!(seen.lock().unwrap().len(), at);
                break;
            }
            steps += 1;
            // by an export, which has more to do, or alone; or after the catalog is lost too
            match at % 3 {
                0 => drop(erase(&archive, &["--go-on"]).with(0)),
                1 => drop(export(&database, &archive, &[])),
                _ => {
                    std::fs::remove_file(archive.path().join("catalog.sqlite")).unwrap();
                    let _ = std::fs::remove_file(archive.path().join("catalog.sqlite-wal"));
                    export(&database, &archive, &[]);
                }
            }
            // where nothing was promised yet, it has to be asked for again
            if archive.one("select count(*) from erasure") == "0" {
                erase_with(&archive, None).unwrap();
            }
            nowhere(&archive, &SECRETS);
            assert!(archive.lines() == lines && archive.transcripts() == transcripts, "{at}");
        }
        assert!(steps >= 8, "{steps}");
    }
}
