//! What a real Synapse, real clients and a real bridge's store have: the files of `testdata/encrypted`.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of this")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};

use flate2::read::GzDecoder;
use serde_json::Value;

fn path(name: &str) -> String {
    format!("{}/../testdata/encrypted/{name}", env!("CARGO_MANIFEST_DIR"))
}

pub fn file(name: &str) -> File {
    File::open(path(name)).unwrap()
}

pub fn secrets() -> Value {
    serde_json::from_str(&std::fs::read_to_string(path("secrets.json")).unwrap()).unwrap()
}

/// What each event says, and what each source makes of it.
pub fn truth() -> Vec<Value> {
    let lines = BufReader::new(GzDecoder::new(file("truth.jsonl.gz"))).lines();
    let all = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap());
    all.filter(|truth: &Value| truth.get("clear").is_none()).collect()
}

/// The rows of a table, by their columns; null is none.
pub fn rows(script: &str, table: &str) -> Vec<BTreeMap<String, Option<String>>> {
    let mut text = String::new();
    GzDecoder::new(file(script)).read_to_string(&mut text).unwrap();
    let mut lines = text.lines().skip_while(|line| !line.starts_with(&format!("copy {table} (")));
    let head = lines.next().unwrap();
    let columns: Vec<&str> = head[head.find('(').unwrap() + 1..head.find(')').unwrap()].split(", ").collect();
    let row = |line: &str| {
        let value = |text: &str| (text != r"\N").then(|| text.replace(r"\\", "\\"));
        columns.iter().map(|column| (*column).to_owned()).zip(line.split('\t').map(value)).collect()
    };
    lines.take_while(|line| *line != r"\.").map(row).collect()
}

/// The content of each event, by its id.
pub fn contents() -> BTreeMap<String, String> {
    let of = |row: BTreeMap<String, Option<String>>| {
        let event: Value = serde_json::from_str(row["json"].as_deref().unwrap()).unwrap();
        (row["event_id"].clone().unwrap(), event["content"].to_string())
    };
    rows("synapse.sql.gz", "event_json").into_iter().map(of).collect()
}

/// The bytes that `bytea` is written as.
pub fn bytes(text: &str) -> Vec<u8> {
    let digits = text.strip_prefix(r"\x").unwrap();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}
