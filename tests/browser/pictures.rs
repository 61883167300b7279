//! Small pictures in pages: they are there, in the page or beside it, each as often as it is to be seen.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::chromium::{Browser, Page};
use super::finds_no_fault;
use super::support::story::{EventRow, ROOM};
use super::support::{Shape, cluster};

/// One pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

#[test]
fn who_speaks_and_reactions_are_seen() {
    let Some(mut browser) = Browser::start() else { return };
    let database = cluster().database("pictures", Shape::V1_163);
    let store = tempfile::tempdir().expect("a directory");
    let (alice, bob) = ("@alice:here.test", "@bob:here.test");
    database.user(alice);
    database.room(ROOM, "10");
    let png = STANDARD.decode(PNG).expect("it is Base64");
    for (id, more) in [("abcdFace", 0), ("abcdParrot", 1)] {
        let place = store.path().join("local_content/ab/cd");
        fs::create_dir_all(&place).expect("a directory can be made");
        fs::write(place.join(&id[4..]), [&*png, &vec![0; more]].concat()).expect("a file can be written");
        database.execute(&format!(
            "insert into local_media_repository (media_id, media_type, media_length) values ('{id}', 'image/png', {})",
            png.len() + more
        ));
    }
    let profile = json!({"membership": "join", "displayname": "Alice", "avatar_url": "mxc://here.test/abcdFace"});
    database.event(EventRow::state(1, "m.room.member", alice, &profile));
    for (id, sender) in (2..).zip([alice, bob, alice, bob, alice]) {
        database.event(EventRow { sender: sender.to_owned(), ..EventRow::message(id, "hello") });
    }
    let react = |id, to: &str| {
        let relation = json!({"rel_type": "m.annotation", "event_id": to, "key": "mxc://here.test/abcdParrot"});
        let content = json!({"m.relates_to": relation, "shortcode": "parrot"}).to_string();
        EventRow { event_type: "m.reaction".to_owned(), content, ..EventRow::at(id) }
    };
    database.event(react(10, "$2"));
    database.event(react(11, "$3"));
    let output = tempfile::tempdir().expect("a directory");
    let room = |name: &str, more: &[&str]| {
        let path = output.path().join(name);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_synapse-export"));
        command.args(["room", ROOM, "--format", "html", "--database", &database.dsn(), "--avatars", "--media-store"]);
        command.arg(store.path()).arg("--output").arg(&path).args(more).env_clear();
        assert!(command.status().expect("it runs").success());
        path
    };
    let mut page = browser.page();

    let within = room("within.html", &[]);
    look(&mut page, &within);
    let wide =
        "[...document.querySelectorAll('svg.av, .rx svg')].map(svg => svg.firstChild.getBoundingClientRect().width)";
    let seen = "[...document.querySelectorAll('svg image')].map(image => image.decode())";
    page.evaluate(&format!("Promise.all({seen}).then(all => window.seen = all.length)"));
    page.wait_for("window.seen === 2");
    let parts =
        page.evaluate("[...document.querySelectorAll('svg.av, .rx svg')].map(svg => svg.firstChild.tagName).join()");
    assert_eq!(parts, "image,image,use,use,use", "each is there once, and where it was first");
    assert_eq!(page.evaluate(&format!("{wide}.filter(width => width > 15).length")), 5);
    // what is hidden where it was first is seen where it is again
    page.evaluate("document.querySelector('.g').classList.add('hide')");
    assert_eq!(page.evaluate(&format!("{wide}.filter(width => width > 15).length")), 3);

    let beside = room("beside", &["--split", "month"]).join("2026-11.html");
    look(&mut page, &beside);
    let seen = "[...document.querySelectorAll('img.av, .rx img')].filter(image => image.naturalWidth === 1).length";
    page.wait_for(&format!("{seen} === 5"));
}

fn look(page: &mut Page<'_>, path: &Path) {
    page.show(path);
    for check in ["accessible", "layout", "contrast", "links"] {
        finds_no_fault(page, check, &path.display().to_string());
    }
    assert_eq!(page.complaints(), [""; 0], "what the console says of {}", path.display());
}
