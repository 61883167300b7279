//! `export --decrypt`, killed while it decrypts: the next run makes of it what one run makes.
//!
//! It is stopped again and again, looked at, and killed in the phase that is wanted: so no kill hangs on how fast it is.

use std::process::{Command, Stdio};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::archive::{Archive, all, assert_same};
use super::{Lab, options};

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// There is no `decrypted.sqlite`, or nothing in it.
    Before,
    /// It is being written to.
    Writing,
    /// What was decrypted is kept, and the catalog was not told of all of it.
    Kept,
    /// The catalog knows, and not all transcripts are rendered.
    Rendering,
    Done,
}

/// In how many runs a phase is looked for.
const ATTEMPTS: usize = 40;
/// How long a run goes on between two looks.
const LOOK: Duration = Duration::from_millis(1);

#[test]
fn what_is_cut_off_is_gone_on_with() {
    let lab = Lab::new("cut_off");
    let whole = Archive::new(&lab, "whole");
    whole.export_with(&all(&lab));
    for wanted in [Phase::Before, Phase::Writing, Phase::Kept, Phase::Rendering] {
        let is_killed = (0..ATTEMPTS).any(|attempt| {
            let archive = Archive::new(&lab, &format!("{wanted:?}{attempt}"));
            archive.export(&[]);
            let is_killed = kill_in(wanted, &lab, &archive);
            if is_killed {
                archive.export_with(&all(&lab));
                assert_eq!(archive.check(), 83, "{wanted:?}");
                assert_same(&archive, &whole);
                assert_eq!(archive.kept(), whole.kept(), "{wanted:?}");
            }
            is_killed
        });
        assert!(is_killed, "no run was seen in the phase {wanted:?}");
    }
}

/// Runs an export that decrypts, and kills it in a phase; false: it ended before it was seen in it.
fn kill_in(wanted: Phase, lab: &Lab, archive: &Archive<'_>) -> bool {
    let sources = all(lab);
    let mut command = Command::new(env!("CARGO_BIN_EXE_synapse-export"));
    command.env_clear().args(["export", "--archive", &archive.directory.display().to_string(), "--decrypt"]);
    command.args(["--database", &lab.synapse.dsn()]).args(options(&sources));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let pid = Pid::from_child(&child);
    loop {
        std::thread::sleep(LOOK);
        kill_process(pid, Signal::STOP).unwrap();
        let waited = waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        if waited.unwrap().is_none_or(|status| !status.stopped()) {
            assert!(child.wait().unwrap().success());
            return false;
        }
        let phase = phase(archive);
        if phase == wanted {
            kill_process(pid, Signal::KILL).unwrap();
            child.wait().unwrap();
            return true;
        }
        kill_process(pid, Signal::CONT).unwrap();
    }
}

/// What an archive looks like while nobody writes to it.
fn phase(archive: &Archive<'_>) -> Phase {
    let path = archive.directory.join("decrypted.sqlite");
    if !path.exists() {
        return Phase::Before;
    }
    let look = || -> rusqlite::Result<Phase> {
        let decrypted = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        decrypted.busy_timeout(Duration::ZERO)?;
        let tables: i64 = decrypted.query_row("select count(*) from sqlite_schema", [], |row| row.get(0))?;
        if tables == 0 || decrypted.query_row("select not exists (select 1 from event)", [], |row| row.get(0))? {
            return Ok(Phase::Before);
        }
        let is_told =
            decrypted.query_row("select not exists (select 1 from changed)", [], |row| row.get::<_, bool>(0))?;
        Ok(if is_told { Phase::Rendering } else { Phase::Kept })
    };
    match look() {
        Ok(Phase::Rendering) => {
            let is_told = archive.transcript(super::ROOMS[0]).contains("Hello from Signal");
            if is_told { Phase::Done } else { Phase::Rendering }
        }
        Ok(phase) => phase,
        // locked, or with a journal that has to be rolled back
        Err(_) => Phase::Writing,
    }
}
