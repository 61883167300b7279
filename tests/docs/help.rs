//! What `--help` says.

use std::process::Command;

/// What the program says of a command.
fn help(command: &[String]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_synapse-export")).args(command).arg("--help").env_clear().output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that a help lists.
fn listed(help: &str) -> Vec<String> {
    let after = help.split("\nCommands:\n").nth(1).unwrap_or_default();
    let lines = after.lines().take_while(|line| !line.is_empty());
    let names = lines
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// The examples of all commands, in the order of the help.
pub(crate) fn examples() -> Vec<String> {
    let mut examples = Vec::new();
    let mut commands = vec![Vec::new()];
    while let Some(command) = commands.pop() {
        let text = help(&command);
        let mut lines = text.lines().skip_while(|line| !matches!(*line, "Example:" | "Examples:")).skip(1);
        let lines: Vec<&str> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        examples.extend(super::commands::commands(&lines.join("\n")).iter().map(|line| line.trim().to_owned()));
        commands.extend(listed(&text).into_iter().rev().map(|name| command.iter().cloned().chain([name]).collect()));
    }
    examples
}

#[test]
fn the_help_of_every_command_has_an_example_of_it() {
    let mut commands = vec![Vec::new()];
    let mut looked = 0;
    while let Some(command) = commands.pop() {
        let text = help(&command);
        let below = listed(&text);
        let example =
            ["  synapse-export".to_owned()].into_iter().chain(command.iter().cloned()).collect::<Vec<_>>().join(" ");
        assert!(text.lines().any(|line| line.starts_with(&example)), "no example in the help of {command:?}:\n{text}");
        looked += 1;
        commands.extend(below.into_iter().map(|name| command.iter().cloned().chain([name]).collect()));
    }
    assert!(looked > 20, "{looked}");
}
