//! The benchmark runs: a few events, once. What it measures then means nothing.

#![allow(clippy::print_stderr, reason = "what is left out is told")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Runs it; the table, and what `--json` writes. None where what is asked for cannot be done on this machine.
#[track_caller]
fn try_bench(arguments: &[&str], directory: &Path) -> Option<(String, Value)> {
    let figures = directory.join("figures.json");
    let program = env!("CARGO_BIN_EXE_synapse-export");
    let run = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/run"))
        .args(["--runs", "1", "--rest", "0", "--searches", "2", "--program", program, "--json"])
        .arg(&figures)
        .args(arguments)
        .output()
        .expect("the benchmark can be run");
    if run.status.code() == Some(77) {
        eprintln!("LEFT OUT: {}", String::from_utf8_lossy(&run.stderr));
        return None;
    }
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let figures = serde_json::from_slice(&std::fs::read(figures).expect("figures")).expect("they are JSON");
    Some((String::from_utf8(run.stdout).expect("a table"), figures))
}

#[track_caller]
fn bench(arguments: &[&str], directory: &Path) -> (String, Value) {
    try_bench(arguments, directory).expect("it takes no more than any machine has")
}

/// What a row of the targets says of each program.
#[track_caller]
fn target<'t>(table: &'t str, row: &str) -> [&'t str; 2] {
    let line = table.lines().rfind(|line| line.starts_with(&format!("| {row} |")) && line.contains('≤'));
    let cells: Vec<&str> = line.unwrap_or_else(|| panic!("no {row}: {table}")).split('|').map(str::trim).collect();
    [cells[2], cells[3]]
}

#[test]
fn the_benchmark_measures_what_it_says() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let picture = directory.path().join("figures.svg");
    let arguments = ["--events", "1000,10000", "--distance", "5", "--plot"];
    let plot = picture.to_str().expect("a path of ours is UTF-8");
    let arguments = [&arguments[..], &[plot]].concat();
    // a first export, nights, `render` and `search` in 128 MB and on one core: who wants more is killed
    let (table, figures) = try_bench(&[&arguments[..], &["--within", "128"]].concat(), directory.path())
        .unwrap_or_else(|| bench(&arguments, directory.path()));
    for row in ["COPY of everything", "export --no-markdown", "room", "render --all", "export of 10,000 new"] {
        assert_eq!(table.matches(&format!("| {row} |")).count(), 2, "{row}: {table}");
    }
    for row in [
        "catalog, bytes an event",
        "first export --no-markdown ÷ COPY of everything",
        "export of 10,000 new, s",
        "the next night ÷ that with a tenth of the events",
        "room ÷ COPY of the same room",
        "making the indexes, s",
        "peak memory, MB",
    ] {
        assert!(target(&table, row)[0] != "–", "{row}: {table}");
    }
    for row in ["longest wait of a reader meanwhile, s", "a distant database ÷ a near one"] {
        assert!(target(&table, row)[0] != "–" && target(&table, row)[1] == "–", "{row}: {table}");
    }
    assert_eq!(target(&table, "own CPU of it ÷ before"), ["–", "–"]);
    let shows = Command::new(env!("CARGO_BIN_EXE_synapse-export"))
        .args(["show", "--help"])
        .output()
        .expect("it can be run")
        .status
        .success();
    assert_eq!((target(&table, "show of an event, s")[0] != "–", !table.contains("no command `show`")), (shows, shows));
    for (size, events) in [(0, 1_000), (1, 10_000)] {
        assert_eq!(figures[size]["events"], events);
        let peak = figures[size]["measured"]["export"][0]["peak_mb"].as_f64().expect("a number");
        assert!(peak > 1.0, "{peak} MB");
    }
    assert!(std::fs::read_to_string(picture).expect("a picture").ends_with("</svg>\n"));
}

#[test]
fn it_measures_many_small_rooms_and_an_earlier_build_too() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let before = env!("CARGO_BIN_EXE_synapse-export");
    let arguments = ["--rooms-of", "3", "--rooms", "400", "--distance", "0", "--before", before];
    let (table, figures) = bench(&arguments, directory.path());
    assert!(table.contains("1,200 events in rooms of 3"), "{table}");
    assert_eq!((&figures[0]["rooms_of"], &figures[0]["events"]), (&Value::from(3), &Value::from(1_200)));
    for row in ["own CPU of it ÷ before", "first export with transcripts ÷ before", "render --all ÷ before"] {
        assert!(target(&table, row)[0] != "–" && target(&table, row)[1] == "–", "{row}: {table}");
    }
    assert!(!target(&table, "catalog, bytes an event").contains(&"–"), "{table}");
}
