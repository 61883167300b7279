//! Writes what packages carry and the command line says: man pages and completions, to `packaging/`.

use std::fs;
use std::io;
use std::path::Path;

use clap_complete::Shell;

#[allow(dead_code, reason = "a test includes this file, for what is below")]
fn main() -> io::Result<()> {
    write(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/packaging")))
}

/// Makes `man` and `completions` anew in a directory.
pub(crate) fn write(directory: &Path) -> io::Result<()> {
    let (man, completions) = (directory.join("man"), directory.join("completions"));
    for made in [&man, &completions] {
        if made.is_dir() {
            fs::remove_dir_all(made)?;
        }
        fs::create_dir_all(made)?;
    }
    clap_mangen::generate_to(synapse_export::cli::command().disable_help_subcommand(true), &man)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut synapse_export::cli::command(), "synapse-export", &completions)?;
    }
    Ok(())
}
