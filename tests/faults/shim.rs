//! Runs the program with `shim.c` between it and the system.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

pub(crate) const EPERM: i32 = 1;
pub(crate) const EIO: i32 = 5;
pub(crate) const EACCES: i32 = 13;
pub(crate) const EINVAL: i32 = 22;
pub(crate) const ENOSPC: i32 = 28;
pub(crate) const EROFS: i32 = 30;
pub(crate) const ENOSYS: i32 = 38;
pub(crate) const EOPNOTSUPP: i32 = 95;

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Fail(i32),
    /// A write stops half-way, and the next one fails; any other call just fails.
    Short(i32),
    Kill,
    /// As `Kill`, after half of a write.
    HalfKill,
}

/// Which calls fail, and how.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// All, or those with these names, of which `shim.c` knows some.
    calls: Option<&'static str>,
    first: usize,
    last: usize,
    deed: Deed,
    fatal: usize,
}

impl Fault {
    /// The `n`th call, from 1.
    pub(crate) fn at(n: usize, deed: Deed) -> Fault {
        Fault { calls: None, first: n, last: n, deed, fatal: 0 }
    }

    /// Whether the calls fail so.
    pub(crate) fn is(&self, deed: Deed) -> bool {
        self.deed == deed
    }

    /// Every call.
    pub(crate) fn always(deed: Deed) -> Fault {
        Fault::at(1, deed).lasting()
    }

    /// And all that follow.
    pub(crate) fn lasting(self) -> Fault {
        Fault { last: usize::MAX >> 1, ..self }
    }

    /// And so many calls later the program is killed.
    pub(crate) fn then_kill(self, later: usize) -> Fault {
        Fault { fatal: self.first + later, ..self }
    }

    /// Of the calls with these names, separated by spaces.
    pub(crate) fn of(self, calls: &'static str) -> Fault {
        Fault { calls: Some(calls), ..self }
    }

    pub(crate) fn lasts(&self) -> bool {
        self.last > self.first
    }

    pub(crate) fn is_aftermath(&self) -> bool {
        self.fatal > 0
    }

    pub(crate) fn kills(&self) -> bool {
        self.fatal > 0 || matches!(self.deed, Deed::Kill | Deed::HalfKill)
    }
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) killed: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    #[track_caller]
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn saying(self, part: &str) -> Self {
        assert!(self.stderr.contains(part), "it does not say {part:?}: {self:#?}");
        self
    }
}

/// `synapse-export` with nothing of this process's environment.
pub(crate) fn program(archive: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_synapse-export"));
    command.env_clear().env("SYNAPSE_EXPORT_ARCHIVE", archive).args(arguments).stdin(Stdio::null());
    command
}

/// The same, preloaded.
pub(crate) fn shimmed(archive: &Path, fault: Option<&Fault>, arguments: &[&str]) -> Command {
    let mut command = program(archive, arguments);
    command.env("LD_PRELOAD", shim()).env("FAULT_BELOW", archive);
    if let Some(Fault { calls, first, last, deed, fatal }) = fault {
        command.env("FAULT_FIRST", first.to_string()).env("FAULT_LAST", last.to_string());
        command.env("FAULT_KILL", fatal.to_string());
        command.env(
            "FAULT_DO",
            match deed {
                Deed::Fail(errno) => errno.to_string(),
                Deed::Short(errno) => format!("short {errno}"),
                Deed::Kill => "kill".to_owned(),
                Deed::HalfKill => "half".to_owned(),
            },
        );
        if let Some(calls) = calls {
            command.env("FAULT_CALLS", format!(" {calls} "));
        }
    }
    command
}

pub(crate) fn ended(command: &mut Command) -> Ended {
    let output = command.output().expect("the program can be run");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it speaks UTF-8");
    let ended = Ended {
        code: output.status.code(),
        killed: output.status.signal() == Some(9),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    };
    assert!(!ended.stderr.contains("panicked"), "{ended:#?}");
    assert!(!ended.stderr.contains(crate::story::SAID), "an error quotes what somebody said: {ended:#?}");
    ended
}

/// Runs the program with a fault.
pub(crate) fn run(archive: &Path, fault: Option<&Fault>, arguments: &[&str]) -> Ended {
    ended(&mut shimmed(archive, fault, arguments))
}

/// A call that changed the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// Below the archive, which is `.` itself.
    pub(crate) path: String,
}

/// Runs the program: all its calls.
pub(crate) fn traced(archive: &Path, fault: Option<&Fault>, arguments: &[&str]) -> (Ended, Vec<Call>) {
    let directory = tempfile::tempdir().expect("cannot make a directory");
    let trace = directory.path().join("trace");
    let ended = ended(shimmed(archive, fault, arguments).env("FAULT_TRACE", &trace));
    let text = fs::read_to_string(&trace).expect("the shim writes what it counts");
    let call = |line: &str| {
        let (name, path) = line.split_once(' ').expect("a call and a path");
        Call { name: name.to_owned(), path: path.to_owned() }
    };
    (ended, text.lines().map(call).collect())
}

/// The shim, compiled when it is first asked for.
fn shim() -> &'static Path {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/shim.c");
        let shim = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults-shim.so");
        // another run of these tests may be using it
        let new = shim.with_extension(std::process::id().to_string());
        let arguments = ["-shared", "-fPIC", "-O1", "-U_FORTIFY_SOURCE", source, "-ldl", "-o"];
        let status = Command::new("cc").args(arguments).arg(&new).status().expect("cannot run cc");
        assert!(status.success(), "cc cannot compile {source}");
        fs::rename(new, &shim).expect("cannot rename the shim");
        shim
    })
}
