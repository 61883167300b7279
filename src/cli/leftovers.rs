//! What is there for the time of a run only, and is not to outlive the process, however it is told to end. Takes away nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

static LEFTOVERS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// How often it is tried to remove a directory while another thread goes on making files in it.
const ATTEMPTS: u32 = 100;

/// Remembers a file or directory that has to go, should the process be ended at once. Dropped, it is forgotten; to remove it in
/// good order is for somebody else.
pub(super) struct Leftover(PathBuf);

impl Leftover {
    pub(super) fn new(path: &Path) -> Leftover {
        LEFTOVERS.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_owned());
        Leftover(path.to_owned())
    }
}

impl Drop for Leftover {
    fn drop(&mut self) {
        LEFTOVERS.lock().unwrap_or_else(PoisonError::into_inner).retain(|path| *path != self.0);
    }
}

/// Removes them all. What cannot be removed stays: the process ends in any case.
pub(super) fn remove() {
    for path in LEFTOVERS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        let _ = fs::remove_file(path);
        for _ in 0..ATTEMPTS {
            if fs::symlink_metadata(path).is_err() || fs::remove_dir_all(path).is_ok() {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_goes_and_what_is_forgotten_stays() {
        let parent = tempfile::tempdir().unwrap();
        let [file, directory, kept] = ["file", "directory", "kept"].map(|name| parent.path().join(name));
        fs::create_dir_all(directory.join("rooms")).unwrap();
        for file in [&file, &kept, &directory.join("rooms/room.json")] {
            fs::write(file, "text").unwrap();
        }
        drop(Leftover::new(&kept));
        let _leftovers = [Leftover::new(&file), Leftover::new(&directory)];
        remove();
        assert!(kept.exists() && !file.exists() && !directory.exists());
    }
}
