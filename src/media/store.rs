//! Where Synapse keeps files on disk (its `media/filepath.py`): `local_content/aa/bb/rest` by the id of the server's own,
//! `remote_content/SERVER/aa/bb/rest` by the name that it gave to what it fetched. Storage providers on disk have the same below their own
//! directories. Below these two directories no symbolic link is followed: other servers have named what is there.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;

use tracing::warn;

use crate::archive::inside;
use crate::source::StoredMedia;

/// Directories that Synapse keeps files in.
pub(crate) struct Stores {
    directories: Vec<PathBuf>,
    /// Those of which it was said that they cannot be read.
    told: Mutex<Vec<usize>>,
}

impl Stores {
    /// These, of which each is looked into before the next.
    pub(crate) fn of(directories: &[PathBuf]) -> Stores {
        Stores { directories: directories.to_owned(), told: Mutex::default() }
    }

    /// Opens a file of whichever store has it.
    pub(super) fn open(&self, stored: &StoredMedia) -> Option<File> {
        let (kind, path) = place(stored)?;
        for (number, store) in self.directories.iter().enumerate() {
            match inside::read(&store.join(kind), &path) {
                Ok(file) => return Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound && store.is_dir() => {}
                Err(error) => self.tell(number, &error),
            }
        }
        None
    }

    /// Says once what is wrong with a store; the file's name is nobody's business.
    fn tell(&self, number: usize, error: &io::Error) {
        let Ok(mut told) = self.told.lock() else { return };
        if !told.contains(&number) {
            told.push(number);
            warn!("files in the media store {} cannot be read: {error}", self.directories[number].display());
        }
    }
}

/// The directory in a store, and the path below it; none: Synapse gives no such names.
fn place(stored: &StoredMedia) -> Option<(&'static str, String)> {
    let is_name = |text: &str, more: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.as_bytes().contains(&byte))
            && !text.starts_with('.')
    };
    let split = |name: &str| {
        let is_whole = name.len() > 4 && is_name(name, "_-");
        is_whole.then(|| format!("{}/{}/{}", &name[..2], &name[2..4], &name[4..]))
    };
    match &stored.fetched {
        None => Some(("local_content", split(&stored.media_id)?)),
        Some((server, name)) => {
            let server = Some(server).filter(|server| is_name(server, ".:-[]"))?;
            Some(("remote_content", format!("{server}/{}", split(name.as_deref()?)?)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(media_id: &str, fetched: Option<(&str, &str)>) -> StoredMedia {
        StoredMedia {
            media_id: media_id.to_owned(),
            fetched: fetched.map(|(server, name)| (server.to_owned(), Some(name.to_owned()))),
            media_type: None,
            length: None,
            sha256: None,
            quarantined: false,
            is_preview: false,
        }
    }

    #[test]
    fn files_lie_where_synapse_puts_them() {
        assert_eq!(place(&stored("abcdefgh", None)), Some(("local_content", "ab/cd/efgh".to_owned())));
        let remote = place(&stored("x", Some(("far.test:8448", "abcdefgh"))));
        assert_eq!(remote, Some(("remote_content", "far.test:8448/ab/cd/efgh".to_owned())));
    }

    #[test]
    fn no_name_leads_elsewhere() {
        for id in ["", "abcd", "../../../../etc/passwd", "ab/cdefgh", "abc\0defgh", "ab..cdefgh", "äbcdefgh"] {
            assert_eq!(place(&stored(id, None)), None, "{id}");
            assert_eq!(place(&stored("x", Some(("far.test", id)))), None, "{id}");
        }
        for server in ["", "..", ".", "../x", "a/b", ".hidden", "a b"] {
            assert_eq!(place(&stored("x", Some((server, "abcdefgh")))), None, "{server}");
        }
    }

    #[test]
    fn a_link_in_the_store_is_not_followed_and_the_next_store_is_asked() {
        let place = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| place.path().join(name));
        let secret = place.path().join("secret");
        std::fs::write(&secret, "secret").unwrap();
        for store in [&one, &two] {
            std::fs::create_dir_all(store.join("local_content/ab/cd")).unwrap();
        }
        std::os::unix::fs::symlink(&secret, one.join("local_content/ab/cd/efgh")).unwrap();
        let stores = |stores: &[&PathBuf]| Stores::of(&stores.iter().map(|store| (*store).clone()).collect::<Vec<_>>());
        assert!(stores(&[&one]).open(&stored("abcdefgh", None)).is_none());
        std::fs::write(two.join("local_content/ab/cd/efgh"), "file").unwrap();
        assert!(stores(&[&one, &two]).open(&stored("abcdefgh", None)).is_some());
        // the directory itself may be one, which is its owner's choice
        let linked = place.path().join("linked");
        std::fs::create_dir(&linked).unwrap();
        std::os::unix::fs::symlink(two.join("local_content"), linked.join("local_content")).unwrap();
        assert!(stores(&[&linked]).open(&stored("abcdefgh", None)).is_some());
    }
}
