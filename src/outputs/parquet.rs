//! The Parquet output: a directory for each day with the events of all rooms, and one each for rooms and members.
//!
//! One thread reads and another packs, so that what one waits for the other uses, and a few row groups are all that is kept in memory. A
//! file is written beside the one that it replaces, and renamed over it; one that would say the same stays.

mod manifest;
mod table;

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

use parquet::file::writer::SerializedFileWriter;
use rustix::fs::AtFlags;

use super::rows::{self, Group as _, OutputTable, Piece, day};
use super::{Destination, Error, MadeFiles, looking_at};
use crate::archive::hashed::Hashed;
use crate::archive::replace::replace;
use crate::archive::{self, Archive, Output, OutputFile, Readers, durable, inside};
pub(super) use manifest::check;
use table::{RowGroup, name, properties, schema};

/// How long a file becomes before another one is begun, in bytes.
const LONGEST: usize = 128 * 1024 * 1024;
/// Where events are.
const EVENTS: &str = "events";
/// What the directories of days are called.
const DAY: &str = "day=";
/// What stands there for no day: Hive's null, beside which real days stay days.
const UNDATED: &str = "__HIVE_DEFAULT_PARTITION__";

/// The directory of a part.
fn place(part: &str) -> String {
    match (OutputTable::of(part), day(part)) {
        (OutputTable::Events, Some(day)) => format!("events/{DAY}{day}"),
        (OutputTable::Events, None) => format!("events/{DAY}{UNDATED}"),
        (table, _) => name(table).to_owned(),
    }
}

fn file_name(number: usize) -> String {
    format!("part-{number}.parquet")
}

/// A directory that is to be fed.
pub(super) struct ParquetDirectory<'a> {
    output: &'a Output,
    path: &'a Path,
}

impl<'a> ParquetDirectory<'a> {
    pub(super) fn of(output: &'a Output, path: &'a Path) -> ParquetDirectory<'a> {
        ParquetDirectory { output, path }
    }
}

impl Destination for ParquetDirectory<'_> {
    fn begin(&mut self, archive: &mut Archive, had: bool, _anew: bool) -> Result<(), Error> {
        let other_columns = manifest::check(self.output, self.path, had)?;
        durable::make_archive(self.path)?;
        if other_columns {
            archive.begin_output_anew(&self.output.name)?;
        }
        Ok(())
    }

    /// Makes parts anew, until they are on the disk.
    fn make(&mut self, archive: &Archive, parts: &[String], told: &mut dyn FnMut(u64)) -> Result<MadeFiles, Error> {
        if !manifest::is_there(self.path)? {
            manifest::write(archive, self.output, self.path, true)?;
        }
        let whole = File::open(self.path).map_err(looking_at(self.path))?;
        let packing = Packing { directory: self.path, readers: archive.readers(), longest: LONGEST };
        let made = rows::read(archive, self.output, parts, |pieces| packing.pack(pieces, told))?;
        let files: Vec<PathBuf> = made.files.iter().map(|(_, file)| self.path.join(&file.path)).collect();
        let mut grown: BTreeSet<PathBuf> = [self.path.to_owned()].into();
        for file in &files {
            grown.extend(file.ancestors().skip(1).take_while(|above| *above != self.path).map(PathBuf::from));
        }
        durable::sync_files(self.path, &whole, &files, &grown)?;
        Ok(made)
    }

    /// Removes the files of days that the archive has no more, and says in the manifest what there is; how many were removed.
    fn end(&mut self, archive: &Archive) -> Result<u64, Error> {
        let removed = sweep(archive, self.output, self.path)?;
        manifest::write(archive, self.output, self.path, false)?;
        Ok(removed)
    }
}

/// Removes the files of days that the archive has no more; how many.
fn sweep(archive: &Archive, output: &Output, path: &Path) -> Result<u64, Error> {
    let mut removed = 0;
    for name in durable::names(path, EVENTS)? {
        let directory = format!("{EVENTS}/{name}");
        if name.starts_with(DAY)
            && !archive.catalog().has_output_file(&output.name, &format!("{directory}/{}", file_name(0)))?
        {
            removed += remove_from(path, &directory, 0)?;
            let events = inside::directory(path, EVENTS).map_err(looking_at(path))?;
            // what others have put there stays
            let _ = rustix::fs::unlinkat(events, &*name, AtFlags::REMOVEDIR);
        }
    }
    Ok(removed)
}

/// Removes the files of a directory from one number on; how many.
fn remove_from(path: &Path, directory: &str, first: usize) -> Result<u64, Error> {
    let mut removed = 0;
    for name in durable::names(path, directory)? {
        // or what a run has left that was killed
        let own = name.strip_prefix('.').and_then(|name| name.strip_suffix(".new")).unwrap_or(&name);
        let number = own.strip_prefix("part-").and_then(|rest| rest.strip_suffix(".parquet"));
        if number.and_then(|number| number.parse().ok()).is_some_and(|number: usize| number >= first) {
            durable::remove(path, &format!("{directory}/{name}"))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// The thread that packs.
struct Packing<'a> {
    directory: &'a Path,
    readers: Readers,
    /// How long a file becomes before another one is begun, in bytes.
    longest: usize,
}

impl Packing<'_> {
    /// Writes the files of parts as their rows come; fewer, if they stop coming.
    fn pack(&self, pieces: &Receiver<Piece<RowGroup>>, told: &mut dyn FnMut(u64)) -> Result<MadeFiles, Error> {
        let (mut made, mut done) = (MadeFiles::default(), 0);
        while let Ok(piece) = pieces.recv() {
            let Piece::Part(part) = piece else { break };
            let (directory, table) = (place(&part), OutputTable::of(&part));
            let mut number = 0;
            while let Ok(Piece::Rows(rows)) = pieces.recv() {
                if number == 0 {
                    let made = inside::make_directory(self.directory, &directory, self.readers);
                    made.map_err(looking_at(self.directory))?;
                }
                let path = format!("{directory}/{}", file_name(number));
                let (file, is_last) = self.file(&path, table, rows, pieces)?;
                made.files.push((part.clone(), file));
                number += 1;
                if is_last {
                    break;
                }
            }
            made.removed += remove_from(self.directory, &directory, number)?;
            done += 1;
            told(done);
        }
        Ok(made)
    }

    /// Writes a file, beginning with some rows; whether it is the part's last.
    fn file(
        &self,
        path: &str,
        table: OutputTable,
        rows: RowGroup,
        pieces: &Receiver<Piece<RowGroup>>,
    ) -> Result<(OutputFile, bool), Error> {
        let (mut first, mut is_last) = (Some(rows), false);
        let mut file = OutputFile { path: path.to_owned(), rows: 0, bytes: 0, sha256: String::new() };
        replace(self.directory, path, self.readers, &mut |to| {
            let mut write = || -> Result<(), parquet::errors::ParquetError> {
                let mut writer = SerializedFileWriter::new(Hashed::to(to), schema(table)?, properties(table)?)?;
                let mut next = first.take();
                while let Some(rows) = next.take() {
                    file.rows += rows.count() as u64;
                    rows.write(writer.next_row_group()?)?;
                    if writer.bytes_written() >= self.longest {
                        break;
                    }
                    match pieces.recv() {
                        Ok(Piece::Rows(rows)) => next = Some(rows),
                        Ok(_) => is_last = true,
                        Err(error) => return Err(parquet::errors::ParquetError::External(Box::new(error))),
                    }
                }
                writer.finish()?;
                writer.flush()?;
                (file.bytes, file.sha256) = writer.inner().told();
                Ok(())
            };
            write().map_err(|error| archive::Error::Transcript(io::Error::other(error)))
        })?;
        Ok((file, is_last))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::super::rows::Value;
    use super::*;

    fn packed(directory: &Path, longest: usize, groups: u64) -> MadeFiles {
        let (send, pieces) = sync_channel(100);
        send.send(Piece::Part("members".to_owned())).unwrap();
        for number in 0..groups {
            let mut rows = RowGroup::of("members");
            for row in 0..10 {
                let user_id = format!("@{number}-{row}:here.test");
                let text = |text| Value::Text(Some(text));
                let at = Value::Time(Some(1));
                rows.add(&[text("!room"), text(&user_id), text("join"), Value::Text(None), at, text("$event")]);
            }
            send.send(Piece::Rows(rows)).unwrap();
        }
        send.send(Piece::End).unwrap();
        drop(send);
        Packing { directory, readers: Readers::Owner, longest }.pack(&pieces, &mut |_| {}).unwrap()
    }

    #[test]
    fn a_part_that_is_long_has_several_files_and_none_too_many() {
        let directory = tempfile::tempdir().unwrap();
        for (longest, groups, files) in [(1, 4, 4), (LONGEST, 4, 1), (1, 3, 3), (2_000, 12, 3), (1, 0, 0)] {
            let made = packed(directory.path(), longest, groups);
            assert_eq!(made.files.iter().map(|(_, file)| file.rows).sum::<u64>(), groups * 10);
            let named: BTreeSet<String> = made.files.iter().map(|(_, file)| file.path.clone()).collect();
            let there = durable::names(directory.path(), "members").unwrap();
            let there: BTreeSet<String> = there.into_iter().map(|name| format!("members/{name}")).collect();
            assert_eq!(named, there, "{longest}");
            assert!(there.len() == files || longest == 2_000 && (2..11).contains(&there.len()), "{there:?}");
            for (_, file) in &made.files {
                let path = directory.path().join(&file.path);
                assert_eq!(std::fs::metadata(&path).unwrap().len(), file.bytes);
            }
        }
    }
}
