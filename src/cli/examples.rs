//! An example of each command, with which its help begins. What each does, its arguments say.

use clap::Command;

/// The examples, by the words that name a command.
const EXAMPLES: &[(&str, &str)] = &[
    (
        "",
        r"synapse-export export --database postgres://synapse_export@replica.example.org/synapse \
    --archive /srv/archive
synapse-export search --archive /srv/archive from:alice failover",
    ),
    (
        "export",
        "synapse-export export --archive /srv/archive
synapse-export export --follow --archive /srv/archive
synapse-export export --room '#ops:example.org' --archive /srv/ops",
    ),
    (
        "room",
        "synapse-export room '#ops:example.org' > ops.jsonl
synapse-export room '#ops:example.org' --format html --output ops.html
synapse-export room '#ops:example.org' --from archive --format zip --output ops.zip",
    ),
    (
        "user",
        "synapse-export user @alice:example.org --format zip --output alice.zip
synapse-export user @alice:example.org --since 2026-01-01 --output alice.html
synapse-export user @alice:example.org --from server --format jsonl > alice.jsonl",
    ),
    ("rooms", "synapse-export rooms --sort activity --limit 20"),
    (
        "search",
        "synapse-export search from:alice in:ops after:2026-11-01 failover
synapse-export search 'quick brown' --context 3",
    ),
    (
        "show",
        "synapse-export show '$Xf3…'
synapse-export show --raw '$Xf3…' | jq .content",
    ),
    (
        "render",
        "synapse-export render
synapse-export render --html --all",
    ),
    ("rebuild", "synapse-export rebuild --archive /srv/archive"),
    (
        "verify",
        "synapse-export verify --quick
synapse-export verify --seal seal.txt",
    ),
    (
        "erase",
        "synapse-export erase --sender @mallory:example.org
synapse-export erase --sender @mallory:example.org --yes",
    ),
    (
        "compact",
        "synapse-export compact --older-than 30d
synapse-export compact --expand",
    ),
    (
        "output",
        "synapse-export output add lake parquet:/srv/lake --with-erased
synapse-export output run",
    ),
    (
        "output add",
        "synapse-export output add sea parquet:/srv/sea --with-erased --on-export
synapse-export output add warehouse postgres://synapse_archive@db.example.org/archive",
    ),
    ("output list", "synapse-export output list --json"),
    ("output run", "synapse-export output run lake"),
    ("output remove", "synapse-export output remove lake"),
    ("status", "synapse-export status"),
    ("stats", "synapse-export stats --by sender --room ops --since 2026-11-01"),
    (
        "doctor",
        "synapse-export doctor
synapse-export doctor --json | jq -r '.findings[] | select(.kind == \"error\") | .what'",
    ),
    (
        "keys",
        r"synapse-export keys check 'team ops' --key-file alice.keys.txt \
    --key-file-passphrase-file alice.passphrase",
    ),
    (
        "keys check",
        r"synapse-export keys check 'team ops' --backup-user @alice:example.org \
    --recovery-key-file alice.recovery",
    ),
    (
        "keys import",
        r"synapse-export keys import --key-store keys.txt --key-store-passphrase-file keys.passphrase \
    --bridge-store bridge.db",
    ),
    ("keys list", "synapse-export keys list"),
    ("keys forget", "synapse-export keys forget --plaintext"),
    (
        "media",
        "synapse-export media --media-store /var/lib/matrix-synapse/media
synapse-export media --list",
    ),
    (
        "watermark",
        "synapse-export watermark show
synapse-export watermark reset --yes",
    ),
    ("watermark show", "synapse-export watermark show --json"),
    (
        "config",
        "synapse-export config init --archive /srv/archive
synapse-export config show",
    ),
    ("config show", "synapse-export config show --archive /srv/archive"),
    (
        "config init",
        r"synapse-export config init --synapse-config /etc/matrix-synapse/homeserver.yaml \
    --output synapse-export.toml",
    ),
    ("watermark reset", "synapse-export watermark reset --stream backfill --yes"),
];

/// Puts its example before the help of every command.
pub(super) fn before_help(command: Command) -> Command {
    below(command, "")
}

fn below(command: Command, path: &str) -> Command {
    let command = match EXAMPLES.iter().find(|(of, _)| *of == path) {
        Some((_, lines)) => {
            let examples: Vec<String> = lines.lines().map(|line| format!("  {line}")).collect();
            command.before_help(format!("Example:\n{}", examples.join("\n")))
        }
        None => command,
    };
    let names: Vec<String> = command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        let path = format!("{path} {name}").trim_start().to_owned();
        command.mut_subcommand(&name, |sub| below(sub, &path))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_of_a_command_that_there_is() {
        let whole = crate::cli::command();
        for (path, lines) in EXAMPLES {
            let found = path.split_whitespace().try_fold(&whole, |command, name| command.find_subcommand(name));
            assert!(found.is_some_and(|found| found.get_before_help().is_some()), "{path}");
            for line in lines.lines().filter(|line| !line.starts_with(' ')) {
                assert!(line.starts_with(format!("synapse-export {path}").trim_end()), "{line}");
            }
        }
    }
}
