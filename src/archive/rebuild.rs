//! Makes a catalog anew from an archive's files, since they are the truth and it is only their index.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;

use super::writing::Writing;
use super::{Counts, Error};
use crate::event::Event;

/// Takes every line of the archive into an empty catalog. A last line that was cut off is taken away: the next export
/// adds it again, if the server still has it.
pub(super) fn rebuild(archive: &Path, writing: &mut Writing<'_>) -> Result<(), Error> {
    let rooms = archive.join("rooms");
    if !rooms.is_dir() || entries(&rooms)?.is_empty() {
        return Ok(());
    }
    let run = writing.begin_run()?;
    let mut counts = Counts::default();
    for room in entries(&rooms)? {
        for file in entries(&rooms.join(&room))? {
            if let Some(day) = file.strip_suffix(".jsonl") {
                take_file(archive, &format!("rooms/{room}/{file}"), day, run, writing, &mut counts)?;
            }
        }
    }
    writing.index()?;
    writing.count(run, &counts)?;
    writing.end_run(run, "rebuilt", None, 0)
}

fn entries(directory: &Path) -> Result<Vec<String>, Error> {
    let name = |entry: std::io::Result<fs::DirEntry>| Ok(entry?.file_name().into_string().unwrap_or_default());
    let list = || fs::read_dir(directory)?.map(name).collect::<std::io::Result<_>>();
    list().map_err(Error::io("list", directory))
}

fn take_file(
    archive: &Path,
    name: &str,
    day: &str,
    run: i64,
    writing: &Writing<'_>,
    counts: &mut Counts,
) -> Result<(), Error> {
    let path = archive.join(name);
    let mut adding = writing.adding(run)?;
    let mut reader = BufReader::new(File::open(&path).map_err(Error::io("open", &path))?);
    let (mut bytes, mut events, mut text) = (0, 0, String::new());
    loop {
        let line = events + 1;
        let broken = |why: String| Error::Line { path: path.clone(), line, why };
        text.clear();
        let read = reader.read_line(&mut text).map_err(|e| match e.kind() {
            std::io::ErrorKind::InvalidData => broken("it is not UTF-8".to_owned()),
            _ => Error::io("read", &path)(e),
        })?;
        if read == 0 {
            break;
        }
        let is_last = !text.ends_with('\n');
        if is_last {
            // the end of a batch that was cut off; an event that came through whole is kept all the same
            let whole = Event::from_line(&text, day).is_ok();
            let mut file = OpenOptions::new().append(true).open(&path).map_err(Error::io("open", &path))?;
            if whole { file.write_all(b"\n") } else { file.set_len(bytes) }
                .and_then(|()| file.sync_all())
                .map_err(Error::io("mend", &path))?;
            if !whole {
                break;
            }
            text.push('\n');
        }
        let whole = text.trim_end_matches('\n');
        let event = Event::from_line(whole, day).map_err(|why| broken(why.to_string()))?;
        if super::layout::day_file(&event.room_id, event.day) != name {
            return Err(broken("it belongs to another file".to_owned()));
        }
        adding.add(&event, day)?;
        writing.room(&event)?;
        counts.add(&event, false);
        bytes += text.len() as u64;
        events += 1;
        if is_last {
            break;
        }
    }
    if events == 0 {
        return super::jsonl::remove(&path);
    }
    writing.file(name, bytes, events, run)
}
