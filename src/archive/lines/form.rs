//! The two forms that a file of lines may have, plain or compressed, and which of them counts: everybody else names a file by its plain
//! path, whatever form it has, and its lengths and places are those of its lines.
//!
//! A file is brought into the other form with nothing lost wherever it is cut off: the new one is whole and on the disk before it has
//! its name, and only then the old one goes. In between both are there and say the same; where a copy brought back one of them that is
//! older, the longer one counts, as lines are only added. Whoever changes lines leaves but the one that counts before.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::path::Path;

use rustix::fs::OFlags;

use super::super::{Error, Readers, durable, inside};
use super::committed::{check, own};
use super::frames::{FrameWriter, Frames};
use super::{LONGEST, WRITE_BYTES};

/// What the name of a file of lines ends with, and that of a compressed one behind it.
const PLAIN: &str = ".jsonl";
const COMPRESSED: &str = ".zst";

/// A form of a file of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::archive) enum Form {
    Plain,
    Compressed,
}

impl Form {
    const BOTH: [Form; 2] = [Form::Plain, Form::Compressed];

    /// The path, or name, of a file in this form, by that of the plain one.
    pub(in crate::archive) fn of(self, path: &str) -> String {
        match self {
            Form::Plain => path.to_owned(),
            Form::Compressed => format!("{path}{COMPRESSED}"),
        }
    }

    /// A name, or path, without what says that it is of a compressed file; and which it is.
    pub(in crate::archive) fn named(name: &str) -> (&str, Form) {
        name.strip_suffix(COMPRESSED).map_or((name, Form::Plain), |name| (name, Form::Compressed))
    }

    fn other(self) -> Form {
        match self {
            Form::Plain => Form::Compressed,
            Form::Compressed => Form::Plain,
        }
    }
}

/// The day that the name of a file tells, and its form; none: it is no file of lines.
pub(in crate::archive) fn day_of(name: &str) -> Option<(&str, Form)> {
    let (name, form) = Form::named(name);
    Some((name.strip_suffix(PLAIN)?, form))
}

/// A file of lines in the form that counts, open to be read.
pub(super) enum Opened {
    /// With its length.
    Plain(File, u64),
    Compressed(Box<Frames>),
}

impl Opened {
    /// How many bytes of lines it has.
    pub(super) fn length(&self) -> u64 {
        match self {
            Opened::Plain(_, length) => *length,
            Opened::Compressed(frames) => frames.length(),
        }
    }

    pub(super) fn form(&self) -> Form {
        match self {
            Opened::Plain(..) => Form::Plain,
            Opened::Compressed(_) => Form::Compressed,
        }
    }

    /// All its lines, one byte after the other.
    pub(super) fn read_all(self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Opened::Plain(file, _) => Box::new(file),
            Opened::Compressed(frames) => Box::new(frames.read_all()?),
        })
    }
}

/// Opens a file by its plain path below the archive.
pub(super) fn open(archive: &Path, path: &str) -> io::Result<Opened> {
    let plain = || -> io::Result<Option<Opened>> {
        let Some(file) = there(inside::read(archive, path))? else { return Ok(None) };
        let length = file.metadata()?.len();
        Ok(Some(Opened::Plain(file, length)))
    };
    let found = match (plain()?, compressed(archive, path, OFlags::RDONLY)?) {
        (Some(plain), Some(frames)) if plain.length() > frames.length() => Some(plain),
        (_, Some(frames)) => Some(Opened::Compressed(Box::new(frames))),
        (Some(plain), None) => Some(plain),
        // it may have been brought back into that form just now
        (None, None) => plain()?,
    };
    found.ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// The compressed file, be there a plain one or not.
pub(super) fn compressed(archive: &Path, path: &str, flags: OFlags) -> io::Result<Option<Frames>> {
    let Some(file) = there(inside::open(archive, &Form::Compressed.of(path), flags))? else { return Ok(None) };
    let bytes = file.metadata()?.len();
    Frames::of(file, bytes).map(Some)
}

/// How many bytes of lines a file has; none: there is none. That something else is there is an error of the kind `InvalidData`.
pub(super) fn length(archive: &Path, path: &str) -> io::Result<Option<u64>> {
    let plain = inside::length(archive, path)?;
    let Some(frames) = compressed(archive, path, OFlags::RDONLY)? else {
        return if plain.is_some() { Ok(plain) } else { inside::length(archive, path) };
    };
    if plain.is_some_and(|plain| plain > frames.length()) {
        return Ok(plain);
    }
    if frames.is_cut_off() {
        let what = format!("has {} bytes of lines, and behind them what was cut off", frames.length());
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    Ok(Some(frames.length()))
}

/// Leaves of a file only the form that counts, without what was cut off at its end.
pub(in crate::archive) fn settle(archive: &Path, path: &str) -> Result<(), Error> {
    let relative = own(path)?;
    let whole = archive.join(relative);
    let failed = || Error::io("look at", &whole);
    let Some(frames) = compressed(archive, relative, OFlags::RDWR).map_err(failed())? else { return Ok(()) };
    match inside::length(archive, relative).map_err(failed())? {
        Some(plain) if plain > frames.length() => return durable::remove(archive, &Form::Compressed.of(relative)),
        Some(_) => durable::remove(archive, relative)?,
        None => {}
    }
    if frames.is_cut_off() { frames.cut(frames.end()).map_err(failed()) } else { Ok(()) }
}

/// Removes a file, whatever its form, for good.
pub(in crate::archive) fn remove(archive: &Path, path: &str) -> Result<(), Error> {
    Form::BOTH.iter().try_for_each(|form| durable::remove(archive, &form.of(path)))
}

/// The form of a file that is there; plain: there is none.
pub(in crate::archive) fn form(archive: &Path, path: &str) -> Result<Form, Error> {
    let relative = own(path)?;
    let opened = there(open(archive, relative)).map_err(Error::io("open", &archive.join(relative)))?;
    Ok(opened.map_or(Form::Plain, |opened| opened.form()))
}

/// The first bytes of a file's lines, `most` at most.
pub(in crate::archive) fn beginning(archive: &Path, path: &str, most: u64) -> io::Result<Vec<u8>> {
    let mut begin = Vec::new();
    open(archive, path)?.read_all()?.take(most).read_to_end(&mut begin)?;
    Ok(begin)
}

/// Lets a whole new file take a file's place in a form, and removes the other one. Who needs to know that it stays so syncs the directory.
pub(in crate::archive) fn put(archive: &Path, new: &str, path: &str, form: Form) -> Result<(), Error> {
    place(archive, new, path, form)?;
    leave_only(archive, path, form)
}

fn place(archive: &Path, new: &str, path: &str, form: Form) -> Result<(), Error> {
    let placed = form.of(path);
    match inside::rename(archive, new, inside::split(&placed).1) {
        // it did before
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed.map_err(Error::io("replace", &archive.join(&placed))),
    }
}

/// Removes the other form of a file, once this one is in its place for good.
fn leave_only(archive: &Path, path: &str, form: Form) -> Result<(), Error> {
    let other = form.other().of(path);
    if inside::length(archive, &other).map_err(Error::io("look at", &archive.join(&other)))?.is_some() {
        durable::sync(&archive.join(inside::split(path).0))?;
        inside::remove(archive, &other).map_err(Error::io("remove", &archive.join(&other)))?;
    }
    Ok(())
}

/// How many bytes a file took on the disk before and after it was brought into another form.
#[derive(Clone, Copy, Debug)]
pub(in crate::archive) struct Reformed {
    pub(in crate::archive) before: u64,
    pub(in crate::archive) after: u64,
}

/// Brings a file of so many bytes of lines into a form, and a compressed one that is ragged into order; none: it is as it should be. Its lines
/// stay as they are, which is made sure of before the old file goes. `step` is called before the new one takes its place, and before
/// the old one goes.
pub(in crate::archive) fn reform(
    archive: &Path,
    path: &str,
    committed: u64,
    form: Form,
    readers: Readers,
    step: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<Option<Reformed>, Error> {
    let relative = own(path)?;
    let whole = archive.join(relative);
    let failed = |doing| Error::io(doing, &whole);
    let bytes = |form: Form| inside::length(archive, &form.of(relative)).map_err(failed("look at"));
    if bytes(form.other())?.is_none() && !(form == Form::Compressed && is_ragged(archive, relative)?) {
        return Ok(None);
    }
    check(archive, relative, Some(committed))?;
    settle(archive, relative)?;
    let old = open(archive, relative).map_err(failed("open"))?;
    let before = bytes(old.form())?.unwrap_or_default();
    if old.form() == form && !is_ragged(archive, relative)? {
        // who was killed before had brought it there
        return Ok(None);
    }
    let (directory, name) = inside::split(relative);
    // always the same, so that what a run left that was killed is found
    let new = format!("{directory}/.{}.new", form.of(name));
    there(inside::remove(archive, &new)).map_err(failed("write anew"))?;
    let written = write(archive, &new, old, form, readers).and_then(|()| {
        let is_same = is_same(archive, relative, &new, form)?;
        if is_same { Ok(()) } else { Err(io::Error::other("it did not come out as it was, so it stays as it is")) }
    });
    let ready = written.map_err(failed("write anew")).and_then(|()| step());
    ready.inspect_err(|_| drop(inside::remove(archive, &new)))?;
    place(archive, &new, relative, form)?;
    step()?;
    leave_only(archive, relative, form)?;
    Ok(Some(Reformed { before, after: bytes(form)?.unwrap_or_default() }))
}

/// Whether there is a compressed file of which more was appended bit by bit than is good for it.
fn is_ragged(archive: &Path, path: &str) -> Result<bool, Error> {
    let frames = compressed(archive, path, OFlags::RDONLY).map_err(Error::io("open", &archive.join(path)))?;
    Ok(frames.is_some_and(|frames| frames.is_ragged()))
}

/// Writes the lines of a file to a new one, and syncs it.
fn write(archive: &Path, new: &str, old: Opened, form: Form, readers: Readers) -> io::Result<()> {
    let mut file = inside::create(archive, new, OFlags::WRONLY, readers)?;
    let mut old = BufReader::with_capacity(WRITE_BYTES, old.read_all()?);
    match form {
        Form::Plain => drop(io::copy(&mut old, &mut file)?),
        Form::Compressed => {
            let (mut frames, mut line, mut out) = (FrameWriter::new()?, Vec::new(), Vec::new());
            loop {
                line.clear();
                (&mut old).take(LONGEST).read_until(b'\n', &mut line)?;
                if line.is_empty() {
                    break;
                }
                // what has none would not come out as it was
                frames.push(line.strip_suffix(b"\n").unwrap_or(&line), &mut out)?;
                if out.len() >= WRITE_BYTES {
                    file.write_all(&out)?;
                    out.clear();
                }
            }
            frames.end(&mut out)?;
            file.write_all(&out)?;
        }
    }
    file.sync_all()
}

/// Whether a new file says what a file does.
fn is_same(archive: &Path, path: &str, new: &str, form: Form) -> io::Result<bool> {
    let file = inside::read(archive, new)?;
    let bytes = file.metadata()?.len();
    let new = match form {
        Form::Plain => Opened::Plain(file, bytes),
        Form::Compressed => Opened::Compressed(Box::new(Frames::of(file, bytes)?)),
    };
    let old = open(archive, path)?;
    if old.length() != new.length() || matches!(&new, Opened::Compressed(frames) if frames.is_cut_off()) {
        return Ok(false);
    }
    let [mut old, mut new] = [old.read_all()?, new.read_all()?].map(|all| BufReader::with_capacity(WRITE_BYTES, all));
    loop {
        let (one, other) = (old.fill_buf()?, new.fill_buf()?);
        let length = one.len().min(other.len());
        if one[..length] != other[..length] || (length == 0 && one.len() != other.len()) {
            return Ok(false);
        }
        if length == 0 {
            return Ok(true);
        }
        old.consume(length);
        new.consume(length);
    }
}

/// None, where there is nothing.
fn there<T>(opened: io::Result<T>) -> io::Result<Option<T>> {
    match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    const DAY: &str = "rooms/r@x/2026-11-22.jsonl";

    fn archive(plain: &str) -> (tempfile::TempDir, [PathBuf; 2]) {
        let archive = tempfile::tempdir().unwrap();
        fs::create_dir_all(archive.path().join("rooms/r@x")).unwrap();
        fs::write(archive.path().join(DAY), plain).unwrap();
        let paths = Form::BOTH.map(|form| archive.path().join(form.of(DAY)));
        (archive, paths)
    }

    fn said(archive: &Path) -> String {
        io::read_to_string(open(archive, DAY).unwrap().read_all().unwrap()).unwrap()
    }

    fn reformed(archive: &Path, length: usize, form: Form) -> Option<Reformed> {
        reform(archive, DAY, length as u64, form, Readers::Owner, &mut || Ok(())).unwrap()
    }

    #[test]
    fn a_file_says_the_same_in_either_form_and_comes_back_as_it_was() {
        let lines = "{\"event_id\":\"$1\"}\n{}\n".repeat(40_000);
        let (archive, [plain, compressed]) = archive(&lines);
        let archive = archive.path();
        let done = reformed(archive, lines.len(), Form::Compressed).unwrap();
        assert!(!plain.exists() && done.before == lines.len() as u64 && done.after < done.before / 10);
        assert_eq!(fs::metadata(&compressed).unwrap().len(), done.after);
        assert!(said(archive) == lines && length(archive, DAY).unwrap() == Some(lines.len() as u64));
        assert!(form(archive, DAY).unwrap() == Form::Compressed && beginning(archive, DAY, 2).unwrap() == b"{\"");
        assert!(reformed(archive, lines.len(), Form::Compressed).is_none());
        assert!(reformed(archive, lines.len(), Form::Plain).is_some() && !compressed.exists());
        assert!(fs::read_to_string(&plain).unwrap() == lines && reformed(archive, lines.len(), Form::Plain).is_none());
        assert_eq!(durable::names(archive, "rooms/r@x").unwrap().len(), 1);
    }

    #[test]
    fn wherever_it_is_cut_off_the_lines_are_there_and_the_next_run_completes_it() {
        let lines = "{}\n".repeat(1000);
        for (from, to) in [(Form::Plain, Form::Compressed), (Form::Compressed, Form::Plain)] {
            for at in 0..2 {
                let (archive, paths) = archive(&lines);
                let archive = archive.path();
                reformed(archive, lines.len(), from);
                let mut steps = 0;
                let mut step = || {
                    steps += 1;
                    if steps > at { Err(Error::Stopped) } else { Ok(()) }
                };
                assert!(reform(archive, DAY, lines.len() as u64, to, Readers::Owner, &mut step).is_err());
                assert_eq!(paths.iter().filter(|path| path.exists()).count(), 1 + at);
                // what a kill leaves that an error does not
                fs::write(archive.join(format!("rooms/r@x/.{}.new", to.of("2026-11-22.jsonl"))), "cut off").unwrap();
                assert!(said(archive) == lines && length(archive, DAY).unwrap() == Some(lines.len() as u64));
                reformed(archive, lines.len(), to);
                // where the compressed one counted already, to compress it again took only the other one away
                let _ = inside::remove(archive, &format!("rooms/r@x/.{}.new", to.of("2026-11-22.jsonl")));
                assert!(said(archive) == lines && form(archive, DAY).unwrap() == to, "{to:?} {at}");
                assert_eq!(durable::names(archive, "rooms/r@x").unwrap().len(), 1);
            }
        }
    }

    #[test]
    fn of_two_forms_the_longer_one_counts_and_is_left() {
        for (plain_more, compressed_more) in [("", "{}\n"), ("{}\n", ""), ("", "")] {
            let (archive, [plain, compressed]) = archive(&format!("{{}}\n{compressed_more}"));
            let archive = archive.path();
            reformed(archive, 3 + compressed_more.len(), Form::Compressed);
            fs::write(&plain, format!("{{}}\n{plain_more}")).unwrap();
            let most = format!("{{}}\n{plain_more}{compressed_more}");
            assert_eq!((said(archive), length(archive, DAY).unwrap()), (most.clone(), Some(most.len() as u64)));
            settle(archive, DAY).unwrap();
            assert_eq!(said(archive), most);
            assert!(plain.exists() != compressed.exists());
            remove(archive, DAY).unwrap();
            assert!(!plain.exists() && !compressed.exists() && length(archive, DAY).unwrap().is_none());
        }
    }

    #[test]
    fn what_another_program_compressed_is_refused_and_let_be() {
        let (archive, [plain, compressed]) = archive("{}\n");
        fs::remove_file(&plain).unwrap();
        for (by_others, named) in [(zstd::encode_all(&b"{}\n"[..], 3).unwrap(), "no table"), (Vec::new(), "no table")] {
            fs::write(&compressed, &by_others).unwrap();
            let error = check(archive.path(), DAY, Some(3)).unwrap_err();
            assert!(matches!(&error, Error::Changed { found, .. } if found.contains(named)), "{error}");
            assert!(open(archive.path(), DAY).is_err() && settle(archive.path(), DAY).is_err());
            assert_eq!(fs::read(&compressed).unwrap(), by_others);
        }
    }

    #[test]
    fn a_line_without_an_end_is_not_compressed() {
        let (archive, [plain, compressed]) = archive("{}\n{}");
        let done = reform(archive.path(), DAY, 5, Form::Compressed, Readers::Owner, &mut || Ok(()));
        assert!(matches!(done, Err(Error::Io { .. })) && plain.exists() && !compressed.exists());
        assert_eq!(durable::names(archive.path(), "rooms/r@x").unwrap().len(), 1);
    }
}
