//! The queries of docs/search.md, each run by the SQLite that another program has, and what of the index is left of what is erased.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::archive::TestArchive;
use crate::support::story::EventRow;
use crate::{export, run, server, text};

/// Runs queries with Python's SQLite, which is the system's: the rows of each.
#[track_caller]
fn asked(archive: &TestArchive, queries: &[String]) -> Vec<Value> {
    const SCRIPT: &str = "import json, sqlite3, sys\n\
        catalog = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True)\n\
        print(json.dumps([catalog.execute(query).fetchall() for query in sys.argv[2:]]))";
    let catalog = archive.path().join("catalog.sqlite");
    let ended =
        Command::new("python3").args(["-c", SCRIPT]).arg(catalog).args(queries).output().expect("python3 can be run");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    serde_json::from_slice(&ended.stdout).expect("it writes JSON")
}

#[test]
fn the_documented_queries_find_what_they_say() {
    let (database, archive) = (server(), TestArchive::new());
    let bob = "@bob:here.test".to_owned();
    database.event(EventRow::message(10, "the replica lags"));
    database.event(EventRow { sender: bob.clone(), ..EventRow::message(11, "the quick brown replica") });
    database.event(EventRow { sender: bob, ..EventRow::message(12, "quick and REPLICATED") });
    database.event(EventRow::message(13, "東京タワー"));
    let message = |id: i64, content: Value| EventRow { content: content.to_string(), ..EventRow::at(id) };
    database.event(message(14, json!({ "msgtype": "m.image", "body": "cat.png", "url": "mxc://h/x" })));
    let mentions = json!({ "user_ids": ["@bob:here.test"] });
    database.event(message(15, json!({ "msgtype": "m.text", "body": "for you", "m.mentions": mentions })));
    database.event(EventRow::state(16, "m.room.topic", "", &json!({ "topic": "All operations" })));
    database.event(EventRow::message(17, "a redacted replica"));
    database.redaction("$17", EventRow::at(18));
    let new = json!({ "msgtype": "m.text", "body": "an edited replica" });
    let relation = json!({ "rel_type": "m.replace", "event_id": "$1" });
    database.event(message(
        19,
        json!({ "msgtype": "m.text", "body": "*", "m.new_content": new, "m.relates_to": relation }),
    ));
    export(&database, archive.path(), &[]).with(0);
    let documented = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/search.md")).unwrap();
    let queries: Vec<String> =
        documented.split("```sql\n").skip(1).map(|block| block.split("```").next().unwrap().to_owned()).collect();
    let [alice, bob, day] = ["@alice:here.test", "@bob:here.test", "2026-11-22"];
    let expected = [
        json!([
            [day, bob, "the quick brown replica"],
            [day, alice, "the replica lags"],
            [day, alice, "an edited replica"]
        ]),
        json!([[day, bob, "the quick brown replica"]]),
        json!([["$12", "quick and REPLICATED"]]),
        json!([
            ["$1", "an edited replica"],
            ["$10", "the replica lags"],
            ["$11", "the quick brown replica"],
            ["$12", "quick and REPLICATED"],
            ["$13", "東京タワー"]
        ]),
        json!([[alice, 2], [bob, 1]]),
        json!([["2026-11", 3]]),
        json!([["$14", "cat.png"]]),
        json!([["$15", alice]]),
        json!([["!room:here.test", 3]]),
        json!([["$16", "m.room.topic", "All operations"]]),
    ];
    assert_eq!(queries.len(), expected.len());
    for ((query, found), expected) in queries.iter().zip(asked(&archive, &queries)).zip(expected) {
        assert_eq!(found, expected, "{query}");
    }
    // and the plan of none of them looks at every event
    for query in &queries {
        let plan = asked(&archive, &[format!("explain query plan {query}")]).remove(0).to_string();
        assert!(!plan.contains("SCAN line") && !plan.contains("SCAN said"), "{query}\n{plan}");
    }
}

#[test]
fn of_what_is_erased_no_word_is_left_in_the_index() {
    for group in [false, true] {
        let (database, archive) = (server(), TestArchive::new());
        for id in 10..300 {
            database.event(EventRow::message(id, &format!("common łatwy unmistakable{id}")));
        }
        export(&database, archive.path(), if group { &["--group-readable"] } else { &[] }).with(0);
        let has = |word: &str| {
            let files = ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-journal"];
            files.iter().any(|name| {
                let bytes = fs::read(archive.path().join(name)).unwrap_or_default();
                bytes.windows(word.len()).any(|part| part == word.as_bytes())
            })
        };
        let count = |word: &str| archive.one(&format!("select count(*) from search where search match '{word}'"));
        assert_eq!((count("latwy"), count("unmistakable20")), ("290".to_owned(), "1".to_owned()));
        let ids: Vec<String> = (10..299).map(|id| format!("${id}")).collect();
        let erased = crate::command()
            .args(["erase", "--archive", text(archive.path()), "--yes", "--event"])
            .args(&ids)
            .output()
            .unwrap();
        assert!(erased.status.success(), "{erased:?}");
        assert_eq!((count("latwy"), count("unmistakable299")), ("1".to_owned(), "1".to_owned()));
        assert_eq!(count("unmistakable20"), "0");
        // in the index words share their beginnings
        let connection = rusqlite::Connection::open(archive.path().join("catalog.sqlite")).unwrap();
        let left: i64 = connection
            .query_row("select count(*) from search_data where instr(block, 'unmistakable2')", [], |row| row.get(0))
            .unwrap();
        assert!(left <= 1, "{left}");
        drop(connection);
        assert!(has("unmistakable299"));
        asked(&archive, &["select rowid from search where search match 'latwy'".to_owned()]);
        let found = run(&["search", "latwy", "--count", "--archive", text(archive.path())]).with(0);
        assert_eq!(found.stdout, "1\n");
        // without an index at all, nothing of one is on the disk
        assert!(has("latwy"), "folded it is in the index alone");
        run(&["search", "--index", "off", "--archive", text(archive.path())]).with(0);
        assert!(!has("latwy"));
    }
}

#[test]
fn an_index_of_another_version_is_made_anew() {
    let (database, archive) = (server(), TestArchive::new());
    database.event(EventRow::message(10, "word"));
    export(&database, archive.path(), &[]).with(0);
    let rebuilt = || archive.one("select version || ' ' || line from search_state");
    let before = rebuilt();
    let connection = rusqlite::Connection::open(archive.path().join("catalog.sqlite")).unwrap();
    connection.execute_batch("update search_state set version = 0; delete from search_block").unwrap();
    drop(connection);
    // until then it is not believed
    let ended = run(&["search", "word", "--archive", text(archive.path())]).with(0).saying("no index yet");
    assert!(ended.stdout.contains("$10"));
    export(&database, archive.path(), &[]).with(0);
    assert_eq!((rebuilt(), archive.one("select count(*) from search_block")), (before, "1".to_owned()));
    assert_eq!(run(&["search", "word", "--archive", text(archive.path())]).with(0).stderr, "");
}
