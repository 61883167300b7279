//! What is asked to be erased while another process holds the archive: a file in its directory, which whoever holds it, or holds it next,
//! takes in before it ends. Selects and erases nothing.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::{Archive, Error, durable, inside};
use super::request::{Request, What};

/// What the names of such files begin and end with.
const NAME: (&str, &str) = (".erase.", ".json");

/// A request as its file has it.
#[derive(Serialize, Deserialize)]
struct RequestFile {
    what: String,
    which: String,
    whole: bool,
    lasts: bool,
    reason: Option<String>,
}

/// A request that was taken in, and what became of it.
pub type TakenRequest = (Request, Result<(), Error>);

/// Leaves a request for whoever holds an archive. It is on the disk when this returns.
pub fn leave_request(archive: &Path, request: &Request) -> Result<(), Error> {
    let (what, which) = request.what.columns();
    let Request { whole, lasts, reason, .. } = request;
    let asked = RequestFile { what: what.to_owned(), which, whole: *whole, lasts: *lasts, reason: reason.clone() };
    let leave = || -> io::Result<()> {
        // which has another name until it is whole
        let mut file = tempfile::Builder::new().prefix(".new.").tempfile_in(archive)?;
        file.write_all(serde_json::to_string(&asked)?.as_bytes())?;
        file.as_file().sync_all()?;
        let chance = file.path().file_name().unwrap_or_default().to_string_lossy().replace('.', "");
        file.persist_noclobber(archive.join(format!("{}{chance}{}", NAME.0, NAME.1)))?;
        File::open(archive)?.sync_all()
    };
    leave().map_err(Error::io("leave a request in", archive))
}

/// The names of the requests in an archive's directory.
pub fn requests(archive: &Path) -> Result<Vec<String>, Error> {
    let is_one = |name: &String| name.starts_with(NAME.0) && name.ends_with(NAME.1);
    Ok(durable::names(archive, "")?.into_iter().filter(is_one).collect())
}

impl Archive {
    /// Takes in what others have asked to be erased, each with what became of it: it is selected, and remembered, or cannot be. None is left.
    pub fn take_requests(&mut self, now: i64) -> Result<Vec<TakenRequest>, Error> {
        let mut taken = Vec::new();
        for name in requests(&self.directory)? {
            let request = self.read_request(&name)?;
            let done = match self.select_to_erase(&request, now, false) {
                Ok(_) => Ok(()),
                Err(error @ Error::OnHold(_)) => Err(error),
                Err(error) => return Err(error),
            };
            durable::remove(&self.directory, &name)?;
            taken.push((request, done));
        }
        if !taken.is_empty() {
            durable::sync(&self.directory)?;
        }
        Ok(taken)
    }

    fn read_request(&self, name: &str) -> Result<Request, Error> {
        let path = self.directory.join(name);
        let read = || -> io::Result<RequestFile> { Ok(serde_json::from_reader(inside::read(&self.directory, name)?)?) };
        let RequestFile { what, which, whole, lasts, reason } = read().map_err(Error::io("read the request", &path))?;
        Ok(Request { what: What::of(&what, which)?, whole, lasts, reason })
    }
}
