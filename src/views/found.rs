//! What a search has found, for who asked: where it was said and by whom, as they were called then, and the part of the text that was
//! looked for. Writes no file and no SQL.

use std::collections::HashMap;

use crate::archive::Error;
use crate::archive::reading::Reader;
use crate::archive::reading::names::{MemberNames, Remembered};
use crate::archive::reading::search::{Hit, Test};
use crate::archive::reading::title;
use crate::document::line::{Anchor, Name};
use crate::document::time;
use crate::search::matching::CutText;
use crate::search::query::Query;
use crate::search::snippet::{Snippet, snippet};

/// A hit, and what is told of it.
#[derive(Debug)]
pub(crate) struct SearchResult {
    pub(crate) hit: Hit,
    /// What the room is called.
    pub(crate) room: String,
    /// What the sender was called then.
    pub(crate) sender: String,
    pub(crate) snippet: Snippet,
    /// Where transcripts have it, below the archive: `rooms/room@a.example/2026-11-22.md#Xf3…`.
    pub(crate) transcript: String,
}

/// Tells hits. `is_substring`: words of the query are parts of words.
pub(crate) fn tell(
    reader: &Reader<'_>,
    hits: Vec<Hit>,
    query: &Query<Test>,
    is_substring: bool,
) -> Result<Vec<SearchResult>, Error> {
    let phrases = query.phrases();
    let mut rooms: HashMap<String, (String, Remembered)> = HashMap::new();
    let mut told = Vec::with_capacity(hits.len());
    for hit in hits {
        if !rooms.contains_key(&hit.room_id) {
            rooms.insert(hit.room_id.clone(), (title::now(reader, &hit.room_id)?.name, Remembered::default()));
        }
        let Some((room, remembered)) = rooms.get_mut(&hit.room_id) else { continue };
        let mut names = MemberNames::new(reader, &hit.room_id, time::range(&hit.day), remembered);
        let sender = match names.shown(hit.sender.as_deref(), hit.at)? {
            Name { name, user_id: Some(user_id), .. } => format!("{name} ({user_id})"),
            Name { name, .. } => name,
        };
        let body = hit.body.as_deref().unwrap_or_default();
        let text = if is_substring { CutText::whole(body) } else { CutText::of(body) };
        let snippet = snippet(body, &text.places(&phrases));
        let transcript = format!("rooms/{}/{}.md#{}", hit.directory, hit.day, Anchor::of(&hit.event_id).as_str());
        told.push(SearchResult { room: room.clone(), sender, snippet, transcript, hit });
    }
    Ok(told)
}

/// Puts those first that have the words more often, in short texts, and the rarer ones of the words.
pub(crate) fn by_relevance(mut hits: Vec<Hit>, query: &Query<Test>, is_substring: bool) -> Vec<Hit> {
    /// How often a word counts in a text, and how much its length does (BM25).
    const SATURATION: f64 = 1.2;
    const LENGTH: f64 = 0.75;
    const COUNTED: usize = 100;
    #[allow(clippy::cast_precision_loss, reason = "they are small")]
    let number = |of: usize| of as f64;
    let phrases = query.phrases();
    let looked_at: Vec<(usize, Vec<usize>)> = hits
        .iter()
        .map(|hit| {
            let body = hit.body.as_deref().unwrap_or_default();
            let text = if is_substring { CutText::whole(body) } else { CutText::of(body) };
            (text.length().max(1), phrases.iter().map(|phrase| text.count(phrase, COUNTED)).collect())
        })
        .collect();
    let all = number(hits.len());
    let mean = number(looked_at.iter().map(|(length, _)| length).sum()) / all.max(1.0);
    let rarity: Vec<f64> = (0..phrases.len())
        .map(|nth| {
            let with = number(looked_at.iter().filter(|(_, counts)| counts[nth] > 0).count());
            (1.0 + (all - with + 0.5) / (with + 0.5)).ln()
        })
        .collect();
    let score = |(length, counts): &(usize, Vec<usize>)| -> f64 {
        let norm = SATURATION * (1.0 - LENGTH + LENGTH * number(*length) / mean.max(1.0));
        let each = counts.iter().zip(&rarity);
        each.map(|(count, rarity)| rarity * number(*count) * (SATURATION + 1.0) / (number(*count) + norm)).sum()
    };
    let mut scored: Vec<(f64, Hit)> = looked_at.iter().map(score).zip(hits.drain(..)).collect();
    scored.sort_by(|(a, one), (b, other)| b.total_cmp(a).then_with(|| other.key.cmp(&one.key)));
    scored.into_iter().map(|(_, hit)| hit).collect()
}
