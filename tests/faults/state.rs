//! All that an archive holds, to be compared: lines in any order, transcripts to the byte, links, the catalog's tables, what the
//! state comes to.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};

/// By path below the archive; the catalog by table.
pub(crate) type State = BTreeMap<String, String>;

/// What the catalog says of runs: how often and when one came by, which nothing else is to depend on. A gap that a run begins
/// with is as young as that run.
const OF_RUNS: [(&str, &str); 7] = [
    ("search_state", "line"),
    ("line", "run"),
    ("line", "start"),
    ("file", "run"),
    ("watermark", "run"),
    ("watermark", "at"),
    ("gap", "clock"),
];

/// Everything in an archive that nobody writes to.
pub(crate) fn state(archive: &Path) -> State {
    let mut state = files(archive);
    // SQLite's own, gone in good order
    assert!(state.remove("catalog.sqlite").is_some(), "there is no catalog in {:?}", state.keys());
    let catalog =
        Connection::open_with_flags(archive.join("catalog.sqlite"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    // how the state is kept is another each time; what it says is compared
    let tables = "select name from sqlite_schema where type = 'table'
                     and name not in ('run', 'state', 'search_data', 'search_idx', 'search_docsize', 'search_config')";
    // so it is with the index for search
    if column(&catalog, "select name from sqlite_schema where name = 'search'") == ["search"] {
        catalog.execute_batch("create virtual table temp.word using fts5vocab(main, search, instance)").unwrap();
        let words = "select concat_ws(' ', (select event_id from line where line = doc), col, \"offset\", term) from word order by 1";
        state.insert("catalog.sqlite words".to_owned(), column(&catalog, words).join("\n"));
    }
    for table in column(&catalog, tables) {
        let columns = column(&catalog, &format!("select name from pragma_table_info('{table}')"));
        let kept = |name: &&String| !OF_RUNS.contains(&(&*table, name));
        // numbers are given in the order in which things come: what they stand for is compared
        let named = |name: &String| match (&**name, &*table) {
            (own, table) if own == table => "null".to_owned(),
            ("line", _) => "(select event_id from line where line = t.line)".to_owned(),
            ("file", _) => "(select room_id || day from file join room using (room) where file = t.file)".to_owned(),
            ("room", _) => "(select room_id from room where room = t.room)".to_owned(),
            ("sender", "line") => "(select user_id from user where user = t.sender)".to_owned(),
            ("type", "line") => "(select name from type where type = t.type)".to_owned(),
            ("rel_type", _) => "(select name from type where type = t.rel_type)".to_owned(),
            (name, _) => format!("\"{name}\""),
        };
        let columns: Vec<String> = columns.iter().filter(kept).map(named).collect();
        let mut statement = catalog.prepare(&format!("select {} from {table} t", columns.join(", "))).unwrap();
        let rows = statement
            .query_map([], |row| (0..columns.len()).map(|at| row.get::<_, Value>(at)).collect::<Result<Vec<_>, _>>());
        let mut rows: Vec<String> = rows.unwrap().map(|row| format!("{:?}", row.unwrap())).collect();
        rows.sort();
        if table != "chain" {
            state.insert(format!("catalog.sqlite {table}"), rows.join("\n"));
        }
    }
    let indexes = column(&catalog, "select name from sqlite_schema where type = 'index' order by name");
    state.insert("catalog.sqlite indexes".to_owned(), indexes.join("\n"));
    assert_eq!(column(&catalog, "pragma integrity_check"), ["ok"]);
    state
}

/// The files and links of an archive, whoever writes to it; the catalog's only by their names.
pub(crate) fn files(archive: &Path) -> State {
    let mut state = State::new();
    let mut directories = vec![archive.to_owned()];
    while let Some(directory) = directories.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            let name = path.strip_prefix(archive).unwrap().to_str().unwrap().to_owned();
            if name == "chain.jsonl" {
                // it says which commit has added what, and when: `verify` holds it against the lines
            } else if name.starts_with(".lock") {
                // there for the time of a run, or of no meaning to the next
            } else if path.is_symlink() {
                state.insert(name, fs::read_link(&path).unwrap().display().to_string());
            } else if path.is_dir() {
                state.insert(format!("{name}/"), String::new());
                directories.push(path);
            } else if name.starts_with("catalog.sqlite") {
                state.insert(name, String::new());
            } else if name == "state.jsonl" {
                state.insert("state".to_owned(), told(&fs::read(&path).unwrap()));
            } else {
                // half a write may end in half a character
                let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                let mut lines: Vec<&str> = text.split('\n').collect();
                if is_a(&name, &[".jsonl"]) {
                    lines.sort_unstable();
                }
                state.insert(name, lines.join("\n"));
            }
        }
    }
    // an outlier that has a line by now says nothing any more
    if let Some(told) = state.remove("state") {
        let has_line = |told: &str| {
            let event_id = told.split("\"event_id\":\"").nth(1).and_then(|rest| rest.split('"').next());
            let of = event_id.map(|event_id| format!("\"event_id\":\"{event_id}\""));
            of.is_some_and(|of| state.iter().any(|(path, text)| is_a(path, &[".jsonl"]) && text.contains(&of)))
        };
        let is_stale =
            |told: &str| (told.starts_with("membership") || told.starts_with("room_state")) && has_line(told);
        let told: String = told.split_inclusive('\n').filter(|told| !is_stale(told)).collect();
        state.insert("state".to_owned(), told);
    }
    state
}

/// What tells the records of a kind apart.
const KEYS: [&str; 11] = [
    "name",
    "room_id",
    "day",
    "stream",
    "user_id",
    "event_id",
    "type",
    "origin_server_ts",
    "topological_ordering",
    "",
    "",
];
const ONLY_BY_EVENT: [&str; 4] = ["sticky", "waiting", "duplicate", "event"];

/// What a state's file comes to, without what it says of runs.
fn told(file: &[u8]) -> String {
    use serde_json::{Map, Value};
    let (mut told, mut begun) = (BTreeMap::new(), Vec::new());
    for line in file.split_inclusive(|byte| *byte == b'\n') {
        let Ok(mut record) = serde_json::from_slice::<Map<String, Value>>(line) else { break };
        record.remove("check");
        if record.contains_key("end") {
            for (key, record) in begun.drain(..) {
                match record {
                    Some(record) => told.insert(key, record),
                    None => told.remove(&key),
                };
            }
            continue;
        }
        let forgotten = record.remove("forget");
        let Some(Value::String(kind)) = forgotten.clone().or(record.remove("set")) else { continue };
        let is_key = |name: &str| match &*kind {
            kind if ONLY_BY_EVENT.contains(&kind) => name == "event_id",
            "ban_redaction" => ["room_id", "user_id"].contains(&name),
            "watermark" | "gaps" => ["room_id", "stream"].contains(&name),
            _ => KEYS.contains(&name),
        };
        let key: Map<String, Value> =
            record.iter().filter(|(name, _)| is_key(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
        record.retain(|name, _| !["run", "at"].contains(&&**name));
        if let Some(ranges) = record.get_mut("ranges") {
            let all: Vec<[i64; 3]> = serde_json::from_str(ranges.as_str().unwrap()).unwrap();
            *ranges = format!("{:?}", all.iter().map(|[first, last, _]| (first, last)).collect::<Vec<_>>()).into();
        }
        if kind != "run" && kind != "chain" {
            let key = format!("{kind} {}", Value::Object(key));
            begun.push((key, forgotten.is_none().then(|| Value::Object(record).to_string())));
        }
    }
    let told: Vec<String> = told.into_iter().map(|(key, record)| format!("{key} {record}\n")).collect();
    told.concat()
}

/// Whether a path is that of one of these kinds of files: `.md`.
pub(crate) fn is_a(path: &str, kinds: &[&str]) -> bool {
    kinds.iter().any(|kind| path.strip_suffix(kind).is_some())
}

/// The parts in which two differ, with both.
pub(crate) fn differences(one: &State, other: &State) -> String {
    let names: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let differing = names.into_iter().filter(|name| one.get(*name) != other.get(*name));
    let all = differing.map(|name| format!("{name}\n  {:?}\n  {:?}\n", one.get(name), other.get(name)));
    all.collect()
}

/// The permissions of everything in an archive, and its own.
pub(crate) fn modes(archive: &Path) -> BTreeMap<PathBuf, u32> {
    let mut modes = BTreeMap::new();
    let mut paths = vec![archive.to_owned()];
    while let Some(path) = paths.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_symlink() {
            continue;
        }
        if metadata.is_dir() {
            paths.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        modes.insert(path, metadata.permissions().mode() & 0o7777);
    }
    modes
}

pub(crate) fn copy(from: &Path, to: &Path) {
    if from.is_symlink() {
        std::os::unix::fs::symlink(fs::read_link(from).unwrap(), to).unwrap();
    } else if from.is_dir() {
        fs::create_dir(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let name = entry.unwrap().file_name();
            copy(&from.join(&name), &to.join(&name));
        }
    } else {
        fs::copy(from, to).unwrap();
    }
}

fn column(catalog: &Connection, sql: &str) -> Vec<String> {
    let mut statement = catalog.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}
