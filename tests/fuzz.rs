//! The targets of `tests/fuzz` on a few inputs: the seeds, and as many changed ones as a test run can wait for.
//!
//! `FUZZ_RUNS` says how many changed inputs each target gets, `FUZZ_SEED` which. See `tests/fuzz/README.md`.

#[path = "fuzz/targets.rs"]
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// How long an input may become.
const LONGEST: usize = 4_096;

/// Splitmix64, which is enough to choose changes.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, or 0.
    fn below(&mut self, end: usize) -> usize {
        let end = end.max(1) as u64;
        usize::try_from(self.next() % end).unwrap_or(0)
    }

    fn of<'a>(&mut self, choices: &'a [Vec<u8>]) -> &'a [u8] {
        &choices[self.below(choices.len())]
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|value| value.parse().expect("it is a number"))
}

fn directory(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fuzz", name].iter().collect()
}

/// What `tests/fuzz/seeds` has for a target.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(directory("seeds").join(target)).expect("it has seeds");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("it can be read")).collect()
}

/// The words of a dictionary, which is as libFuzzer reads it.
fn words(dictionary: &str) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(directory("dictionaries").join(dictionary)).expect("there is such a dictionary");
    let quoted = text.lines().filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'));
    let unescape = |word: &str| {
        let (mut bytes, mut rest) = (Vec::new(), word.as_bytes());
        while let [first, more @ ..] = rest {
            let byte;
            (byte, rest) = match (first, more) {
                (b'\\', [b'x', a, b, more @ ..]) => {
                    let digits = [*a, *b];
                    let digits = std::str::from_utf8(&digits).expect("it is hexadecimal");
                    (u8::from_str_radix(digits, 16).expect("it is hexadecimal"), more)
                }
                (b'\\', [escaped, more @ ..]) => (*escaped, more),
                (byte, more) => (*byte, more),
            };
            bytes.push(byte);
        }
        bytes
    };
    quoted.map(unescape).collect()
}

/// An input made of the seeds, a few times changed.
fn changed(seeds: &[Vec<u8>], words: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut input = chance.of(seeds).to_vec();
    for _ in 0..=chance.below(6) {
        let start = chance.below(input.len() + 1);
        let end = (start + 1 + chance.below(16)).min(input.len());
        let with = match chance.below(8) {
            0 => Vec::new(),
            1 => vec![chance.next().to_le_bytes()[0]],
            2 => input[start..end].repeat(2 + chance.below(40)),
            3 => {
                let other = chance.of(seeds);
                let from = chance.below(other.len() + 1);
                other[from..(from + chance.below(200)).min(other.len())].to_vec()
            }
            4 => chance.of(words).repeat(1 + chance.below(40)),
            _ => chance.of(words).to_vec(),
        };
        let replaced = if chance.below(2) == 0 { start..end } else { start..start };
        input.splice(replaced, with);
        input.truncate(LONGEST);
    }
    input
}

/// Runs a target's seeds and some changed ones.
fn fuzz(target: &str, dictionaries: &[&str], runs: u64) {
    let words: Vec<Vec<u8>> = dictionaries.iter().flat_map(|name| words(name)).collect();
    let seeds = seeds(target);
    let seed = number("FUZZ_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let runs = number("FUZZ_RUNS").unwrap_or(runs);
    let mut chance = Chance(seed);
    let inputs = seeds.iter().cloned().chain((0..runs).map(|_| changed(&seeds, &words, &mut chance)));
    for input in inputs {
        let holds = catch_unwind(AssertUnwindSafe(|| targets::run(target, &input))).is_ok();
        assert!(holds, "FUZZ_SEED={seed} FUZZ_RUNS={runs} {target}, by this input:\nprintf %b '{}'", printf(&input));
    }
}

/// Bytes as a shell's `printf %b` takes them.
fn printf(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = match byte {
            b'\'' | b'\\' | 0..=0x1f | 0x7f.. => write!(text, "\\0{byte:03o}"),
            byte => write!(text, "{}", char::from(*byte)),
        };
        text
    })
}

/// A test for each target, so that they run beside each other and are told apart.
macro_rules! targets {
    ($($name:ident: $dictionaries:expr, $runs:expr;)*) => {
        $(#[test]
        fn $name() {
            fuzz(stringify!($name), &$dictionaries, $runs);
        })*

        #[test]
        fn all_targets_are_here() {
            assert_eq!(targets::TARGETS.map(|(name, _)| name), [$(stringify!($name)),*]);
        }
    };
}

targets! {
    event: ["json"], 3_000;
    layout: ["json"], 3_000;
    config: ["config"], 150;
    message: ["markdown"], 400;
    cost: ["markdown", "json"], 15;
    lines: ["json"], 60;
    archive: ["markdown", "json"], 25;
}
