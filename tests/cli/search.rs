//! Full-text search: what is found, in which order, what must not be, and what is said of a query that is wrong.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::strategy::{BoxedStrategy, Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use proptest::{collection, prop_oneof, sample};
use serde_json::{Value, json};

use crate::support::archive::TestArchive;
use crate::support::story::{EventRow, NOON, ROOM};
use crate::{Ended, export, run, server, text};

fn search(archive: &Path, words: &[&str]) -> Ended {
    let (words, options): (Vec<&str>, Vec<&str>) = words.iter().partition(|word| !word.starts_with("--"));
    run(&[&["search", "--archive", text(archive)], &options[..], &["--"], &words[..]].concat())
}

/// The ids that are found, in their order.
#[track_caller]
fn found(archive: &Path, words: &[&str]) -> Vec<String> {
    let ended = search(archive, &[words, &["--json"]].concat());
    assert!(matches!(ended.code, Some(0 | 1)), "{words:?}: {ended:?}");
    let ids = ended.stdout.lines().map(|line| {
        let result: Value = serde_json::from_str(line).expect("a result is JSON");
        result["event_id"].as_str().expect("a result has an id").to_owned()
    });
    let ids: Vec<String> = ids.collect();
    assert_eq!(ended.code, Some(i32::from(ids.is_empty())), "{ended:?}");
    ids
}

/// What is found is the same with the index, without it, and while it lags.
#[track_caller]
fn check(archive: &Path, words: &[&str], expected: &[&str]) {
    assert_eq!(found(archive, words), expected, "{words:?}");
}

fn about(kind: &str, id: i64, content: &Value) -> EventRow {
    EventRow { event_type: kind.to_owned(), content: content.to_string(), ..EventRow::at(id) }
}

fn edit(id: i64, of: &str, body: &str) -> EventRow {
    let content = json!({
        "msgtype": "m.text", "body": format!("* {body}"), "m.new_content": { "msgtype": "m.text", "body": body },
        "m.relates_to": { "rel_type": "m.replace", "event_id": of },
    });
    about("m.room.message", id, &content)
}

fn without_index(archive: &Path) {
    run(&["search", "--index", "off", "--archive", text(archive)]).with(0);
}

#[test]
fn twenty_queries_in_the_scripts_that_people_write() {
    let data: Value = serde_json::from_str(include_str!("../../testdata/search.json")).unwrap();
    let (database, archive) = (server(), TestArchive::new());
    let mut names = Vec::new();
    for (id, (name, body)) in (10..).zip(data["said"].as_object().unwrap()) {
        database.event(EventRow::message(id, body.as_str().unwrap()));
        names.push((format!("${id}"), name.clone()));
    }
    export(&database, archive.path(), &[]).with(0);
    let queries = data["queries"].as_array().unwrap();
    assert_eq!(queries.len(), 20);
    for indexed in [true, false] {
        if !indexed {
            without_index(archive.path());
        }
        for query in queries {
            let text = query[0].as_str().unwrap();
            let mut found: Vec<&str> = Vec::new();
            for id in self::found(archive.path(), &[text]) {
                found.push(&names.iter().find(|(known, _)| *known == id).unwrap().1);
            }
            let mut right: Vec<&str> = query[1].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
            found.sort_unstable();
            right.sort_unstable();
            assert_eq!(found, right, "{text}, indexed: {indexed}");
        }
    }
}

/// Made-up texts and queries: what the index finds is what reading every text finds.
#[test]
fn the_index_finds_what_reading_all_of_it_finds() {
    const WORDS: [&str; 20] = [
        "fox",
        "Fox",
        "foxes",
        "quick",
        "x86_64",
        "don't",
        "multi",
        "agent",
        "Łódź",
        "strasse",
        "Straße",
        "ё",
        "елка",
        "東京",
        "京都",
        "タワー",
        "हिन्दी",
        "हिन्द",
        "שָׁלוֹם",
        "வணக்கம்",
    ];
    let word = || sample::select(&WORDS[..]);
    let said = collection::vec((word(), sample::select(&[" ", "", "-", "_", ".", "\n", "\u{200b}"][..])), 1..7)
        .prop_map(|parts| parts.into_iter().flat_map(|(word, end)| [word, end]).collect::<String>());
    let term = prop_oneof![
        word().prop_map(str::to_owned),
        word().prop_map(|word| format!("{}*", word.chars().take(2).collect::<String>())),
        (word(), word()).prop_map(|(one, two)| format!("\"{one} {two}\"")),
        (word(), word()).prop_map(|(one, two)| format!("{one}-{two}")),
    ];
    let query = (term.clone(), collection::vec((sample::select(&["AND", "OR", "NOT"][..]), term), 0..3)).prop_map(
        |(first, more)| more.into_iter().fold(first, |query, (operator, term)| format!("({query}) {operator} {term}")),
    );
    let mut runner = TestRunner::default();
    let mut made = |strategy: BoxedStrategy<String>, number: usize| -> Vec<String> {
        (0..number).map(|_| strategy.new_tree(&mut runner).expect("it can be made").current()).collect()
    };
    let (texts, queries) = (made(said.boxed(), 60), made(query.boxed(), 80));
    let (database, archive) = (server(), TestArchive::new());
    for (id, body) in (10..).zip(&texts) {
        database
            .event(EventRow { content: json!({ "msgtype": "m.text", "body": body }).to_string(), ..EventRow::at(id) });
    }
    export(&database, archive.path(), &[]).with(0);
    let ask = || queries.iter().map(|query| found(archive.path(), &[query, "--limit=100"])).collect::<Vec<_>>();
    let indexed = ask();
    without_index(archive.path());
    for ((query, indexed), read) in queries.iter().zip(indexed).zip(ask()) {
        assert_eq!(indexed, read, "{query} in {:#?}", (10..).zip(&texts).collect::<Vec<_>>());
    }
}

#[test]
fn results_are_told_for_people_and_for_programs() {
    let (database, archive) = (server(), TestArchive::new());
    database.event(EventRow::state(5, "m.room.name", "", &json!({ "name": "Ops" })));
    let member = json!({ "membership": "join", "displayname": "Alice A" });
    database.event(EventRow::state(6, "m.room.member", "@alice:here.test", &member));
    database.event(EventRow::message(10, "before it"));
    database.event(EventRow::message(11, "The Replica\nlags"));
    database.event(EventRow::message(12, "after it"));
    export(&database, archive.path(), &[]).with(0);
    let ended = search(archive.path(), &["replica"]).with(0);
    let expected = "2026-11-22 12:00 · Ops · Alice A\n  The Replica lags\n  rooms/room@here.test/2026-11-22.md#";
    assert!(ended.stdout.starts_with(expected) && ended.stdout.contains("  $11\n"), "{ended:#?}");
    assert_eq!(ended.stderr, "");
    let result: Value =
        serde_json::from_str(&search(archive.path(), &["replica lags", "--json"]).with(0).stdout).unwrap();
    assert_eq!(result["hits"], json!([[4, 16]]));
    assert_eq!(result["snippet"], "The Replica lags");
    assert_eq!(result["body"], "The Replica\nlags");
    assert_eq!((&result["room"], &result["sender_name"]), (&json!("Ops"), &json!("Alice A")));
    assert_eq!((&result["room_id"], &result["sender"]), (&json!(ROOM), &json!("@alice:here.test")));
    assert_eq!(result["origin_server_ts"], NOON + 11_000);
    // the place is where the transcript has it
    let (path, anchor) = result["transcript"].as_str().unwrap().split_once('#').unwrap();
    let transcript = fs::read_to_string(archive.path().join(path)).unwrap();
    assert!(transcript.contains(&format!("<a id=\"{anchor}\"></a>")) || transcript.contains(anchor), "{transcript}");
    let ended = search(archive.path(), &["replica", "--context=1"]).with(0);
    assert!(ended.stdout.contains("before it") && ended.stdout.contains("after it"), "{ended:#?}");
    let none = search(archive.path(), &["nothing of it"]).with(1);
    assert_eq!(none.stdout, "");
    none.saying("nothing is found");
}

#[test]
fn operators_find_who_where_when_and_what() {
    let (database, archive) = (server(), TestArchive::new());
    let ops = "!ops:here.test";
    database.room(ops, "10");
    database.event(EventRow::state(7, "m.room.name", "", &json!({ "name": "Operations" })).within(ops));
    database.event(EventRow::state(8, "m.room.name", "", &json!({ "name": "Lounge" })));
    let member = json!({ "membership": "join", "displayname": "Bobby Tables" });
    let bob = "@bob:here.test".to_owned();
    database.event(EventRow { sender: bob.clone(), ..EventRow::state(9, "m.room.member", "@bob:here.test", &member) });
    database.event(EventRow::message(10, "word by alice").within(ops));
    database.event(EventRow { sender: bob.clone(), ..EventRow::message(11, "word by bob") });
    let day = 24 * 60 * 60 * 1000;
    database.event(EventRow { ts: Some(NOON + day), ..EventRow::message(12, "word a day later") });
    database.event(EventRow { ts: Some(NOON - day), ..EventRow::message(13, "word a day before") });
    let mentions = json!({ "user_ids": ["@bob:here.test"] });
    let content = json!({ "msgtype": "m.text", "body": "word for you, https://example.org", "m.mentions": mentions });
    database.event(about("m.room.message", 14, &content));
    database.event(about(
        "m.room.message",
        15,
        &json!({ "msgtype": "m.image", "body": "word.png", "url": "mxc://h/x" }),
    ));
    let reply =
        json!({ "msgtype": "m.text", "body": "word back", "m.relates_to": { "m.in_reply_to": { "event_id": "$10" } } });
    database.event(about("m.room.message", 16, &reply).within(ops));
    let reaction = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": "$11", "key": "word" } });
    database.event(about("m.reaction", 17, &reaction));
    let answers = json!([{ "id": "1", "org.matrix.msc1767.text": "pizza" }]);
    let start = json!({ "question": { "org.matrix.msc1767.text": "what word to eat" }, "answers": answers });
    database.event(about("org.matrix.msc3381.poll.start", 18, &json!({ "org.matrix.msc3381.poll.start": start })));
    let threaded = json!({ "msgtype": "m.text", "body": "word in a thread", "m.relates_to": { "rel_type": "m.thread", "event_id": "$11" } });
    database.event(about("m.room.message", 19, &threaded));
    database.event(about(
        "m.room.encrypted",
        20,
        &json!({ "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "word" }),
    ));
    database.event(EventRow::state(21, "m.room.topic", "", &json!({ "topic": "a word about it" })));
    export(&database, archive.path(), &[]).with(0);
    for indexed in [true, false] {
        if !indexed {
            without_index(archive.path());
        }
        let archive = archive.path();
        check(archive, &["word from:bob"], &["$11"]);
        check(archive, &["word", "--from=@bob:here.test"], &["$11"]);
        check(archive, &["word from:bobby"], &["$11"]);
        check(archive, &["word from:\"Bobby Tables\""], &["$11"]);
        check(archive, &["word in:operations"], &["$16", "$10"]);
        check(archive, &["word in:oper -is:reply"], &["$10"]);
        check(archive, &["word on:2026-11-23"], &["$12"]);
        check(archive, &["word before:2026-11-22"], &["$13"]);
        check(archive, &["word after:2026-11-22"], &["$12"]);
        check(archive, &["word", "--after=2026-11-21", "--before=2026-11-23", "--from=bob"], &["$11"]);
        check(archive, &["has:link"], &["$14"]);
        check(archive, &["word mentions:bob"], &["$14"]);
        check(archive, &["has:image"], &["$15"]);
        check(archive, &["is:reply"], &["$16"]);
        check(archive, &["has:reaction"], &["$11"]);
        check(archive, &["has:poll OR pizza"], &["$18"]);
        check(archive, &["has:thread"], &["$11"]);
        check(archive, &["is:thread word"], &["$19"]);
        check(archive, &["is:encrypted"], &["$20"]);
        check(archive, &["word about"], &["$21"]);
        check(archive, &["lounge"], &["$8"]);
        check(archive, &["(word (from:bob OR has:image)) OR pizza"], &["$18", "$15", "$11"]);
        check(archive, &["word -from:alice"], &["$11"]);
        check(archive, &["word -word"], &[]);
        check(archive, &["ORD", "--substring", "from:bob"], &["$11"]);
        check(archive, &["d.p", "--substring"], &["$15"]);
        assert_eq!(search(archive, &["word", "--count"]).with(0).stdout, "10\n");
    }
}

#[test]
fn files_places_and_extensible_events_are_found_by_all_that_they_say() {
    let (database, archive) = (server(), TestArchive::new());
    let message = |id, content: &Value| database.event(about("m.room.message", id, content));
    let image =
        |body: &str, name: &str| json!({"itemtype": "m.image", "msgtype": "m.image", "body": body, "filename": name});
    message(10, &image("The lake at dawn", "img_4711.png"));
    let items = [image("A rowing boat", "boat.jpg"), json!({"itemtype": "m.video", "body": "dive.mp4"})];
    message(11, &json!({"msgtype": "m.gallery", "body": "Holidays", "itemtypes": items}));
    let place = json!({"uri": "geo:1,2", "description": "Car park"});
    message(12, &json!({"msgtype": "m.location", "body": "geo:1,2", "org.matrix.msc3488.location": place}));
    database.event(about("m.message", 13, &json!({"m.text": [{"body": "extensible words"}]})));
    let plan = json!({"url": "mxc://a/b", "name": "plan.pdf"});
    let file = json!({"org.matrix.msc1767.text": "see it", "org.matrix.msc1767.file": plan});
    database.event(about("org.matrix.msc1767.file", 14, &file));
    message(15, &json!({"msgtype": "m.text", "m.text": [{"body": "only blocks"}]}));
    let new = image("The lake at dusk", "img_4712.png");
    let relation = json!({"rel_type": "m.replace", "event_id": "$10"});
    message(16, &json!({"msgtype": "m.text", "body": "*", "m.new_content": new, "m.relates_to": relation}));
    export(&database, archive.path(), &[]).with(0);
    for _ in 0..2 {
        for (words, expected) in [
            (&["dusk"][..], &["$10"][..]),
            (&["img_4712.png"], &["$10"]),
            (&["img_4711.png"], &[]),
            (&["holidays"], &["$11"]),
            (&["rowing"], &["$11"]),
            (&["boat.jpg", "dive.mp4"], &["$11"]),
            (&["has:video"], &["$11"]),
            (&["has:image"], &["$11", "$10"]),
            (&["car", "park"], &["$12"]),
            (&["extensible"], &["$13"]),
            (&["plan.pdf"], &["$14"]),
            (&["has:file"], &["$14"]),
            (&["blocks"], &["$15"]),
        ] {
            check(archive.path(), words, expected);
        }
        without_index(archive.path());
    }
    assert_eq!(archive.one("select count(*) from found where body = 'extensible words'"), "1");
}

#[test]
fn newest_first_and_page_by_page() {
    let (database, archive) = (server(), TestArchive::new());
    // what is backfilled comes late and is from before
    for id in (10..40).chain(-40..-20) {
        database.event(EventRow::message(id, &format!("word {id}")));
    }
    export(&database, archive.path(), &[]).with(0);
    for id in 40..50 {
        database.event(EventRow::message(id, &format!("word {id} word")));
    }
    export(&database, archive.path(), &["--no-search"]).with(0);
    let expected: Vec<String> = (10..50).rev().chain((-40..-20).rev()).map(|id| format!("${id}")).collect();
    for indexed in [true, false] {
        let all = found(archive.path(), &["word", "--limit=100"]);
        assert_eq!(all, expected, "indexed: {indexed}");
        let mut paged: Vec<String> = Vec::new();
        loop {
            let mut words = vec!["word".to_owned(), "--limit=7".to_owned()];
            words.extend(paged.last().map(|last| format!("--after-result={last}")));
            let page = found(archive.path(), &words.iter().map(String::as_str).collect::<Vec<_>>());
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert_eq!(paged, expected, "indexed: {indexed}");
        assert_eq!(search(archive.path(), &["word", "--count"]).with(0).stdout, "60\n");
        without_index(archive.path());
    }
    let ranked = found(archive.path(), &["word", "--sort=relevance", "--limit=3"]);
    assert_eq!(ranked, ["$49", "$48", "$47"]);
    search(archive.path(), &["word", "--after-result=$none"]).with(1).saying("no event $none");
    search(archive.path(), &["word", "--limit=3"]).with(0).saying("--after-result '$47'");
}

#[test]
fn what_lags_is_found_all_the_same_and_said() {
    let (database, archive) = (server(), TestArchive::new());
    database.event(EventRow::message(10, "word one"));
    export(&database, archive.path(), &[]).with(0);
    assert_eq!(search(archive.path(), &["word"]).with(0).stderr, "");
    database.event(EventRow::message(11, "word two"));
    export(&database, archive.path(), &["--no-search"]).with(0);
    search(archive.path(), &["word"]).with(0).saying("lacks 1 of ").saying("search --update");
    check(archive.path(), &["word"], &["$11", "$10"]);
    run(&["search", "--update", "--archive", text(archive.path())]).with(0);
    assert_eq!(search(archive.path(), &["word"]).with(0).stderr, "");
    // a new catalog has a new index
    run(&["rebuild", "--archive", text(archive.path())]).with(0);
    assert_eq!(search(archive.path(), &["word"]).with(0).stderr, "");
    assert_eq!(archive.one("select count(*) from search where search match 'word'"), "2");
    check(archive.path(), &["word"], &["$11", "$10"]);
}

#[test]
fn edits_and_redactions_take_effect_in_the_run_that_brings_them() {
    let (database, archive) = (server(), TestArchive::new());
    for id in 10..15 {
        database.event(EventRow::message(id, &format!("first {id}")));
    }
    export(&database, archive.path(), &[]).with(0);
    let indexed = || archive.one("select group_concat(rowid) from search where search match 'first OR second'");
    assert_eq!(indexed(), "4,5,6,7,8");
    database.event(edit(20, "$10", "second"));
    database.event(EventRow { sender: "@bob:here.test".to_owned(), ..edit(21, "$11", "second") });
    database.redaction("$12", EventRow::at(22));
    for more in [&["--no-search"][..], &[]] {
        export(&database, archive.path(), more).with(0);
        check(archive.path(), &["first"], &["$14", "$13", "$11"]);
        check(archive.path(), &["second"], &["$10"]);
        check(archive.path(), &["first", "--edits"], &["$14", "$13", "$11", "$10"]);
        check(archive.path(), &["is:edited"], &["$10"]);
        check(archive.path(), &["has:edit"], &["$10"]);
        check(archive.path(), &["is:redacted"], &["$12"]);
        check(archive.path(), &["is:redacted first"], &[]);
        check(archive.path(), &["is:redacted -first"], &[]);
        check(archive.path(), &["is:redacted first", "--show-redacted"], &["$12"]);
        check(archive.path(), &["first", "--show-redacted"], &["$14", "$13", "$12", "$11"]);
        assert!(!search(archive.path(), &["is:redacted"]).with(0).stdout.contains("first"));
        assert!(search(archive.path(), &["is:redacted", "--show-redacted"]).with(0).stdout.contains("first"));
    }
    assert_eq!(indexed(), "4,5,7,8,11,12", "a redaction deletes the row");
    // an edit of the edit's time is undone when it is redacted
    database.redaction("$20", EventRow::at(30));
    database.event(EventRow::message(31, "later"));
    export(&database, archive.path(), &[]).with(0);
    check(archive.path(), &["second"], &[]);
    check(archive.path(), &["first 10"], &["$10"]);
    assert_eq!(indexed(), "4,5,7,8,12");
    let integrity = archive.catalog().execute("insert into search (search, rank) values ('integrity-check', 0)", []);
    assert!(integrity.is_ok() || archive.path().exists());
}

#[test]
fn what_edits_what_is_redacted_leaves_the_index_with_it() {
    let (database, archive) = (server(), TestArchive::new());
    database.event(EventRow::message(10, "secret one"));
    database.event(edit(20, "$10", "secret two"));
    let bob = "@bob:here.test".to_owned();
    database.event(EventRow { sender: bob.clone(), ..edit(21, "$10", "secret three") });
    database.event(edit(22, "$40", "secret before it came"));
    database.event(EventRow::message(11, "secret kept"));
    database.event(edit(23, "$11", "secret kept too"));
    export(&database, archive.path(), &[]).with(0);
    let indexed = || archive.one("select count(*) from search where search match 'secret'");
    assert_eq!(indexed(), "6");
    database.redaction("$10", EventRow::at(30));
    export(&database, archive.path(), &[]).with(0);
    assert_eq!(indexed(), "3", "the message and all that edits it");
    // one that comes when it is redacted already takes with it what edited it before
    database.redaction("$40", EventRow::at(31));
    database.event(EventRow::message(40, "secret four"));
    export(&database, archive.path(), &[]).with(0);
    assert_eq!(indexed(), "2");
    for indexed in [true, false] {
        check(archive.path(), &["secret"], &["$11"]);
        check(archive.path(), &["is:redacted"], &["$40", "$10"]);
        check(archive.path(), &["secret", "--show-redacted"], &["$40", "$11", "$10"]);
        check(archive.path(), &["two", "--show-redacted"], &["$10"]);
        if indexed {
            without_index(archive.path());
        }
    }
    run(&["search", "--index", "on", "--archive", text(archive.path())]).with(0);
    assert_eq!(indexed(), "2", "anew");
}

#[test]
fn what_erased_users_said_is_as_if_it_were_redacted() {
    let (database, archive) = (server(), TestArchive::new());
    let gone = |row: EventRow| EventRow { sender: "@gone:here.test".to_owned(), ..row };
    database.event(gone(EventRow::message(10, "personal one")));
    database.event(gone(EventRow::message(11, "personal two")));
    database.event(gone(edit(12, "$11", "personal three")));
    database.event(edit(13, "$11", "personal by another"));
    database.event(EventRow::message(14, "personal and kept"));
    let reacted = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": "$14", "key": "+" } });
    database.event(gone(about("m.reaction", 15, &reacted)));
    export(&database, archive.path(), &[]).with(0);
    check(archive.path(), &["personal"], &["$14", "$11", "$10"]);
    check(archive.path(), &["has:reaction"], &["$14"]);
    database.execute("insert into erased_users values ('@gone:here.test')");
    export(&database, archive.path(), &["--hide-erased"]).with(0);
    assert_eq!(archive.one("select count(*) from search where search match 'personal'"), "1");
    for indexed in [true, false] {
        check(archive.path(), &["personal"], &["$14"]);
        check(archive.path(), &["has:reaction"], &[]);
        check(archive.path(), &["personal is:redacted"], &[]);
        assert_eq!(search(archive.path(), &["is:redacted", "--count"]).with(0).stdout, "3\n");
        check(archive.path(), &["personal is:redacted three", "--show-redacted"], &["$11"]);
        assert!(!search(archive.path(), &["is:redacted"]).with(0).stdout.contains("personal"));
        if indexed {
            without_index(archive.path());
        }
    }
    let show =
        |more: &[&str]| run(&[&["show", "$10", "--archive", text(archive.path())], more].concat()).with(0).stdout;
    assert!(show(&[]).contains("as the server has erased its sender"), "{}", show(&[]));
    let json: Value = serde_json::from_str(&show(&["--json"])).unwrap();
    assert_eq!((&json["redacted_by"], &json["withheld"]), (&json!("erased"), &json!("it is redacted")));
}

#[test]
fn what_clients_do_not_see_is_not_found() {
    let (database, archive) = (server(), TestArchive::new());
    let soft = r#"{"soft_failed": true}"#.to_owned();
    database.event(EventRow { internal_metadata: soft, ..EventRow::message(10, "word late") });
    database.event(EventRow { rejected: Some("auth_error".to_owned()), ..EventRow::message(11, "word forbidden") });
    database.event(EventRow::message(12, "word"));
    let quoting = json!({
        "msgtype": "m.text", "body": "> <@alice:here.test> word\n\nwell",
        "m.relates_to": { "m.in_reply_to": { "event_id": "$12" } },
    });
    database.event(about("m.room.message", 13, &quoting));
    export(&database, archive.path(), &[]).with(0);
    for indexed in [true, false] {
        check(archive.path(), &["word"], &["$12"]);
        check(archive.path(), &["word", "--show-redacted", "--edits"], &["$12"]);
        check(archive.path(), &["well"], &["$13"]);
        if indexed {
            without_index(archive.path());
        }
    }
}

#[test]
fn a_wrong_query_is_explained_and_its_place_marked() {
    let (database, archive) = (server(), TestArchive::new());
    database.event(EventRow { sender: "@anna:here.test".to_owned(), ..EventRow::message(10, "one") });
    database.event(EventRow { sender: "@annika:here.test".to_owned(), ..EventRow::message(11, "two") });
    export(&database, archive.path(), &[]).with(0);
    let place = |words: &[&str], what: &str, marked: &str| {
        let ended = search(archive.path(), words).with(2).saying(what);
        assert!(ended.stderr.contains(marked) && !ended.stderr.contains("fts5"), "{ended:?}");
    };
    place(&["x before:yesteday"], "this is no date", "  x before:yesteday\n    ^^^^^^^^^^^^^^^\n");
    place(&["x", "--has=cats"], "has: knows link, image", "  has:\"cats\"\n  ^^^^^^^^^^\n");
    place(&["\"quick"], "does not end", "  \"quick\n  ^^^^^^\n");
    place(&["from:ann"], "several people fit \"ann\": @anna:here.test, @annika:here.test", "^^^^^^^^");
    place(&["from:nobody"], "nobody with", "^^^");
    place(&["in:nowhere"], "no room with", "^^^");
    place(&["x (   )"], "nothing between these", "  x (   )\n    ^^^^^\n");
    // who looks is told names, a log is not
    for (id, room) in [(20, "!first:here.test"), (21, "!second:here.test")] {
        database.room(room, "10");
        let name = json!({ "name": "Secret plans" });
        database.event(EventRow { room_id: room.to_owned(), ..EventRow::state(id, "m.room.name", "", &name) });
    }
    export(&database, archive.path(), &[]).with(0);
    let ended = search(archive.path(), &["in:plans"])
        .with(2)
        .saying("several rooms fit \"plans\": !first:here.test, !second:here.test;");
    assert!(!ended.stderr.contains("Secret"), "{ended:?}");
    place(&["🎉"], "--substring", "  🎉\n  ^^\n");
    place(&[], "nothing is asked for", "");
    check(archive.path(), &["from:anna"], &["$10"]);
}

#[test]
fn nothing_that_people_wrote_controls_a_terminal() {
    let (database, archive) = (server(), TestArchive::new());
    database.event(EventRow::message(10, "word \u{1b}[2J\u{9b}2J \u{202e}evil\u{202c} हिन्दी"));
    let member = json!({ "membership": "join", "displayname": "A\u{1b}[2J\u{202e}" });
    database.event(EventRow::state(9, "m.room.member", "@alice:here.test", &member));
    export(&database, archive.path(), &[]).with(0);
    for more in ["", "--json"] {
        let program = env!("CARGO_BIN_EXE_synapse-export");
        let command = format!("'{program}' search word --archive '{}' {more}", text(archive.path()));
        let terminal = Command::new("script")
            .args(["--quiet", "--return", "--command", &command, "/dev/null"])
            .stdin(Stdio::null())
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .output()
            .unwrap();
        let shown = String::from_utf8(terminal.stdout).unwrap();
        let plain = shown.replace("\u{1b}[1mword\u{1b}[0m", "word");
        assert!(plain.contains("word") && plain.contains("evil"), "{shown}");
        assert!(!plain.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\u{202c}']), "{shown:?}");
        if more.is_empty() {
            assert!(shown.contains("\u{1b}[1mword\u{1b}[0m") && shown.contains("हिन्दी"), "{shown:?}");
        }
    }
}

#[test]
fn an_index_that_is_switched_off_is_gone_from_the_disk() {
    let (database, archive) = (server(), TestArchive::new());
    database.event(EventRow::message(10, "Unmistakable Łódź"));
    export(&database, archive.path(), &[]).with(0);
    let has = |word: &str| {
        let files = ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-journal"];
        files.iter().any(|name| {
            let bytes = fs::read(archive.path().join(name)).unwrap_or_default();
            bytes.windows(word.len()).any(|part| part == word.as_bytes())
        })
    };
    assert!(has("lodz"));
    without_index(archive.path());
    assert!(!has("lodz") && !has("search_state"));
    search(archive.path(), &["lodz"]).with(0).saying("has no index");
    database.event(EventRow::message(11, "Unmistakable too"));
    export(&database, archive.path(), &[]).with(0);
    assert!(!has("search_state"), "it stays off");
    check(archive.path(), &["unmistakable"], &["$11", "$10"]);
    run(&["rebuild", "--archive", text(archive.path())]).with(0);
    assert!(!has("search_state"), "in a new catalog too");
    run(&["search", "--update", "--archive", text(archive.path())]).with(1).saying("--index on");
    run(&["search", "--index", "on", "--archive", text(archive.path())]).with(0);
    assert!(has("lodz"));
    check(archive.path(), &["unmistakable"], &["$11", "$10"]);
}
