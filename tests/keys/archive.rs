//! `export --decrypt`: what an archive keeps of encrypted events, and what transcripts, search and show make of it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::Value;

use super::room::reason;
use super::{ALICE, BOB, Ended, Lab, ROOMS, options, sample, truth};

/// Why an event cannot be read, and its type and content, if it was decrypted.
pub(super) type Kept = (Option<String>, Option<(String, Value)>);

/// An archive of the lab.
pub(super) struct Archive<'l> {
    lab: &'l Lab,
    pub(super) directory: PathBuf,
}

impl<'l> Archive<'l> {
    pub(super) fn new(lab: &'l Lab, name: &str) -> Archive<'l> {
        Archive { lab, directory: lab.files.path().join(name) }
    }

    pub(super) fn run(&self, verb: &str, more: &[&str]) -> Ended {
        let directory = self.directory.display().to_string();
        Lab::run_alone(&[&[verb, "--archive", &directory], more].concat())
    }

    fn run_of(&self, command: &str, more: &[&str]) -> Ended {
        let directory = self.directory.display().to_string();
        Lab::run_alone(&[&[command], more, &["--archive", &directory]].concat())
    }

    #[track_caller]
    pub(super) fn export(&self, more: &[&str]) -> Ended {
        let directory = self.directory.display().to_string();
        let ended = self.lab.run(&[&["export", "--archive", &directory], more].concat());
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        ended
    }

    #[track_caller]
    pub(super) fn export_with(&self, sources: &[Vec<String>]) -> Ended {
        self.export(&[&["--decrypt"], &*options(sources)].concat())
    }

    fn decrypted(&self) -> Connection {
        Connection::open(self.directory.join("decrypted.sqlite")).unwrap()
    }

    /// What is kept of each event: what it says, or why it cannot be read.
    pub(super) fn kept(&self) -> BTreeMap<String, Kept> {
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
    pub(super) fn transcripts(&self) -> BTreeMap<PathBuf, String> {
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

    pub(super) fn transcript(&self, room: &str) -> String {
        let of_room = self.transcripts();
        let days = of_room.iter().filter(|(path, _)| path.to_string_lossy().contains(room.trim_start_matches('!')));
        days.filter(|(path, _)| !path.ends_with("index.md")).map(|(_, text)| text.as_str()).collect()
    }

    /// Holds what is kept against the truth; how many can be read.
    #[track_caller]
    pub(super) fn check(&self) -> usize {
        let (kept, mut readable) = (self.kept(), 0);
        for (event_id, truth) in truth() {
            let label = &truth["label"];
            let (reason_kept, said) = &kept[&event_id];
            if let Some(expected) = truth["undecryptable"].as_str() {
                assert_eq!(reason_kept.as_deref(), Some(reason(expected)), "{label}");
                continue;
            }
            let (kind, content) = said.as_ref().unwrap();
            assert_eq!((reason_kept, kind), (&None, &truth["type"].as_str().unwrap().to_owned()), "{label}");
            assert_eq!(content, &truth["content"], "{label}");
            readable += 1;
        }
        readable
    }
}

/// What people read is the same.
#[track_caller]
pub(super) fn assert_same(one: &Archive<'_>, other: &Archive<'_>) {
    let (one, other) = (one.transcripts(), other.transcripts());
    assert!(one.keys().eq(other.keys()));
    for (path, text) in one {
        for (line, expected) in text.lines().zip(other[&path].lines()) {
            assert_eq!(line, expected, "{}", path.display());
        }
        assert_eq!(text.len(), other[&path].len(), "{}", path.display());
    }
}

/// Every file below a directory.
pub(super) fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let entries = entries.filter(|path| !path.is_symlink());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

pub(super) fn all(lab: &Lab) -> [Vec<String>; 4] {
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
    assert!(shown.stdout.contains("encrypted; its session is from the bridge database"), "{shown:#?}");
    let json = archive.run("show", &["--json", "$vQ6nBIGN6j37EJhYy4VuDwncR4oN2QjlnM1980EZEqM"]);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["encrypted"]["content"]["body"], "Hello from Signal", "{json}");
    assert_eq!(
        (&json["line"]["type"], &json["encrypted"]["authenticated"]),
        (&"m.room.encrypted".into(), &true.into())
    );
    assert_eq!(
        (&json["encrypted"]["type"], json["encrypted"].get("owner")),
        (&"m.room.message".into(), None),
        "{json}"
    );
    let status: Value = serde_json::from_str(&archive.run("status", &["--json"]).stdout).unwrap();
    let numbers = &status["encrypted"];
    assert_eq!((&numbers["readable"], &numbers["refused"]["replay"]), (&83.into(), &4.into()), "{status}");
    assert!(status["bytes"]["decrypted"].as_u64() > Some(0), "{status}");
    assert!(archive.run("status", &[]).stdout.contains("\ndecrypted 94 encrypted events, 83 readable"));
    // nothing more to do: nothing is decrypted again, and nothing rendered
    let again = archive.export(&[]);
    assert!(again.stderr.contains("83 readable") && !again.stderr.contains("rendered"), "{}", again.stderr);
}

#[test]
fn search_finds_what_was_encrypted_by_its_index_and_without() {
    let lab = Lab::new("archive_search");
    let archive = Archive::new(&lab, "archive");
    archive.export_with(&all(&lab));
    let found = |words: &[&str]| {
        let ended = archive.run("search", &[&["--json"], words].concat());
        let ids = ended.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        ids.map(|hit| (hit["event_id"].as_str().unwrap().to_owned(), hit["body"].clone())).collect::<Vec<_>>()
    };
    let hello = "$vQ6nBIGN6j37EJhYy4VuDwncR4oN2QjlnM1980EZEqM";
    let queries: [&[&str]; 6] = [
        &["hello", "signal"],
        &["typo", "person"],
        &["tpyo"],
        &["--edits", "tpyo"],
        &["has:image"],
        &["is:encrypted", "--limit", "1000"],
    ];
    let by_index: Vec<_> = queries.iter().map(|query| found(query)).collect();
    assert!(by_index[0].iter().any(|(id, body)| id == hello && body == "Hello from Signal"), "{by_index:#?}");
    let counts: Vec<usize> = by_index.iter().map(Vec::len).collect();
    assert_eq!(counts[..5], [1, 1, 0, 2, 2], "{:#?}", &by_index[..5]);
    assert!(counts[5] > 70, "{counts:?}");
    // every text that can be read is found by one of its words
    for (event_id, (reason, said)) in archive.kept() {
        let Some((kind, content)) = said.filter(|_| reason.is_none()) else { continue };
        let word =
            content["body"].as_str().and_then(|body| body.split(|c: char| !c.is_alphanumeric()).find(|w| w.len() > 3));
        if let Some(word) = word.filter(|_| kind == "m.room.message") {
            let hits = found(&[&format!("\"{word}\""), "--edits", "--show-redacted", "--limit", "1000"]);
            let is_found = hits.iter().any(|(id, _)| *id == event_id) || content.get("m.new_content").is_some();
            assert!(is_found, "{event_id} {word}: {hits:?}");
        }
    }
    assert_eq!(archive.run("search", &["--index", "off"]).code, Some(0));
    let in_index = || {
        let sql = "select count(*) from search where search match 'signal'";
        archive.decrypted().query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(in_index(), 0);
    let without: Vec<_> = queries.iter().map(|query| found(query)).collect();
    assert_eq!(without, by_index);
    assert_eq!(found(&["--substring", "ello from Sig"]).len(), 1);
    assert_eq!(archive.run("search", &["--index", "on"]).code, Some(0));
    assert_eq!(queries.iter().map(|query| found(query)).collect::<Vec<_>>(), by_index);
    assert!(in_index() > 0);
}

#[test]
fn the_result_is_the_same_by_any_path() {
    let lab = Lab::new("archive_paths");
    let whole = Archive::new(&lab, "whole");
    whole.export_with(&all(&lab));
    // keys that come later, from one source after the other
    let later = Archive::new(&lab, "later");
    later.export(&[]);
    assert!(!later.directory.join("decrypted.sqlite").exists());
    for sources in [&all(&lab)[1..2], &all(&lab)[..2], &all(&lab)] {
        later.export_with(sources);
    }
    assert_eq!(later.check(), 83);
    assert_same(&later, &whole);
    // the catalog is made anew, and what was decrypted stays, also without keys
    later.export(&["--decrypt=false"]);
    assert_eq!(later.run("rebuild", &[]).code, Some(0));
    later.export(&[]);
    assert_eq!(later.check(), 83);
    assert_same(&later, &whole);
    later.export_with(&all(&lab)[3..]);
    assert_eq!(later.check(), 83);
    assert_same(&later, &whole);
}

#[test]
fn an_event_that_comes_late_makes_a_replay_of_the_one_that_came_before() {
    let lab = Lab::new("archive_replays");
    let replays: Vec<(String, String)> = truth()
        .into_iter()
        .filter_map(|(id, truth)| Some((id, truth["undecryptable"].as_str()?.strip_prefix("replay of ")?.to_owned())))
        .collect();
    assert_eq!(replays.len(), 4);
    let archive = Archive::new(&lab, "archive");
    let firsts: Vec<String> = replays.iter().map(|(_, first)| format!("'{first}'")).collect();
    let firsts = firsts.join(", ");
    lab.synapse.execute(&format!(
        "create table kept as select * from events where event_id in ({firsts}); delete from events where event_id in ({firsts})"
    ));
    archive.export_with(&all(&lab));
    let kept = archive.kept();
    // by the same user, or by one whose the session is not
    assert!(replays.iter().all(|(id, _)| kept[id].0.as_deref() != Some("replay")), "{kept:#?}");
    assert!(replays.iter().any(|(id, _)| kept[id].0.is_none()), "{kept:#?}");
    lab.synapse.execute("insert into events select * from kept");
    archive.export(&[]);
    assert_eq!(archive.check(), 83);
    let whole = Archive::new(&lab, "whole");
    whole.export_with(&all(&lab));
    assert_same(&archive, &whole);
}

#[test]
fn what_clients_do_not_see_any_more_makes_no_replays() {
    let lab = Lab::new("archive_rejected");
    let archive = Archive::new(&lab, "archive");
    archive.export_with(&all(&lab));
    let own = truth().into_iter().find_map(|(id, truth)| {
        let first = truth["undecryptable"].as_str()?.strip_prefix("replay of ")?.to_owned();
        let owner = super::truth()[&first]["sender"].clone();
        (truth["sender"] == owner).then_some((id, first))
    });
    let (replay, first) = own.unwrap();
    // as where Synapse finds it to be against the rules later
    let judge = |rejected: bool| {
        let catalog = Connection::open(archive.directory.join("catalog.sqlite")).unwrap();
        let sql = "update line set rejected = ?1 where event_id = ?2";
        assert_eq!(catalog.execute(sql, rusqlite::params![rejected, first]).unwrap(), 1);
        archive.export(&[]);
        archive.kept()[&replay].0.clone()
    };
    assert_eq!(archive.kept()[&replay].0.as_deref(), Some("replay"));
    assert_eq!(judge(true), None);
    assert_eq!(judge(false).as_deref(), Some("replay"));
    assert_eq!(archive.check(), 83);
}

#[test]
fn a_source_that_is_absent_delays_decrypting_alone() {
    let lab = Lab::new("archive_absent");
    let archive = Archive::new(&lab, "archive");
    let file = lab.path("keys.txt");
    let mut sources = lab.key_file("alice");
    std::fs::copy(&sources[1], &file).unwrap();
    sources[1].clone_from(&file);
    let directory = archive.directory.display().to_string();
    let named = [sources, lab.bridge()];
    let named = [&["export", "--archive", &directory, "--decrypt"], &*options(&named)].concat();
    // it is there when it is named; what it opens is to be decrypted anew
    assert_eq!(lab.run(&named).code, Some(0));
    for name in ["decrypted.sqlite", "decrypted.sqlite-journal"] {
        let _ = std::fs::remove_file(archive.directory.join(name));
    }
    std::fs::remove_file(&file).unwrap();
    // also where it is named again as it is remembered
    let ended = lab.run(&named);
    assert_eq!(ended.code, Some(3), "{ended:#?}");
    assert!(ended.stderr.contains("keys.txt"), "{}", ended.stderr);
    let some = archive.kept().values().filter(|(reason, _)| reason.is_none()).count();
    std::fs::copy(&lab.key_file("alice")[1], &file).unwrap();
    archive.export(&[]);
    let more = archive.kept().values().filter(|(reason, _)| reason.is_none()).count();
    assert!(0 < some && some < more, "{some} {more}");
    // what was opened stays when the keys are gone
    std::fs::remove_file(&file).unwrap();
    let ended = lab.run(&["export", "--archive", &directory]);
    assert_eq!(ended.code, Some(3), "{ended:#?}");
    assert_eq!(archive.kept().values().filter(|(reason, _)| reason.is_none()).count(), more);
}

#[test]
fn what_cannot_be_used_is_not_remembered_and_makes_no_archive() {
    let lab = Lab::new("archive_unusable");
    let archive = Archive::new(&lab, "archive");
    let (directory, good) = (archive.directory.display().to_string(), [lab.bridge()]);
    let export = |more: &[&str]| lab.run(&[&["export", "--archive", &directory, "--decrypt"], more].concat());
    let garbage = lab.file("garbage", "sesame");
    let wrong = lab.file("wrong", &lab.person("bob", "recovery_key"));
    let (passphrase, missing) = (lab.key_file("alice"), lab.path("missing"));
    let keys = sample("alice.keys.txt").display().to_string();
    let unusable: [(&[&str], &str); 9] = [
        (&[], "no source of keys is named"),
        (&["--backup-user", "alice", "--recovery-key-file", &wrong], "alice is no user's id"),
        (&["--backup-user", ALICE, "--recovery-key-file", &wrong], "nothing that was given opens"),
        (&["--backup-user", ALICE, "--recovery-key-file", &garbage], "no recovery key"),
        (&["--backup-user", "@nobody:lab.test", "--recovery-key-file", &wrong], "has no key backup"),
        (&["--key-file", &missing, "--key-file-passphrase-file", &passphrase[3]], "missing"),
        (&["--key-file", &keys, "--key-file-passphrase-file", &garbage], "no passphrase that was given opens it"),
        (&["--bridge-config", &garbage], "it is no YAML of a bridge's"),
        (&["--bridge-store", &garbage], "cannot use"),
    ];
    for (sources, said) in &unusable {
        let ended = export(sources);
        assert_eq!((ended.code, archive.directory.exists()), (Some(2), false), "{said}: {ended:#?}");
        assert!(ended.stderr.contains(said) && !ended.stderr.contains("sesame"), "{said}: {ended:#?}");
    }
    assert_eq!(export(&options(&good)).code, Some(0));
    let remembered = archive.run_of("keys", &["list", "--json"]).stdout;
    assert!(remembered.contains("bridge_database") && remembered.contains("pickle"), "{remembered}");
    for (sources, said) in &unusable[1..] {
        let ended = export(sources);
        assert_eq!(ended.code, Some(2), "{said}: {ended:#?}");
    }
    // and a database that is no bridge's
    let ended = export(&["--bridge-database", &lab.synapse.dsn()]);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert_eq!(archive.run_of("keys", &["list", "--json"]).stdout, remembered);
    // of those that are remembered already nothing has to be named
    assert_eq!(export(&[]).code, Some(0));
}

#[test]
fn who_reads_what_was_decrypted_for_too_long_is_told_of_by_that_file() {
    let lab = Lab::new("archive_locked");
    let archive = Archive::new(&lab, "archive");
    archive.export_with(&[lab.bridge()]);
    let reader = archive.decrypted();
    reader.execute_batch("begin; select count(*) from event").unwrap();
    let directory = archive.directory.display().to_string();
    let ended = lab.run(&[&["export", "--archive", &directory, "--decrypt"], &*options(&all(&lab))].concat());
    assert_eq!(ended.code, Some(75), "{ended:#?}");
    assert!(ended.stderr.contains("keeps the archive's decrypted.sqlite locked"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("catalog.sqlite"), "{}", ended.stderr);
    drop(reader);
    archive.export_with(&all(&lab));
    assert_eq!(archive.check(), 83);
}

#[test]
fn without_decrypt_nothing_that_is_decrypted_is_on_the_disk_and_with_it_in_no_catalog() {
    let lab = Lab::new("archive_private");
    let (plain, archive) = (Archive::new(&lab, "plain"), Archive::new(&lab, "archive"));
    plain.export(&[]);
    archive.export_with(&all(&lab));
    let bodies: Vec<String> = truth()
        .values()
        .filter_map(|truth| truth["content"]["body"].as_str().filter(|body| body.len() > 10).map(str::to_owned))
        .collect();
    assert!(bodies.len() > 30);
    let mut secrets = vec![lab.secrets["pickle_keys"][""].as_str().unwrap().to_owned()];
    secrets.extend(["recovery_key", "backup_key", "export_passphrase"].map(|what| lab.person("alice", what)));
    let holds = |path: &Path, texts: &[String]| {
        let bytes = std::fs::read(path).unwrap();
        texts.iter().find(|text| memchr::memmem::find(&bytes, text.as_bytes()).is_some()).cloned()
    };
    for file in files(&plain.directory) {
        assert_eq!(holds(&file, &bodies), None, "{}", file.display());
    }
    for file in files(&archive.directory) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(holds(&file, &secrets), None, "{name}");
        let may_tell = name == "decrypted.sqlite" || file.extension().is_some_and(|it| it == "md");
        assert!(may_tell || holds(&file, &bodies).is_none(), "{name}");
    }
    let mode = std::fs::metadata(archive.directory.join("decrypted.sqlite")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_was_decrypted_is_taken_away_and_comes_again_with_the_keys() {
    let lab = Lab::new("archive_forget");
    let (archive, never) = (Archive::new(&lab, "archive"), Archive::new(&lab, "never"));
    archive.export_with(&all(&lab));
    never.export(&[]);
    let listed = archive.run_of("keys", &["list"]);
    assert!(listed.stdout.contains("--backup-user @alicep7h84:lab.test"), "{listed:#?}");
    assert!(listed.stdout.contains("83 readable") && listed.stdout.contains("not read: replay"), "{listed:#?}");
    let json: Value = serde_json::from_str(&archive.run_of("keys", &["list", "--json"]).stdout).unwrap();
    assert_eq!(json["numbers"]["readable"], 83, "{json}");
    let sql = "select count(*) from plaintext join event using (event) where reason is null and not authenticated";
    let looked_at: i64 = archive.decrypted().query_row(sql, [], |row| row.get(0)).unwrap();
    assert!(looked_at > 0 && json["numbers"]["not_authenticated"] == looked_at, "{looked_at}: {json}");
    assert!(!listed.stdout.contains(&lab.person("alice", "recovery_key")));

    let forgotten = archive.run_of("keys", &["forget", "--plaintext"]);
    assert_eq!(forgotten.code, Some(0), "{forgotten:#?}");
    let json: Value = serde_json::from_str(&archive.run_of("keys", &["list", "--json"]).stdout).unwrap();
    assert!(json["numbers"]["readable"] == 0 && json["numbers"]["not_authenticated"] == 0, "{json}");
    assert_same(&archive, &never);
    let bytes = std::fs::read(archive.directory.join("decrypted.sqlite")).unwrap();
    for text in ["Hello from Signal", "typo of a person", "garden.jpg"] {
        assert!(memchr::memmem::find(&bytes, text.as_bytes()).is_none(), "{text}");
    }
    let free: i64 = archive.decrypted().query_row("pragma freelist_count", [], |row| row.get(0)).unwrap();
    assert_eq!(free, 0);
    let journal = std::fs::metadata(archive.directory.join("decrypted.sqlite-journal"));
    assert!(journal.is_err() || journal.unwrap().len() == 0);
    assert_eq!(archive.run("search", &["hello", "signal"]).code, Some(1));
    // not decrypted again by itself
    archive.export(&[]);
    assert_same(&archive, &never);
    // what is known of uses stays, and so do the verdicts
    archive.export_with(&all(&lab));
    assert_eq!(archive.check(), 83);
    assert_eq!(archive.run("search", &["hello", "signal"]).code, Some(0));
}

/// What an output says of encrypted events: how each column of an event is in its files.
fn put_out(directory: &Path, columns: [&str; 4]) -> BTreeMap<String, Vec<Option<String>>> {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::Field;
    let mut events = BTreeMap::new();
    for day in std::fs::read_dir(directory.join("events")).unwrap() {
        let file = std::fs::File::open(day.unwrap().path().join("part-0.parquet")).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        for row in reader.get_row_iter(None).unwrap() {
            let columns_of =
                |name: &str| match row.as_ref().unwrap().get_column_iter().find(|(column, _)| *column == name) {
                    Some((_, Field::Str(text))) => Some(text.clone()),
                    _ => None,
                };
            events.insert(columns_of("event_id").unwrap(), columns.iter().map(|name| columns_of(name)).collect());
        }
    }
    events
}

#[test]
fn outputs_have_what_was_decrypted_only_where_that_is_wanted_and_only_as_long_as_the_archive_has_it() {
    let lab = Lab::new("archive_outputs");
    let archive = Archive::new(&lab, "archive");
    archive.export(&["--hide-erased"]);
    let place = |name: &str| lab.files.path().join(name);
    for (name, more) in [("without", &[][..]), ("with", &["--with-decrypted", "--with-verdicts"])] {
        let to = format!("parquet:{}", place(name).display());
        let added = archive.run_of("output", &[&["add", name, &to], more].concat());
        assert_eq!(added.code, Some(0), "{added:#?}");
    }
    let feed = || {
        let ran = archive.run_of("output", &["run"]);
        assert_eq!(ran.code, Some(0), "{ran:#?}");
    };
    let said = |name: &str| put_out(&place(name), ["type", "body", "decrypted", "verdict"]);
    feed();
    let readable = |name: &str| said(name).values().filter(|row| row[2].is_some()).count();
    assert_eq!(readable("with"), 0);
    archive.export_with(&all(&lab));
    feed();
    let event = "$vQ6nBIGN6j37EJhYy4VuDwncR4oN2QjlnM1980EZEqM";
    let row = |name: &str| said(name)[event][..3].to_vec();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(row("with"), [text("m.room.message"), text("Hello from Signal"), text("authenticated")]);
    assert_eq!(row("without"), [text("m.room.encrypted"), None, None]);
    assert!((75..=83).contains(&readable("with")), "{}", readable("with"));
    assert_eq!(readable("without"), 0);
    let verdicts = |name: &str| said(name).values().filter(|row| row[3].is_some()).count();
    assert_eq!((verdicts("with"), verdicts("without")), (said("with").len(), 0));
    // an encrypted edit takes effect
    assert!(
        said("with")
            .values()
            .any(|row| row[1].as_deref().is_some_and(|body| !body.is_empty()) && row[0] == text("m.room.message"))
    );

    let forgotten = archive.run_of("keys", &["forget", "--plaintext"]);
    assert_eq!(forgotten.code, Some(0), "{forgotten:#?}");
    assert_eq!(readable("with"), 0);
    assert_eq!(row("with"), [text("m.room.encrypted"), None, None]);
}

#[test]
fn what_is_erased_counts_as_erased_whenever_it_is_decrypted() {
    let lab = Lab::new("archive_erased_first");
    let archive = Archive::new(&lab, "archive");
    let readable = truth().into_iter().filter(|(_, truth)| truth.get("undecryptable").is_none_or(Value::is_null));
    let event_id = readable.map(|(id, _)| id).find(|id| !id.is_empty()).unwrap();
    archive.export(&[]);
    let ended = archive.run("erase", &["--event", &event_id, "--yes"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let check = |ended: &Ended| {
        assert_eq!(archive.kept()[&event_id], (Some("erased".to_owned()), None));
        assert!(ended.stderr.contains(" erased"), "{}", ended.stderr);
        let sql = "select count(*) from event where event_id = ?1 and detail is not null";
        assert_eq!(archive.decrypted().query_row(sql, [&event_id], |row| row.get::<_, i64>(0)).unwrap(), 0);
    };
    check(&archive.export_with(&all(&lab)));
    std::fs::remove_file(archive.directory.join("decrypted.sqlite")).unwrap();
    let _ = std::fs::remove_file(archive.directory.join("decrypted.sqlite-journal"));
    check(&archive.export(&[]));
}

#[test]
fn what_is_erased_and_judged_again_still_tells_replays() {
    let lab = Lab::new("archive_erased_again");
    let archive = Archive::new(&lab, "archive");
    archive.export_with(&all(&lab));
    let event_id = archive.kept().into_iter().find(|(_, (reason, said))| reason.is_none() && said.is_some()).unwrap().0;
    let used = || {
        let sql = "select session, message, reason from event where event_id = ?1";
        let used = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        archive.decrypted().query_row(sql, [&event_id], used).unwrap()
    };
    let before: (Option<i64>, Option<i64>, Option<String>) = used();
    assert!(before.0.is_some() && before.1.is_some());
    assert_eq!(archive.run("erase", &["--event", &event_id, "--yes"]).code, Some(0));
    let catalog = Connection::open(archive.directory.join("catalog.sqlite")).unwrap();
    assert_eq!(catalog.execute("update line set soft_failed = 1 where event_id = ?1", [&event_id]).unwrap(), 1);
    drop(catalog);
    archive.export(&[]);
    assert_eq!(used(), (before.0, before.1, Some("erased".to_owned())));
}

/// What two clients have encrypted is what they have sent, and goes with what was decrypted.
#[test]
fn encrypted_attachments_are_decrypted_and_taken_away_with_what_names_their_keys() {
    let lab = Lab::new("archive_media");
    let archive = Archive::new(&lab, "archive");
    let store = lab.files.path().join("store");
    for (id, length) in [("cQAeCBtJoHhgIKoUCMwkIYoy", 900), ("teMYLQPGiLHUSwYMNHLnFaLD", 1500)] {
        let place = store.join("local_content").join(&id[..2]).join(&id[2..4]);
        std::fs::create_dir_all(&place).unwrap();
        std::fs::copy(super::sample("media").join(id), place.join(&id[4..])).unwrap();
        lab.synapse.execute(&format!(
            "insert into local_media_repository (media_id, media_type, media_length) values ('{id}', 'application/octet-stream', {length})"
        ));
    }
    let media = || -> Vec<String> {
        let directory = archive.directory.join("media");
        let there = if directory.exists() { files(&directory) } else { Vec::new() };
        let mut sums: Vec<String> = there
            .iter()
            .map(|path| {
                let sum = std::process::Command::new("sha256sum").arg(path).output().unwrap().stdout;
                let kind = if path.starts_with(directory.join("decrypted")) { "plain" } else { "stored" };
                format!("{kind} {}", String::from_utf8_lossy(&sum[..8]))
            })
            .collect();
        sums.sort();
        sums
    };
    let store = store.display().to_string();
    // before anything is decrypted nothing tells that they are named
    archive.export(&["--media-store", &store]);
    assert!(media().is_empty());
    archive.export_with(&all(&lab));
    let stored = ["stored 509e9618", "stored ef87d549"];
    let plain = ["plain 16ae1d17", "plain f2e2629a"];
    assert_eq!(media(), [plain, stored].concat());
    let told = archive.transcript(ROOMS[0]);
    assert_eq!(told.matches("(../../media/decrypted/").count(), 2, "{told}");
    let forgotten = archive.run_of("keys", &["forget", "--plaintext"]);
    assert_eq!(forgotten.code, Some(0), "{forgotten:#?}");
    assert_eq!(media(), stored);
    assert!(!archive.transcript(ROOMS[0]).contains("media/decrypted"));
    archive.export_with(&all(&lab));
    assert_eq!(media(), [plain, stored].concat());
    // one of the two is erased
    let erased = archive.run("erase", &["--event", "$akaPIwRAI-aLbHa_7RtbTwxwkjEg1nm0OxnCr11c0a4", "--yes"]);
    assert_eq!(erased.code, Some(0), "{erased:#?}");
    assert_eq!(media(), ["plain 16ae1d17", "stored ef87d549"]);
}

/// Stores an event once more under another id, as by another sender or the same, at another place of the stream.
fn repeat(lab: &Lab, event_id: &str, copy: &str, sender: Option<&str>, position: &str) {
    let sender = sender.map_or_else(String::new, |sender| {
        format!(
            "update again set sender = '{sender}';
             update again_json set json = (json::jsonb || jsonb_build_object('sender', '{sender}'))::text;"
        )
    });
    lab.synapse.execute(&format!(
        "create table again as select * from events where event_id = '{event_id}';
         create table again_json as select * from event_json where event_id = '{event_id}';
         update again set event_id = '{copy}', stream_ordering = {position}; update again_json set event_id = '{copy}'; {sender}
         insert into events select * from again; insert into event_json select * from again_json;
         drop table again; drop table again_json"
    ));
}

/// An event that can be read, whose session is known to be its sender's, and who that is.
fn own(archive: &Archive<'_>) -> (String, String) {
    let sql = "select event_id, sender from event join session using (session) where reason is null and bridge is null
                  and exists (select 1 from owner where owner.session = event.session and user_id = sender) order by event limit 1";
    archive.decrypted().query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

#[test]
fn of_what_is_erased_whole_a_hash_is_left_by_which_replays_are_told() {
    let lab = Lab::new("archive_erased_whole");
    let archive = Archive::new(&lab, "archive");
    archive.export_with(&all(&lab));
    let (event_id, _) = own(&archive);
    assert_eq!(archive.run("erase", &["--event", &event_id, "--whole", "--yes"]).code, Some(0));
    let bytes = std::fs::read(archive.directory.join("decrypted.sqlite")).unwrap();
    assert!(!bytes.windows(event_id.len()).any(|part| part == event_id.as_bytes()));
    let sql = "select count(*) from event where erased = 2 and sender is null and length(event_id) = 64 and reason = 'erased'";
    assert_eq!(archive.decrypted().query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
    repeat(&lab, &event_id, "$later", None, "(select max(stream_ordering) + 1 from events)");
    archive.export(&[]);
    let shown = archive.run("show", &["--json", "$later"]);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    let why = [&shown["encrypted"]["reason"], &shown["encrypted"]["detail"]];
    assert_eq!(why, ["replay", "a replay of an event that was erased"]);
}

#[test]
fn a_replay_that_came_first_is_no_original_where_the_session_has_an_owner() {
    let lab = Lab::new("archive_replay_first");
    let first = Archive::new(&lab, "first");
    first.export_with(&all(&lab));
    let (event_id, sender) = own(&first);
    let other = if sender == ALICE { BOB } else { ALICE };
    repeat(&lab, &event_id, "$stranger", Some(other), "-999999");
    let has_line = |archive: &Archive<'_>, id: &str| {
        let catalog = Connection::open(archive.directory.join("catalog.sqlite")).unwrap();
        let sql = "select exists (select 1 from line where event_id = ?1)";
        catalog.query_row(sql, [id], |row| row.get::<_, bool>(0)).unwrap()
    };
    for (erased, left) in [("$stranger", Some(&*event_id)), (&*event_id, None)] {
        let archive = Archive::new(&lab, if left.is_some() { "theirs" } else { "own" });
        archive.export_with(&all(&lab));
        assert!(has_line(&archive, "$stranger") && has_line(&archive, &event_id));
        assert_eq!(archive.run("erase", &["--event", erased, "--whole", "--yes"]).code, Some(0));
        assert!(!has_line(&archive, "$stranger"));
        assert_eq!(has_line(&archive, &event_id), left.is_some());
    }
}
