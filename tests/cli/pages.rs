//! Pages for browsers as a user asks for them: of one room, and beside transcripts.

use std::fs;

use serde_json::json;

use crate::support::Database;
use crate::support::archive::{TestArchive, entries};
use crate::support::story::{DAY, EventRow, NOON, ROOM};
use crate::{export, run, server, text};

/// A message of one day, and its answer the next day, which is of another month, with an attempt to break out.
fn talk(database: &Database) {
    let at = NOON + 8 * DAY;
    let said = json!({"msgtype": "m.text", "body": "<script>alert(1)</script>", "format": "org.matrix.custom.html",
        "formatted_body": "<b>bold</b><script>alert(2)</script><img src=x onerror=alert(3)>"});
    database.event(EventRow { ts: Some(at), content: said.to_string(), ..EventRow::at(20) });
    let answer =
        json!({"msgtype": "m.text", "body": "an answer", "m.relates_to": {"m.in_reply_to": {"event_id": "$20"}}});
    database.event(EventRow { ts: Some(at + DAY), content: answer.to_string(), ..EventRow::at(21) });
}

#[test]
fn a_room_as_one_page() {
    let database = server();
    talk(&database);
    let room =
        |more: &[&str]| run(&[&["room", "--format", "html", "--database", &database.dsn(), ROOM], more].concat());
    let page = room(&[]).with(0).stdout;
    for part in [
        "<!DOCTYPE html>\n",
        "default-src &#39;none&#39;",
        "<strong>bold</strong>",
        "<h2 class=\"d\" id=\"2026-11-22\">",
        ">an answer</div>",
        "</html>\n",
    ] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
    assert!(!page.contains("alert") && !page.contains("<img"), "{page}");
    assert_eq!((page.matches("<script>").count(), page.matches("<h1>").count()), (1, 1));
    let anchor = page.split_once("blockquote class=\"re\"><a href=\"#").unwrap().1.split_once('"').unwrap().0;
    assert!(page.contains(&format!("<article id=\"{anchor}\">")), "{anchor}");
    assert!(room(&["--state"]).with(0).stdout.contains("<h2>State</h2>"));

    // what it answers is of another time than was asked for
    let part = room(&["--since", "2026-12-01"]).with(0).stdout;
    assert!(part.contains("(outside of this document)") && !part.contains(&format!("#{anchor}")), "{part}");
    room(&["--honour-redactions"]).with(2).saying("for JSON lines");
}

#[test]
fn a_room_as_several_pages() {
    let database = server();
    talk(&database);
    let files = tempfile::tempdir().unwrap();
    let room = |name: &str, more: &[&str]| {
        let path = files.path().join(name);
        let all = ["room", "--format", "html", "--database", &database.dsn(), ROOM, "--output", text(&path)];
        (run(&[&all, more].concat()), path)
    };
    for (split, parts, link) in [
        ("day", vec!["2026-11-22.html", "2026-11-30.html", "2026-12-01.html", "index.html"], "2026-11-30.html#"),
        ("month", vec!["2026-11.html", "2026-12.html", "index.html"], "2026-11.html#"),
        ("3", vec!["1.html", "2.html", "3.html", "index.html"], "2.html#"),
    ] {
        let (told, path) = room(split, &["--split", split]);
        told.with(0).saying("7 messages on 3 days");
        assert_eq!(entries(&path).into_iter().collect::<Vec<_>>(), parts, "{split}");
        let pages: Vec<String> = parts.iter().map(|part| fs::read_to_string(path.join(part)).unwrap()).collect();
        let articles: usize = pages.iter().map(|page| page.matches("<article ").count()).sum();
        assert_eq!(articles, 7, "{split}");
        let answer = pages.iter().find(|page| page.contains("an answer")).unwrap();
        assert!(answer.contains(&format!("<a href=\"{link}")), "{split}: {answer}");
        let cover = pages.last().unwrap();
        assert!(parts.iter().all(|part| *part == "index.html" || cover.contains(&format!("href=\"{part}\""))));
    }
    room("day", &["--split", "day"]).0.with(1).saying("is there already");
    room("x", &["--split", "0"]).0.with(2);
    room("x", &["--split", "20001"]).0.with(2).saying("at most 20000");
    room("x", &["--split", "day", "--state"]).0.with(2).saying("--state");
    run(&["room", "--format", "html", "--database", &database.dsn(), ROOM, "--split", "day"])
        .with(2)
        .saying("--output");
    run(&["room", "--database", &database.dsn(), ROOM, "--split", "day"]).with(2).saying("--format html");
    assert_eq!(entries(files.path()).len(), 3, "what is refused leaves nothing");
}

#[test]
fn an_archive_keeps_pages_until_it_is_told_not_to() {
    let (database, archive) = (server(), TestArchive::new());
    talk(&database);
    export(&database, archive.path(), &[]).with(0);
    let pages = || {
        let contents = crate::contents(archive.path());
        contents
            .into_iter()
            .filter(|(path, _)| path.strip_suffix(".html").is_some())
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let render = |more: &[&str]| run(&[&["render", "--archive", text(archive.path())], more].concat());
    assert!(pages().is_empty());
    fs::write(archive.path().join("index.html"), "a site of mine").unwrap();
    render(&["--html"]).with(1).saying("index.html");
    fs::remove_file(archive.path().join("index.html")).unwrap();
    render(&["--html"]).with(0).saying("rendered 3 room-days");
    let first = pages();
    let names: Vec<&str> = first.keys().map(String::as_str).collect();
    let room = "rooms/room@here.test";
    let days = ["2026-11-22", "2026-11-30", "2026-12-01", "index"].map(|day| format!("{room}/{day}.html"));
    assert_eq!(names, [&["index.html".to_owned()], &days[..]].concat());
    let calendar = String::from_utf8(first[&days[3]].clone()).unwrap();
    assert!(calendar.contains("December 2026") && calendar.contains("<a href=\"2026-11-30.html\""), "{calendar}");

    // an export keeps them up to date, and makes again what somebody deletes
    database.event(EventRow { ts: Some(NOON + 9 * DAY), ..EventRow::at(22) });
    export(&database, archive.path(), &[]).with(0);
    let second = pages();
    assert!(first[&days[2]] != second[&days[2]] && first[&days[0]] == second[&days[0]]);
    for page in second.keys() {
        fs::remove_file(archive.path().join(page)).unwrap();
        export(&database, archive.path(), &[]).with(0);
        assert_eq!(pages(), second, "{page}");
    }

    // a new catalog knows of them too
    fs::remove_file(archive.path().join("catalog.sqlite")).unwrap();
    run(&["rebuild", "--archive", text(archive.path())]).with(0);
    fs::remove_file(archive.path().join(&days[0])).unwrap();
    render(&[]).with(0);
    assert_eq!(pages(), second);

    // what is erased is in no page
    let erased = ["erase", "--archive", text(archive.path()), "--event", "$20", "--whole", "--yes"];
    run(&erased).with(0);
    render(&[]).with(0);
    assert!(!pages().contains_key(&days[1]), "{:?}", pages().keys());
    assert!(pages().values().all(|page| !String::from_utf8_lossy(page).contains("bold")));

    render(&["--html=false"]).with(0);
    assert!(pages().is_empty(), "{:?}", pages().keys());
    render(&["--all"]).with(0);
    assert!(pages().is_empty());
}
