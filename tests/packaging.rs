//! What packages are made of: man pages and completions say what the command line says, units and rules are sound.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "what surrounds these tests must not fail either, and what is left out is told"
)]

#[path = "../examples/packaging.rs"]
mod made;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging")
}

/// The files of a directory, but for those of directories in it.
fn files(directory: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap()).filter(|entry| entry.path().is_file());
    files.map(|file| (file.file_name().into_string().unwrap(), fs::read_to_string(file.path()).unwrap())).collect()
}

/// Runs a program, if it is there; says so loudly if it is not.
fn run(program: &str, arguments: &[&str], directory: &Path) -> Option<Output> {
    match Command::new(program).args(arguments).current_dir(directory).output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("LEFT OUT: {program} cannot be run ({error}), so what it would check is not checked");
            None
        }
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn man_pages_and_completions_say_what_the_command_line_says() {
    let new = tempfile::tempdir().unwrap();
    made::write(new.path()).unwrap();
    for kind in ["man", "completions"] {
        let (is, should) = (files(&packaging().join(kind)), files(&new.path().join(kind)));
        let stale: BTreeSet<_> =
            is.keys().chain(should.keys()).filter(|name| is.get(*name) != should.get(*name)).collect();
        assert!(
            stale.is_empty(),
            "packaging/{kind} is not up to date: {stale:?}; `cargo run --example packaging` makes it anew"
        );
        assert!(should.len() >= 3);
    }
}

#[test]
fn units_are_sound_and_expose_little() {
    let scratch = tempfile::tempdir().unwrap();
    let systemd = packaging().join("systemd");
    for (name, text) in files(&systemd).into_iter().chain(files(&systemd.join("follow"))) {
        let text = text.replace("/usr/bin/synapse-export", env!("CARGO_BIN_EXE_synapse-export"));
        fs::write(scratch.path().join(name), text).unwrap();
    }
    let units: Vec<String> = files(scratch.path())
        .into_keys()
        .filter(|name| [".service", ".timer"].iter().any(|end| name.ends_with(end)))
        .collect();
    assert!(units.len() >= 3);
    for unit in &units {
        // what it says of units of the machine's own is not ours
        if let Some(verified) =
            run("systemd-analyze", &["verify", "--man=no", "--recursive-errors=no", unit], scratch.path())
        {
            assert!(verified.status.success(), "{unit}: {}", said(&verified));
        }
        if !unit.ends_with(".service") {
            continue;
        }
        let exposed = ["security", "--offline=yes", "--no-pager", "--threshold=15", unit];
        if let Some(secure) = run("systemd-analyze", &exposed, scratch.path()) {
            assert!(secure.status.success(), "{unit} exposes more than 1.5: {}", said(&secure));
        }
    }
}

#[test]
fn the_debian_package_has_its_files_and_each_unit_no_more_than_its_own() {
    let root = packaging().join("..").canonicalize().unwrap();
    let manifest: toml::Table = toml::from_str(&fs::read_to_string(root.join("Cargo.toml")).unwrap()).unwrap();
    let deb = &manifest["package"]["metadata"]["deb"];
    let mut installed = BTreeMap::new();
    for asset in deb["assets"].as_array().unwrap() {
        let [from, to, mode] = [0, 1, 2].map(|at| asset[at].as_str().unwrap());
        installed.insert(to.to_owned(), mode);
        let (directory, name) = from.rsplit_once('/').unwrap_or((".", from));
        let (begin, end) = name.split_once('*').unwrap_or((name, ""));
        let is_meant =
            |file: &str| if name.contains('*') { file.starts_with(begin) && file.ends_with(end) } else { file == name };
        let there = directory == "target/release"
            || fs::read_dir(root.join(directory))
                .unwrap()
                .any(|entry| is_meant(entry.unwrap().file_name().to_str().unwrap()));
        assert!(there, "{from} is not there");
    }
    // secrets may stand in it, and a change of it is not lost
    assert_eq!(installed["etc/synapse-export/environment"], "640");
    assert_eq!(deb["conf-files"].as_array().unwrap()[0].as_str(), Some("/etc/synapse-export/environment"));
    for unit in deb["systemd-units"].as_array().unwrap() {
        let (name, directory) =
            (unit["unit-name"].as_str().unwrap(), root.join(unit["unit-scripts"].as_str().unwrap()));
        assert!(
            ["enable", "start", "restart-after-upgrade", "stop-on-upgrade"]
                .iter()
                .all(|when| unit[*when].as_bool() == Some(false))
        );
        let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
        let units: BTreeSet<String> = files
            .map(|file| file.file_name().into_string().unwrap())
            .filter(|file| [".service", ".timer"].iter().any(|end| file.ends_with(end)))
            .collect();
        assert!(units.contains(&format!("{name}.service")), "{units:?}");
        // cargo-deb takes a file of the package's own name for what a unit has none of
        assert!(units.iter().all(|file| file.rsplit_once('.').unwrap().0 == name), "{name}: {units:?}");
    }
}

#[test]
fn alerts_come_when_they_should_and_else_not() {
    if let Some(tested) = run("promtool", &["test", "rules", "alerts.test.yml"], &packaging().join("prometheus")) {
        assert!(tested.status.success(), "{}", said(&tested));
    }
}

/// The metrics that a text names.
fn metrics(text: &str) -> BTreeSet<&str> {
    let starts = text.match_indices("synapse_export_").map(|(at, _)| &text[at..]);
    starts.map(|rest| rest.split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap()).collect()
}

#[test]
fn every_metric_is_on_the_dashboard_and_neither_that_nor_alerts_have_others() {
    let written = fs::read_to_string(packaging().join("../src/cli/metrics.rs")).unwrap();
    let written: BTreeSet<String> = written
        .split("one(")
        .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next())
        .map(|name| format!("synapse_export_{name}"))
        .collect();
    let dashboard = fs::read_to_string(packaging().join("grafana/synapse-export.json")).unwrap();
    let alerts = fs::read_to_string(packaging().join("prometheus/alerts.yml")).unwrap();
    serde_json::from_str::<serde_json::Value>(&dashboard).unwrap();
    let shown = metrics(&dashboard);
    assert!(shown.len() >= 16, "{shown:?}");
    assert_eq!(written, shown.iter().map(|name| (*name).to_owned()).collect());
    let unknown: Vec<_> = metrics(&alerts).into_iter().filter(|name| !shown.contains(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn the_image_is_built_of_all_that_the_program_includes() {
    let root = packaging().join("..").canonicalize().unwrap();
    let dockerfile = fs::read_to_string(packaging().join("docker/Dockerfile")).unwrap();
    let copied: Vec<&str> = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .filter(|line| !line.starts_with("--"))
        .flat_map(str::split_whitespace)
        .collect();
    let ignored = fs::read_to_string(root.join(".dockerignore")).unwrap();
    for needed in ["Cargo.toml", "Cargo.lock", "askama.toml", ".cargo", "libpq-config", "megolm-keys", "sql", "src"] {
        assert!(root.join(needed).exists() && copied.contains(&needed), "{needed} is not copied");
        assert!(ignored.lines().any(|line| line == format!("!{needed}")), "{needed} is left out by .dockerignore");
    }
    // what is included at compile time, but for tests, is below these
    let mut directories = vec![root.join("src")];
    while let Some(directory) = directories.pop() {
        for path in fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap();
                if path.ends_with("tests.rs") {
                    continue;
                }
                for include in code.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
                    let file = directory.join(include).canonicalize().unwrap();
                    let inside = ["src", "sql"].iter().any(|below| file.starts_with(root.join(below)));
                    assert!(inside, "{}: {include} is not in the image", path.display());
                }
            }
        }
    }
}
