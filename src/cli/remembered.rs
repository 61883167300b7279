//! What an archive remembers, and what a configuration file says in its place for a run: that is not remembered, and what was before
//! holds again once the file says nothing.
//!
//! The archive itself knows what holds, since all that is made of it goes by that; what is remembered beside it is kept under a name.

use clap::ArgMatches;
use clap::parser::ValueSource;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::archive::{Archive, Catalog, Error, Selection};

/// The rooms that are exported.
pub(super) const SELECTION: &str = "selection";
/// Whether transcripts show what was redacted.
pub(super) const SHOW_REDACTED: &str = "show_redacted";
/// Whether transcripts hide what erased users said.
pub(super) const HIDE_ERASED: &str = "hide_erased";

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
    /// Who says what options have, by their ids.
    pub(super) fn of(matches: &ArgMatches, ids: &[&str]) -> Says {
        let is_given = |id: &&str| {
            let source = matches.value_source(id);
            matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
        };
        if ids.iter().any(is_given) { Says::Option } else { Says::File }
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

/// A switch that is remembered, and by what the last run went.
pub(super) fn switch(catalog: &Catalog, name: &str, last: bool) -> Result<bool, Error> {
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
