//! Files that events name: which are copied and from where, what is told of those that are lacking, what shows them, and what becomes of
//! them when they are quarantined, erased, altered, or a run is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::archive::TestArchive;
use crate::support::story::{EventRow, ROOM};
use crate::support::{Database, Shape, cluster};
use crate::{Ended, command, contents, ended, export, run, server, text};

/// A picture with something of its own in it.
pub(crate) fn png(what: &str) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n", what.as_bytes()].concat()
}

fn put(place: &Path, bytes: &[u8]) {
    fs::create_dir_all(place.parent().expect("it is below a store")).expect("a directory can be made");
    fs::write(place, bytes).expect("a file can be written");
}

/// A media store, and what the database knows of it.
pub(crate) struct Store<'d> {
    database: &'d Database,
    directory: tempfile::TempDir,
}

impl<'d> Store<'d> {
    pub(crate) fn new(database: &'d Database) -> Store<'d> {
        let directory = tempfile::tempdir().expect("a directory can be made");
        for name in ["local_content", "remote_content"] {
            fs::create_dir(directory.path().join(name)).expect("a directory can be made");
        }
        Store { database, directory }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    fn place(&self, id: &str) -> PathBuf {
        self.path().join("local_content").join(&id[..2]).join(&id[2..4]).join(&id[4..])
    }

    /// A file of this server's own, which the database knows.
    pub(crate) fn local(&self, id: &str, kind: &str, bytes: &[u8]) {
        put(&self.place(id), bytes);
        self.known(id, kind, bytes.len());
    }

    /// What the database knows of one, be it there or not.
    fn known(&self, id: &str, kind: &str, bytes: usize) {
        self.database.execute(&format!(
            "insert into local_media_repository (media_id, media_type, media_length, upload_name) values ('{id}', '{kind}', {bytes}, 'image.png')"
        ));
    }

    /// One of another server.
    fn remote(&self, server: &str, id: &str, name: &str, bytes: &[u8]) {
        let place = self.path().join("remote_content").join(server).join(&name[..2]).join(&name[2..4]).join(&name[4..]);
        put(&place, bytes);
        self.database.execute(&format!(
            "insert into remote_media_cache (media_origin, media_id, media_type, media_length, filesystem_id)
             values ('{server}', '{id}', 'image/png', {}, '{name}')",
            bytes.len()
        ));
    }
}

/// A message that names a file.
pub(crate) fn image(id: i64, mxc: &str, name: &str) -> EventRow {
    let content = json!({
        "msgtype": "m.image", "body": name, "url": mxc,
        "info": {"mimetype": "image/png", "w": 40, "h": 30, "thumbnail_url": "mxc://here.test/thumbnail"},
    });
    EventRow { content: content.to_string(), ..EventRow::at(id) }
}

fn copied(database: &Database, archive: &Path, store: &Path, more: &[&str]) -> Ended {
    export(database, archive, &[&["--media-store", text(store)], more].concat())
}

/// The files of an archive's media, by their paths in it.
fn media(archive: &Path) -> BTreeMap<String, Vec<u8>> {
    let directory = archive.join("media");
    if directory.exists() { contents(&directory) } else { BTreeMap::new() }
}

/// What an archive lacks: why, by address.
fn lacking(archive: &Path) -> BTreeMap<String, String> {
    let listed = run(&["media", "--list", "--json", "--archive", text(archive)]).with(0);
    let lines = listed.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("it is JSON"));
    let word = |value: &Value| value.as_str().expect("it is a text").to_owned();
    lines.filter(|line| line["mxc"].is_string()).map(|line| (word(&line["mxc"]), word(&line["lacks"]))).collect()
}

fn transcript(archive: &TestArchive, extension: &str) -> String {
    let all = contents(archive.path());
    let (_, bytes) =
        all.iter().find(|(path, _)| path.ends_with(&format!("2026-11-22.{extension}"))).expect("it is there");
    String::from_utf8(bytes.clone()).expect("it is UTF-8")
}

#[test]
fn files_are_copied_shown_by_their_bytes_and_looked_for_again() {
    let (database, archive) = (server(), TestArchive::new());
    let store = Store::new(&database);
    store.local("abcdPicture", "image/png", &png("one"));
    // what it is said to be is nothing that counts
    store.local("abcdProgram", "image/png", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>");
    store.remote("far.test", "remoteId", "xyzwStickerOnDisk", &png("two"));
    store.known("abcdPreview", "image/png", 3);
    database.execute("update local_media_repository set url_cache = 'https://x' where media_id = 'abcdPreview'");
    database.execute("insert into local_media_repository (media_id) values ('abcdReserved')");
    database.event(image(10, "mxc://here.test/abcdPicture", "lag.png"));
    database.event(image(11, "mxc://here.test/abcdProgram", "x.svg"));
    let sticker = json!({"body": "wave", "url": "mxc://far.test/remoteId"}).to_string();
    database.event(EventRow { event_type: "m.sticker".to_owned(), content: sticker, ..EventRow::at(12) });
    database.event(image(13, "mxc://here.test/abcdLater", "later.png"));
    database.event(image(14, "mxc://here.test/abcdPreview", "preview.png"));
    database.event(image(15, "mxc://here.test/abcdReserved", "reserved.png"));
    let avatar = json!({"membership": "join", "avatar_url": "mxc://here.test/abcdAvatar"});
    database.event(EventRow::state(16, "m.room.member", "@alice:here.test", &avatar));
    let emoji = r#"<b>so</b> <img data-mx-emoticon src="mxc://here.test/abcdPicture" alt=":o&quot;ne:"> <img src="mxc://here.test/abcdNever">"#;
    let emoji = json!({"msgtype": "m.text", "body": "so", "format": "org.matrix.custom.html", "formatted_body": emoji});
    database.event(EventRow { content: emoji.to_string(), ..EventRow::at(17) });

    copied(&database, archive.path(), store.path(), &[]).with(0);
    let kept = media(archive.path());
    let ends: BTreeSet<&str> = kept.keys().map(|path| path.rsplit_once('.').unwrap().1).collect();
    assert_eq!((kept.len(), ends), (3, BTreeSet::from(["bin", "png"])), "{:?}", kept.keys());
    for (path, bytes) in &kept {
        let sum = openssl_sha256(bytes);
        assert!(path.starts_with(&format!("{}/{sum}.", &sum[..2])), "{path}");
        let file = archive.path().join("media").join(path);
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let why = lacking(archive.path());
    let why: Vec<(&str, &str)> = why.iter().map(|(mxc, why)| (&mxc["mxc://here.test/".len()..], &**why)).collect();
    assert_eq!(
        why,
        [
            ("abcdAvatar", "avatar"),
            ("abcdLater", "not_downloaded"),
            ("abcdNever", "not_downloaded"),
            ("abcdPreview", "preview"),
            ("abcdReserved", "not_downloaded"),
        ]
    );

    let here = |bytes: &[u8], end: &str| {
        let sum = openssl_sha256(bytes);
        format!("../../media/{}/{sum}.{end}", &sum[..2])
    };
    let shown = transcript(&archive, "md");
    assert!(shown.contains(&format!("![lag.png]({})", here(&png("one"), "png"))), "{shown}");
    let program = kept.iter().find(|(path, _)| path.contains(".bin")).unwrap().1;
    assert!(shown.contains(&format!("[x.svg]({})", here(program, "bin"))) && !shown.contains("![x.svg]"), "{shown}");
    assert!(shown.contains("(mxc://here.test/abcdLater)"), "{shown}");
    run(&["render", "--html", "--archive", text(archive.path())]).with(0);
    let page = transcript(&archive, "html");
    assert!(page.contains(&format!("<img src=\"{}\" alt=\"lag.png\"", here(&png("one"), "png"))), "{page}");
    assert!(page.contains(&format!("href=\"{}\" download", here(program, "bin"))), "{page}");
    assert!(!page.contains(&format!("src=\"{}\"", here(program, "bin"))), "{page}");

    let emoji = format!("<span class=\"cu\"><img src=\"{}\" alt=\":o", here(&png("one"), "png"));
    assert!(page.contains(&emoji) && page.contains("<span class=\"im\">🖼 image</span>"), "{page}");

    // nothing new: nothing is copied, nothing rendered
    let before = fs::metadata(archive.path().join("media").join(kept.keys().next().unwrap())).unwrap().ino();
    let again = export(&database, archive.path(), &[]).with(0);
    assert!(again.stderr.contains("0 files copied") && !again.stderr.contains("rendered"), "{}", again.stderr);
    let after = fs::metadata(archive.path().join("media").join(kept.keys().next().unwrap())).unwrap().ino();
    assert_eq!(before, after);

    // what comes later is found where it is remembered to be, and its transcript shows it
    store.local("abcdLater", "image/png", &png("three"));
    store.local("abcdAvatar", "image/png", &png("four"));
    run(&["media", "--database", &database.dsn(), "--archive", text(archive.path())]).with(0);
    assert!(transcript(&archive, "md").contains(&format!("![later.png]({})", here(&png("three"), "png"))));
    assert!(transcript(&archive, "html").contains(&here(&png("three"), "png")));
    assert_eq!(media(archive.path()).len(), 4);
    copied(&database, archive.path(), store.path(), &["--avatars"]).with(0);
    assert_eq!(media(archive.path()).len(), 5);

    // quarantined since it was copied: hidden and told; taken back, it is shown again
    database.execute(
        "update local_media_repository set quarantined_by = '@admin:here.test' where media_id = 'abcdPicture'",
    );
    export(&database, archive.path(), &[]).with(0).saying("quarantined");
    assert!(!transcript(&archive, "md").contains(&here(&png("one"), "png")));
    assert!(!transcript(&archive, "html").contains(&here(&png("one"), "png")));
    assert_eq!(lacking(archive.path())["mxc://here.test/abcdPicture"], "quarantined");
    assert_eq!(media(archive.path()).len(), 5);
    database.execute("update local_media_repository set quarantined_by = null where media_id = 'abcdPicture'");
    export(&database, archive.path(), &[]).with(0);
    assert!(transcript(&archive, "md").contains(&here(&png("one"), "png")));

    // a copy that somebody took away comes again
    let taken = archive.path().join("media").join(kept.keys().next().unwrap());
    let bytes = fs::read(&taken).unwrap();
    fs::remove_file(&taken).unwrap();
    export(&database, archive.path(), &[]).with(0);
    assert_eq!(fs::read(&taken).unwrap(), bytes);

    // what the server forgets stays
    database.execute("delete from local_media_repository");
    fs::remove_dir_all(store.path().join("local_content")).unwrap();
    export(&database, archive.path(), &[]).with(0);
    assert_eq!(media(archive.path()).len(), 5);
    assert!(transcript(&archive, "md").contains(&here(&png("one"), "png")));
    // also for a catalog that is made anew
    run(&["rebuild", "--archive", text(archive.path())]).with(0);
    export(&database, archive.path(), &[]).with(0);
    assert_eq!(archive.one("select count(*) from media where sha256 is not null"), "5");
    assert!(transcript(&archive, "md").contains(&here(&png("one"), "png")));

    run(&["media", "--no-media", "--archive", text(archive.path())]).with(0);
    run(&["media", "--database", &database.dsn(), "--archive", text(archive.path())]).with(2).saying("--media-store");
}

fn openssl_sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"))
}

#[test]
fn many_files_of_one_name_are_many_and_what_is_wrong_with_one_costs_no_other() {
    let (database, archive) = (server(), TestArchive::new());
    let store = Store::new(&database);
    for number in 0..300 {
        let id = format!("many{number:05}");
        store.local(&id, "image/png", &png(&id));
        database.event(image(100 + number, &format!("mxc://here.test/{id}"), "image.png"));
    }
    // the same bytes under two addresses are one file
    store.local("manyTwin", "image/png", &png("many00000"));
    store.local("abcdLarge", "video/mp4", &[0; 5_000]);
    store.local("abcdOther", "application/pdf", b"%PDF-1.7");
    store.local("abcdCut", "image/png", &png("cut off"));
    database.execute("update local_media_repository set media_length = 99 where media_id = 'abcdCut'");
    store.local("abcdAltered", "image/png", &png("altered"));
    let sum = openssl_sha256(b"something else");
    database.execute(&format!("update local_media_repository set sha256 = '{sum}' where media_id = 'abcdAltered'"));
    store.known("abcdLost", "image/png", 7);
    store.known("abcdLinked", "image/png", 6);
    let secret = store.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    fs::create_dir_all(store.place("abcdLinked").parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&secret, store.place("abcdLinked")).unwrap();
    database.execute(
        "insert into remote_media_cache (media_origin, media_id, media_type, media_length, filesystem_id)
         values ('far.test', 'hostile', 'image/png', 6, '../../../secret'), ('..', 'hostile', 'image/png', 6, 'abcdefgh')",
    );
    let names = ["manyTwin", "abcdLarge", "abcdOther", "abcdCut", "abcdAltered", "abcdLost", "abcdLinked"];
    for (number, name) in (500..).zip(names) {
        database.event(image(number, &format!("mxc://here.test/{name}"), "image.png"));
    }
    for (number, mxc) in (600..).zip([
        "mxc://far.test/hostile",
        "mxc://../hostile",
        "mxc://here.test/../../secret",
        "mxc://here.test/",
        "https://here.test/abcdLost",
    ]) {
        database.event(image(number, mxc, "image.png"));
    }
    copied(&database, archive.path(), store.path(), &["--media-max-size", "4K", "--media-types", "image,video"])
        .with(0);
    let kept = media(archive.path());
    assert_eq!(kept.len(), 300, "{:?}", kept.keys());
    assert!(kept.values().all(|bytes| bytes.starts_with(b"\x89PNG")));
    let why = lacking(archive.path());
    let expected = [
        ("mxc://../hostile", "missing"),
        ("mxc://far.test/hostile", "missing"),
        ("mxc://here.test/abcdAltered", "damaged"),
        ("mxc://here.test/abcdCut", "damaged"),
        ("mxc://here.test/abcdLarge", "too_large"),
        ("mxc://here.test/abcdLinked", "missing"),
        ("mxc://here.test/abcdLost", "missing"),
        ("mxc://here.test/abcdOther", "other_type"),
    ];
    assert_eq!(why, expected.iter().map(|(mxc, why)| ((*mxc).to_owned(), (*why).to_owned())).collect());
    // asked otherwise, they come
    copied(&database, archive.path(), store.path(), &[]).with(0);
    assert_eq!(media(archive.path()).len(), 302);
    let found = run(&["verify", "--archive", text(archive.path())]).saying("302 files");
    assert!(!found.stdout.contains("media/"), "{}", found.stdout);
    // and what is not as it was copied is found
    let (path, _) = kept.iter().next().unwrap();
    let place = archive.path().join("media").join(path);
    let mut bytes = fs::read(&place).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&place, bytes).unwrap();
    let found = run(&["verify", "--archive", text(archive.path())]).with(3);
    assert!(found.stdout.contains(path) && found.stdout.contains("SHA-256"), "{}", found.stdout);
    fs::remove_file(&place).unwrap();
    let found = run(&["verify", "--quick", "--archive", text(archive.path())]).with(3);
    assert!(found.stdout.contains(path) && found.stdout.contains("gone"), "{}", found.stdout);
}

#[test]
fn a_role_that_may_not_read_of_files_loses_nothing_else() {
    let (database, archive) = (server(), TestArchive::new());
    let store = Store::new(&database);
    let role = "reads_media";
    database.psql(&include_str!("../../sql/reader_role.sql").replace("synapse_export", role));
    store.local("abcdPicture", "image/png", &png("one"));
    database.event(image(10, "mxc://here.test/abcdPicture", "lag.png"));
    let avatar = json!({"membership": "join", "avatar_url": "mxc://here.test/abcdAvatar"});
    database.event(EventRow::state(11, "m.room.member", "@alice:here.test", &avatar));
    let dsn = database.dsn().replace("user=postgres", &format!("user={role}"));
    let export = |more: &[&str]| {
        ended(command().args(["export", "--database", &dsn, "--archive", text(archive.path())]).args(more))
    };
    export(&["--media-store", text(store.path())]).with(3).saying("sql/reader_role_media.sql");
    assert_eq!((archive.lines().len(), media(archive.path()).len()), (7, 0));
    let of_media = ["media", "--database", &dsn, "--archive", text(archive.path())];
    run(&of_media).with(1).saying("sql/reader_role_media.sql");
    let doctor = run(&["doctor", "--database", &dsn, "--archive", text(archive.path())]);
    assert!(doctor.stdout.contains("sql/reader_role_media.sql"), "{doctor:#?}");
    database.psql(&include_str!("../../sql/reader_role_media.sql").replace("synapse_export", role));
    let metrics = store.path().join("metrics");
    export(&["--metrics-file", text(&metrics)]).with(0);
    assert_eq!(media(archive.path()).len(), 1);
    let metrics = fs::read_to_string(metrics).unwrap();
    let told = metrics.lines().find(|line| line.starts_with("synapse_export_missing_media{"));
    assert!(told.is_some_and(|line| line.ends_with(" 0")), "an avatar is not asked for: {told:?}");
    for column in ["user_id", "upload_name"] {
        let read = format!("set role {role}; select {column} from local_media_repository");
        assert!(
            crate::support::standby::query(&database.dsn(), &read).is_err_and(|error| error.contains("permission"))
        );
    }
    let doctor = run(&["doctor", "--database", &dsn, "--archive", text(archive.path())]);
    assert!(doctor.stdout.contains("1 of 1 files that events name are here; none is lacking"), "{doctor:#?}");
}

#[test]
fn an_older_synapse_has_no_hashes_and_its_files_are_copied_all_the_same() {
    let (database, archive) = (cluster().database("old_media", Shape::V1_60), TestArchive::new());
    database.user("@alice:here.test");
    database.room(ROOM, "6");
    let store = Store::new(&database);
    store.local("abcdPicture", "image/png", &png("one"));
    database.event(image(10, "mxc://here.test/abcdPicture", "lag.png"));
    copied(&database, archive.path(), store.path(), &[]).with(0);
    assert_eq!(media(archive.path()).len(), 1);
}

#[test]
fn a_file_goes_with_the_last_event_that_names_it() {
    let (database, archive) = (server(), TestArchive::new());
    let store = Store::new(&database);
    for (id, what) in [("abcdShared", "shared"), ("abcdAlone", "alone"), ("abcdTwin", "alone")] {
        store.local(id, "image/png", &png(what));
    }
    database.event(image(10, "mxc://here.test/abcdShared", "a.png"));
    database.event(image(11, "mxc://here.test/abcdShared", "a.png"));
    database.event(image(12, "mxc://here.test/abcdAlone", "b.png"));
    database.event(image(13, "mxc://here.test/abcdTwin", "c.png"));
    copied(&database, archive.path(), store.path(), &[]).with(0);
    let has = |what: &str| media(archive.path()).values().any(|bytes| *bytes == png(what));
    let erase = |id: &str, more: &[&str]| {
        run(&[&["erase", "--event", id, "--yes", "--archive", text(archive.path())], more].concat()).with(0);
    };
    assert_eq!(media(archive.path()).len(), 2);
    erase("$10", &[]);
    assert!(has("shared"));
    // a catalog that is made anew knows which events name it, too
    run(&["rebuild", "--archive", text(archive.path())]).with(0);
    erase("$11", &["--whole"]);
    assert!(!has("shared") && has("alone"));
    erase("$12", &[]);
    assert!(has("alone"), "another address has the same bytes");
    erase("$13", &[]);
    assert_eq!(media(archive.path()).len(), 0);
    assert_eq!(archive.one("select count(*) from media"), "0");
    // nothing of it is left, and no export brings it back
    for (path, bytes) in contents(archive.path()) {
        assert!(!String::from_utf8_lossy(&bytes).contains("abcdAlone"), "{path}");
    }
    export(&database, archive.path(), &[]).with(0);
    assert_eq!(media(archive.path()).len(), 0);
}

/// Killed whenever it may be, it is as if it had not been.
#[test]
fn a_run_that_is_killed_is_gone_on_with() {
    let (database, archive) = (server(), TestArchive::new());
    let store = Store::new(&database);
    let mut expected = BTreeSet::new();
    for number in 0..1_200 {
        let id = format!("many{number:05}");
        let bytes = png(&id.repeat(3_000));
        expected.insert(openssl_sha256(&bytes));
        store.local(&id, "image/png", &bytes);
        database.event(image(100 + number, &format!("mxc://here.test/{id}"), "image.png"));
    }
    copied(&database, archive.path(), store.path(), &["--media-max-size", "1"]).with(0);
    let arguments = [
        "media",
        "--database",
        &database.dsn(),
        "--archive",
        text(archive.path()),
        "--media-store",
        text(store.path()),
    ];
    let mut unfinished = 0;
    for wait in (100..).step_by(150) {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_synapse-export"));
        let mut child = child.args(arguments).env_clear().stderr(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        let was_there = child.try_wait().unwrap().is_some();
        let _ = child.kill();
        child.wait().unwrap();
        // what the catalog knows is there, whole
        let known = archive.one("select coalesce(group_concat(sha256), '') from media where sha256 is not null");
        for sum in known.split(',').filter(|sum| !sum.is_empty()) {
            let bytes = fs::read(archive.path().join(format!("media/{}/{sum}.png", &sum[..2]))).unwrap();
            assert_eq!(openssl_sha256(&bytes), sum);
        }
        if was_there {
            break;
        }
        unfinished += 1;
    }
    assert!(unfinished > 0);
    run(&arguments).with(0);
    let kept: BTreeSet<String> = media(archive.path()).into_keys().collect();
    let sums: BTreeSet<String> = kept.iter().map(|path| path[3..67].to_owned()).collect();
    assert_eq!((kept.len(), &sums), (expected.len(), &expected));
    run(&["verify", "--quick", "--archive", text(archive.path())]).with(0);
}

/// Against `cp -r` of the same files, both until they are on the disk: `cargo test --release --test cli media:: -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn copying_takes_hardly_longer_than_cp() {
    const FILES: usize = 3_000;
    let (database, archive) = (server(), TestArchive::new());
    let store = Store::new(&database);
    let mut noise = 88_172_645_463_325_252_u64;
    let mut bytes = vec![0; 256 * 1024];
    for number in 0..FILES {
        for eight in bytes.chunks_mut(8) {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            eight.copy_from_slice(&noise.to_le_bytes());
        }
        put(&store.place(&format!("many{number:05}")), &bytes);
    }
    database.execute(&format!(
        "insert into local_media_repository (media_id, media_type, media_length)
         select 'many' || lpad(i::text, 5, '0'), 'image/png', {} from generate_series(0, {}) i",
        bytes.len(),
        FILES - 1
    ));
    for (event, first) in (100..).zip((0..FILES).step_by(500)) {
        let items: Vec<Value> =
            (first..first + 500).map(|number| json!({"url": format!("mxc://here.test/many{number:05}")})).collect();
        let content = json!({"msgtype": "m.gallery", "body": "", "itemtypes": items});
        database.event(EventRow { content: content.to_string(), ..EventRow::at(event) });
    }
    copied(&database, archive.path(), store.path(), &["--media-max-size", "1", "--no-markdown"]).with(0);
    let took = |command: &mut std::process::Command| {
        std::process::Command::new("sync").status().unwrap();
        let began = std::time::Instant::now();
        assert!(command.env_clear().env("PATH", "/usr/bin:/bin").status().unwrap().success());
        began.elapsed().as_secs_f64()
    };
    let whole = FILES * bytes.len() / 1_000_000;
    for round in 0..3 {
        let place = tempfile::tempdir_in(archive.path().parent().unwrap()).unwrap();
        let copy = format!("cp -r --reflink=auto {} {}/copy && sync", text(store.path()), text(place.path()));
        let by_cp = took(std::process::Command::new("sh").args(["-c", &copy]));
        let anew = TestArchive::new();
        fs::remove_dir(anew.path()).ok();
        let clone = format!("cp -r {}/. {}", text(archive.path()), text(anew.path()));
        took(std::process::Command::new("sh").args(["-c", &format!("mkdir -p {} && {clone}", text(anew.path()))]));
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_synapse-export"));
        let arguments = [
            "media",
            "--database",
            &database.dsn(),
            "--archive",
            text(anew.path()),
            "--media-store",
            text(store.path()),
            "--no-markdown",
        ];
        let by_us = took(command.args(arguments));
        assert_eq!(media(anew.path()).len(), FILES);
        println!("round {round}: {whole} MB, cp {by_cp:.2} s, media {by_us:.2} s, {:.2} of its speed", by_cp / by_us);
    }
}
