//! What a user said and was called, before and after it is erased.

use rusqlite::Connection;

use super::*;

#[test]
fn what_a_user_said_and_was_called_is_nowhere_afterwards() {
    for group in [false, true] {
        let (database, archive) = (server(), TestArchive::new());
        export(&database, &archive, if group { &["--group-readable"] } else { &[] }).with(3);
        somewhere(&archive, &SECRETS);
        somewhere(&archive, &OTHERS);
        let before = archive.lines();

        // a dry run changes nothing, and says what would be
        let lines = || archive.lines().into_values().map(|line| line.text).collect::<Vec<_>>();
        let unchanged = lines();
        let told = erase(&archive, &["--sender", MALLORY]).with(0).telling("would be erased").telling("give --yes");
        assert_eq!(lines(), unchanged);
        assert_eq!(archive.one("select count(*) from erasure") + &archive.one("select count(*) from tombstone"), "00");

        let done = erase(&archive, &["--sender", MALLORY, "--reason", "asked by letter", "--yes"]).with(0);
        assert_eq!(numbers(&told.stdout), numbers(&done.stdout), "{told:#?} {done:#?}");
        nowhere(&archive, &SECRETS);
        somewhere(&archive, &OTHERS);
        assert_eq!(archive.one("select count(*) from to_erase"), "0");
        for name in ["catalog.sqlite-wal", "catalog.sqlite-journal"] {
            let left = std::fs::metadata(archive.path().join(name)).map_or(0, |file| file.len());
            assert!(left == 0 || name.ends_with("journal") && group, "{name} has {left} bytes");
        }

        // skeletons stay, what others wrote stays as it was, byte for byte but for what quoted him
        let after = archive.lines();
        assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
        for (event_id, line) in &before {
            let erased = after[event_id].about()["erased"].clone();
            match &**event_id {
                "$1" | "$3" | "$13" | "$18" | "$19" => assert_eq!(after[event_id], *line),
                "$8" | "$9" => assert_eq!(erased, "cut"),
                "$10" | "$11" => assert_eq!(erased, "copies"),
                _ => assert_eq!(erased, "pruned", "{event_id}"),
            }
        }
        assert_eq!(after["$2"].json()["content"], json!({ "membership": "join" }));
        assert_eq!(after["$8"].json()["content"]["body"], "alicereply");
        assert_eq!(archive.one("select body from said join line using (line) where event_id = '$8'"), "alicereply");
        // what he has redacted is hidden still
        assert_eq!(archive.redacted_by("$13"), "$14");
        let transcripts = archive.transcripts();
        assert!(!transcripts.values().any(|text| text.contains("alicehidden")));
        assert!(transcripts.values().any(|text| text.contains("alicereply")));
        assert!(transcripts.values().any(|text| text.contains("*[redacted]*")), "{transcripts:#?}");

        // nor does any of what may come bring it back
        run(&["render", "--all", "--archive", path(&archive)]).with(0);
        run(&["watermark", "reset", "--yes", "--archive", path(&archive)]).with(0);
        export(&database, &archive, &[]);
        assert!(archive.lines() == after);
        nowhere(&archive, &SECRETS);
        std::fs::remove_file(archive.path().join("catalog.sqlite")).unwrap();
        run(&["rebuild", "--archive", path(&archive)]).with(0);
        run(&["render", "--archive", path(&archive)]).with(0);
        assert_eq!((archive.lines(), archive.redacted_by("$13")), (after, "$14".to_owned()));
        assert_eq!(archive.transcripts(), transcripts);
        nowhere(&archive, &SECRETS);
        assert_eq!(archive.one("select reason from erasure"), "asked by letter");
        let found = run(&["search", "alicereply", "--count", "--archive", path(&archive)]).with(1);
        assert_eq!(found.stdout.trim(), "0", "its edit says something else");
        assert_eq!(run(&["search", "aliceanswer", "--count", "--archive", path(&archive)]).with(0).stdout.trim(), "1");
    }
}

#[test]
fn compressed_days_pages_media_and_outputs_keep_nothing_of_it_either() {
    let (database, archive, place) = (server(), TestArchive::new(), tempfile::tempdir().unwrap());
    let (store, lake) = (place.path().join("store"), place.path().join("lake"));
    for (id, bytes) in [("abcdSecret", "secretpixels"), ("abcdHers", "alicepixels")] {
        let file = store.join("local_content").join(&id[..2]).join(&id[2..4]).join(&id[4..]);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, bytes).unwrap();
        database.execute(&format!(
            "insert into local_media_repository (media_id, media_type, media_length, upload_name) values ('{id}', 'image/png', {}, 'x.png')",
            bytes.len()
        ));
    }
    let image =
        |id: &str, name: &str| json!({ "msgtype": "m.image", "body": name, "url": format!("mxc://here.test/{id}") });
    database.event(by(MALLORY, kind("m.room.message", &image("abcdSecret", "secretpicture.png"), EventRow::at(30))));
    database.event(kind("m.room.message", &image("abcdHers", "alicepicture.png"), EventRow::at(31)));
    export(&database, &archive, &["--media-store", store.to_str().unwrap()]).with(3);
    run(&["render", "--html", "--archive", path(&archive)]).with(0);
    run(&["search", "--update", "--archive", path(&archive)]).with(0);
    run(&["compact", "--older-than", "2026-11-23", "--archive", path(&archive)]).with(0);
    let to = format!("parquet:{}", lake.display());
    run(&["output", "add", "lake", &to, "--with-redacted", "--archive", path(&archive)]).with(0);
    run(&["output", "run", "--archive", path(&archive)]).with(0);
    let compressed = || places(archive.path(), "hello").iter().filter(|place| place.ends_with(".jsonl.zst")).count();
    // his names in files that the server fetched go too; that they are there says that this test can fail
    let secrets = [&SECRETS[..], &["secretpicture", "secretpixels"]].concat();
    let others = [&OTHERS[..], &["alicepicture", "alicepixels"]].concat();
    somewhere(&archive, &secrets);
    somewhere(&archive, &others);
    assert!(compressed() == 2 && elsewhere::says(&lake, "secretpicture"), "{compressed:?}", compressed = compressed());
    assert!(places(archive.path(), "secretword").iter().any(|place| place.contains(".html")));

    erase(&archive, &["--sender", MALLORY, "--yes"]).with(0);
    nowhere(&archive, &secrets);
    somewhere(&archive, &others);
    assert_eq!(compressed(), 2, "they stay compressed");
    for secret in &secrets {
        assert!(!elsewhere::says(&lake, secret), "{secret}");
    }
    assert!(elsewhere::says(&lake, "alicepicture"));

    // nor is it brought back by anything that comes, while the server has all of it yet
    run(&["watermark", "reset", "--yes", "--archive", path(&archive)]).with(0);
    export(&database, &archive, &["--media-store", store.to_str().unwrap()]);
    nowhere(&archive, &secrets);
    std::fs::remove_file(archive.path().join("catalog.sqlite")).unwrap();
    run(&["rebuild", "--archive", path(&archive)]).with(0);
    export(&database, &archive, &["--media-store", store.to_str().unwrap()]);
    run(&["render", "--all", "--archive", path(&archive)]).with(0);
    run(&["output", "run", "--archive", path(&archive)]).with(0);
    run(&["compact", "--expand", "--archive", path(&archive)]).with(0);
    nowhere(&archive, &secrets);
    somewhere(&archive, &others);
    assert!(!elsewhere::says(&lake, "secretpicture"));
    // what lies outside is named
    run(&["erase", "--help"]).with(0).telling("backups");
}

/// The numbers of a report, each with what it counts.
fn numbers(report: &str) -> Vec<String> {
    report.lines().filter(|line| line.starts_with(' ')).map(str::to_owned).collect()
}

#[test]
fn whole_events_leave_nothing_but_a_hash() {
    let (database, archive) = (server(), TestArchive::new());
    export(&database, &archive, &[]).with(3);
    erase(&archive, &["--sender", MALLORY, "--whole", "--yes"]).with(0);
    nowhere(&archive, &SECRETS);
    somewhere(&archive, &OTHERS);
    // his redaction stays, as it hides what somebody else said
    assert_eq!(archive.ids(), "$1 $10 $11 $13 $14 $18 $19 $3 $8 $9");
    assert_eq!(archive.redacted_by("$13"), "$14");
    assert_eq!(archive.one("select sum(live + backfill) from run"), "10");
    let after = archive.lines();
    run(&["watermark", "reset", "--yes", "--archive", path(&archive)]).with(0);
    export(&database, &archive, &[]).with(0);
    assert!(archive.lines() == after);
    std::fs::remove_file(archive.path().join("catalog.sqlite")).unwrap();
    export(&database, &archive, &[]).with(0);
    assert!(archive.lines() == after);
    nowhere(&archive, &SECRETS);
    // what is pruned may go whole later, and not the other way round
    let again = erase(&archive, &["--sender", MALLORY, "--yes"]).with(0);
    assert!(again.stdout.contains("erased"));
    assert!(archive.lines() == after);
}

#[test]
fn a_room_goes_with_all_that_was_made_of_it() {
    let (database, archive) = (server(), TestArchive::new());
    database.event(EventRow::state(30, "m.room.name", "", &json!({ "name": "Gonzo" })));
    export(&database, &archive, &[]).with(3);
    somewhere(&archive, &["Gonzo"]);
    erase(&archive, &["--room", ROOM, "--whole", "--yes"]).with(0);
    nowhere(&archive, &["Gonzo", "secretword", "alicereply", "Quokka", "the next day"]);
    assert_eq!(archive.ids(), "$18");
    assert!(!archive.path().join("rooms/room@here.test").exists());
    assert_eq!(archive.transcripts().into_keys().filter(|name| name.contains("other@")).count(), 3);
    // and what comes later does not come
    database.event(EventRow::message(31, "secretlater"));
    export(&database, &archive, &[]).with(0);
    assert_eq!(archive.ids(), "$18");
    nowhere(&archive, &["secretlater"]);
    // the last room too
    erase(&archive, &["--room", "!other:here.test", "--whole", "--yes", "--once"]).with(0);
    assert_eq!(archive.ids(), "");
    nowhere(&archive, &["hello", "Zanzibar"]);
    export(&database, &archive, &[]).with(0);
    assert_eq!(archive.ids(), "");
}

#[test]
fn one_event_goes_with_what_repeats_it() {
    let (database, archive) = (server(), TestArchive::new());
    export(&database, &archive, &[]).with(3);
    erase(&archive, &["--event", "$404", "--yes"]).with(1).telling("has nothing of this");
    erase(&archive, &["--event", "$4", "--yes"]).with(0);
    let erased = |id: &str| archive.lines()[id].about()["erased"].clone();
    assert_eq!((erased("$4"), erased("$5"), erased("$8")), (json!("pruned"), json!("pruned"), json!("cut")));
    assert_eq!(erased("$16"), json!(null));
    nowhere(&archive, &["secretedit", "secretlink"]);
    somewhere(&archive, &["secretkey", "Quokka"]);
    assert_eq!(archive.one("select group_concat(which) from erasure"), "[]", "ids are not kept");
    let shown = run(&["show", "--raw", "$4", "--archive", path(&archive)]).with(0);
    assert!(shown.stdout.contains(r#""erased":"pruned""#), "{shown:?}");
    run(&["show", "$4", "--archive", path(&archive)]).with(0).telling("[redacted]");
    // a reply that comes later quotes it no more
    database.event(kind(
        "m.room.message",
        &json!({
            "msgtype": "m.text", "body": "> <@mallory:here.test> secretlater\n\nalicelater",
            "m.relates_to": { "m.in_reply_to": { "event_id": "$4" } },
        }),
        EventRow::at(40),
    ));
    let relation = json!({ "rel_type": "m.replace", "event_id": "$4" });
    database.event(by(MALLORY, kind("m.room.message", &json!({
        "body": "* secretlater", "m.new_content": { "msgtype": "m.text", "body": "secretlater" }, "m.relates_to": relation,
    }), EventRow::at(41))));
    export(&database, &archive, &[]).with(0);
    nowhere(&archive, &["secretlater"]);
    somewhere(&archive, &["alicelater"]);
}

#[test]
fn who_reads_keeps_it_until_he_ends() {
    let (database, archive) = (server(), TestArchive::new());
    export(&database, &archive, &[]).with(3);
    let reader = Connection::open(archive.path().join("catalog.sqlite")).unwrap();
    reader.execute_batch("begin; select count(*) from event").unwrap();
    let ended = erase(&archive, &["--sender", MALLORY, "--yes"]).with(75).telling("catalog.sqlite-wal");
    assert!(!ended.stderr.contains("secret"));
    nowhere(&archive, &["secretshadowed"]);
    somewhere(&archive, &["secretword"]);
    let told = run(&["doctor", "--database", &database.dsn(), "--archive", path(&archive)]);
    assert!(told.stdout.contains("erase --go-on"), "{told:#?}");
    drop(reader);
    erase(&archive, &["--go-on"]).with(0).telling("completed");
    nowhere(&archive, &SECRETS);
    erase(&archive, &["--go-on"]).with(0).telling("nothing was left");
}

#[test]
fn replays_of_what_was_encrypted_go_with_it() {
    let (database, archive) = (server(), TestArchive::new());
    let encrypted = |text: &str| json!({ "algorithm": "m.megolm.v1.aes-sha2", "session_id": "s", "ciphertext": text });
    for (id, sender, text) in
        [(40, MALLORY, "secretcipher"), (41, "@alice:here.test", "secretcipher"), (42, "@alice:here.test", "another")]
    {
        database.event(by(sender, kind("m.room.encrypted", &encrypted(text), EventRow::at(id))));
    }
    export(&database, &archive, &[]).with(3);
    erase(&archive, &["--event", "$40", "--yes"]).with(0);
    nowhere(&archive, &["secretcipher"]);
    somewhere(&archive, &["another"]);
    assert_eq!(archive.lines()["$41"].about()["erased"], "pruned");
}

#[test]
fn transcripts_that_a_new_catalog_knows_nothing_of_lose_it_too() {
    let (database, archive) = (server(), TestArchive::new());
    export(&database, &archive, &[]).with(3);
    run(&["render", "--html", "--archive", path(&archive)]).with(0);
    run(&["rebuild", "--archive", path(&archive)]).with(0);
    // rendering was cut off before it had an index
    std::fs::remove_file(archive.path().join("index.md")).unwrap();
    erase(&archive, &["--sender", MALLORY, "--yes"]).with(0);
    nowhere(&archive, &SECRETS);
    somewhere(&archive, &OTHERS);
}

#[test]
fn only_rooms_of_the_archive_are_put_on_hold() {
    let (database, archive) = (server(), TestArchive::new());
    export(&database, &archive, &[]).with(3);
    erase(&archive, &["--hold", "!typo:here.test"]).with(1).telling("no room !typo:here.test");
    erase(&archive, &["--hold", "!typo:here.test", "--release", "!typo:here.test"]).with(2);
}

#[test]
fn who_repeats_what_others_encrypted_does_not_take_it_with_him() {
    let (database, archive) = (server(), TestArchive::new());
    let encrypted = |text: &str| json!({ "algorithm": "m.megolm.v1.aes-sha2", "session_id": "s", "ciphertext": text });
    let sent = |id, sender, text| by(sender, kind("m.room.encrypted", &encrypted(text), EventRow::at(id)));
    database.event(sent(40, "@alice:here.test", "livecipher"));
    database.event(sent(41, MALLORY, "livecipher"));
    database.event(sent(42, "@bob:here.test", "livecipher"));
    // what clients do not see is no original, and what is backfilled comes before what is live
    database.event(EventRow { rejected: Some("auth_error".to_owned()), ..sent(43, MALLORY, "rejectedcipher") });
    database.event(sent(44, "@alice:here.test", "rejectedcipher"));
    database.event(sent(45, MALLORY, "backfilledcipher"));
    database.event(EventRow { stream_ordering: -7, ..sent(46, "@alice:here.test", "backfilledcipher") });
    export(&database, &archive, &[]).with(3);
    let erased = |id: &str| archive.lines()[id].about().get("erased").is_some();
    erase(&archive, &["--sender", MALLORY, "--yes"]).with(0);
    let states = ["$40", "$41", "$42", "$43", "$44", "$45", "$46"].map(erased);
    assert_eq!(states, [false, true, true, true, false, true, false]);
    erase(&archive, &["--event", "$40", "--whole", "--yes"]).with(0);
    nowhere(&archive, &["livecipher"]);
    somewhere(&archive, &["rejectedcipher", "backfilledcipher"]);
}
