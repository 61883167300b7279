//! A seal: what an archive held at a time, in a few lines of text that can be printed, signed or given to somebody to keep. The hash of
//! the chain's last commit stands for all that the chain says, and so for every line.

use std::fmt::Write as _;

use crate::archive::ChainHead;
use crate::archive::verifying::Verified;
use crate::event::Verdict;

/// The first line of each.
const FIRST: &str = "synapse-export seal 1";

/// A text is no seal.
#[derive(Debug, thiserror::Error)]
#[error("it is no seal of synapse-export: {0}")]
pub(crate) struct Error(&'static str);

/// What an archive held.
pub(crate) struct Seal {
    /// How far the chain went.
    pub(crate) chain: ChainHead,
    /// When, RFC 3339.
    pub(crate) time: String,
}

impl Seal {
    /// The text of a seal.
    pub(crate) fn write(&self, server: Option<&str>, verified: &Verified) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "{FIRST}");
        let _ = writeln!(text, "time {}", self.time);
        let _ = writeln!(text, "server {}", server.unwrap_or("unknown").escape_debug());
        let _ = writeln!(text, "chain {} {}", self.chain.bytes, self.chain.hash);
        let _ = writeln!(text, "files {}", verified.files);
        let _ = writeln!(text, "lines {}", verified.lines);
        let _ = writeln!(text, "bytes {}", verified.bytes);
        for verdict in Verdict::ALL {
            let _ = writeln!(text, "{} {}", verdict.name(), verified.verdict(verdict));
        }
        let _ = writeln!(text, "off {}", verified.off.values().sum::<u64>());
        text
    }

    /// Reads one.
    pub(crate) fn read(text: &str) -> Result<Seal, Error> {
        let mut lines = text.lines().map(str::trim_end);
        if lines.next() != Some(FIRST) {
            return Err(Error("its first line is another"));
        }
        let (mut chain, mut time) = (None, None);
        for line in lines {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["chain", bytes, hash] => {
                    let bytes = bytes.parse().map_err(|_| Error("it does not say how far the chain went"))?;
                    chain = Some(ChainHead { bytes, hash: hash.to_owned() });
                }
                ["time", at] => time = Some(at.to_owned()),
                _ => {}
            }
        }
        let chain =
            chain.filter(|chain| chain.hash.len() == 64).ok_or(Error("it does not say how far the chain went"))?;
        Ok(Seal { chain, time: time.ok_or(Error("it does not say when it was made"))? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_reads_as_it_was_written() {
        let chain = ChainHead { bytes: 77, hash: "ab".repeat(32) };
        let seal = Seal { chain: chain.clone(), time: "2026-11-22T10:00:00Z".to_owned() };
        let text = seal.write(Some("here.test"), &Verified::default());
        let read = Seal::read(&text.replace('\n', "\r\n")).unwrap();
        assert_eq!((read.chain, &*read.time), (chain, "2026-11-22T10:00:00Z"));
        for text in
            ["", "synapse-export seal 2\n", "synapse-export seal 1\ntime x\nchain 7 ab\n", "synapse-export seal 1\n"]
        {
            assert!(Seal::read(text).is_err(), "{text}");
        }
    }
}
