//! Pages in a real browser: what they look like at three widths, in the dark and on paper, whether they are found through, and that
//! they load nothing.
//!
//! Takes Chromium (`CHROMIUM`, else `chromium`, `chromium-browser`, `google-chrome` of the path). Where there is none these tests say so and
//! are passed over; in CI (`CI`) they fail.

mod support;

#[path = "browser/chromium.rs"]
mod chromium;
#[path = "browser/pictures.rs"]
mod pictures;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use chromium::{Browser, Page};
use serde_json::{Value, json};
use support::archive::{TestArchive, entries};
use support::{Shape, cluster};
use synapse_export::archive::Archive;

/// The archive of the sample server, with pages.
fn sample() -> TestArchive {
    let database = cluster().database("pages", Shape::V1_163);
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    database.psql(&fs::read_to_string(testdata.join("sample.sql")).expect("there is a sample"));
    let archive = TestArchive::new();
    archive.export(&database);
    archive.render();
    archive
}

/// All pages of an archive.
fn pages(archive: &Path) -> Vec<PathBuf> {
    let mut pages = vec![archive.join("index.html")];
    for room in entries(&archive.join("rooms")) {
        let room = archive.join("rooms").join(room);
        pages.extend(
            entries(&room).iter().filter(|file| file.strip_suffix(".html").is_some()).map(|file| room.join(file)),
        );
    }
    pages
}

/// What the faults are that a check of `checks.js` finds.
fn faults(page: &mut Page<'_>, check: &str) -> Vec<String> {
    let found = page.evaluate(&format!("{}.{check}()", include_str!("browser/checks.js").trim()));
    serde_json::from_value(found).expect("a list of faults")
}

#[track_caller]
fn finds_no_fault(page: &mut Page<'_>, check: &str, about: &str) {
    let found = faults(page, check);
    assert!(found.is_empty(), "{check} of {about}: {found:#?}");
}

#[test]
fn pages_are_laid_out_read_and_reached_by_everybody_and_load_nothing() {
    let Some(mut browser) = Browser::start() else { return };
    let archive = sample();
    let pages = pages(archive.path());
    assert!(pages.len() > 40, "{pages:?}");
    let mut page = browser.page();
    let mut broken = String::new();
    for path in &pages {
        let about = path.strip_prefix(archive.path()).unwrap().display().to_string();
        page.show(path);
        finds_no_fault(&mut page, "accessible", &about);
        for width in [360, 820, 1_400] {
            page.resize(width, 900);
            finds_no_fault(&mut page, "layout", &format!("{about}, {width} pixels wide"));
        }
        for (scheme, media) in [("light", "screen"), ("dark", "screen"), ("dark", "print")] {
            page.emulate(media, scheme);
            finds_no_fault(&mut page, "contrast", &format!("{about}, {scheme}, {media}"));
        }
        page.emulate("screen", "light");
        for hash in faults(&mut page, "links") {
            let _ = writeln!(broken, "{about}{hash}");
        }
        assert_eq!(page.requests(), [Page::address(path)], "what {about} asks for");
        assert_eq!(page.complaints(), [""; 0], "what the console says of {about}");
    }
    assert_eq!(broken, "", "links that lead nowhere");
}

#[test]
fn the_checks_find_what_is_wrong() {
    let Some(mut browser) = Browser::start() else { return };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("page.html");
    let page = "<!DOCTYPE html><body style='color:#aaa;background:#fff'><article><a class=t style='position:absolute;right:0'>09:14</a>\
                <div class=b style='width:3000px'>text</div></article><a href='#nowhere'></a><h3 id=x>x</h3><p id=x><img src='x.png'>";
    fs::write(&file, page).unwrap();
    let mut page = browser.page();
    page.show(&file);
    for (check, count) in [("contrast", 3), ("accessible", 9), ("layout", 2), ("links", 1)] {
        let found = faults(&mut page, check);
        assert!(found.len() >= count, "{check}: {found:#?}");
    }
    assert_eq!(page.requests().len(), 2);
    assert!(!page.complaints().is_empty());
}

#[test]
fn a_page_is_searched_folded_and_jumped_through() {
    let Some(mut browser) = Browser::start() else { return };
    let archive = sample();
    let day = archive.path().join("rooms/dBtEaMqXwVzRkLpNsY@example.org/2026-11-16.html");
    let mut page = browser.page();
    page.show(&day);
    let shown = "[...document.querySelectorAll('article')].filter(a => a.checkVisibility()).length";
    assert_eq!(page.evaluate(shown), 10);
    // as people do it: the key, then the word
    page.press("/");
    page.insert("SKIING");
    page.wait_for("document.querySelector('output').textContent === '1 found'");
    assert_eq!(page.evaluate(shown), 1);
    assert_eq!(page.evaluate("CSS.highlights.get('found').size"), 1);
    page.press("Escape");
    page.wait_for(&format!("{shown} === 10"));
    // folded threads hide their messages, and are there on paper
    page.evaluate("document.querySelector('.bar button').click()");
    assert_eq!(page.evaluate("document.querySelector('details.th').open"), false);
    let is_shown = "document.querySelector('details.th article').checkVisibility()";
    assert_eq!(page.evaluate(is_shown), false);
    page.emulate("print", "dark");
    assert_eq!(page.evaluate(is_shown), true, "a thread that is folded is missing on paper");
    assert_eq!(page.evaluate("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)");
    page.emulate("screen", "light");
    // a reply leads to what it answers, which is marked
    let reply = "document.querySelector('blockquote.re a')";
    page.evaluate(&format!("document.querySelector('.bar button').click(); {reply}.click()"));
    page.wait_for(&format!("document.querySelector(':target')?.id === {reply}.hash.slice(1)"));
    let marked = page.evaluate("getComputedStyle(document.querySelector(':target')).backgroundColor");
    assert_eq!(marked, "rgb(255, 243, 196)");
    assert_eq!(page.complaints(), [""; 0]);
}

#[test]
fn a_document_is_printed_on_pages_with_their_numbers() {
    let Some(mut browser) = Browser::start() else { return };
    let archive = sample();
    let day = archive.path().join("rooms/dBtEaMqXwVzRkLpNsY@example.org/2026-11-16.html");
    let mut page = browser.page();
    page.show(&day);
    let pdf = page.print();
    assert!(pdf.starts_with(b"%PDF-") && pdf.len() > 10_000, "{} bytes", pdf.len());
}

#[test]
fn without_a_script_all_is_there() {
    let Some(mut browser) = Browser::start() else { return };
    let archive = sample();
    let day = archive.path().join("rooms/dBtEaMqXwVzRkLpNsY@example.org/2026-11-16.html");
    let mut page = browser.page();
    page.without_scripts();
    page.show(&day);
    assert_eq!(page.evaluate("document.querySelectorAll('.bar input').length"), 0);
    let shown = "[...document.querySelectorAll('article')].filter(a => a.checkVisibility()).length";
    assert_eq!(page.evaluate(shown), 10);
    assert_eq!(page.complaints(), [""; 0]);
}

/// An archive of one room with so many messages on one day, each the answer to the one 1,500 before it.
fn talk(directory: &Path, messages: usize) -> PathBuf {
    let room = directory.join("rooms/talk@here.test");
    fs::create_dir_all(&room).expect("a directory");
    let id = |number: usize| format!("${number:06}{}", "A".repeat(37));
    let mut lines = String::new();
    for number in 0..messages {
        let sender = ["alice", "bob", "carol"][number / 3 % 3];
        let at = 1_795_305_600_000_u64 + number as u64 * 10_000;
        let mut content = json!({
            "msgtype": "m.text",
            "body": format!("Message {number}: the quick brown fox jumps over the lazy dog, again and again, until it is late."),
        });
        if number >= 1_500 {
            content["m.relates_to"] = json!({"m.in_reply_to": {"event_id": id(number - 1_500)}});
        }
        let line = json!({
            "event_id": id(number),
            "room_id": "!talk:here.test",
            "synapse": {"stream_ordering": number + 1, "topological_ordering": number + 1, "received_ts": at, "room_version": "10"},
            "type": "m.room.message",
            "sender": format!("@{sender}:here.test"),
            "origin_server_ts": at,
            "content": content,
        });
        let _ = writeln!(lines, "{line}");
    }
    fs::write(room.join("2026-11-22.jsonl"), lines).expect("a file");
    let mut archive = Archive::open(directory, None).expect("an archive");
    synapse_export::views::keep_html(&mut archive, true).expect("pages are kept");
    synapse_export::views::render(&mut archive, &mut |_, _| true).expect("pages");
    room
}

#[test]
fn a_long_day_has_pages_that_lead_to_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let room = talk(directory.path(), 4_500);
    let read = |name: &str| fs::read_to_string(room.join(name)).unwrap();
    let files = ["2026-11-22.html", "2026-11-22.2.html", "2026-11-22.3.html"];
    let counts = files.map(|file| read(file).matches("<article ").count());
    assert_eq!((counts, room.join("2026-11-22.4.html").exists()), ([2_000, 2_000, 500], false));
    // the first message of the third page answers one of the second
    assert!(read(files[2]).contains("href=\"2026-11-22.2.html#002500AAAAAA\""));
    assert!(read(files[1]).contains("href=\"2026-11-22.html#000500AAAAAA\""));
    assert!(read(files[0]).contains("href=\"#000000AAAAAA\""));
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.page();
    // who comes from another day knows the first page only
    page.show_at(&room.join(files[0]), "004321AAAAAA");
    page.wait_for("document.querySelector(':target')?.id === '004321AAAAAA'");
    assert_eq!(page.evaluate("location.pathname.split('/').pop()"), files[2]);
    assert_eq!(page.complaints(), [""; 0]);
}

#[test]
fn a_page_of_a_thousand_messages_is_small_and_quick() {
    let directory = tempfile::tempdir().unwrap();
    let room = talk(directory.path(), 1_000);
    let day = room.join("2026-11-22.html");
    let bytes = fs::metadata(&day).unwrap().len();
    assert!(bytes < 400_000, "{bytes} bytes");
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.page();
    page.show(&day);
    let seconds = page.layout_seconds();
    println!("{bytes} bytes, laid out in {:.0} ms", seconds * 1_000.0);
    // ten times what it takes: other tests have their turn meanwhile
    assert!(seconds < 2.0, "{seconds} s");
    let _: Value = page.evaluate("1");
}
