//! Runs the command as a user does, and looks at how it ended. Knows no command in particular.

use std::time::Duration;

use assert_cmd::Command;

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// The code, once what was said is known not to matter.
    #[track_caller]
    pub fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// What is said on stderr.
    #[track_caller]
    pub fn saying(self, part: &str) -> Self {
        assert!(self.stderr.contains(part), "it does not say {part:?}: {self:#?}");
        self
    }

    /// What is said, wherever.
    #[track_caller]
    pub fn telling(self, part: &str) -> Self {
        assert!(self.stderr.contains(part) || self.stdout.contains(part), "it does not say {part:?}: {self:#?}");
        self
    }
}

/// The command, with nothing of this process's environment.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_synapse-export"));
    command.env_clear().timeout(Duration::from_secs(240));
    command
}

/// Runs it.
pub fn ended(command: &mut Command) -> Ended {
    let output = command.output().expect("the command can be run");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it speaks UTF-8");
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}
