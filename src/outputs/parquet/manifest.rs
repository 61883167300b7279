//! `manifest.json` of an output: whose its directory is, and which files it has, by which a reader notices one that is of another state.
//! Names no file while files are written.

use std::io;
use std::path::Path;

use serde::Deserialize;

use super::super::rows::SCHEMA;
use super::super::{Error, looking_at};
use crate::archive::replace::replace;
use crate::archive::{self, Archive, Output, durable, inside};

/// Its name.
const NAME: &str = "manifest.json";

/// What it says of whose it is.
#[derive(Deserialize)]
struct Whose {
    id: String,
    #[serde(default)]
    schema: String,
}

/// Makes sure that the directory of an output is its own, or nobody's; `had`: it had files when it was fed last. True: they have other
/// columns than they are to have.
pub(in crate::outputs) fn check(output: &Output, directory: &Path, had: bool) -> Result<bool, Error> {
    let (directory, name) = (directory.to_owned(), output.name.clone());
    let text = match inside::read(&directory, NAME).and_then(io::read_to_string) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // a root of a file system has this
            let is_empty = durable::names(&directory, "")?.iter().all(|name| name == "lost+found");
            return match (is_empty, had) {
                (true, false) => Ok(false),
                (true, true) => Err(Error::Gone { directory, name }),
                (false, _) => Err(Error::NotOurs { directory, name }),
            };
        }
        Err(error) => return Err(looking_at(&directory.join(NAME))(error)),
    };
    match serde_json::from_str(&text) {
        Ok(Whose { id, schema }) if id == output.id => Ok(schema != SCHEMA),
        _ => Err(Error::NotOurs { directory, name }),
    }
}

/// Whether there is one.
pub(super) fn is_there(directory: &Path) -> Result<bool, Error> {
    let length = inside::length(directory, NAME).map_err(looking_at(directory))?;
    Ok(length.is_some())
}

/// Writes it; `begun`: there are files to come, and none is named.
pub(super) fn write(archive: &Archive, output: &Output, directory: &Path, begun: bool) -> Result<(), Error> {
    let head = serde_json::json!({
        "output": output.name, "id": output.id, "schema": SCHEMA, "with_redacted": output.with_redacted,
        "with_erased": output.with_erased, "with_rejected": output.with_rejected,
        "with_decrypted": output.with_decrypted, "with_verdicts": output.with_verdicts,
    });
    let head = head.to_string();
    replace(directory, NAME, archive.readers(), &mut |file| {
        let mut write = |text: &str| file.write_all(text.as_bytes()).map_err(archive::Error::Transcript);
        write(head.strip_suffix('}').unwrap_or(&head))?;
        write(",\"files\":[")?;
        let mut before = "\n";
        if !begun {
            archive.catalog().each_output_file(&output.name, &mut |file| {
                let about = serde_json::json!({
                    "path": file.path, "rows": file.rows, "bytes": file.bytes, "sha256": file.sha256,
                });
                write(before)?;
                before = ",\n";
                write(&about.to_string())
            })?;
        }
        write("\n]}\n")
    })?;
    let file = std::fs::File::open(directory.join(NAME)).and_then(|file| file.sync_all());
    file.map_err(looking_at(&directory.join(NAME)))?;
    Ok(durable::sync(directory)?)
}
