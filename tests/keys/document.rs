//! `room --format markdown --decrypt`: what was encrypted is told as what it says, with a mark, and what relates to it counts.

use super::{ALICE, BOB, Lab, ROOMS, options};

#[track_caller]
fn document(lab: &Lab, room: &str, sources: &[&str]) -> String {
    let ended = lab.run(&[&["room", room, "--format", "markdown", "--decrypt"], sources].concat());
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.stdout
}

#[test]
fn what_was_encrypted_is_told_with_its_edits_replies_and_reactions() {
    let lab = Lab::new("document");
    // forged by whoever has the server: an edit in clear of what is encrypted
    lab.synapse.execute(&format!(
        "insert into events (topological_ordering, event_id, type, room_id, processed, outlier, depth, origin_server_ts, received_ts, sender,
                             contains_url, instance_name, stream_ordering)
         select topological_ordering + 1, '$forged', 'm.room.message', room_id, true, false, depth, origin_server_ts + 1, received_ts,
                sender, false, 'master', 1000000
           from events where event_id = '$KgnfqihUUUL6sZfDSrXrNQA5HoeWu-ZCB0-dJZfZVmY';
         insert into event_json (event_id, room_id, internal_metadata, json, format_version)
         values ('$forged', '{}', '{{}}', '{{\"type\":\"m.room.message\",\"sender\":\"{ALICE}\",\"content\":{{\"msgtype\":\"m.text\",\"body\":\"* forged\",
                 \"m.new_content\":{{\"msgtype\":\"m.text\",\"body\":\"forged\"}},\"m.relates_to\":{{\"rel_type\":\"m.replace\",
                 \"event_id\":\"$KgnfqihUUUL6sZfDSrXrNQA5HoeWu-ZCB0-dJZfZVmY\"}}}}}}', 3)",
        ROOMS[0]
    ));
    let document = document(&lab, ROOMS[0], &options(&[lab.backup("alice", ALICE), lab.bridge()]));
    let line =
        |part: &str| document.lines().find(|line| line.contains(part)).unwrap_or_else(|| panic!("{part}: {document}"));
    line("Hello from Signal");
    assert!(document.contains("🔒: it was encrypted."), "{document}");
    assert!(document.contains(" 🔒\n") || document.contains(" 🔒 ·"), "{document}");
    assert!(line("typo of a person").contains("edited"), "{document}");
    assert!(document.contains("tpyo of a person") && document.contains("earlier version"), "{document}");
    assert!(document.contains("in clear of an encrypted message"), "{document}");
    assert!(line("🎉").contains("Alicep7h84"), "{document}");
    assert!(line("> [").contains("Hello from Signal"), "{document}");
    assert!(document.contains("could not be read"), "{document}");
    // the bridge vouches for its sessions, and a backup for none
    assert_eq!(document.matches("🔒?").count(), 1, "{document}");
}

#[test]
fn without_decrypt_a_document_is_as_it_was() {
    let lab = Lab::new("plain_document");
    let ended = lab.run(&["room", ROOMS[1], "--format", "markdown"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(!ended.stdout.contains('🔒') && ended.stdout.contains("could not be read"), "{}", ended.stdout);
    let decrypted = document(&lab, ROOMS[1], &options(&[lab.backup("bob", BOB)]));
    assert!(decrypted.matches("🔒?").count() > 5, "{decrypted}");
}
