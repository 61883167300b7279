//! `synapse-export search`: finds what was said in an archive.
//!
//! Asks no database. Changes nothing, but for the index of words with `--update` and `--index`.

mod index;
mod results;

use std::io::{IsTerminal as _, Write as _};

use anyhow::{Result, bail};
use chrono::Utc;
use tracing::{error, info};

pub(super) use index::update;
use results::Passages;

use super::log::{self, readable};
use super::output::DataOutput;
use super::{ArchiveArgs, Outcome, WrongUsage, report};
use crate::archive::reading::Reader;
use crate::archive::reading::search::names::{self, ArchivedRoom, Meaning};
use crate::archive::reading::search::{Search, SearchOptions, Test};
use crate::archive::{self, Catalog};
use crate::document::time::Zone;
use crate::search::parser::{self, QueryContext, Wrong};
use crate::search::query::{Condition, Query, WrittenCondition};
use crate::views::found::{SearchResult, by_relevance, tell};
use crate::views::shown::write_around;

/// Find what was said in an archive: words, "phrases", beginnings*, who, where, when; from the archive alone
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option")]
pub(super) struct Args {
    /// What to find: words, all of which a message has; `"phrases"`, `beginning*`, `AND`, `OR`, `NOT`, parentheses, and the operators below
    #[arg(value_name = "WORDS")]
    words: Vec<String>,
    #[command(flatten)]
    archive: ArchiveArgs,
    #[command(flatten)]
    conditions: Conditions,
    /// Also what messages said before they were edited
    #[arg(long)]
    edits: bool,
    /// Also what redacted messages said
    #[arg(long)]
    show_redacted: bool,
    /// WORDS are parts of words, of any characters: every text is read
    #[arg(long)]
    substring: bool,
    /// What comes first: the newest, or of the newest 5,000 those that have the words more often and closer together
    #[arg(long, value_name = "BY", default_value = "newest")]
    sort: HitSort,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Only what comes behind the result with this event id: the next page
    #[arg(long, value_name = "EVENT", allow_hyphen_values = true)]
    after_result: Option<String>,
    /// With so many events of its day before and after each
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(..=100), conflicts_with_all = ["json", "count"])]
    context: Option<u16>,
    /// Only how many there are
    #[arg(long, conflicts_with_all = ["limit", "after_result", "sort"])]
    count: bool,
    /// A JSON object on each line
    #[arg(long)]
    json: bool,
    /// Bring the index up to date, and find nothing
    #[arg(long, conflicts_with_all = ["words", "index"])]
    update: bool,
    /// Keep an index for this archive, or none: then nothing of it is left on the disk, and every text is read. Remembered
    #[arg(long, value_name = "on|off", conflicts_with = "words")]
    index: Option<Switch>,
}

const AFTER_HELP: &str = "\
Operators, each also an option: from:alice, in:ops (an id, a name, or a part of one), before:2026-11-22, after:yesterday, on:7d (dates \
of the archive's time zone), has:link (image, video, file, audio, poll, reaction, edit, thread), is:reply (thread, redacted, edited, encrypted), mentions:bob. \
What must not be comes behind NOT, or behind - (after a --, lest it be taken for an option).

An argument with spaces in it is a phrase, unless it has something else to say: search 'quick brown' finds these words one after the \
other. Accents and upper case make no difference. Exit status 1: nothing is found.";

/// How many of the newest are put in order of relevance.
const RANKED: usize = 5_000;

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum HitSort {
    Newest,
    Relevance,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Switch {
    On,
    Off,
}

/// The operators as options.
#[derive(clap::Args)]
#[command(next_help_heading = "Conditions")]
struct Conditions {
    /// Sent by: an id, a name, a part of one
    #[arg(long, value_name = "USER")]
    from: Vec<String>,
    /// In a room: an id, an alias, a name, a part of one
    #[arg(long = "in", value_name = "ROOM")]
    within: Vec<String>,
    /// Before a date: 2026-11-22, 2026-11, yesterday, 7d
    #[arg(long, value_name = "DATE")]
    before: Vec<String>,
    /// After a date
    #[arg(long, value_name = "DATE")]
    after: Vec<String>,
    /// On a date
    #[arg(long, value_name = "DATE")]
    on: Vec<String>,
    /// With a link, image, video, file, audio, poll, reaction, edit or thread
    #[arg(long, value_name = "WHAT")]
    has: Vec<String>,
    /// A reply, in a thread, redacted, edited or encrypted
    #[arg(long, value_name = "WHAT")]
    is: Vec<String>,
    /// That mentions somebody
    #[arg(long, value_name = "USER")]
    mentions: Vec<String>,
}

impl Conditions {
    /// As they would be written in a query.
    fn written(&self) -> Vec<String> {
        let all = [
            ("from", &self.from),
            ("in", &self.within),
            ("before", &self.before),
            ("after", &self.after),
            ("on", &self.on),
            ("has", &self.has),
            ("is", &self.is),
            ("mentions", &self.mentions),
        ];
        let each = all.into_iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
        each.map(|(name, value)| format!("{name}:\"{}\"", value.replace('"', " "))).collect()
    }
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    if args.update || args.index.is_some() {
        return index::keep(&args.archive, args.index.map(|switch| switch == Switch::On));
    }
    let mut texts = args.conditions.written();
    if !args.words.is_empty() {
        texts.insert(0, parser::joined(&args.words));
    }
    if texts.iter().all(|text| text.trim().is_empty()) {
        return Err(WrongUsage("nothing is asked for: name words, or a condition such as from:alice".to_owned()).into());
    }
    let mut catalog = Catalog::open_to_search(&args.archive.archive, args.archive.catalog.directory.as_deref())?;
    let zone = catalog.zone()?;
    let reading = QueryContext { now: zone.local(Utc::now()), substring: args.substring };
    let mut parsed = Vec::new();
    for text in &texts {
        match parser::parse(text, &reading) {
            Ok(query) => parsed.push((text, query)),
            Err(wrong) => return Ok(refuse(text, &wrong)),
        }
    }
    let standing = catalog.search_standing()?;
    let found = catalog.read(|reader| {
        let mut queries = Vec::new();
        for (text, query) in parsed {
            match resolve(reader, query)? {
                Ok(query) => queries.push(query),
                Err(wrong) => return Ok(SearchOutcome::Wrong(text, wrong)),
            }
        }
        find(args, reader, zone, &Query::all(queries))
    })?;
    let outcome = match found {
        SearchOutcome::Wrong(text, wrong) => return Ok(refuse(text, &wrong)),
        SearchOutcome::NotThere(id) => bail!("the archive has no event {}", report::shown(&id)),
        SearchOutcome::Count(count) => {
            let mut out = DataOutput::stdout();
            if args.json {
                writeln!(out, "{{\"count\":{count}}}")?;
            } else {
                writeln!(out, "{count}")?;
            }
            out.flush()?;
            if count == 0 { Outcome::Nothing } else { Outcome::Done }
        }
        SearchOutcome::These(told, passages, more) => {
            results::write(args.json, zone, &told, passages)?;
            match (told.last(), more) {
                (None, _) => info!("nothing is found"),
                (Some(last), true) if args.sort == HitSort::Newest => {
                    info!("there are more: --after-result '{}' shows them", report::shown(&last.hit.key.said_by));
                }
                (_, true) => info!("there are more: --limit shows them"),
                _ => {}
            }
            if told.is_empty() { Outcome::Nothing } else { Outcome::Done }
        }
    };
    index::tell(standing, args.substring);
    Ok(outcome)
}

/// What came of a search.
enum SearchOutcome<'t> {
    These(Vec<SearchResult>, Passages, bool),
    Count(u64),
    Wrong(&'t String, Wrong),
    NotThere(String),
}

fn find<'t>(
    args: &Args,
    reader: &Reader<'_>,
    zone: Zone,
    query: &Query<Test>,
) -> Result<SearchOutcome<'t>, archive::Error> {
    let options = SearchOptions { edits: args.edits, show_redacted: args.show_redacted, substring: args.substring };
    let search = Search::new(reader, query, options);
    if args.count {
        return Ok(SearchOutcome::Count(search.count()?));
    }
    let after = match &args.after_result {
        None => None,
        Some(id) => match search.key_of(id)? {
            None => return Ok(SearchOutcome::NotThere(id.clone())),
            after => after,
        },
    };
    let limit = args.limit as usize;
    let most = if args.sort == HitSort::Newest { limit + 1 } else { RANKED.max(limit + 1) };
    let mut hits = search.newest(most, after.as_ref())?;
    if args.sort == HitSort::Relevance {
        if hits.len() == most {
            info!("the newest {most} are put in order of relevance, and there are more");
        }
        hits = by_relevance(hits, query, args.substring);
    }
    let more = hits.len() > limit;
    hits.truncate(limit);
    let told = tell(reader, hits, query, args.substring)?;
    let mut passages = Passages::new(reader.decrypts());
    if let Some(context) = args.context {
        let archive = &args.archive.archive;
        for SearchResult { hit, .. } in &told {
            passages.add(|out| {
                write_around(reader, archive, &hit.event_id, context.into(), args.show_redacted, zone, out)
            })?;
        }
    }
    Ok(SearchOutcome::These(told, passages, more))
}

/// Finds out whom and what the names in a query mean.
fn resolve(reader: &Reader<'_>, query: Query<WrittenCondition>) -> Result<Result<Query<Test>, Wrong>, archive::Error> {
    let mut failed = None;
    let resolved = query.resolve(&mut |written: WrittenCondition| {
        let WrittenCondition { condition, at } = written;
        let wrong = |what: String| Wrong { what, at: at.clone() };
        let look = || -> Result<Result<Test, Wrong>, archive::Error> {
            Ok(match &condition {
                Condition::From(name) => match one(names::user(reader, name)?, "nobody", "people", name, &Clone::clone)
                {
                    Ok(user) => Ok(Test::From(names::number_of(reader, &user)?.into_iter().collect())),
                    Err(what) => Err(wrong(what)),
                },
                Condition::Mentions(name) if matches!(&**name, "@room" | "room") => {
                    Ok(Test::Mentions(vec!["@room".to_owned()]))
                }
                Condition::Mentions(name) => {
                    let user = one(names::user(reader, name)?, "nobody", "people", name, &Clone::clone);
                    user.map(|user| Test::Mentions(vec![user])).map_err(wrong)
                }
                Condition::In(name) => {
                    let room = one(names::room(reader, name)?, "no room", "rooms", name, &candidate);
                    room.map(|room| Test::In(vec![room.number])).map_err(wrong)
                }
                Condition::At(range) => Ok(Test::At(range.clone())),
                Condition::Has(has) => Ok(Test::Has(*has)),
                Condition::Is(is) => Ok(Test::Is(*is)),
            })
        };
        look().unwrap_or_else(|error| {
            failed = Some(error);
            Err(wrong(String::new()))
        })
    });
    failed.map_or(Ok(resolved), Err)
}

/// The only one that a name means, or why there is none.
fn one<T>(
    named: Meaning<T>,
    nobody: &str,
    kind: &str,
    name: &str,
    candidate: &dyn Fn(&T) -> String,
) -> Result<T, String> {
    let name = readable(name);
    match named {
        Meaning::One(one) => Ok(one),
        Meaning::Nobody => Err(format!("the archive has {nobody} with {name:?} for an id, a name or a part of one")),
        Meaning::Several(fitting, more) => {
            let fitting: Vec<String> = fitting.iter().map(|one| readable(&candidate(one))).collect();
            let more = if more { " and others" } else { "" };
            Err(format!("several {kind} fit {name:?}: {}{more}; name one by its id", fitting.join(", ")))
        }
    }
}

/// A room among others. Its name, which may be that of members, is for somebody who looks, and for no log.
fn candidate(room: &ArchivedRoom) -> String {
    let name = std::io::stderr().is_terminal().then(|| format!("\"{}\"", room.name));
    let parts: Vec<String> = name.into_iter().chain(room.aliases.first().cloned()).chain([room.id.clone()]).collect();
    parts.join(" ")
}

/// Says what is wrong with a query, and marks its place.
fn refuse(text: &str, wrong: &Wrong) -> Outcome {
    error!(exit = 2, "the query is not understood: {}", wrong.what);
    log::mark(text, &wrong.at);
    Outcome::Refused
}
