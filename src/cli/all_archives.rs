//! `synapse-export export --all-archives`: one export after the other, each a process of its own with the same options.
//!
//! Whether one fails or not, the next is begun; a signal ends the one that runs, and all.

use std::ffi::OsString;

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};
use tracing::info;

use super::config_file::ConfigFile;
use super::signals::{Now, first, watch_signals};
use super::{Outcome, WrongUsage, log};

pub(super) fn run(file: Option<&ConfigFile>) -> Result<Outcome> {
    let names: Vec<String> = file.into_iter().flat_map(ConfigFile::archives).map(str::to_owned).collect();
    if names.is_empty() {
        let why = "--all-archives is for those of a configuration file, as [archive.NAME], and there is none with any";
        return Err(WrongUsage(why.to_owned()).into());
    }
    let given: Vec<OsString> = std::env::args_os().skip(1).filter(|argument| argument != "--all-archives").collect();
    let program = std::env::current_exe().context("cannot find this program")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, _stopped) = tokio::sync::watch::channel(false);
    let signal = watch_signals(stop, Now::is("stopping"))?;
    let mut worst = 0;
    for name in names {
        info!(archive = name, "the archive {}:", log::visible(&name));
        let mut command = tokio::process::Command::new(&program);
        command.args(&given).arg("--archive").arg(&name);
        let mut child = {
            let _context = runtime.enter();
            command.spawn().context("cannot run another export")?
        };
        let status = runtime.block_on(async {
            tokio::select! {
                status = child.wait() => status,
                Some(number) = first(signal.clone()) => {
                    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
                    let number = if number == 2 { Signal::INT } else { Signal::TERM };
                    if let Some(pid) = pid {
                        // one that has ended by now has
                        let _ = kill_process(pid, number);
                    }
                    child.wait().await
                }
            }
        });
        let status = status.context("cannot wait for another export")?;
        if let Some(number) = *signal.borrow() {
            return Ok(Outcome::Signalled(number));
        }
        // one that was killed has failed
        worst = worse(worst, status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1));
    }
    Ok(if worst == 0 { Outcome::Done } else { Outcome::Ended(worst) })
}

/// Of two statuses the one that all of them have: a failure before what may work later, and that before what is off.
fn worse(one: u8, other: u8) -> u8 {
    let rank = |status: u8| match status {
        0 => 0,
        3 => 1,
        75 => 2,
        _ => 3,
    };
    if rank(other) > rank(one) { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::worse;

    #[test]
    fn a_failure_is_worse_than_what_may_work_later_and_that_than_what_is_off() {
        let all = |statuses: &[u8]| statuses.iter().fold(0, |worst, status| worse(worst, *status));
        assert_eq!((all(&[0, 3, 0]), all(&[3, 75, 3]), all(&[75, 1, 3]), all(&[2, 1]), all(&[])), (3, 75, 1, 2, 0));
    }
}
