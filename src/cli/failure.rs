//! `--on-failure`: a command of the user's, for when an export has failed.
//!
//! It learns how by its environment, and nothing of the connection.

use std::process::{Command, Stdio};

use tracing::warn;

/// What it must not learn from us: the connection, and the password in it.
const WITHHELD: [&str; 3] = ["SYNAPSE_EXPORT_DATABASE", "PGPASSWORD", "PGPASSFILE"];

/// Has a command run by `sh`, and waits for its end.
pub(super) fn tell(command: &str, archive: &str, status: u8, message: &str) {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).stdin(Stdio::null());
    // nothing of it belongs to the data
    shell.stdout(Stdio::null());
    for name in WITHHELD {
        shell.env_remove(name);
    }
    shell.env("SYNAPSE_EXPORT_STATUS", status.to_string());
    shell.env("SYNAPSE_EXPORT_MESSAGE", message).env("SYNAPSE_EXPORT_ARCHIVE", archive);
    match shell.status() {
        Ok(status) if status.success() => {}
        Ok(status) => warn!("the command of --on-failure has failed itself: {status}"),
        Err(error) => warn!("the command of --on-failure cannot be run: {error}"),
    }
}
