//! What may happen to a server and its archive, and how often.

#![allow(unreachable_pub, reason = "a test binary exports nothing")]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::Union;
use synapse_export::stream::Stream;

use super::event::{Draft, HOUR, Kind, ROOMS, Sent, Target};

/// What happens next. `which` counts among those to which it can happen, and starts again at the end.
#[derive(Clone, Debug)]
pub enum Happening {
    /// Events come to a room, as its newest, as its history, or as outliers.
    Store { room: usize, drafts: Vec<Draft>, backfill: bool, outlier: bool, commits: bool },
    /// An outlier becomes part of its room's history.
    DeOutlier { which: usize, backfill: bool, commits: bool },
    /// An event that was rolled back or purged comes as history.
    BringBack { which: usize, commits: bool },
    /// A transaction commits; `retried`: its first attempt had failed.
    Commit { which: usize, retried: bool },
    /// A transaction ends without a trace but the ids that it had been given.
    RollBack { which: usize },
    /// A room loses its history up to one of its events.
    Purge { room: usize, which: usize, local_too: bool },
    /// A redacted event is pruned.
    Censor { which: usize },
    /// One of a room's events bans a user, and redacts all that they sent there; or it does so no longer from an id on.
    Ban { room: usize, which: usize, user: usize, until: Option<i64> },
    /// An event is rejected, or accepted again, now that all of its room's state is known.
    Rejudge { which: usize },
    /// A sticky event that was soft-failed is accepted before it expires.
    Accept { which: usize },
    /// Outliers come to a room, more than a page of ids holds.
    Flood { room: usize, backfill: bool },
    /// Time goes by.
    Wait { milliseconds: i64 },
    /// What is exported from now on: the rooms as bits, and no `include` means all.
    Select { include: u8, exclude: u8 },
    /// The archive is brought up to date.
    Run(End),
    /// The archive's watermarks are forgotten.
    Reset(Vec<Stream>),
    /// The catalog is deleted, so that the next export has only the lines.
    LoseCatalog,
    /// The archive is left where it is, and another begun.
    StartOver,
}

/// How a run ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    Done,
    /// It is told to stop once it has told of its progress so many times.
    Stopped(usize),
    /// Writing fails at this step, counted from the start; and from then on, as if the process had died, or only once.
    Broken {
        at: usize,
        for_good: bool,
    },
}

/// Stories in which some things happen often and others not at all: what goes wrong needs a few in a row.
pub fn stories() -> impl Strategy<Value = Vec<Happening>> {
    let often = vec(prop_oneof![Just(0), Just(1), Just(4)], sometimes(0.0, 0.0).len());
    let chances = || prop_oneof![Just(0.0), Just(0.1), Just(0.5)];
    (often, chances(), chances(), chances()).prop_flat_map(|(often, backfill, outlier, stay)| {
        let sometimes = sometimes(backfill, stay).into_iter().zip(often);
        let sometimes = sometimes.map(|((weight, happening), often)| (weight * often, happening));
        let always = [(60, store(backfill, outlier, stay)), (90, run())];
        vec(Union::new_weighted(sometimes.filter(|(weight, _)| *weight > 0).chain(always).collect()), 1..80)
    })
}

fn store(backfill: f64, outlier: f64, stay: f64) -> BoxedStrategy<Happening> {
    let store = (0..ROOMS.len(), vec(draft(), 1..4), chance(backfill), chance(outlier), chance(1.0 - stay));
    let store = store.prop_map(|(room, drafts, backfill, outlier, commits)| Happening::Store {
        room,
        drafts,
        backfill,
        outlier,
        commits,
    });
    store.boxed()
}

fn run() -> BoxedStrategy<Happening> {
    let step = prop_oneof![Just(0), 1..5usize, 5..20usize];
    let end = prop_oneof![
        4 => Just(End::Done),
        4 => (0..4usize).prop_map(End::Stopped),
        4 => (step, chance(0.8)).prop_map(|(at, for_good)| End::Broken { at, for_good }),
    ];
    end.prop_map(Happening::Run).boxed()
}

fn sometimes(backfill: f64, stay: f64) -> Vec<(u32, BoxedStrategy<Happening>)> {
    use Happening::{
        Accept, Ban, BringBack, Censor, Commit, DeOutlier, Flood, LoseCatalog, Purge, Rejudge, Reset, RollBack, Select,
        StartOver, Wait,
    };
    let (room, which) = (|| 0..ROOMS.len(), || 0..50usize);
    let time = prop_oneof![1..HOUR, HOUR..24 * HOUR, 24 * HOUR..30 * HOUR];
    let streams = prop::sample::subsequence(Stream::ALL.to_vec(), 1..=2);
    let rooms = || 1..1u8 << ROOMS.len();
    let selection = prop_oneof![
        3 => Just((0, 0)),
        3 => (rooms(), Just(0)),
        3 => (Just(0), rooms()),
        1 => (rooms(), rooms()),
    ];
    vec![
        (
            30,
            (which(), chance(backfill), chance(1.0 - stay))
                .prop_map(|(which, backfill, commits)| DeOutlier { which, backfill, commits })
                .boxed(),
        ),
        (10, (which(), chance(1.0 - stay)).prop_map(|(which, commits)| BringBack { which, commits }).boxed()),
        (25, (which(), chance(0.3)).prop_map(|(which, retried)| Commit { which, retried }).boxed()),
        (6, which().prop_map(|which| RollBack { which }).boxed()),
        (10, which().prop_map(|which| Rejudge { which }).boxed()),
        (10, which().prop_map(|which| Accept { which }).boxed()),
        (
            8,
            (room(), which(), chance(0.3))
                .prop_map(|(room, which, local_too)| Purge { room, which, local_too })
                .boxed(),
        ),
        (4, which().prop_map(|which| Censor { which }).boxed()),
        (
            10,
            (room(), which(), 0..4usize, prop::option::of(1..60i64))
                .prop_map(|(room, which, user, until)| Ban { room, which, user, until })
                .boxed(),
        ),
        (1, (room(), chance(0.5)).prop_map(|(room, backfill)| Flood { room, backfill }).boxed()),
        (20, time.prop_map(|milliseconds| Wait { milliseconds }).boxed()),
        (20, selection.prop_map(|(include, exclude)| Select { include, exclude }).boxed()),
        (6, streams.prop_map(Reset).boxed()),
        (4, Just(LoseCatalog).boxed()),
        (12, Just(StartOver).boxed()),
    ]
}

fn draft() -> impl Strategy<Value = Draft> {
    let target = prop_oneof![(0..50usize).prop_map(Target::InRoom), (0..40usize).prop_map(Target::Number)];
    let kind = prop_oneof![
        16 => Just(Kind::Message),
        4 => Just(Kind::Topic),
        2 => Just(Kind::Create),
        1 => Just(Kind::LongMessage),
        12 => (target, any::<bool>()).prop_map(|(target, recheck)| Kind::Redaction { target, recheck }),
    ];
    let sent = prop_oneof![
        6 => (-2..=2i64).prop_map(Sent::Hours),
        1 => prop_oneof![Just(None), Just(Some(0)), Just(Some(-1)), Just(Some(i64::MAX))].prop_map(Sent::At),
    ];
    let draft = (kind, 0..4usize, sent, chance(0.1), chance(0.1));
    draft.prop_map(|(kind, user, sent, rejected, soft_failed)| Draft { kind, user, sent, rejected, soft_failed })
}

fn chance(probability: f64) -> impl Strategy<Value = bool> {
    prop::bool::weighted(probability)
}
