//! The benchmark runs: a few events, once. What it measures then means nothing.

use std::process::Command;

#[test]
fn the_benchmark_measures_what_it_says() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (figures, picture) = (directory.path().join("figures.json"), directory.path().join("figures.svg"));
    let run = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/run"))
        .args([
            "--events",
            "1000,2000",
            "--runs",
            "1",
            "--distance",
            "5",
            "--program",
            env!("CARGO_BIN_EXE_synapse-export"),
        ])
        .arg("--json")
        .arg(&figures)
        .arg("--plot")
        .arg(&picture)
        .output()
        .expect("the benchmark can be run");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}");
    let table = String::from_utf8(run.stdout).expect("a table");
    for row in [
        "COPY of everything",
        "export --no-markdown",
        "room",
        "export of 10,000 new",
        "a distant database ÷ a near one",
    ] {
        assert_eq!(table.matches(&format!("| {row} |")).count(), 2, "{row}: {table}");
    }
    let figures: serde_json::Value =
        serde_json::from_slice(&std::fs::read(figures).expect("figures")).expect("they are JSON");
    for (size, events) in [(0, 1_000), (1, 2_000)] {
        assert_eq!(figures[size]["events"], events);
        let peak = figures[size]["measured"]["export"][0]["peak_mb"].as_f64().expect("a number");
        assert!(peak > 1.0, "{peak} MB");
    }
    assert!(std::fs::read_to_string(picture).expect("a picture").ends_with("</svg>\n"));
}
