//! `pg_service.conf` (PostgreSQL manual, "The Connection Service File").
//!
//! A user's own file comes before the system's. Never quotes a value of it.

use std::path::PathBuf;

use crate::Error;
use crate::parameters::Parameters;

/// Reads what a service stands for: from `PGSERVICEFILE` or `~/.pg_service.conf`, else from the system's file,
/// which is named too.
pub(crate) fn read(name: &str, env: &impl Fn(&str) -> Option<String>) -> Result<(Parameters, PathBuf), Error> {
    let named = env("PGSERVICEFILE").map(PathBuf::from);
    let own = env("HOME").map(|home| PathBuf::from(home).join(".pg_service.conf"));
    // without the variable libpq looks where it was built to look: on Debian and its kin that is here
    let system = env("PGSYSCONFDIR").unwrap_or_else(|| "/etc/postgresql-common".to_owned());
    let system = PathBuf::from(system).join("pg_service.conf");
    let must_exist = named.is_some();
    for (path, must_exist) in [(named.or(own), must_exist), (Some(system), false)] {
        let Some(path) = path else { continue };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_exist => continue,
            Err(error) => return Err(Error::File { key: "PGSERVICEFILE", path, problem: error.to_string() }),
        };
        if let Some(parameters) = section(&text, name, &path.display().to_string())? {
            return Ok((parameters, path));
        }
    }
    Err(Error::Value { key: "service", expected: "the name of a section of pg_service.conf" })
}

/// The parameters of one section.
fn section(text: &str, name: &str, path: &str) -> Result<Option<Parameters>, Error> {
    let header = format!("[{name}]");
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    if !lines.any(|line| line == header) {
        return Ok(None);
    }
    let mut parameters = Parameters::default();
    for line in lines.take_while(|line| !line.starts_with('[')) {
        let pair = line.split_once('=').filter(|(key, _)| *key != "service");
        let (key, value) = pair.ok_or(Error::Value { key: "service", expected: "a section of key=value lines" })?;
        parameters.insert(key, value.to_owned(), path)?;
    }
    Ok(Some(parameters))
}
