//! The server, the archive and the files that the commands of the documentation are about.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::repository;
use crate::support::story::{EventRow, NOON};
use crate::support::{Database, Shape, cluster};

/// The rooms of the documentation, by the names they have on this server.
const OPS: &str = "!ops:lab.test";
const LOBBY: &str = "!OGEhHVWSdvArJzumhm:lab.test";
/// Encrypted ones, of the sample in `testdata/encrypted`.
const BRIDGED: &str = "!oDTimeTA4XEjPsYh0zKtMxWRNThA_CL8FTgefezl41U";
const ENCRYPTED: &str = "!Q262E2zPn9Ww-l8BxjfzGtnHJhrdBhCOiwTpNcRb3rU";
/// The event whose id the documentation abbreviates, and whose anchor it names.
const EVENT: &str = "$Xf3q0bNs-k2_0123456789abcdefghijklmnopqrstu";
/// The role that `sql/reader_role.sql` makes.
const ROLE: &str = "synapse_export";

/// A server as the documentation has it, and an archive of all of it.
pub(crate) struct Server {
    database: Database,
    bridge: Database,
    warehouse: Database,
    secrets: Value,
    archives: TempDir,
}

/// A directory in which commands run, with an archive below it.
pub(crate) struct Scene<'s> {
    server: &'s Server,
    directory: TempDir,
}

fn sample(name: &str) -> PathBuf {
    repository().join("testdata/encrypted").join(name)
}

fn unpacked(name: &str) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(fs::File::open(sample(name)).unwrap()).read_to_string(&mut text).unwrap();
    text
}

impl Server {
    /// With rooms in the clear and encrypted ones, a bridge, somebody's key backup, and the roles that the documentation makes.
    pub(crate) fn new() -> Self {
        let database = cluster().database("documented", Shape::V1_163);
        database.execute(include_str!("../../testdata/schema/keys.sql"));
        database.psql(&unpacked("synapse.sql.gz"));
        tell(&database);
        let bridge = cluster().database("documented_bridge", Shape::V1_163);
        bridge.execute(include_str!("../../testdata/schema/bridge.sql"));
        bridge.psql(&unpacked("bridge.sql.gz"));
        let warehouse = cluster().database("documented_warehouse", Shape::V1_163);
        warehouse.execute("drop schema public cascade");
        for script in [
            include_str!("../../sql/reader_role.sql"),
            include_str!("../../sql/reader_role_keys.sql"),
            include_str!("../../sql/reader_role_media.sql"),
        ] {
            database.psql(script);
        }
        database.execute("analyze");
        let secrets = serde_json::from_str(&fs::read_to_string(sample("secrets.json")).unwrap()).unwrap();
        let server = Self { database, bridge, warehouse, secrets, archives: tempfile::tempdir().unwrap() };
        let mut export = Command::new(env!("CARGO_BIN_EXE_synapse-export"));
        export.env_clear().args(["export", "--quiet", "--database", &server.as_role(), "--archive"]);
        let exported = export.arg(server.archives.path().join("archive")).output().unwrap();
        assert!(exported.status.success(), "{exported:?}");
        server
    }

    fn as_role(&self) -> String {
        self.database.dsn().replace("user=postgres", &format!("user={ROLE}"))
    }

    fn secret(&self, path: &str) -> String {
        self.secrets.pointer(path).unwrap().as_str().unwrap().to_owned()
    }
}

/// Rooms, people and messages that the commands look for.
fn tell(database: &Database) {
    let id = 100_000;
    for user in ["alice", "bob", "mallory"] {
        database.user(&format!("@{user}:lab.test"));
    }
    for room in [OPS, LOBBY] {
        database.room(room, "10");
    }
    // from noon on of the day that the documentation has
    let by = |who: &str, row: EventRow| {
        let at = Some(NOON + 1000 * (row.stream_ordering - id));
        EventRow { sender: format!("@{who}:lab.test"), ts: at, received_ts: at, ..row }
    };
    let state = |id: i64, kind: &str, key: &str, content: Value, room: &str| {
        database.event(by("alice", EventRow::state(id, kind, key, &content)).within(room));
    };
    for (first, room, name, alias) in
        [(id, OPS, "team ops", "#ops:lab.test"), (id + 20, LOBBY, "Lobby", "#lobby:lab.test")]
    {
        state(first, "m.room.create", "", json!({ "room_version": "10" }), room);
        for (nth, who) in (1..).zip(["alice", "bob", "mallory"]) {
            let content = json!({ "membership": "join", "displayname": who });
            database.event(
                by(who, EventRow::state(first + nth, "m.room.member", &format!("@{who}:lab.test"), &content))
                    .within(room),
            );
        }
        state(first + 5, "m.room.name", "", json!({ "name": name }), room);
        state(first + 6, "m.room.canonical_alias", "", json!({ "alias": alias }), room);
        database.execute(&format!("insert into room_aliases (room_alias, room_id) values ('{alias}', '{room}')"));
    }
    let said = [
        ("alice", "the failover went well"),
        ("bob", "does the replica lag?"),
        ("alice", "a quick brown replica"),
        ("mallory", "what will be erased"),
    ];
    for (nth, (who, body)) in (id + 40..).zip(said) {
        database.event(by(who, EventRow::message(nth, body)).within(OPS));
    }
    // yesterday's, also where the day ends while this runs
    let today = chrono::Utc::now().timestamp_millis();
    for (nth, at) in [(id + 50, today - 24 * 3600 * 1000), (id + 52, today)] {
        let image = json!({ "msgtype": "m.image", "body": "graph.png", "url": "mxc://lab.test/graph" });
        let image = by("bob", EventRow { content: image.to_string(), ..EventRow::at(nth) });
        database.event(EventRow { ts: Some(at), ..image }.within(OPS));
    }
    let known = EventRow { event_id: EVENT.to_owned(), ..EventRow::message(id + 51, "this one") };
    database.event(by("alice", known).within(OPS));
}

impl<'s> Scene<'s> {
    /// With a copy of the archive, and the files that commands name.
    pub(crate) fn new(server: &'s Server) -> Self {
        let scene = Self { server, directory: tempfile::tempdir().unwrap() };
        for directory in [
            "bin",
            "srv",
            "srv/erased",
            "mnt/nas",
            "var/lib",
            "etc/synapse-export",
            "etc/mautrix-signal",
            "var/lib/matrix-synapse/media",
            "mnt/old-media",
        ] {
            fs::create_dir_all(scene.path(directory)).unwrap();
        }
        symlink(env!("CARGO_BIN_EXE_synapse-export"), scene.path("bin/synapse-export")).unwrap();
        symlink(repository().join("sql"), scene.path("sql")).unwrap();
        let recovery = server.secret("/people/alice/recovery_key");
        let config = format!(
            "database:\n  type: postgres\n  uri: {}\nencryption:\n  pickle_key: {}\n",
            server.bridge.url(),
            server.secret("/pickle_keys/"),
        );
        let keys = json!({ "server_name": "lab.test", "verify_keys": { "ed25519:a": { "key": "XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI" } } });
        for (name, text) in [
            ("noisy-rooms.txt", format!("{LOBBY}   # too much\n")),
            ("alice.recovery", recovery.clone()),
            ("etc/synapse-export/alice.recovery", recovery),
            ("etc/mautrix-signal/config.yaml", config),
            ("keys.json", keys.to_string()),
            ("alice.passphrase", server.secret("/people/alice/export_passphrase")),
            ("alice.keys.txt", fs::read_to_string(sample("alice.keys.txt")).unwrap()),
            ("keys.passphrase", "of a documented store".to_owned()),
        ] {
            fs::write(scene.path(name), text).unwrap();
        }
        scene.store_of_a_bridge();
        // empty, as the documentation makes it
        server.warehouse.execute("drop schema if exists synapse_archive cascade");
        server.warehouse.psql(include_str!("../../sql/output_role.sql"));
        let archive = server.archives.path().join("archive");
        let copied = Command::new("cp").arg("-a").args([&archive, &scene.path("archive")]).status().unwrap();
        assert!(copied.success());
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The store of the bridge as a file, as bridges have it that keep their data in SQLite.
    fn store_of_a_bridge(&self) {
        let store = rusqlite::Connection::open(self.path("bridge.db")).unwrap();
        let columns = "account_id, session_id, sender_key, signing_key, room_id, session, forwarding_chains, withheld_code, withheld_reason";
        store.execute_batch(&format!("create table crypto_megolm_inbound_session ({columns})")).unwrap();
        let rows = self.server.bridge.query_one_text(
            "select json_agg(json_build_array(account_id, session_id, sender_key, room_id, convert_from(session, 'UTF8'), withheld_code))::text
               from crypto_megolm_inbound_session",
        );
        for row in serde_json::from_str::<Vec<[Option<String>; 6]>>(&rows).unwrap() {
            let sql = "insert into crypto_megolm_inbound_session (account_id, session_id, sender_key, room_id, session, withheld_code)
                 values (?1, ?2, ?3, ?4, ?5, ?6)";
            store.execute(sql, rusqlite::params_from_iter(row)).unwrap();
        }
    }

    /// A line of the documentation, with the names of this server, its files and directories in place of those that it has.
    fn here(&self, line: &str) -> String {
        let directory = self.directory.path().display().to_string();
        let encrypted = line.contains("--decrypt") || line.contains("keys check");
        let group = String::from_utf8(Command::new("id").arg("-gn").output().unwrap().stdout).unwrap();
        let psql = |database: &Database| format!("psql -X '{}'", database.dsn());
        let (psql, psql_of_warehouse) = (psql(&self.server.database), psql(&self.server.warehouse));
        let warehouse =
            self.server.warehouse.url().replace("postgres@", "synapse_archive@").replacen("postgresql", "postgres", 1);
        let mut line = line.to_owned();
        if encrypted {
            line = line
                .replace("@alice:example.org", "@alicep7h84:lab.test")
                .replace("'team ops'", &format!("'{ENCRYPTED}'"));
        }
        let names: [(&str, &str); 20] = [
            ("sudo -u postgres psql -d synapse", &psql),
            ("--database postgres://synapse_export@replica.example.org/synapse", ""),
            ("--database postgres://…", ""),
            ("--database postgres://reader@replica/synapse", ""),
            // it goes on until it is told to end, which is no failure of it
            ("synapse-export export --follow", "timeout --preserve-status 5 synapse-export export --follow"),
            ("sudo -u postgres psql -d archive", &psql_of_warehouse),
            ("postgres://synapse_archive@db.example.org/archive", &warehouse),
            ("example.org", "lab.test"),
            ("'Signal chat'", &format!("'{BRIDGED}'")),
            ("!id", OPS),
            ("\\$0123…", &format!("\\{EVENT}")),
            ("$Xf3…", EVENT),
            ("archive-readers", group.trim()),
            ("/srv/archive/rooms/", "archive/rooms/"),
            ("/srv/", &format!("{directory}/srv/")),
            ("/mnt/", &format!("{directory}/mnt/")),
            ("/var/lib/", &format!("{directory}/var/lib/")),
            ("/etc/", &format!("{directory}/etc/")),
            ("~/", &format!("{directory}/")),
            ("--archive DIR", "--archive archive"),
        ];
        names.into_iter().fold(line, |line, (there, here)| line.replace(there, here))
    }

    /// Runs a line as a shell does.
    pub(crate) fn run(&self, line: &str) -> Ended {
        let line = self.here(line);
        let programs = self.server.database.programs();
        let mut command = Command::new("bash");
        command
            .args(["-euo", "pipefail", "-c", &line])
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .env_clear();
        command.env("PATH", format!("{}:{}:/usr/bin:/bin", self.path("bin").display(), programs.display()));
        command.env("HOME", self.directory.path()).env("LC_ALL", "C.UTF-8");
        command
            .env("SYNAPSE_EXPORT_DATABASE", self.server.as_role())
            .env("SYNAPSE_EXPORT_ARCHIVE", self.path("archive"));
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ended { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

/// How a line ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Whether a program is there to be run.
pub(crate) fn is_there(program: &str) -> bool {
    ["/usr/bin", "/bin"].iter().any(|directory| Path::new(directory).join(program).exists())
}
