//! What is written, hashed on its way. Keeps none of it.

use std::io::{self, Write};

use sha2::{Digest as _, Sha256};

use crate::event::hex::digits;

/// Passes on what is written, and knows what it was.
pub(crate) struct Hashed<'w, W: ?Sized> {
    to: &'w mut W,
    hash: Sha256,
    bytes: u64,
}

impl<'w, W: Write + ?Sized> Hashed<'w, W> {
    /// What is written from now on.
    pub(crate) fn to(to: &'w mut W) -> Hashed<'w, W> {
        Hashed { to, hash: Sha256::new(), bytes: 0 }
    }

    /// How many bytes were written, and their SHA-256, in hex.
    pub(crate) fn told(&self) -> (u64, String) {
        (self.bytes, digits(&self.hash.clone().finalize()))
    }
}

impl<W: Write + ?Sized> Write for Hashed<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
