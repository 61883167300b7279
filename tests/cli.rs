//! The command as a user runs it: what it says, how it ends, what it leaves behind.

mod support;

#[path = "cli/archives.rs"]
mod archives;
#[path = "cli/catalogs.rs"]
mod catalogs;
#[path = "cli/handed_on.rs"]
mod handed_on;
#[path = "cli/handed_over.rs"]
mod handed_over;
#[path = "cli/interrupted.rs"]
mod interrupted;
#[path = "cli/lies.rs"]
mod lies;
#[path = "cli/logs.rs"]
mod logs;
#[path = "cli/media.rs"]
mod media;
#[path = "cli/others.rs"]
mod others;
#[path = "cli/outputs.rs"]
mod outputs;
#[path = "cli/pages.rs"]
mod pages;
#[path = "cli/pictures.rs"]
mod pictures;
#[path = "cli/postgres_outputs.rs"]
mod postgres_outputs;
#[path = "cli/readers.rs"]
mod readers;
#[path = "cli/room.rs"]
mod room;
#[path = "cli/rooms.rs"]
mod rooms;
#[path = "cli/said.rs"]
mod said;
#[path = "cli/search.rs"]
mod search;
#[path = "cli/searched_with_sql.rs"]
mod searched_with_sql;
#[path = "cli/show.rs"]
mod show;
#[path = "cli/status.rs"]
mod status;
#[path = "cli/transcripts.rs"]
mod transcripts;
#[path = "cli/upgrade.rs"]
mod upgrade;
#[path = "cli/watermark.rs"]
mod watermark;

use std::collections::BTreeMap;
use std::path::Path;

use support::ended::{Ended, command, ended};
use support::story::ROOM;
use support::{Database, Shape, cluster};

fn run(arguments: &[&str]) -> Ended {
    ended(command().args(arguments))
}

/// A path as an argument.
fn text(path: &Path) -> &str {
    path.to_str().expect("a path of ours is UTF-8")
}

/// `synapse-export export`, with more arguments.
fn export(database: &Database, archive: &Path, more: &[&str]) -> Ended {
    ended(command().args(["export", "--database", &database.dsn(), "--archive", text(archive)]).args(more))
}

/// A server with one user, one room and five events.
fn server() -> Database {
    let database = cluster().database("cli", Shape::V1_163);
    database.user("@alice:here.test");
    database.room(ROOM, "10");
    database.events([1, 2, 3, -1, -2]);
    database
}

/// Every file of an archive that is not there for the time of a run only.
fn contents(archive: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut contents = BTreeMap::new();
    let mut directories = vec![archive.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).expect("a directory can be listed") {
            let path = entry.expect("a directory can be listed").path();
            if path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                directories.push(path);
            } else if path.file_name().is_some_and(|name| name != ".lock") {
                let bytes = std::fs::read(&path).expect("a file can be read");
                contents.insert(path.strip_prefix(archive).expect("it is below").display().to_string(), bytes);
            }
        }
    }
    contents
}
