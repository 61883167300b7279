//! Pictures of who speaks and of reactions, in pages: which are shown, from when on, how often they are in a page, and which pages are made anew
//! for them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::json;

use crate::media::{Store, png};
use crate::support::archive::TestArchive;
use crate::support::story::{DAY, EventRow, NOON, ROOM};
use crate::{contents, export, run, server, text};

/// Somebody's profile as of a day after the first, in a member event.
fn profile(id: i64, user_id: &str, avatar: &str, day: i64) -> EventRow {
    let content = json!({"membership": "join", "displayname": &user_id[1..4], "avatar_url": avatar}).to_string();
    EventRow { content, ts: Some(NOON - 60_000 + day * DAY), ..EventRow::member(id, user_id, "join") }
}

fn said(id: i64, user_id: &str, day: i64) -> EventRow {
    EventRow { sender: user_id.to_owned(), ts: Some(NOON + day * DAY + id * 1000), ..EventRow::message(id, "hello") }
}

/// The pages of days, by day.
fn pages(archive: &Path) -> BTreeMap<String, String> {
    let pages = contents(archive).into_iter().filter_map(|(path, bytes)| {
        let day = path.rsplit('/').next()?.strip_suffix(".html")?.to_owned();
        (day.starts_with("20")).then(|| (day, String::from_utf8(bytes).expect("it is UTF-8")))
    });
    pages.collect()
}

/// The path of a picture below an archive.
fn path(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    let sum = sha2::Sha256::digest(bytes).iter().fold(String::new(), |sum, byte| sum + &format!("{byte:02x}"));
    format!("media/{}/{sum}.png", &sum[..2])
}

#[test]
fn who_speaks_has_the_picture_of_the_time() {
    let (database, archive) = (server(), TestArchive::new());
    let (alice, store) = ("@alice:here.test", Store::new(&database));
    let (early, late) = (png("early"), png("late"));
    store.local("abcdLate", "image/png", &late);
    store.local("abcdRuns", "image/png", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>");
    store.local("abcdLarge", "image/png", &png(&"x".repeat(2_000_000)));
    store.local("abcdGone", "image/png", &png("gone"));
    database.event(profile(10, alice, "mxc://here.test/abcdEarly", 0));
    database.event(profile(13, alice, "mxc://here.test/abcdLate", 2));
    for (id, day) in [(11, 0), (12, 1), (14, 2), (15, 3)] {
        database.event(said(id, alice, day));
    }
    let others = [
        ("@svg:here.test", "mxc://here.test/abcdRuns"),
        ("@large:here.test", "mxc://here.test/abcdLarge"),
        ("@odd:here.test", "mxc://here.test/../abcdLate\"><script>"),
        ("@gone:here.test", "mxc://here.test/abcdGone"),
    ];
    for (id, (user_id, avatar)) in (20..).step_by(2).zip(others) {
        database.event(profile(id, user_id, avatar, 0));
        database.event(said(id + 1, user_id, 3));
    }
    database.redaction("$26", EventRow { content: "{}".to_owned(), ..EventRow::at(30) });
    // by a profile of its own
    let relayed =
        json!({"msgtype": "m.text", "body": "hi", "com.beeper.per_message_profile": {"id": "x", "displayname": "Zoe"}});
    database.event(EventRow { content: relayed.to_string(), ..said(31, alice, 3) });

    run(&["export", "--database", &database.dsn(), "--archive", text(archive.path()), "--no-markdown"]).with(0);
    run(&["render", "--html", "--archive", text(archive.path())]).with(0);
    export(&database, archive.path(), &["--media-store", text(store.path()), "--avatars"]).with(0);
    let shown = |page: &str, bytes: &[u8]| page.matches(&format!("src=\"../../{}\" alt=\"\"", path(bytes))).count();
    let all = pages(archive.path());
    let [first, second, third, fourth] = ["2026-11-22", "2026-11-23", "2026-11-24", "2026-11-25"].map(|day| &all[day]);
    assert_eq!([first, second, third, fourth].map(|page| shown(page, &late)), [0, 0, 1, 1], "{fourth}");
    assert_eq!(fourth.matches("<img").count(), 1, "no other is a picture, or their own: {fourth}");
    assert!(first.contains("aria-hidden=\"true\">A</span>") && fourth.contains("aria-hidden=\"true\">Z</span>"));

    // what comes later is shown where it belongs, and other pages stay
    store.local("abcdEarly", "image/png", &early);
    let done = run(&["media", "--database", &database.dsn(), "--archive", text(archive.path())]).with(0);
    assert!(done.stderr.contains("rendered 3 room-days"), "{}", done.stderr);
    let all = pages(archive.path());
    let counts: Vec<usize> = all.values().map(|page| shown(page, &early)).collect();
    assert_eq!(counts, [2, 1, 0, 0]);
    // what was made in steps is what is made at once
    run(&["rebuild", "--archive", text(archive.path())]).with(0);
    run(&["render", "--all", "--archive", text(archive.path())]).with(0);
    assert_eq!(pages(archive.path()), all);

    // another one from now on is nothing to what was said before
    database.event(profile(40, alice, "mxc://here.test/abcdEarly", 3));
    database.event(said(41, alice, 4));
    let done = export(&database, archive.path(), &[]).with(0);
    assert!(done.stderr.contains("rendered 2 room-days"), "{}", done.stderr);
    let all = pages(archive.path());
    let counts: Vec<usize> = all.values().map(|page| shown(page, &early)).collect();
    assert_eq!((counts, shown(&all["2026-11-25"], &late)), (vec![2, 1, 0, 1, 1], 0));

    // an administrator has it withheld
    database.execute("update local_media_repository set quarantined_by = '@a:here.test' where media_id = 'abcdEarly'");
    export(&database, archive.path(), &[]).with(0).saying("quarantined");
    assert!(pages(archive.path()).values().all(|page| shown(page, &early) == 0));
    database.execute("update local_media_repository set quarantined_by = null");
    export(&database, archive.path(), &[]).with(0);
    assert_eq!(shown(&pages(archive.path())["2026-11-22"], &early), 2);

    // it goes with what names it
    let erase = |id: &str| run(&["erase", "--event", id, "--yes", "--archive", text(archive.path())]).with(0);
    erase("$10");
    erase("$40");
    run(&["render", "--archive", text(archive.path())]).with(0);
    assert!(pages(archive.path()).values().all(|page| shown(page, &early) == 0));
    assert!(!archive.path().join(path(&early)).exists());
}

#[test]
fn what_is_handed_on_has_each_picture_once() {
    let (database, archive) = (server(), TestArchive::new());
    let (alice, store) = ("@alice:here.test", Store::new(&database));
    let face = png("face");
    store.local("abcdFace", "image/png", &face);
    store.local("abcdBoth", "image/png", &png("both"));
    store.local("abcdBig", "image/png", &png(&"x".repeat(300_000)));
    database.event(profile(10, alice, "mxc://here.test/abcdFace", 0));
    database.event(profile(11, "@bob:here.test", "mxc://here.test/abcdBoth", 0));
    database.event(profile(12, "@big:here.test", "mxc://here.test/abcdBig", 0));
    for (id, day) in (20..26).zip([0, 0, 1, 2, 3, 4]) {
        database.event(said(id, if id == 21 { "@bob:here.test" } else { alice }, day));
    }
    database.event(said(30, "@big:here.test", 0));
    let reaction =
        json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": "$20", "key": "mxc://here.test/abcdBoth"}});
    database.event(EventRow { event_type: "m.reaction".to_owned(), content: reaction.to_string(), ..EventRow::at(31) });
    let with_media = ["--media-store", text(store.path()), "--avatars"];
    export(&database, archive.path(), &[&with_media[..], &["--hide-erased"]].concat()).with(0);
    let directory = tempfile::tempdir().unwrap();
    let data = |bytes: &[u8]| {
        let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
        format!("href=\"data:image/png;base64,{text}\"")
    };
    let dsn = database.dsn();
    let from_server = [&["--from", "server", "--database", &dsn][..], &with_media].concat();
    for (number, place) in [&["--archive", text(archive.path())][..], &from_server].into_iter().enumerate() {
        let output = directory.path().join(format!("{number}.html"));
        run(&[&["room", ROOM, "--format", "html", "--output", text(&output)], place].concat()).with(0);
        let page = fs::read_to_string(&output).unwrap();
        assert_eq!((page.matches(&data(&face)).count(), page.matches("<use href=\"#p0\"/>").count()), (1, 5), "{page}");
        assert_eq!((page.matches(&data(&png("both"))).count(), page.matches("<use href=\"#p1\"/>").count()), (1, 1));
        assert!(
            page.contains("role=\"img\" aria-label=\"a custom emoji\"><image id=\"p1\"") && !page.contains("id=\"p2\"")
        );

        // the picture is of before what is asked for
        let output = directory.path().join(format!("{number}"));
        let late = ["room", ROOM, "--format", "html", "--split", "month", "--since", "2026-11-25", "--output"];
        run(&[&late[..], &[text(&output)], place].concat()).with(0);
        assert_eq!(fs::read(output.join("media/picture.png")).unwrap(), face);
        let page = fs::read_to_string(output.join("2026-11.html")).unwrap();
        assert_eq!(page.matches("src=\"media/picture.png\" alt=\"\"").count(), 2, "{page}");
    }
    // of one person they are all the same
    let output = directory.path().join("alice.html");
    run(&["user", alice, "--archive", text(archive.path()), "--output", text(&output)]).with(0);
    assert!(!fs::read_to_string(&output).unwrap().contains("data:image"));
}

#[test]
fn a_reaction_that_is_a_picture_is_shown_as_one() {
    let (database, archive) = (server(), TestArchive::new());
    let store = Store::new(&database);
    let parrot = png("parrot");
    store.local("abcdRuns", "image/png", b"<svg onload='alert(1)'/>");
    let react = |id: i64, to: &str, key: &str, code: &str, day: i64| {
        let relation = json!({"rel_type": "m.annotation", "event_id": to, "key": key});
        let content = json!({"m.relates_to": relation, "com.beeper.reaction.shortcode": code}).to_string();
        EventRow { event_type: "m.reaction".to_owned(), content, ..said(id, "@bob:here.test", day) }
    };
    database.event(said(10, "@alice:here.test", 0));
    // of another day than what it is told with
    database.event(react(11, "$10", "mxc://here.test/abcdParrot", ":pa\"rrot:", 1));
    database.event(react(12, "$10", "mxc://here.test/abcdRuns", "runs", 0));
    database.event(react(13, "$10", "mxc://here.test/\"><script>", "odd", 0));
    let carol = "@carol:here.test".to_owned();
    database.event(EventRow { sender: carol, ..react(14, "$10", "mxc://here.test/abcdParrot", "", 0) });
    export(&database, archive.path(), &["--media-store", text(store.path())]).with(0);
    run(&["render", "--html", "--archive", text(archive.path())]).with(0);
    let by_name = "<li><span>:pa&quot;rrot:</span>";
    assert!(pages(archive.path())["2026-11-22"].contains(by_name), "{}", pages(archive.path())["2026-11-22"]);
    store.local("abcdParrot", "image/png", &parrot);
    export(&database, archive.path(), &[]).with(0);
    let page = &pages(archive.path())["2026-11-22"];
    let picture = format!("<span class=\"cu\"><img src=\"../../{}\" alt=\":pa&quot;rrot:\"", path(&parrot));
    assert!(page.contains(&picture) && !page.contains(by_name), "{page}");
    assert!(
        page.contains("<span>:runs:</span>") && page.contains("<span>:odd:</span>") && !page.contains(".bin"),
        "{page}"
    );
    let markdown = fs::read_to_string(archive.path().join("rooms/room@here.test/2026-11-22.md")).unwrap();
    assert!(markdown.contains(":pa\"rrot:") && !markdown.contains("media/"), "{markdown}");
}
