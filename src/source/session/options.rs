//! The settings that the user asks for in the connection string's `options`, and whether they hold: a pooler may leave them out
//! without a word.

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::typed::typed;
use crate::source::statements::OPTION;

/// The settings that `options` asks for, in the order of the last `-c` or `--` of each: names in lower case.
pub(super) fn asked_for(options: &str) -> Vec<(String, String)> {
    let mut asked: Vec<(String, String)> = Vec::new();
    let mut words = words(options).into_iter();
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
            Some("") => words.next(),
            Some(setting) => Some(setting.to_owned()),
            None => None,
        };
        if let Some((name, value)) = setting.as_deref().and_then(|setting| setting.split_once('=')) {
            let name = name.trim().replace('-', "_").to_lowercase();
            asked.retain(|(before, _)| *before != name);
            asked.push((name, value.to_owned()));
        }
    }
    asked
}

/// As PostgreSQL splits them: at white space, unless a backslash is before it.
fn words(options: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let mut characters = options.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.extend(characters.next()),
            character if character.is_ascii_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            character => word.push(character),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Whether a setting is as asked for on a connection, in a transaction of its own.
pub(super) async fn holds(client: &Client, name: &str, value: &str) -> Result<bool, tokio_postgres::Error> {
    client.batch_execute("begin read only").await?;
    let holds = match typed(client, &OPTION.statement, &[&name, &value]).await {
        Ok(rows) => rows.first().is_some_and(|row| OPTION.read(row).unwrap_or(false)),
        // it cannot be set there, or is no setting: without a pooler there would be no connection
        Err(error) if error.code().is_some_and(|code| !passes(code)) => false,
        Err(error) => return Err(error),
    };
    client.batch_execute("rollback").await?;
    Ok(holds)
}

fn passes(code: &SqlState) -> bool {
    ["08", "57"].iter().any(|class| code.code().starts_with(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_found_in_options_as_postgresql_finds_them() {
        let asked =
            asked_for(r"-c statement_timeout=1h  --lock-timeout=5s -cSearch_Path=a,\ b -d 3 -c jit=off -c jit=on");
        let asked: Vec<(&str, &str)> = asked.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(
            asked,
            [("statement_timeout", "1h"), ("lock_timeout", "5s"), ("search_path", "a, b"), ("jit", "on")]
        );
        assert!(asked_for("").is_empty() && asked_for("-c").is_empty() && asked_for("-c nothing").is_empty());
    }
}
