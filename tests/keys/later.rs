//! Keys that come later: which sources are asked again, and when.

use std::process::{Child, Command, Stdio};

use rusqlite::Connection;

use super::archive::{Archive, assert_same};
use super::{ALICE, BOB, Lab, options};
use crate::support::wait_until;

/// More than the week after which a source is looked through in which nothing says to have changed, in milliseconds.
const LONG_AGO: i64 = 8 * 24 * 60 * 60 * 1_000;

/// How many events can be read by now, and how many of these by sessions that somebody vouches for.
fn readable(archive: &Archive<'_>) -> (usize, usize) {
    let sql = "select count(*), coalesce(sum(authenticated), 0) from event cross join plaintext using (event) where reason is null";
    let count = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
    let (readable, vouched_for) = open(archive).query_row(sql, [], count).unwrap();
    (readable.try_into().unwrap(), vouched_for.try_into().unwrap())
}

fn open(archive: &Archive<'_>) -> Connection {
    Connection::open(archive.directory.join("decrypted.sqlite")).unwrap()
}

/// As if it had been more than a week ago that sources were looked through.
fn a_week_goes_by(archive: &Archive<'_>) {
    let changed = open(archive)
        .execute("update source set looked = looked - ?1, vouched = vouched - ?1 where looked is not null", [LONG_AGO]);
    assert!(changed.unwrap() > 0);
}

#[test]
fn a_backup_is_asked_again_when_its_etag_moves_and_once_a_week() {
    let lab = Lab::new("later_backup");
    let whole = Archive::new(&lab, "whole");
    whole.export_with(&[lab.backup("alice", ALICE)]);
    let in_the_end = readable(&whole).0;
    lab.synapse.execute(
        "create table kept as select * from e2e_room_keys order by session_id;
         create table half as select * from kept limit (select count(*) / 2 from kept);
         delete from e2e_room_keys",
    );
    let archive = Archive::new(&lab, "archive");
    archive.export_with(&[lab.backup("alice", ALICE)]);
    assert_eq!(readable(&archive).0, 0);
    // nothing says that these have come
    lab.synapse.execute("insert into e2e_room_keys select * from half");
    archive.export(&[]);
    assert_eq!(readable(&archive).0, 0);
    a_week_goes_by(&archive);
    archive.export(&[]);
    let some = readable(&archive).0;
    assert!(0 < some && some < in_the_end, "{some} of {in_the_end}");
    lab.synapse.execute("insert into e2e_room_keys select * from kept on conflict do nothing");
    archive.export(&[]);
    assert_eq!(readable(&archive).0, some);
    lab.synapse.execute("update e2e_room_keys_versions set etag = etag + 1");
    archive.export(&[]);
    assert_eq!(readable(&archive).0, in_the_end);
    assert_same(&archive, &whole);
}

#[test]
fn a_bridge_is_asked_each_time_and_weekly_whether_it_vouches() {
    let lab = Lab::new("later_bridge");
    let sources = [lab.backup("bob", BOB), lab.bridge()];
    let whole = Archive::new(&lab, "whole");
    whole.export_with(&sources);
    let in_the_end = readable(&whole);
    lab.bridge.execute(
        "create table kept as select * from crypto_megolm_inbound_session; delete from crypto_megolm_inbound_session",
    );
    let archive = Archive::new(&lab, "archive");
    archive.export_with(&sources);
    let before = readable(&archive);
    assert!(before.0 > 0 && before.1 == 0, "{before:?}");
    lab.bridge.execute("insert into crypto_megolm_inbound_session select * from kept");
    // what it opens alone; of the others nobody has asked it yet
    archive.export(&[]);
    let then = readable(&archive);
    assert!(then.0 == in_the_end.0 && 0 < then.1 && then.1 < in_the_end.1, "{before:?} {then:?} {in_the_end:?}");
    a_week_goes_by(&archive);
    archive.export(&[]);
    assert_eq!(readable(&archive), in_the_end);
    assert_same(&archive, &whole);
}

/// An export that follows, ended when dropped.
struct Follower(Child);

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn who_follows_looks_keys_up_while_nothing_else_is_new() {
    let lab = Lab::new("later_follow");
    lab.bridge.execute(
        "create table kept as select * from crypto_megolm_inbound_session; delete from crypto_megolm_inbound_session",
    );
    let (archive, sources) = (lab.path("archive"), [lab.backup("bob", BOB), lab.bridge()]);
    let said = lab.path("log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_synapse-export"));
    command.env_clear().args(["export", "--follow", "--interval", "1s", "--render-every", "0s", "--decrypt"]);
    command.args(["--archive", &archive, "--database", &lab.synapse.dsn()]).args(options(&sources));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(std::fs::File::create(&said).unwrap());
    let follower = Follower(command.spawn().unwrap());
    let has_said = |part: &str| std::fs::read_to_string(&said).unwrap().contains(part);
    wait_until("what his backup opens is decrypted", || has_said("94 encrypted events, 13 readable"));
    lab.bridge.execute("insert into crypto_megolm_inbound_session select * from kept");
    wait_until("the bridge's keys are found", || has_said("94 encrypted events, 75 readable"));
    drop(follower);
}
