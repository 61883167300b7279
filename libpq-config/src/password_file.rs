//! `~/.pgpass` (PostgreSQL manual, "The Password File").
//!
//! A file that others than its user have access to is not used. Never quotes a line of it.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Reads a password file. None: there is none. An error says why it is ignored, as libpq does: a file that others can
/// read is no place for passwords.
pub(crate) fn read(path: &Path) -> Result<Option<String>, String> {
    let ignored = |problem: &str| format!("the password file {} is ignored: {problem}", path.display());
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ignored(&error.to_string())),
    };
    if !metadata.is_file() {
        return Err(ignored("it is no plain file"));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(ignored("its group or others have access; run chmod 600 on it"));
    }
    // a line in another encoding is not ours to use, but must not hide the rest
    let bytes = std::fs::read(path).map_err(|e| ignored(&e.to_string()))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// The warning about a file with a password that everybody on this machine can read. A group may: a service's often can.
#[must_use]
pub fn open_to_others(path: &Path) -> Option<String> {
    let metadata = std::fs::metadata(path).ok()?;
    let is_open = metadata.is_file() && metadata.mode() & 0o004 != 0;
    is_open.then(|| format!("others can read {}, which holds a password: run chmod o-r on it", path.display()))
}

/// The password of the first line that matches `host:port:dbname:user`.
pub(crate) fn find(text: &str, wanted: [&str; 4]) -> Option<String> {
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut rest = line;
        for wanted in wanted {
            let (meaning, written, after) = field(rest);
            if written != "*" && meaning != wanted {
                return None;
            }
            rest = after?;
        }
        Some(field(rest).0).filter(|password| !password.is_empty())
    })
}

/// The text up to the first `:` that no `\` precedes: what it means, how it is written, and what follows it.
fn field(text: &str) -> (String, &str, Option<&str>) {
    let mut meaning = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            ':' => return (meaning, &text[..at], Some(&text[at + 1..])),
            '\\' => meaning.push(chars.next().map_or('\\', |(_, escaped)| escaped)),
            c => meaning.push(c),
        }
    }
    (meaning, text, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_matches_counts() {
        let text = r"# db:5432:synapse:reader:commented out
db:5432:synapse:reader:plain
db:*:synapse:with\:colon:a\:b\\c
\*:5432:synapse:reader:a host named *
db:5432
*:*:*:reader:any host:ignored
*:*:*:empty:
";
        for (wanted, password) in [
            (["db", "5432", "synapse", "reader"], Some("plain")),
            (["db", "1", "synapse", "with:colon"], Some(r"a:b\c")),
            (["*", "5432", "synapse", "reader"], Some("a host named *")),
            (["other", "1", "x", "reader"], Some("any host")),
            (["other", "1", "x", "empty"], None),
            (["other", "1", "x", "nobody"], None),
        ] {
            assert_eq!(find(text, wanted).as_deref(), password, "{wanted:?}");
        }
    }
}
