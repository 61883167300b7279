//! The transcripts of the sample server, as somebody has read and accepted them. With `ACCEPT=1` the files are written anew,
//! to be read.

use std::fs;
use std::path::Path;

use crate::support::archive::{TestArchive, entries};
use crate::support::{Shape, cluster};

/// What a release changes in every transcript.
const GENERATOR: &str = concat!("generator: synapse-export ", env!("CARGO_PKG_VERSION"), "\n");

#[test]
fn the_sample_server_reads_as_it_was_accepted() {
    let database = cluster().database("sample", Shape::V1_163);
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    database.psql(&fs::read_to_string(testdata.join("sample.sql")).expect("there is a sample"));
    let archive = TestArchive::new();
    archive.export(&database);
    archive.render();
    let golden = testdata.join("transcripts");
    let mut found = archive.transcripts();
    // pages have the same blocks
    found.retain(|path, _| path.strip_suffix(".html").is_none());
    if std::env::var_os("ACCEPT").is_some() {
        let _ = fs::remove_dir_all(&golden);
        for (path, text) in &found {
            let path = golden.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text.replace(GENERATOR, "")).unwrap();
        }
    }
    let mut accepted = 1;
    for room in entries(&golden.join("rooms")) {
        for file in entries(&golden.join("rooms").join(&room)) {
            let path = format!("rooms/{room}/{file}");
            let expected = fs::read_to_string(golden.join(&path)).unwrap();
            let found = found.get(&path).unwrap_or_else(|| panic!("{path} is missing"));
            assert_eq!(found.replace(GENERATOR, ""), expected, "{path}");
            accepted += 1;
        }
    }
    assert_eq!(found["index.md"], fs::read_to_string(golden.join("index.md")).unwrap());
    assert_eq!(accepted, found.len(), "there are files that nobody has accepted: {:?}", found.keys());
}
