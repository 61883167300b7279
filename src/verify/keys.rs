//! The public keys of a server's own, which its database does not have: from a saved answer of its key API, or those that have had
//! their day from its configuration.

use std::path::{Path, PathBuf};

use crate::archive::verifying::GivenKeys;
use crate::config::{self, old_signing_keys};
use crate::event::{KeyAnswer, VerifyKey};

/// Why keys cannot be had from a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It cannot be read.
    #[error("cannot read the server's keys from {}", .0.display())]
    Read(PathBuf, #[source] std::io::Error),
    /// It is something else.
    #[error(
        "{} is no answer of a server's key API (/_matrix/key/v2/server): {why}",
        path.display()
    )]
    NoAnswer {
        /// The file.
        path: PathBuf,
        /// What it lacks.
        why: &'static str,
    },
    /// The configuration.
    #[error(transparent)]
    Config(#[from] config::Error),
}

/// The keys in a saved answer of a server's key API. Those with which it signs now have no end: when they are changed, a newer answer
/// has them among the old ones.
pub(crate) fn from_answer(path: &Path) -> Result<GivenKeys, Error> {
    let text = std::fs::read(path).map_err(|error| Error::Read(path.to_owned(), error))?;
    let answer = KeyAnswer::read(&text).map_err(|why| Error::NoAnswer { path: path.to_owned(), why })?;
    Ok(answer.keys.into_iter().map(|(id, key)| ((answer.server_name.clone(), id), key)).collect())
}

/// The keys of `old_signing_keys` in a server's configuration, with its name.
pub(crate) fn from_homeserver(paths: &[PathBuf], server: &str) -> Result<GivenKeys, Error> {
    let keys = old_signing_keys(paths)?;
    let key = |(id, key, until): (String, String, i64)| {
        Some(((server.to_owned(), id), VerifyKey::from_base64(&key, Some(until))?))
    };
    Ok(keys.into_iter().filter_map(key).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "Noi6WqcDj0QmPxCNQqgezwTlBKrfqehY1u2FyWP9uYw";

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn an_answer_has_the_keys_of_now_without_an_end_and_the_old_ones_with_theirs() {
        let answer = format!(
            r#"{{"server_name":"here.test","valid_until_ts":1,"verify_keys":{{"ed25519:new":{{"key":"{KEY}"}}}},
                 "old_verify_keys":{{"ed25519:old":{{"key":"{KEY}","expired_ts":7}}}}}}"#
        );
        let keys = from_answer(file(&answer).path()).unwrap();
        let until: Vec<_> = keys.iter().map(|((server, id), key)| (&**server, &**id, key.valid_until())).collect();
        assert_eq!(until, [("here.test", "ed25519:new", None), ("here.test", "ed25519:old", Some(7))]);
        for text in
            ["x", "{}", r#"{"server_name":"x"}"#, r#"{"server_name":"x","verify_keys":{"ed25519:a":{"key":"AA"}}}"#]
        {
            assert!(from_answer(file(text).path()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_configuration_has_those_that_have_had_their_day() {
        let yaml = format!(
            "server_name: here.test\nold_signing_keys:\n  \"ed25519:old\": {{ key: \"{KEY}\", expired_ts: 7 }}\n"
        );
        let keys = from_homeserver(&[file(&yaml).path().to_owned()], "here.test").unwrap();
        assert_eq!(keys.len(), 1);
        assert_eq!(keys[&("here.test".to_owned(), "ed25519:old".to_owned())].valid_until(), Some(7));
        assert!(from_homeserver(&[file("a: b").path().to_owned()], "here.test").unwrap().is_empty());
    }
}
