//! Who may read an archive besides its owner: nobody, or the group of its directory, as the catalog remembers it. The one place that
//! knows the permissions of what is made; nobody but the owner ever gets to write.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags};
use rustix::io::Errno;

use super::lines::Form;
use super::place::CatalogLocation;
use super::{Archive, Catalog, Error, Interrupt, durable, inside, ours, sections};

/// Who may read what is made in an archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Readers {
    /// Its owner alone.
    #[default]
    Owner,
    /// The group of its directory too.
    Group,
}

impl Readers {
    /// The permissions of a file.
    pub(super) fn of_file(self) -> Mode {
        Mode::from_raw_mode(if self == Readers::Group { 0o640 } else { 0o600 })
    }

    /// The permissions of a directory; what is made in one of the group's is the group's.
    pub(super) fn of_directory(self) -> Mode {
        Mode::from_raw_mode(if self == Readers::Group { 0o2750 } else { 0o700 })
    }

    /// Lets them read a file that was made for its owner alone.
    pub(super) fn admit(self, file: impl AsFd) -> io::Result<()> {
        if self == Readers::Group { Ok(rustix::fs::fchmod(file, self.of_file())?) } else { Ok(()) }
    }
}

impl Catalog {
    /// Who may read the archive, as it is remembered.
    pub fn readers(&self) -> Result<Readers, Error> {
        Ok(if self.is_set("group_readable")? { Readers::Group } else { Readers::Owner })
    }

    /// What the archive's group cannot read though it is to: of the catalog, of what lies in the archive's directory, and of `most` files of
    /// lines, others each time.
    pub fn withheld(&self, archive: &Path, most: i64) -> Result<Vec<String>, Error> {
        let catalog = CatalogLocation::find(archive, None)?.directory();
        let mut withheld = self::withheld(archive, &self.some_files(most)?)?;
        if catalog != archive {
            let elsewhere = self::withheld(&catalog, &[])?;
            withheld.extend(elsewhere.iter().map(|path| catalog.join(path).display().to_string()));
        }
        Ok(withheld)
    }
}

impl Archive {
    /// Remembers who may read the archive, and changes what is there already, also where it was said before.
    pub fn set_readers(&mut self, readers: Readers) -> Result<(), Error> {
        if readers == Readers::Group {
            // before it is remembered: nobody else may have the catalog open then
            self.catalog.share_journal()?;
        }
        let writing = self.catalog.write()?;
        writing.set("group_readable", readers == Readers::Group)?;
        writing.set("group_readable_begun", true)?;
        writing.commit()?;
        self.readers = readers;
        self.give_all()
    }

    /// Goes on with what a run has begun that was killed.
    pub(super) fn go_on_giving(&mut self) -> Result<(), Error> {
        if self.catalog.is_set("group_readable_begun")? { self.give_all() } else { Ok(()) }
    }

    fn give_all(&mut self) -> Result<(), Error> {
        let catalog = CatalogLocation::find(&self.directory, None)?.directory();
        self.catalog.set_journal()?;
        if catalog != self.directory {
            give_archive(&catalog, self.readers, &self.interrupt)?;
        }
        give_archive(&self.directory, self.readers, &self.interrupt)?;
        let writing = self.catalog.write()?;
        writing.0.execute("delete from setting where name = 'group_readable_begun'", [])?;
        writing.commit()
    }
}

/// Gives an archive's directory, and what an export has made in it, the permissions that it is to have. Links are not followed.
fn give_archive(archive: &Path, readers: Readers, interrupt: &Interrupt) -> Result<(), Error> {
    let open = || -> io::Result<_> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(archive, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&root)?;
        give(&root, &stat, None, readers)?;
        Ok((Gid::from_raw(stat.st_gid), rustix::fs::fstat(&root)?.st_mode & 0o7777))
    };
    let (group, mode) = open().map_err(Error::io("set the permissions of", archive))?;
    // without a word, where the user is no member of the group or the file system has no permissions
    if readers == Readers::Group && mode != readers.of_directory().as_raw_mode() {
        return Err(Error::NotGiven { path: archive.to_owned(), group: group.as_raw() });
    }
    let give_in = |directory: &str, is_own: &dyn Fn(&str) -> bool| {
        for name in durable::names(archive, directory)?.iter().filter(|name| is_own(name)) {
            give_entry(archive, directory, name, group, readers)
                .map_err(Error::io("set the permissions of", &archive.join(directory).join(name)))?;
        }
        interrupt.check()
    };
    give_in("", &ours::is_for_readers)?;
    give_in("rooms", &|_| true)?;
    if inside::directory(archive, sections::DIRECTORY).is_ok() {
        give_in(sections::DIRECTORY, &sections::is_file)?;
    }
    for room in durable::names(archive, "rooms")? {
        let room = format!("rooms/{room}");
        // what is no directory, or a link to one, has nothing in it
        if inside::directory(archive, &room).is_ok() {
            give_in(&room, &|_| true)?;
        }
    }
    give_media(archive, super::media::NAME, &give_in)
}

/// Gives what is in a directory, if its name is one that is to be given.
type GiveIn<'a> = dyn Fn(&str, &dyn Fn(&str) -> bool) -> Result<(), Error> + 'a;

/// Gives what is in a directory of media, and in those that it has.
fn give_media(archive: &Path, directory: &str, give_in: &GiveIn<'_>) -> Result<(), Error> {
    give_in(directory, &|_| true)?;
    // names of files have a dot
    for name in durable::names(archive, directory)?.iter().filter(|name| !name.contains('.')) {
        give_media(archive, &format!("{directory}/{name}"), give_in)?;
    }
    Ok(())
}

/// Gives a file or a directory the permissions that it is to have; what is neither stays as it is.
fn give_entry(archive: &Path, directory: &str, name: &str, group: Gid, readers: Readers) -> io::Result<()> {
    let directory = inside::directory(archive, directory)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = match rustix::fs::openat(&directory, name, flags, Mode::empty()) {
        // a link, a socket, or gone by now
        Err(Errno::LOOP | Errno::NXIO | Errno::NOENT) => return Ok(()),
        opened => opened?,
    };
    give(&opened, &rustix::fs::fstat(&opened)?, Some(group), readers)
}

fn give(opened: &impl AsFd, stat: &rustix::fs::Stat, group: Option<Gid>, readers: Readers) -> io::Result<()> {
    let mode = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => readers.of_directory(),
        FileType::RegularFile => readers.of_file(),
        _ => return Ok(()),
    };
    if let Some(group) = group.filter(|group| readers == Readers::Group && group.as_raw() != stat.st_gid) {
        rustix::fs::fchown(opened, None, Some(group))?;
    }
    if Mode::from_raw_mode(stat.st_mode) != mode {
        rustix::fs::fchmod(opened, mode)?;
    }
    Ok(())
}

/// What in an archive's directory its group cannot read though it is to, the directory itself as `.`, and of these files of lines and
/// what lies beside them; their paths below it.
fn withheld(archive: &Path, files: &[(String, u64)]) -> Result<Vec<String>, Error> {
    let root = rustix::fs::stat(archive).map_err(|error| Error::io("look at", archive)(error.into()))?;
    let mut withheld = Vec::new();
    if root.st_mode & 0o2050 != 0o2050 {
        withheld.push(".".to_owned());
    }
    let mut look = |path: &str| -> Result<(), Error> {
        let (parent, name) = inside::split(path);
        let stat = inside::directory(archive, parent)
            .and_then(|parent| Ok(rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?));
        let stat = match stat {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            stat => stat.map_err(Error::io("look at", &archive.join(path)))?,
        };
        let needed = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => 0o2050,
            FileType::RegularFile => 0o040,
            _ => return Ok(()),
        };
        if stat.st_gid != root.st_gid || stat.st_mode & needed != needed {
            withheld.push(path.to_owned());
        }
        Ok(())
    };
    for name in durable::names(archive, "")?.iter().filter(|name| ours::is_for_readers(name)) {
        look(name)?;
    }
    sections::files(archive)?.iter().try_for_each(|name| look(&format!("{}/{name}", sections::DIRECTORY)))?;
    let mut last = "";
    for (path, _) in files {
        let (directory, _) = inside::split(path);
        if directory != last {
            ["", "/index.md", "/room.json"].iter().try_for_each(|name| look(&format!("{directory}{name}")))?;
            let names = durable::names(archive, directory)?;
            let pages = names.iter().filter(|name| name.strip_suffix(".html").is_some());
            pages.into_iter().try_for_each(|name| look(&format!("{directory}/{name}")))?;
            last = directory;
        }
        [Form::Plain, Form::Compressed].iter().try_for_each(|form| look(&form.of(path)))?;
        look(&format!("{}.md", path.trim_end_matches(".jsonl")))?;
    }
    Ok(withheld)
}
