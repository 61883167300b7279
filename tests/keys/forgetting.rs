//! `keys forget --plaintext` takes what was decrypted from everywhere that it was put.

use std::path::{Path, PathBuf};

use super::archive::{Archive, all, files};
use super::{Lab, ROOMS, truth};
use crate::support::{Shape, cluster};

/// What encrypted events say, as far as nothing else says that.
fn texts() -> Vec<String> {
    let bodies = truth().into_values().filter_map(|truth| truth["content"]["body"].as_str().map(str::to_owned));
    bodies.filter(|body| body.len() > 10).collect()
}

/// The files in which some of these texts stands.
fn telling(directory: &Path, texts: &[String]) -> Vec<PathBuf> {
    let mut telling = files(directory);
    telling.retain(|path| {
        let bytes = std::fs::read(path).unwrap();
        texts.iter().any(|text| memchr::memmem::find(&bytes, text.as_bytes()).is_some())
    });
    telling
}

#[test]
fn what_is_forgotten_is_in_no_page_and_no_database_beside_compressed_days() {
    let lab = Lab::new("forgetting");
    let to = cluster().database("forgetting_output", Shape::Empty);
    let archive = Archive::new(&lab, "archive");
    archive.export(&["--hide-erased"]);
    let run = |command: &[&str]| {
        let directory = archive.directory.display().to_string();
        let ended = Lab::run_alone(&[command, &["--archive", &directory]].concat());
        assert_eq!(ended.code, Some(0), "{command:?}: {ended:#?}");
    };
    run(&["compact", "--older-than", "2026-11-30"]);
    run(&["render", "--html"]);
    run(&["output", "add", "warehouse", &format!("postgres:{}", to.dsn()), "--with-decrypted", "--on-export"]);
    archive.export_with(&all(&lab));
    assert_eq!(archive.check(), 83);
    assert!(files(&archive.directory).iter().any(|path| path.to_string_lossy().ends_with(".jsonl.zst")));
    let texts = texts();
    let told = |extension: &str| {
        telling(&archive.directory, &texts)
            .iter()
            .filter(|path| path.extension().is_some_and(|it| it == extension))
            .count()
    };
    assert!(told("html") >= ROOMS.len() && told("md") >= ROOMS.len() && told("sqlite") == 1);
    let in_warehouse = || {
        let row = to.query_one_text("select json_agg(it)::text from synapse_archive.event it");
        assert!(row.contains("$vQ6nBIGN6j37EJhYy4VuDwncR4oN2QjlnM1980EZEqM"));
        texts.iter().any(|text| row.contains(text.as_str()))
    };
    assert!(in_warehouse());

    run(&["keys", "forget", "--plaintext"]);
    assert_eq!(telling(&archive.directory, &texts), Vec::<PathBuf>::new());
    assert!(!in_warehouse());
    let pages = files(&archive.directory).into_iter().filter(|path| path.extension().is_some_and(|it| it == "html"));
    assert!(pages.count() > ROOMS.len());

    archive.export_with(&all(&lab));
    assert!(archive.check() == 83 && told("html") >= ROOMS.len() && in_warehouse());
}
