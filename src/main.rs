//! Runs the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    synapse_export::cli::run()
}
