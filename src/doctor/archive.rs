//! The archive: whether an export can write to it, and what the last one left.
//!
//! Looks at it beside whoever writes to it, and reads no line's content.

use std::path::{Path, PathBuf};

use tokio::time::timeout;

use super::erasing::erasing;
use super::finding::{EACH, Finding, chain, counted, day, n, named, silent};
use super::watermark;
use crate::archive::{Catalog, Error, LastRun, Look, Readers, RunOutcome, foreign_owner, look};
use crate::source::Database;
use crate::views;

/// How many files are compared with the catalog, others each time.
const FILES: i64 = 1_000;

/// What is known of the archive.
#[derive(Default)]
pub(super) struct ArchiveState {
    directory: Option<PathBuf>,
    look: Option<Look>,
    catalog: Option<Catalog>,
    /// When the last run began that came to its end, milliseconds since the epoch.
    pub(super) last_complete: Option<i64>,
    /// How many events it has.
    pub(super) events: u64,
    /// Only some rooms are exported.
    pub(super) has_selection: bool,
    findings: Vec<Finding>,
}

impl ArchiveState {
    /// Looks at an archive, if there is one to look at.
    pub(super) fn of(directory: Option<&Path>, catalog: Option<&Path>) -> ArchiveState {
        let mut state = ArchiveState { directory: directory.map(Path::to_owned), ..ArchiveState::default() };
        let Some(directory) = directory else {
            let finding = Finding::unknown("archive", "none was named, so none was looked at");
            state.findings.push(finding.remedy("give --archive DIR or SYNAPSE_EXPORT_ARCHIVE"));
            return state;
        };
        match look(directory) {
            Err(error) => state.findings.push(Finding::error("archive", chain(&error))),
            Ok(look) => {
                state.directory(directory, catalog, &look);
                state.look = Some(look);
            }
        }
        state
    }

    /// Whether there is, or is to be, an archive.
    pub(super) fn is_asked_for(&self) -> bool {
        self.directory.is_some()
    }

    pub(super) fn free_bytes(&self) -> Option<u64> {
        self.look.as_ref().and_then(|look| look.free_bytes)
    }

    pub(super) fn report(&mut self, findings: &mut Vec<Finding>) {
        findings.append(&mut self.findings);
    }

    fn directory(&mut self, directory: &Path, catalog: Option<&Path>, look: &Look) {
        let shown = directory.display();
        if !look.is_writable {
            let what = if look.exists { "write to" } else { "make" };
            let finding = Finding::error("archive", format!("this user may not {what} {shown}"));
            self.findings.push(
                finding.remedy("run this, and exports, as the user that owns the archive, or give it another place"),
            );
        }
        if !look.exists {
            let finding = Finding::warning("archive", format!("there is no {shown} yet: nothing is archived"));
            self.findings.push(finding.remedy("run synapse-export export, which makes it"));
            return;
        }
        let opened = Catalog::open_to_read_in(directory, catalog);
        let readers = opened.as_ref().ok().and_then(|catalog| catalog.readers().ok()).unwrap_or_default();
        let permissions = "archive's permissions";
        self.findings.push(match (look.mode, readers, &opened) {
            (0o2750, Readers::Group, Ok(catalog)) => readable(directory, catalog),
            (mode, Readers::Owner, _) if mode.trailing_zeros() >= 6 => {
                Finding::fine(permissions, "only its owner may look into it")
            }
            (mode, Readers::Group, _) => {
                let what = format!("only its owner and its group are to look into {shown} (mode {mode:04o})");
                Finding::warning(permissions, what).remedy(format!("chmod u=rwx,g=rxs,o= {}", quoted(directory)))
            }
            (mode, Readers::Owner, _) => {
                Finding::warning(permissions, format!("others may look into {shown} (mode {mode:04o})"))
                    .remedy(format!("chmod go= {}", quoted(directory)))
            }
        });
        if let Some(error) = foreign_owner(directory) {
            let remedy = error.hint().map(|hint| format!("{hint}, before the next export, which refuses it"));
            self.findings.push(Finding { remedy, ..Finding::warning(permissions, error.to_string()) });
        }
        match opened {
            Ok(catalog) => {
                if let Err(error) = self.inside(directory, look, &catalog) {
                    self.findings.push(Finding::error("archive", chain(&error)));
                }
                self.catalog = Some(catalog);
            }
            Err(Error::NoArchive(_)) if directory.join("rooms").is_dir() => {
                let what = format!("{shown} has lost its catalog.sqlite");
                self.findings.push(Finding::warning("archive", what).remedy(
                    "run synapse-export rebuild, which makes it anew from the files; the next export does so too, and reads again what they lack",
                ));
            }
            Err(Error::NoArchive(_)) => {
                let finding = Finding::warning("archive", format!("{shown} is no archive yet: nothing is archived"));
                self.findings.push(finding.remedy("run synapse-export export, which makes one"));
            }
            Err(Error::NotUpgraded(version)) => {
                let what = format!("its catalog has version {version}, and was not looked into");
                self.findings.push(
                    Finding::warning("archive", what)
                        .remedy("run synapse-export export, which brings it up to this version's, and loses nothing"),
                );
            }
            Err(error @ (Error::Locked { .. } | Error::LockedElsewhere { .. })) => {
                self.findings.push(Finding::unknown("archive", chain(&error)));
            }
            Err(error) => self.findings.push(unusable(&error)),
        }
    }

    fn inside(&mut self, directory: &Path, look: &Look, catalog: &Catalog) -> Result<(), Error> {
        self.events = catalog.events()?;
        self.has_selection = !catalog.selection()?.include.is_empty();
        self.last_complete = catalog.last_complete_run()?.as_deref().and_then(milliseconds);
        let held = look.held_by.as_deref();
        self.findings.push(last_run(catalog.last_run()?.as_ref(), held, self.last_complete));
        if let Some(holder) = held {
            let what = format!(
                "another synapse-export ({holder}) is writing to it; its files were not compared with its catalog"
            );
            self.findings.push(Finding::unknown("archive", what));
        } else if catalog.is_unfinished()? {
            let what = "a run was cut off in the middle of a batch";
            self.findings.push(
                Finding::warning("archive", what).remedy("run an export: it undoes the batch, and reads it again"),
            );
        } else {
            self.findings.push(match catalog.check_files(directory, FILES) {
                Ok(()) => Finding::fine("archive", self.compared(catalog.count_files()?)),
                Err(error) => unusable(&error),
            });
            let misplaced = catalog.misplaced(directory, FILES)?;
            if !misplaced.is_empty() {
                let lines: Vec<String> =
                    misplaced.iter().map(|(event_id, path)| format!("{event_id} in {path}")).collect();
                let what = format!("lines are not where the catalog says: {}", named(&lines));
                self.findings.push(
                    Finding::error("archive", what).remedy("synapse-export rebuild makes the catalog anew from them"),
                );
            }
            let strangers = catalog.strangers(directory, FILES)?;
            if !strangers.is_empty() {
                let what = format!("no export has made these: {}", named(&strangers));
                self.findings.push(Finding::warning("archive", what).remedy(
                    "take them elsewhere; an export stops where a file it does not know has the name of one that it wants to make",
                ));
            }
        }
        let damaged = catalog.damaged()?;
        self.findings.push(if damaged == 0 {
            Finding::fine("damaged events", "none is known in the archive")
        } else {
            let what = if damaged == 1 {
                "1 archived event is damaged: its line holds no PDU, or one that cannot be read".to_owned()
            } else {
                let damaged = n(damaged);
                format!("{damaged} archived events are damaged: their lines hold no PDU, or one that cannot be read")
            };
            Finding::warning("damaged events", what).remedy(
                "select event_id, room_id from event where damaged; if the server has their JSON by now, synapse-export watermark reset and an export put it in its place",
            )
        });
        let waiting = catalog.waiting_count()?;
        if waiting > 0 {
            let events = counted(waiting, "event");
            let (read, them) = if waiting == 1 { ("it was", "it") } else { ("they were", "them") };
            let what = format!(
                "{events} had no row in event_json when {read} read; each run asks for {them}, and after a day archives {them} as damaged"
            );
            self.findings.push(Finding::warning("events without JSON", what).remedy(
                "see whether this is a logical subscriber that does not keep up, or has no subscription to event_json; else the rows are lost, or their index is damaged (REINDEX TABLE event_json)",
            ));
        }
        self.findings.extend(erasing(directory, catalog, held)?);
        self.findings.push(transcripts(directory, catalog, held)?);
        match Catalog::decrypted_numbers_in(directory) {
            Ok(None) if catalog.decrypts_with()?.is_none() => {}
            Ok(None) => self.findings.push(Finding::fine("encrypted events", "the next export decrypts what it can")),
            Ok(Some(numbers)) => self.findings.push(Finding::fine("encrypted events", numbers.to_string())),
            Err(error) => self.findings.push(Finding::error("encrypted events", chain(&error))),
        }
        self.findings.extend(media(catalog)?);
        self.findings.extend(keys(catalog)?);
        Ok(())
    }

    /// What was looked at of the lines.
    fn compared(&self, files: u64) -> String {
        let most = FILES.unsigned_abs();
        let which = if files <= most { n(files) } else { format!("{} of {}, others each time,", n(most), n(files)) };
        let what = "each is as long as its catalog says, and so many of their lines are where it says; what else is in them was not read";
        format!("{}; of its files of lines {which} were looked at: {what}", counted(self.events, "event"))
    }

    /// Compares how far the archive has come with how far the server is.
    pub(super) async fn compare(&mut self, database: &Database) {
        let Some(catalog) = &self.catalog else { return };
        if catalog.media_asked().is_ok_and(|asked| asked.is_some())
            && let Err(problem) = database.schema().suffices_for_media()
        {
            let remedy = problem.hint();
            self.findings
                .push(Finding { remedy, ..Finding::warning("media", format!("no files are copied: {problem}")) });
        }
        match timeout(EACH, watermark::compare(catalog, database)).await {
            Ok(Ok(mut findings)) => self.findings.append(&mut findings),
            Ok(Err(text)) => self.findings.push(Finding::unknown("watermark", text)),
            Err(_) => self.findings.push(silent("watermark", EACH)),
        }
    }
}

/// Whether the group can read an archive that it is to read, as far as that is looked at.
fn readable(directory: &Path, catalog: &Catalog) -> Finding {
    let check = "archive's permissions";
    match catalog.withheld(directory, FILES) {
        Ok(withheld) if withheld.is_empty() => Finding::fine(check, "its owner and its group may look into it"),
        Ok(withheld) => {
            let what = format!("its group is to look into it, and cannot read these: {}", named(&withheld));
            let remedy = format!("synapse-export render --group-readable --archive {}", quoted(directory));
            Finding::warning(check, what).remedy(remedy)
        }
        Err(error) => Finding::error(check, chain(&error)),
    }
}

/// What there is of files, if they are asked for, and whether the directories are there that they are copied from.
fn media(catalog: &Catalog) -> Result<Vec<Finding>, Error> {
    let check = "media";
    let mut findings = Vec::new();
    let asked = catalog.media_asked()?;
    for store in asked.iter().flat_map(|asked| &asked.stores) {
        if let Err(error) = std::fs::read_dir(store) {
            let what = format!("the media store {} cannot be read: {error}", store.display());
            findings.push(Finding::warning(check, what).remedy(
                "mount it, or let this user read it; if it is elsewhere by now, say so with synapse-export media --media-store DIR",
            ));
        }
    }
    let Some(numbers) = catalog.media_numbers()? else {
        findings.extend(asked.map(|_| Finding::fine(check, "the next export copies the files that events name")));
        return Ok(findings);
    };
    let lacking: Vec<String> =
        numbers.lacking_of_asked().map(|(why, count)| format!("{} {}", n(count), why.replace('_', " "))).collect();
    let lacking =
        if lacking.is_empty() { "none is lacking".to_owned() } else { format!("lacking: {}", lacking.join(", ")) };
    findings.push(Finding::fine(
        check,
        format!("{} of {} files that events name are here; {lacking}", n(numbers.kept), n(numbers.asked_for())),
    ));
    Ok(findings)
}

/// Whether what proves the events of the server's own users is kept with them.
fn keys(catalog: &Catalog) -> Result<Option<Finding>, Error> {
    let Some(server) = catalog.server()? else { return Ok(None) };
    if catalog.has_keys_of(&server)? {
        return Ok(Some(Finding::fine("server's keys", "the archive has public keys of its own server")));
    }
    let what = "the archive has no public key of its own server, with which its users' events are signed: it stands in no table";
    Ok(Some(Finding::unknown("server's keys", what).remedy(format!(
        "while the server is there, save https://{}/_matrix/key/v2/server, and give it once: synapse-export verify --server-keys FILE",
        server.escape_debug()
    ))))
}

/// Whether there are transcripts, and as the events say, as far as that is looked at.
fn transcripts(directory: &Path, catalog: &Catalog, held: Option<&str>) -> Result<Finding, Error> {
    let check = "transcripts";
    let stale = catalog.stale_transcripts()?;
    if held.is_some() {
        let what = format!("not looked at while an export is writing; {} are to be rendered", n(stale));
        return Ok(Finding::unknown(check, what));
    }
    let remedy = format!("synapse-export render --archive {}", quoted(directory));
    if !views::has_transcripts(catalog, directory)? {
        let what = format!("none has ever been rendered; {} can be", n(stale));
        return Ok(Finding::unknown(check, what).remedy(remedy));
    }
    let missing = views::missing(catalog, directory, usize::try_from(FILES).unwrap_or_default())?;
    if stale > 0 {
        return Ok(Finding::warning(check, format!("{} are not up to date", n(stale))).remedy(remedy));
    }
    let looked_at = n(missing.looked_at as u64);
    if missing.is_empty() {
        let what =
            format!("all are rendered; {looked_at} of {} were looked for, and are there", n(catalog.count_files()?));
        return Ok(Finding::fine(check, what));
    }
    let days = missing.days.iter().map(|path| path.replace(".jsonl", ".md"));
    let rooms = missing.rooms.iter().map(|room| format!("the index or link of rooms/{room}"));
    let gone: Vec<String> = missing.list.into_iter().chain(rooms).chain(days).collect();
    let what = format!("of {looked_at} room-days that were looked at, these are missing: {}", named(&gone));
    Ok(Finding::warning(check, what).remedy(remedy))
}

fn last_run(run: Option<&LastRun>, held: Option<&str>, last_complete: Option<i64>) -> Finding {
    let check = "last run";
    let Some(run) = run else {
        return Finding::warning(check, "none has begun").remedy("run synapse-export export");
    };
    let what = format!("number {}, begun {}: {}", run.run, run.started, run.outcome);
    let complete = match last_complete {
        Some(began) => format!("; the last one that came to its end began {}", day(began)),
        None => "; none has come to its end yet".to_owned(),
    };
    match run.outcome {
        RunOutcome::Done | RunOutcome::Damaged => Finding::fine(check, what),
        RunOutcome::Running if held.is_some() => Finding::fine(check, what),
        RunOutcome::Rebuilt => Finding::warning(check, format!("{what} from the files"))
            .remedy("run synapse-export export: it goes on, and reads again what the files lacked"),
        RunOutcome::Stopped => {
            Finding::warning(check, what + &complete).remedy("run synapse-export export: it goes on from there")
        }
        RunOutcome::Running => Finding::warning(check, format!("{what}, until it was killed{complete}"))
            .remedy("run synapse-export export: it goes on from there"),
        RunOutcome::Failed => {
            let why = run.error.as_ref().map_or_else(String::new, |error| format!(" ({error})"));
            Finding::warning(check, format!("{what}{why}{complete}")).remedy("run synapse-export export")
        }
    }
}

/// What is wrong with an archive and, where its error says it, what to do about it.
fn unusable(error: &Error) -> Finding {
    Finding { remedy: error.hint(), ..Finding::error("archive", chain(error)) }
}

fn milliseconds(time: &str) -> Option<i64> {
    Some(chrono::DateTime::parse_from_rfc3339(time).ok()?.timestamp_millis())
}

/// A path as a shell takes it.
pub(super) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,=".contains(c);
    if text.chars().all(plain) && !text.starts_with('-') { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_run_failed_is_said_and_not_to_be_asked_for() {
        let failed = |error: Option<&str>| LastRun {
            run: 7,
            started: "2026-11-20T09:14:00Z".to_owned(),
            finished: None,
            outcome: RunOutcome::Failed,
            error: error.map(str::to_owned),
        };
        let finding = last_run(Some(&failed(Some("no space left"))), None, None);
        assert_eq!(finding.severity, super::super::finding::Severity::Warning);
        assert!(finding.what.contains(": failed (no space left);"), "{finding:?}");
        assert_eq!(finding.remedy.as_deref(), Some("run synapse-export export"));
        assert!(last_run(Some(&failed(None)), None, None).what.contains(": failed;"));
    }
}
