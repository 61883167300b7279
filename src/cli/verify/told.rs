//! What a verification found, in words and as JSON. Finds nothing.

use std::io::{Result, Write};

use indicatif::{HumanBytes, HumanCount};
use serde_json::{Map, Value, json};

use super::super::log::visible;
use super::super::report::counted;
use crate::archive::verifying::{Compared, ErasedBy, RoomDifferences, Tombstones, Verified};
use crate::event::Verdict;
use crate::verify::Seal;

/// What there is to tell.
pub(super) struct VerifyReport<'a> {
    pub(super) verified: &'a Verified,
    /// None: it was not compared with the server.
    pub(super) compared: Option<&'a Compared>,
    /// None: it was not held against one.
    pub(super) seal: Option<&'a Seal>,
    pub(super) is_remembered: bool,
}

impl VerifyReport<'_> {
    /// As a JSON object.
    pub(super) fn as_json(&self, quick: bool) -> Value {
        let VerifyReport { verified, compared, is_remembered, .. } = *self;
        let verdicts: Map<_, _> = Verdict::ALL
            .into_iter()
            .map(|verdict| (verdict.name().to_owned(), verified.verdict(verdict).into()))
            .collect();
        let keys = verified
            .keys
            .iter()
            .map(|((server, id), events)| json!({"server": server, "key_id": id, "events": events}));
        let off = verified.off.iter().map(|(off, count)| (off.name().to_owned(), (*count).into()));
        let rewritten =
            verified.rewritten.iter().map(|file| json!({"path": file.path, "gone": file.gone, "erased": file.erased}));
        json!({
            "files": verified.files,
            "lines": verified.lines,
            "bytes": verified.bytes,
            "transcripts": verified.transcripts,
            "verdicts": if quick { Value::Null } else { verdicts.into() },
            "keys": keys.collect::<Vec<_>>(),
            "chain": {
                "head": verified.head.as_ref().map(|head| json!({"bytes": head.bytes, "hash": head.hash})),
                "begun": verified.begun,
                "unchained_lines": verified.unchained,
            },
            "off": off.collect::<Map<_, Value>>(),
            "named": verified.named.iter().map(|(off, what)| json!({"kind": off.name(), "what": what})).collect::<Vec<_>>(),
            "erased": tombstones_as_json(&verified.tombstones),
            "server": compared.map(server_as_json),
            "sealed": verified.is_sealed,
            "rewritten": rewritten.collect::<Vec<_>>(),
            "remembered": is_remembered,
        })
    }

    /// In words, of what took so many seconds.
    pub(super) fn write(&self, out: &mut impl Write, seconds: f64) -> Result<()> {
        let verified = self.verified;
        let (files, lines) = (counted(verified.files, "file"), counted(verified.lines, "line"));
        writeln!(out, "{files}, {lines}, {}, {seconds:.1} s", HumanBytes(verified.bytes))?;
        let verdicts = listed(Verdict::ALL.map(|verdict| (verified.verdict(verdict), verdict.name())), true);
        if !verdicts.is_empty() {
            writeln!(out, "events: {verdicts}")?;
        }
        for ((server, id), events) in &verified.keys {
            let (server, id) = (visible(server), visible(id));
            writeln!(out, "no key: {id} of {server}, for {}", counted(*events, "event"))?;
        }
        self.write_chain(out)?;
        write_tombstones(out, &verified.tombstones)?;
        self.compared.map_or(Ok(()), |compared| write_server(out, compared))?;
        self.seal.map_or(Ok(()), |seal| self.write_seal(out, seal))?;
        for (off, what) in &verified.named {
            writeln!(out, "OFF {off}: {}", visible(what))?;
        }
        for (off, count) in &verified.off {
            let named = verified.named.iter().filter(|(own, _)| own == off).count() as u64;
            if *count > named {
                writeln!(out, "OFF {off}: and {} more", HumanCount(count - named))?;
            }
        }
        if verified.off.is_empty() { writeln!(out, "nothing is off") } else { Ok(()) }
    }

    fn write_chain(&self, out: &mut impl Write) -> Result<()> {
        let verified = self.verified;
        match &verified.head {
            None => writeln!(out, "chain: none yet")?,
            Some(head) => writeln!(out, "chain: {} {}", head.bytes, head.hash)?,
        }
        if verified.begun > 0 {
            let what = "what it says of the time before is not linked to what it says of the time after";
            writeln!(out, "chain: begun anew {}: {what}", counted(verified.begun, "time"))?;
        }
        if verified.unchained > 0 {
            let what = if self.is_remembered { ", taken into it now" } else { "" };
            writeln!(out, "chain: {} in no commit of it{what}", counted(verified.unchained, "line"))?;
        }
        Ok(())
    }

    fn write_seal(&self, out: &mut impl Write, seal: &Seal) -> Result<()> {
        let time = visible(&seal.time);
        match (self.verified.is_sealed, &*self.verified.rewritten) {
            (Some(true), []) if self.verified.off.is_empty() => {
                writeln!(out, "seal: all that was held at {time} is there")?;
            }
            (Some(true), []) => writeln!(out, "seal: its place in the chain is there; see what is off")?,
            (Some(true), rewritten) => {
                writeln!(out, "OFF seal: {} written anew since {time}", counted(rewritten.len() as u64, "file"))?;
                for file in rewritten {
                    let (gone, erased) = (counted(file.gone, "line"), counted(file.erased, "line"));
                    writeln!(
                        out,
                        "OFF seal: {}: {gone} gone since, something erased of {erased}",
                        visible(&file.path)
                    )?;
                }
                for by in self.verified.tombstones.by.iter().filter(|by| by.erasure.at >= seal.time) {
                    writeln!(out, "seal: erased since: {}", said(by))?;
                }
            }
            _ => writeln!(out, "OFF seal: the chain has no commit that the seal of {time} knows")?,
        }
        Ok(())
    }
}

/// Numbers with what they count, those that are none left out.
fn listed<const N: usize>(parts: [(u64, &str); N], is_before: bool) -> String {
    let parts = parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| {
        let count = HumanCount(count);
        if is_before { format!("{what} {count}") } else { format!("{count} {what}") }
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn tombstones_as_json(tombstones: &Tombstones) -> Value {
    let by = |by: &ErasedBy| {
        let request = &by.erasure.request;
        json!({"number": by.erasure.number, "what": request.what.to_string(), "at": by.erasure.at, "reason": request.reason,
               "tombstones": by.tombstones})
    };
    json!({
        "whole": tombstones.whole,
        "pruned": tombstones.pruned,
        "of_others": tombstones.of_others,
        "by": tombstones.by.iter().map(by).collect::<Vec<_>>(),
    })
}

fn write_tombstones(out: &mut impl Write, tombstones: &Tombstones) -> Result<()> {
    let Tombstones { whole, pruned, of_others, by } = tombstones;
    let all =
        listed([(*whole, "as a whole"), (*pruned, "what they said"), (*of_others, "what others repeated")], false);
    if !all.is_empty() {
        writeln!(out, "erased: {all}")?;
    }
    by.iter().try_for_each(|by| writeln!(out, "erased: {}", said(by)))
}

fn said(by: &ErasedBy) -> String {
    let (events, at, request) = (counted(by.tombstones, "event"), &by.erasure.at, &by.erasure.request);
    let reason = request.reason.as_ref().map_or_else(String::new, |reason| format!(" ({})", visible(reason)));
    format!("{events} at {}: {}{reason}", visible(at), visible(&request.what.to_string()))
}

fn server_as_json(compared: &Compared) -> Value {
    let in_room = |room: &RoomDifferences| json!({"missing": room.missing, "purged": room.purged, "pruned": room.pruned, "differs": room.differs});
    let rooms = rooms(compared).into_iter().map(|(room_id, all, days)| {
        let mut room = in_room(&all);
        room["days"] =
            days.into_iter().map(|(day, of_day)| (day.to_owned(), in_room(of_day))).collect::<Map<_, _>>().into();
        (room_id.to_owned(), room)
    });
    let mut all = in_room(&compared.all);
    for (key, count) in [
        ("archived", compared.archived),
        ("outliers", compared.outliers),
        ("left_out", compared.left_out),
        ("to_come", compared.to_come),
        ("erased", compared.erased),
        ("waiting", compared.waiting),
    ] {
        all[key] = count.into();
    }
    all["rooms"] = rooms.collect::<Map<_, _>>().into();
    all
}

fn write_server(out: &mut impl Write, compared: &Compared) -> Result<()> {
    let Compared { archived, outliers, left_out, to_come, erased, waiting, all, .. } = compared;
    let parts = listed(
        [
            (*archived, "archived"),
            (*left_out, "of rooms that are left out"),
            (*to_come, "to come, or in gaps"),
            (*erased, "erased here"),
            (*waiting, "waited for"),
            (all.missing, "missing"),
            (*outliers, "that no archive takes"),
        ],
        false,
    );
    writeln!(out, "server: {parts}")?;
    let (purged, pruned, differs) = (HumanCount(all.purged), HumanCount(all.pruned), HumanCount(all.differs));
    writeln!(
        out,
        "archived, and there no more {purged}; pruned there since {pruned}; with another text there {differs}"
    )?;
    for (room_id, all, days) in rooms(compared) {
        writeln!(out, "{}: {}", visible(room_id), counts(&all))?;
        days.iter().try_for_each(|(day, of_day)| writeln!(out, "  {}: {}", visible(day), counts(of_day)))?;
    }
    Ok(())
}

fn counts(room: &RoomDifferences) -> String {
    let RoomDifferences { missing, purged, pruned, differs } = *room;
    listed([(missing, "missing"), (purged, "there no more"), (pruned, "pruned"), (differs, "with another text")], false)
}

/// A room where something is not alike: its id, all of it, and its days.
type RoomCompared<'c> = (&'c str, RoomDifferences, Vec<(&'c str, &'c RoomDifferences)>);

/// Each room where something is not alike.
fn rooms(compared: &Compared) -> Vec<RoomCompared<'_>> {
    let mut rooms: Vec<RoomCompared<'_>> = Vec::new();
    for (room_id, day, of_day) in &compared.days {
        if rooms.last().is_none_or(|(last, ..)| *last != room_id.as_str()) {
            rooms.push((room_id.as_str(), RoomDifferences::default(), Vec::new()));
        }
        if let Some((_, all, days)) = rooms.last_mut() {
            *all += *of_day;
            days.push((day, of_day));
        }
    }
    rooms
}
