//! What an archive remembers, and what a configuration file says in its place for a run: that is not remembered, and what was before
//! holds again once the file says nothing.
//!
//! The archive itself knows what holds, since all that is made of it goes by that; what is remembered beside it is kept under a name.

use clap::ArgMatches;
use clap::parser::ValueSource;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::keys::KeyArgs;
use crate::archive::{Archive, Catalog, Error, Selection};

/// The rooms that are exported.
pub(super) const SELECTION: &str = "selection";
/// Whether transcripts show what was redacted.
pub(super) const SHOW_REDACTED: &str = "show_redacted";
/// Whether transcripts hide what erased users said.
pub(super) const HIDE_ERASED: &str = "hide_erased";
/// The time zone of transcripts, by its name.
pub(super) const TIMEZONE: &str = "timezone";
/// With what it is decrypted, if it is.
pub(super) const DECRYPT: &str = "decrypt";
/// Which files are copied, if any are.
pub(super) const MEDIA: &str = "media";
/// Whether a group may read it.
pub(super) const GROUP_READABLE: &str = "group_readable";

/// Options that say one thing between them.
pub(super) const SAY_ONE_THING: [&[&str]; 3] = [&ROOMS, &READERS, &FILES];
const ROOMS: [&str; 3] = ["room", "exclude-room", "all-rooms"];
const READERS: [&str; 2] = ["group-readable", "no-group-readable"];
const FILES: [&str; 5] = ["media-store", "avatars", "media-max-size", "media-types", "no-media"];

/// Who says what holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Says {
    /// An option, or the environment: it is remembered.
    #[default]
    Option,
    /// The configuration file: it holds for this run.
    File,
}

impl Says {
    /// Who says what options have, by their names, of which their ids are made.
    fn of(matches: &ArgMatches, names: &[&str]) -> Says {
        let is_given = |name: &&str| {
            let source = matches.value_source(&name.replace('-', "_"));
            matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
        };
        if names.iter().any(is_given) { Says::Option } else { Says::File }
    }
}

/// Who says each of what an export remembers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sayers {
    pub(super) rooms: Says,
    pub(super) show_redacted: Says,
    pub(super) hide_erased: Says,
    pub(super) timezone: Says,
    pub(super) decrypt: Says,
    pub(super) media: Says,
    pub(super) readers: Says,
}

impl Sayers {
    /// Of the options of an export.
    pub(super) fn of(matches: &ArgMatches) -> Sayers {
        let says = |names: &[&str]| Says::of(matches, names);
        let keys = KeyArgs::ids();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        Sayers {
            rooms: says(&ROOMS),
            show_redacted: says(&["show-redacted"]),
            hide_erased: says(&["hide-erased"]),
            timezone: says(&["timezone"]),
            decrypt: says(&[&keys[..], &["decrypt"]].concat()),
            media: says(&FILES),
            readers: says(&READERS),
        }
    }
}

/// What holds, and what is to be remembered beside it, if that changes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Holding<T> {
    name: &'static str,
    pub(super) value: T,
    remembers: Option<T>,
}

impl<T: Clone + PartialEq + Serialize + DeserializeOwned> Holding<T> {
    /// Of what is said, if anything is, and what the last run went by.
    pub(super) fn of(
        catalog: &Catalog,
        name: &'static str,
        said: Option<T>,
        says: Says,
        last: T,
    ) -> Result<Holding<T>, Error> {
        Ok(Holding::between(name, said, says, last, catalog.remembered(name)?))
    }

    fn between(name: &'static str, said: Option<T>, says: Says, last: T, remembered: Option<T>) -> Holding<T> {
        let (value, remembers) = match (said, remembered) {
            (Some(said), None) if says == Says::File && said != last => (said, Some(last)),
            (Some(said), Some(_)) if says == Says::Option => (said.clone(), Some(said)),
            (Some(said), _) => (said, None),
            (None, remembered) => (remembered.unwrap_or(last), None),
        };
        Holding { name, value, remembers }
    }

    /// Remembers what is to be, which comes before what holds is set: cut off between the two, nothing is forgotten.
    pub(super) fn remember(&self, archive: &mut Archive) -> Result<(), Error> {
        self.remembers.as_ref().map_or(Ok(()), |value| archive.remember_as(self.name, value))
    }
}

/// The rooms that are remembered.
pub(super) fn selection(catalog: &Catalog) -> Result<Selection, Error> {
    catalog.remembered(SELECTION)?.map_or_else(|| catalog.selection(), Ok)
}

/// What is remembered by a name, where the last run went by this.
pub(super) fn or_last<T: DeserializeOwned>(catalog: &Catalog, name: &str, last: T) -> Result<T, Error> {
    Ok(catalog.remembered(name)?.unwrap_or(last))
}

#[cfg(test)]
mod tests {
    use super::{Holding, Says};

    /// What holds after each of some runs, from `a`, which is remembered.
    fn runs(said: &[(Option<char>, Says)]) -> String {
        let (mut last, mut remembered) = ('a', None);
        let run = |&(said, says): &(Option<char>, Says)| {
            let holds = Holding::between("x", said, says, last, remembered);
            (last, remembered) = (holds.value, holds.remembers.or(remembered));
            last
        };
        said.iter().map(run).collect()
    }

    #[test]
    fn a_file_holds_for_a_run_and_an_option_for_those_to_come() {
        let (file, option, nothing) =
            (|it| (Some(it), Says::File), |it| (Some(it), Says::Option), (None, Says::Option));
        assert_eq!(runs(&[file('b'), nothing, file('c'), file('d'), nothing]), "bacda");
        assert_eq!(runs(&[option('b'), nothing, file('c'), nothing]), "bbcb");
        assert_eq!(runs(&[file('b'), option('c'), nothing, file('b'), nothing]), "bccbc");
        assert_eq!(runs(&[file('a'), nothing, option('b'), file('b'), nothing]), "aabbb");
    }
}
