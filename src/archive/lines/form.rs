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
mod tests;
