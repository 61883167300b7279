//! Runs the command line. Decides nothing: all of it is in the library, where tests reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    synapse_export::cli::run()
}
