//! Commands of the user's, which `sh` runs: `--on-failure`, and `--hold-while`.
//!
//! They learn what the export is about by their environment, and nothing of the connection.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::watch;
use tracing::{info, warn};

use super::signals::first;
use crate::archive::Archive;

/// What they must not learn from us: the connection, and the password in it.
const WITHHELD: [&str; 3] = ["SYNAPSE_EXPORT_DATABASE", "PGPASSWORD", "PGPASSFILE"];

fn shell(command: &str, archive: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).stdin(Stdio::null()).env("SYNAPSE_EXPORT_ARCHIVE", archive);
    for name in WITHHELD {
        shell.env_remove(name);
    }
    shell
}

/// Has a command told that an export has failed, and waits for its end.
pub(super) fn tell_of_failure(command: &str, archive: &str, status: u8, message: &str) {
    let mut shell = shell(command, archive);
    // nothing of it belongs to the data
    shell.stdout(Stdio::null());
    shell.env("SYNAPSE_EXPORT_STATUS", status.to_string()).env("SYNAPSE_EXPORT_MESSAGE", message);
    match shell.status() {
        Ok(status) if status.success() => {}
        Ok(status) => warn!("the command of --on-failure has failed itself: {status}"),
        Err(error) => warn!("the command of --on-failure cannot be run: {error}"),
    }
}

/// Has a command run while nobody else may write to an archive, which is at rest, and waits for its end. A signal is passed on to it and
/// to what it has begun.
pub(super) async fn hold_while(
    command: &str,
    archive: &mut Archive,
    signal: &watch::Receiver<Option<u8>>,
) -> Result<()> {
    if !tokio::task::block_in_place(|| archive.rest())? {
        info!("somebody looks at the catalog: what is copied now has a part of it in catalog.sqlite-wal");
    }
    info!("the archive is held for the command of --hold-while");
    let mut shell = shell(command, &archive.directory().to_string_lossy());
    let catalog = archive.catalog().directory();
    shell.env("SYNAPSE_EXPORT_CATALOG", catalog.unwrap_or_else(|| archive.directory()));
    let mut shell = tokio::process::Command::from(shell);
    // a group of its own, so that a signal reaches all that it has begun: what goes on copying must not outlast the lock
    let mut child = shell.process_group(0).spawn().context("the command of --hold-while cannot be run")?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let status = tokio::select! {
        status = child.wait() => status,
        Some(number) = first(signal.clone()) => {
            if let Some(group) = group {
                // one that has ended by now has
                let _ = kill_process_group(group, if number == 2 { Signal::INT } else { Signal::TERM });
            }
            child.wait().await
        }
    };
    let status = status.context("the end of the command of --hold-while cannot be waited for")?;
    archive.check_lock()?;
    if !status.success() && signal.borrow().is_none() {
        bail!("the export is done, but the command of --hold-while has failed: {status}");
    }
    Ok(())
}
