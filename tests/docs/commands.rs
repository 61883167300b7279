//! The commands of the documentation, each run as it stands there.

use super::help::examples;
use super::pages;
use super::scene::{Scene, Server, is_there};

/// Lines that are not run, by how they begin, and why.
const NOT_RUN: &[(&str, &str)] = &[
    ("synapse-export export --all-archives", "it needs a file of several; tests/configuration.rs has one"),
    ("./testdata/demo", "CI runs it"),
    ("./tests/run", "it runs this"),
    ("cargo install", "it builds"),
    ("sudo -u postgres psql -d synapse -c '\\password", "it asks at a terminal"),
    ("sudo -u postgres psql -d archive -c", "it asks at a terminal"),
    ("sudo -u postgres createdb", "the test has made it"),
    ("datasette ", "it is a server, of somebody else's"),
    ("cargo deb", "it builds"),
    ("EVENTS", "it builds"),
    ("python megolm-keys/tests/peers.py", "it needs the programs of others"),
    ("sudo apt-get", "it installs"),
    ("sudo install", "it installs"),
    ("sudoedit", "it edits"),
    ("sudo system", "it needs a machine that systemd runs"),
    ("docker ", "it needs an engine"),
    ("curl ", "it needs a server that answers"),
    ("export ", "the test says where database and archive are"),
];

/// Lines that end with another status than 0, by how they begin, and what is said then. The first that fits counts.
const ENDS: [(&str, i32, &str); 3] = [
    ("synapse-export verify --quick", 0, "lines"),
    // messages that were made up for this prove nothing, unlike those of the real rooms
    ("synapse-export verify", 3, "altered"),
    // one of the two accounts in it has a key of its own
    ("synapse-export keys import", 3, "sessions could not be used"),
];

/// The commands of a block: lines, and those that go on in others.
pub(crate) fn commands(block: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut open = false;
    for line in block.lines() {
        if open {
            let last = commands.last_mut().unwrap();
            last.push('\n');
            last.push_str(line);
        } else if line.trim().is_empty() || line.starts_with('#') {
            continue;
        } else {
            commands.push(line.to_owned());
        }
        let whole = commands.last().unwrap();
        open = [" |", "\\", "\" |"].iter().any(|end| line.trim_end().ends_with(end))
            || whole.matches('"').count() % 2 == 1;
    }
    commands
}

#[test]
fn every_command_runs_and_ends_as_it_should() {
    for program in ["jq", "sqlite3"] {
        assert!(
            is_there(program),
            "{program} is not there, which the documentation uses: testdata/prerequisites installs it"
        );
    }
    let server = Server::new();
    let mut failed = Vec::new();
    let mut ran = 0;
    let mut of_pages: Vec<(String, Vec<String>)> = pages()
        .iter()
        .map(|page| (page.name.clone(), page.blocks("sh").iter().flat_map(|block| commands(block)).collect()))
        .collect();
    of_pages.retain(|(page, commands)| !commands.is_empty() && !page.starts_with("tests/"));
    of_pages.push(("--help".to_owned(), examples()));
    for (page, commands) in of_pages {
        let scene = Scene::new(&server);
        if page == "--help" {
            // what several examples ask for, and say so where it was not done
            assert_eq!(scene.run("synapse-export export --hide-erased").code, 0);
        }
        for command in commands.iter().filter(|command| !NOT_RUN.iter().any(|(begin, _)| command.starts_with(begin))) {
            let ended = scene.run(command);
            ran += 1;
            let (code, words) = expected(command);
            if ended.code != code || !(ended.stdout.clone() + &ended.stderr).contains(words) {
                failed.push(format!("{page}: {command}\n{ended:#?}"));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(ran > 50, "only {ran} commands were found");
}

fn expected(command: &str) -> (i32, &'static str) {
    ENDS.iter().find(|(begin, ..)| command.starts_with(begin)).map_or((0, ""), |(_, code, words)| (*code, *words))
}

#[test]
fn what_goes_on_in_another_line_is_one_command() {
    let block = "# a note\nsynapse-export a \\\n    b\n\nsqlite3 \"select\n  1\" |\n jq .\nlast\n";
    assert_eq!(commands(block), ["synapse-export a \\\n    b", "sqlite3 \"select\n  1\" |\n jq .", "last"]);
}
