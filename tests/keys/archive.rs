//! `export --decrypt`: what an archive keeps of encrypted events, and what transcripts, search and show make of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::Value;

use super::room::reason;
use super::{ALICE, BOB, Ended, Lab, ROOMS, options, truth};

/// An archive of the lab.
struct Archive<'l> {
    lab: &'l Lab,
    directory: PathBuf,
}

impl<'l> Archive<'l> {
    fn new(lab: &'l Lab, name: &str) -> Archive<'l> {
        Archive { lab, directory: lab.files.path().join(name) }
    }

    fn run(&self, verb: &str, more: &[&str]) -> Ended {
        let directory = self.directory.display().to_string();
        self.lab.run_alone(&[&[verb, "--archive", &directory], more].concat())
    }

    #[track_caller]
    fn export(&self, more: &[&str]) -> Ended {
        let directory = self.directory.display().to_string();
        let ended = self.lab.run(&[&["export", "--archive", &directory], more].concat());
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        ended
    }

    #[track_caller]
    fn export_with(&self, sources: &[Vec<String>]) -> Ended {
        self.export(&[&["--decrypt"], &*options(sources)].concat())
    }

    fn decrypted(&self) -> Connection {
        Connection::open(self.directory.join("decrypted.sqlite")).unwrap()
    }

    /// What is kept of each event: what it says, or why it cannot be read.
    fn kept(&self) -> BTreeMap<String, (Option<String>, Option<(String, Value)>)> {
        let connection = self.decrypted();
        let sql = "select event_id, reason, plaintext.type, content from event left join plaintext using (event)";
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| {
            let said: Option<(String, String)> = row.get::<_, Option<String>>(2)?.zip(row.get(3)?);
            let said = said.map(|(kind, content)| (kind, serde_json::from_str(&content).unwrap()));
            Ok((row.get(0)?, (row.get(1)?, said)))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    /// Every file that people read, by its path.
    fn transcripts(&self) -> BTreeMap<PathBuf, String> {
        fn walk(directory: &Path, files: &mut BTreeMap<PathBuf, String>, root: &Path) {
            for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
                let path = entry.path();
                if entry.file_type().unwrap().is_dir() {
                    walk(&path, files, root);
                } else if path.extension().is_some_and(|extension| extension == "md") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    files.insert(path.strip_prefix(root).unwrap().to_owned(), text);
                }
            }
        }
        let mut files = BTreeMap::new();
        walk(&self.directory, &mut files, &self.directory);
        files
    }

    fn transcript(&self, room: &str) -> String {
        let of_room = self.transcripts();
        let days = of_room.iter().filter(|(path, _)| path.to_string_lossy().contains(room.trim_start_matches('!')));
        days.filter(|(path, _)| !path.ends_with("index.md")).map(|(_, text)| text.as_str()).collect()
    }

    /// Holds what is kept against the truth; how many can be read.
    #[track_caller]
    fn check(&self) -> usize {
        let (kept, mut readable) = (self.kept(), 0);
        for (event_id, truth) in truth() {
            let label = &truth["label"];
            let (reason_kept, said) = &kept[&event_id];
            match truth["undecryptable"].as_str() {
                Some(expected) => assert_eq!(reason_kept.as_deref(), Some(reason(expected)), "{label}"),
                None => {
                    let (kind, content) = said.as_ref().unwrap();
                    assert_eq!((reason_kept, kind), (&None, &truth["type"].as_str().unwrap().to_owned()), "{label}");
                    assert_eq!(content, &truth["content"], "{label}");
                    readable += 1;
                }
            }
        }
        readable
    }
}

fn all(lab: &Lab) -> [Vec<String>; 4] {
    [lab.backup("alice", ALICE), lab.backup("bob", BOB), lab.key_file("alice"), lab.bridge()]
}

#[test]
fn an_archive_keeps_what_encrypted_events_say_and_tells_it() {
    let lab = Lab::new("archive");
    let archive = Archive::new(&lab, "archive");
    let ended = archive.export_with(&all(&lab));
    assert!(ended.stderr.contains("94 encrypted events, 83 readable"), "{}", ended.stderr);
    assert_eq!(archive.check(), 83);
    let document = archive.transcript(ROOMS[0]);
    assert!(document.contains("Hello from Signal") && document.contains("🔒"), "{document}");
    assert!(document.contains("earlier version") && document.contains("typo of a person"), "{document}");
    // the lines stay as they are stored
    let lines = archive.run("show", &["--raw", "$vQ6nBIGN6j37EJhYy4VuDwncR4oN2QjlnM1980EZEqM"]);
    assert!(lines.stdout.contains("m.room.encrypted") && !lines.stdout.contains("Hello"), "{lines:#?}");
    let shown = archive.run("show", &["--context", "0", "$vQ6nBIGN6j37EJhYy4VuDwncR4oN2QjlnM1980EZEqM"]);
    assert!(shown.stdout.contains("Hello from Signal"), "{shown:#?}");
    // nothing more to do: nothing is decrypted again, and nothing rendered
    let again = archive.export(&[]);
    assert!(again.stderr.contains("83 readable") && !again.stderr.contains("rendered"), "{}", again.stderr);
}
