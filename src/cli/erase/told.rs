//! What was erased, or would be, in numbers, and what lasts. Erases nothing.

use std::io::Write as _;

use anyhow::Result;
use indicatif::HumanCount;

use super::super::Outcome;
use super::super::output::DataOutput;
use super::super::report::{counted, shown};
use super::Args;
use crate::archive::{Buried, Request, Selected, What};

/// Says in numbers what was erased, or would be, and what is not.
pub(super) fn tell(request: &Request, selected: &Selected, dry: bool) -> Result<()> {
    let mut out = DataOutput::stdout();
    writeln!(out, "{} {}", if dry { "would be erased:" } else { "erased:" }, request.what)?;
    let Buried { whole, pruned, cut, copies, files } = selected.lines;
    for (count, what) in [
        (whole, "events, their lines as a whole"),
        (pruned, "events, what they say (their skeletons stay, with the sender's id)"),
        (cut, "answers of others, what they quote"),
        (copies, "events of others, what their server had copied into them"),
        (selected.names, "names that are in no line"),
        (files, "files of lines, written anew"),
        (selected.rooms, "rooms"),
    ] {
        writeln!(out, "{:>12}  {what}", HumanCount(count).to_string())?;
    }
    writeln!(out, "stays:")?;
    if let What::Sender(_) = request.what {
        writeln!(
            out,
            "{:>12}  events of others that name him by his id",
            HumanCount(selected.named_by_others).to_string()
        )?;
    }
    if let What::Before(_) = request.what {
        writeln!(out, "{:>12}  state events from before that", HumanCount(selected.state).to_string())?;
    }
    writeln!(
        out,
        "              what others wrote themselves, and what lies elsewhere: backups, copies, dumps, the server"
    )?;
    if dry {
        writeln!(out, "nothing is changed yet: give --yes")?;
    } else if request.lasts {
        writeln!(out, "it lasts for what comes later (--list, --end)")?;
    }
    out.finish()
}

pub(super) fn list(args: &Args) -> Result<Outcome> {
    let catalog = args.archive.look()?;
    let mut out = DataOutput::stdout();
    let why = |reason: &Option<String>| reason.as_ref().map_or_else(String::new, |it| format!(", {}", shown(it)));
    for erasure in catalog.lasting_erasures()? {
        let how = if erasure.request.whole { "whole" } else { "pruned" };
        let (what, reason) = (&erasure.request.what, why(&erasure.request.reason));
        writeln!(out, "{:>4}  {what}: {how}, since {}{reason}", erasure.number, erasure.at)?;
    }
    for hold in catalog.holds()? {
        writeln!(out, "hold  {}, since {}{}", shown(&hold.room_id), hold.at, why(&hold.reason))?;
    }
    writeln!(out, "{} in the archive", counted(catalog.tombstones()?, "tombstone"))?;
    out.finish()?;
    Ok(Outcome::Done)
}
