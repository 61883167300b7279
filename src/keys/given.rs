//! What the user has given: files with a key or a passphrase in each, never the command line or the environment. No error quotes what
//! they hold.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use megolm_keys::recovery_key;
use megolm_keys::secret_storage::{Passphrase, Secret, SecretStorage};
use zeroize::Zeroizing;

use super::Error;

/// The longest file with a key in it.
const LONGEST: u64 = 64 * 1024;
/// The longest file of account data.
const LONGEST_STORAGE: u64 = 16 * 1024 * 1024;

/// What opens sources.
#[derive(Default)]
pub struct SourceSecrets {
    /// What opens key backups.
    pub secrets: Vec<Secret>,
    /// What opens key files.
    pub passphrases: Vec<Passphrase>,
    /// What opens the pickles of bridges.
    pub pickle_keys: Vec<Zeroizing<Vec<u8>>>,
    /// Secret storage that is not read from the database.
    pub secret_storage: Option<SecretStorage>,
}

/// The passphrase that is a file's first line.
pub fn read_passphrase(path: &Path) -> Result<Passphrase, Error> {
    let text = read(path, LONGEST)?;
    let line = text.split('\n').next().unwrap_or_default().trim_end_matches('\r');
    if line.is_empty() {
        return Err(Error::file(path, "its first line is empty"));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

/// The recovery key that a file holds.
pub fn read_recovery_key(path: &Path) -> Result<Secret, Error> {
    let text = read(path, LONGEST)?;
    recovery_key::parse(&text)
        .map(Secret::Key)
        .map_err(|problem| Error::file(path, format!("no recovery key: {problem}")))
}

/// The account data of secret storage that a file holds.
pub fn read_secret_storage(path: &Path) -> Result<SecretStorage, Error> {
    let text = read(path, LONGEST_STORAGE)?;
    SecretStorage::parse(&text)
        .ok_or_else(|| Error::file(path, "it is no JSON object with contents of account data by their types"))
}

fn read(path: &Path, longest: u64) -> Result<Zeroizing<String>, Error> {
    let file = File::open(path).map_err(|error| Error::file(path, error))?;
    let mut text = Zeroizing::new(String::new());
    let read = file.take(longest + 1).read_to_string(&mut text).map_err(|error| Error::file(path, error))?;
    if read as u64 > longest { Err(Error::file(path, "it is too long")) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_quotes_what_a_file_holds() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        std::fs::write(&path, "EsTc sesame").unwrap();
        let error = read_recovery_key(&path).unwrap_err().to_string();
        assert!(error.contains("no recovery key") && !error.contains("sesame"), "{error}");
        assert_eq!(*read_passphrase(&path).unwrap(), "EsTc sesame");
        std::fs::write(&path, "\nsesame").unwrap();
        assert!(!read_passphrase(&path).unwrap_err().to_string().contains("sesame"));
        let error = read_secret_storage(&path).map(|_| ()).unwrap_err().to_string();
        assert!(!error.contains("sesame"), "{error}");
        assert!(read_passphrase(Path::new("/nowhere/at/all")).is_err());
    }
}
