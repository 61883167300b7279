//! Every call that changes the archive: it fails once, it fails half-way, or the program is killed there; then it runs again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use crate::shim::{Call, Deed, EIO, ENOSPC, Ended, Fault, run, traced};
use crate::state::{State, copy, differences, files, is_a, state};
use crate::story::Told;

/// How many faults a command is tried with, unless all are.
const SOME: usize = 60;

/// A command that is tried with each fault, and then again without.
struct Scenario {
    _parent: TempDir,
    archive: PathBuf,
    original: Option<PathBuf>,
    /// Before the command, after it, and after the second one.
    before: State,
    after: State,
    finally: State,
}

/// How a run with a fault ended.
enum Outcome {
    Failed,
    Unharmed,
    Killed,
}

/// Tries a command with each fault, and then `again` without: the result must be as if nothing had been.
fn every_fault(name: &str, original: Option<&Path>, command: &[&str], again: &[&str]) -> State {
    let parent = tempfile::tempdir().unwrap();
    // one path for all, since SQLite's calls may depend on it
    let archive = parent.path().join("archive");
    let mut scenario = Scenario {
        _parent: parent,
        archive,
        original: original.map(Path::to_owned),
        before: State::new(),
        after: State::new(),
        finally: State::new(),
    };
    scenario.begin();
    scenario.before = files(&scenario.archive);
    let (ended, calls) = traced(&scenario.archive, None, command);
    ended.with(0);
    scenario.after = state(&scenario.archive);
    run(&scenario.archive, None, again).with(0);
    scenario.finally = state(&scenario.archive);

    let mut faults = Vec::new();
    for (n, call) in (1..).zip(&calls) {
        for deed in [Deed::Fail(EIO), Deed::Short(ENOSPC), Deed::Kill, Deed::HalfKill] {
            if deed != Deed::HalfKill || call.name == "write" {
                faults.push((Fault::at(n, deed), call));
            }
        }
        // while it undoes what it cannot complete
        if call.name == "sync" {
            faults.extend((1..=AFTERMATH).map(|later| (Fault::at(n, Deed::Fail(EIO)).then_kill(later), call)));
        }
    }
    for (names, deed) in LASTING {
        let those = calls.iter().filter(|call| names.split(' ').any(|name| name == call.name));
        faults.extend((1..).zip(those).map(|(n, call)| (Fault::at(n, deed).lasting().of(names), call)));
    }
    let mut chance = Chance::new(name);
    let most = faults.len();
    faults.retain(|_| chance.takes(SOME, most));
    let (mut failed, mut unharmed, mut killed) = (0, 0, 0);
    let mut wrong = Vec::new();
    for (fault, call) in &faults {
        match scenario.attempt(fault, call, command, again) {
            Ok(Outcome::Failed) => failed += 1,
            Ok(Outcome::Unharmed) => unharmed += 1,
            Ok(Outcome::Killed) => killed += 1,
            Err(why) => wrong.push(format!("{fault:?}, which is {call:?}: {why}")),
        }
    }
    let (calls, tried) = (calls.len(), faults.len());
    println!("{name}: {calls} calls, {tried} faults: {failed} failures, {unharmed} that do no harm, {killed} kills");
    assert!(wrong.is_empty(), "{name}: {} of {tried} faults go wrong\n{}", wrong.len(), wrong.join("\n"));
    scenario.finally
}

/// How many calls a run makes after a failure, at most; if fewer, it ends before it is killed.
const AFTERMATH: usize = 12;

/// What does not pass by itself: a full disk, one that takes nothing in any more, one that is gone.
const LASTING: [(&str, Deed); 3] = [
    ("write mkdir symlink", Deed::Short(ENOSPC)),
    ("sync syncdir syncfs", Deed::Fail(EIO)),
    ("open write sync syncdir syncfs rename truncate unlink mkdir symlink", Deed::Fail(EIO)),
];

impl Scenario {
    fn begin(&self) {
        fs::remove_dir_all(&self.archive).ok();
        if let Some(original) = &self.original {
            copy(original, &self.archive);
        }
    }

    fn attempt(&self, fault: &Fault, call: &Call, command: &[&str], again: &[&str]) -> Result<Outcome, String> {
        self.begin();
        let ended = run(&self.archive, Some(fault), command);
        let outcome = if fault.kills() {
            check(ended.killed || fault.is_aftermath(), || format!("it is not killed: {ended:#?}"))?;
            self.are_whole(&files(&self.archive))?;
            Outcome::Killed
        } else if ended.code == Some(0) {
            check(fault.lasts() || is_harmless(call), || "not a word of it".to_owned())?;
            let (left, after) = (at_rest(state(&self.archive)), at_rest(self.after.clone()));
            check(left == after, || format!("it does harm:\n{}", differences(&left, &after)))?;
            Outcome::Unharmed
        } else {
            is_clear(&self.archive, &ended)?;
            let left = files(&self.archive);
            self.are_whole(&left)?;
            if fault.lasts() {
                return self.again(again, Outcome::Failed);
            }
            // a catalog that was made anew is whole where the old one is gone; what no full disk and no failure of its own has ended
            // the next rebuild goes on with, and the next export takes away
            let goes_on = fault.is(Deed::Fail(EIO)) && !call.path.starts_with(".catalog.sqlite.new");
            let is_kept =
                |path: &str| path == ".catalog.sqlite.new" && (goes_on || !left.contains_key("catalog.sqlite"));
            let is_left = left.keys().any(|path| is_a(path, &[".new"]) && !is_kept(path));
            check(!is_left, || format!("it leaves {:?}", left.keys()))?;
            let left = lines(&left);
            let is_whole = left == lines(&self.before) || left == lines(&self.after);
            check(is_whole, || format!("it leaves half a batch: {left:#?}"))?;
            Outcome::Failed
        };
        self.again(again, outcome)
    }

    fn again(&self, again: &[&str], outcome: Outcome) -> Result<Outcome, String> {
        let ended = run(&self.archive, None, again);
        check(ended.code == Some(0), || format!("then it fails again: {ended:#?}"))?;
        let found = state(&self.archive);
        check(found == self.finally, || format!("then the result is\n{}", differences(&found, &self.finally)))?;
        Ok(outcome)
    }

    /// Every transcript is either the old one or the new one, never a part.
    fn are_whole(&self, left: &State) -> Result<(), String> {
        let mut transcripts = left.iter().filter(|(path, _)| is_a(path, &[".md", ".json"]));
        let torn =
            transcripts.find(|&(path, text)| ![&self.before, &self.after].iter().any(|it| it.get(path) == Some(text)));
        check(torn.is_none(), || format!("it leaves {torn:?}"))
    }
}

fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// The files of lines.
fn lines(of: &State) -> State {
    of.iter().filter(|(path, _)| is_a(path, &[".jsonl"])).map(|(path, text)| (path.clone(), text.clone())).collect()
}

/// Calls whose failure may go unmentioned, as long as the result is as it should be: SQLite then has another way, or the next
/// one to open the catalog does it.
fn is_harmless(call: &Call) -> bool {
    let call = (&*call.name, &*call.path);
    // a checkpoint, which copies what the log has; when the log is full, and at the end of the program
    matches!(call, ("write" | "sync" | "truncate", "catalog.sqlite") | ("sync" | "truncate", "catalog.sqlite-wal"))
        || matches!(call, ("unlink", "catalog.sqlite-wal" | "catalog.sqlite-shm"))
        // the lock is made in another way, or taken away by the next one to need it
        || call.1.starts_with(".lock")
        // when it cannot be opened to be written to, as is not needed to render or to be made anew, it is opened to be read
        || matches!(call, ("open", "catalog.sqlite" | "catalog.sqlite-wal" | "catalog.sqlite-shm"))
        // a new catalog begins with a journal, until that is changed for a log: by the next one to open it, if need be
        || call.1 == "catalog.sqlite-journal"
        // SQLite's own, when it has made the log; ours are no less loud than other syncs, see `bad_days`
        || call == ("syncdir", ".")
}

/// Leaves out what SQLite takes away at the end of a program, if it can.
fn at_rest(mut state: State) -> State {
    state.retain(|path, _| !matches!(&**path, "catalog.sqlite-wal" | "catalog.sqlite-shm"));
    state
}

/// The error names what was done, to what.
fn is_clear(archive: &Path, ended: &Ended) -> Result<(), String> {
    let names = |part: &str| ended.stderr.contains(part);
    let says = ["os error", "disk I/O error", "disk is full", "unable to open database file", "readonly database"];
    let is_clear = ended.code == Some(1)
        && names("synapse-export: ")
        && (names(archive.to_str().unwrap()) || names("catalog.sqlite"))
        && says.into_iter().any(names);
    check(is_clear, || format!("it is not clear: {ended:#?}"))
}

#[test]
fn in_the_first_export() {
    let told = Told::get();
    // the server goes on meanwhile
    let result = every_fault("first export", None, &told.export(1), &told.export(2));
    assert!(result == *told.state(2));
}

#[test]
fn in_a_later_export() {
    let told = Told::get();
    let before = told.archive(1);
    let result = every_fault("later export", Some(&before), &told.export(2), &told.export(3));
    assert!(result == *told.state(3));
}

#[test]
fn while_transcripts_are_rendered_anew() {
    let told = Told::get();
    let parent = tempfile::tempdir().unwrap();
    let before = parent.path().join("spoiled");
    copy(&told.archive(2), &before);
    for path in files(&before).keys().filter(|path| is_a(path, &[".md", ".json"])) {
        fs::write(before.join(path), "of another version").unwrap();
    }
    let render = ["render", "--all", "--quiet"];
    assert!(every_fault("render --all", Some(&before), &render, &render) == *told.state(2));
    let render = ["render", "--show-redacted", "--quiet"];
    let shown = every_fault("render --show-redacted", Some(&told.archive(2)), &render, &render);
    assert!(shown.values().any(|text| text.contains("redacted original")));
}

#[test]
fn in_a_full_re_export() {
    let told = Told::get();
    let parent = tempfile::tempdir().unwrap();
    let before = parent.path().join("reset");
    copy(&told.archive(2), &before);
    let reset = ["watermark", "reset", "--yes"];
    every_fault("watermark reset", Some(&told.archive(2)), &reset, &reset);
    run(&before, None, &reset).with(0);
    let result = every_fault("export after a reset", Some(&before), &told.export(2), &told.export(2));
    assert!(result == *told.state(2));
}

#[test]
fn while_a_lost_catalog_is_made_anew() {
    let told = Told::get();
    let parent = tempfile::tempdir().unwrap();
    let before = parent.path().join("without a catalog");
    copy(&told.archive(2), &before);
    fs::remove_file(before.join("catalog.sqlite")).unwrap();
    let result = every_fault("export without a catalog", Some(&before), &told.export(2), &told.export(2));
    assert!(result == *told.state(2));
}

#[test]
fn while_a_catalog_that_is_there_is_made_anew() {
    let told = Told::get();
    let (rebuild, before) = (["rebuild", "--quiet"], told.archive(2));
    let result = every_fault("rebuild", Some(&before), &rebuild, &told.export(2));
    assert!(result == *told.state(2), "{}", differences(&result, told.state(2)));
}

#[test]
fn one_full_export_is_the_same() {
    let told = Told::get();
    let parent = tempfile::tempdir().unwrap();
    let archive = parent.path().join("archive");
    run(&archive, None, &told.export(2)).with(0);
    let (one, two) = (state(&archive), told.state(2));
    assert!(one == *two, "{}", differences(&one, two));
    assert!(one.contains_key("by-name/Main office"), "{:?}", one.keys());
}

/// Takes some of many, by a seed.
struct Chance {
    all: bool,
    state: u64,
}

impl Chance {
    fn new(name: &str) -> Chance {
        let all = std::env::var("FAULTS").is_ok_and(|which| which == "all");
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let seed = std::env::var("FAULTS_SEED");
        let state = seed.map_or_else(|_| now(), |seed| seed.parse().expect("FAULTS_SEED is a number"));
        if !all {
            println!("{name}: FAULTS_SEED={state}");
        }
        Chance { all, state }
    }

    /// Whether the next one is among `some` of `most`.
    fn takes(&mut self, some: usize, most: usize) -> bool {
        // SplitMix64
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.all || (z ^ (z >> 31)) % most.max(1) as u64 <= some as u64
    }
}
