//! The files in which clients export their sessions: `-----BEGIN MEGOLM SESSION DATA-----`, base64 of any line length and padding
//! ("Key export format" in the client-server specification).
//!
//! A file is read twice and never held as a whole: first its MAC is checked, then its sessions are handed out one by one.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use aes::Aes256;
use base64::read::DecoderReader;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::de::{Deserializer as _, SeqAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Sha256, Sha512};
use zeroize::Zeroizing;

use crate::base64_text::STANDARD;
use crate::exported::Exported;
use crate::secret_storage::{MOST_ROUNDS, Passphrase};
use crate::{Session, Unusable};

const BEGIN: &str = "-----BEGIN MEGOLM SESSION DATA-----";
/// Version, salt, initialization vector, rounds.
const HEAD: usize = 1 + 16 + 16 + 4;
const MAC: usize = 32;

/// Why a file gives no sessions. Quotes nothing of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("cannot read it")]
    Io(#[source] io::Error),
    /// It is another kind of file.
    #[error("it is no file of exported keys: it has no {BEGIN}")]
    NoKeyFile,
    /// It is of a version that is not known.
    #[error("it is of an unknown version ({0})")]
    Version(u8),
    /// It wants more rounds than are reasonable.
    #[error("it asks for {0} rounds, and at most {MOST_ROUNDS} are reasonable")]
    Rounds(u32),
    /// The passphrase is another one, or the file is damaged.
    #[error("the passphrase does not fit it, or it is damaged")]
    Passphrase,
    /// It is decrypted, and is no list of sessions.
    #[error("what is encrypted in it is no list of sessions")]
    NoList,
}

/// A file whose passphrase fits.
pub struct KeyFile<F> {
    file: F,
    cipher: Ctr128BE<Aes256>,
    /// Bytes of the list.
    length: u64,
}

impl<F: Read + Seek> KeyFile<F> {
    /// Opens a file.
    pub fn open(mut file: F, passphrase: &Passphrase) -> Result<KeyFile<F>, Error> {
        file.seek(SeekFrom::Start(0)).map_err(Error::Io)?;
        let mut body = body(&mut file)?;
        let mut head = [0; HEAD];
        body.read_exact(&mut head).map_err(cut)?;
        if head[0] != 1 {
            return Err(Error::Version(head[0]));
        }
        let rounds = u32::from_be_bytes([head[33], head[34], head[35], head[36]]);
        if rounds == 0 || rounds > MOST_ROUNDS {
            return Err(Error::Rounds(rounds));
        }
        let mut keys = Zeroizing::new([0; 64]);
        pbkdf2::pbkdf2_hmac::<Sha512>(passphrase.as_bytes(), &head[1..17], rounds, &mut *keys);
        let mut mac = Hmac::<Sha256>::new_from_slice(&keys[32..]).map_err(|_| Error::Passphrase)?;
        mac.update(&head);
        // the last bytes are the MAC itself
        let (mut pending, mut length) = (Vec::with_capacity(MAC + 16 * 1024), 0);
        let mut buffer = [0; 16 * 1024];
        loop {
            let read = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(cut(error)),
            };
            pending.extend_from_slice(&buffer[..read]);
            let sure = pending.len().saturating_sub(MAC);
            mac.update(&pending[..sure]);
            length += sure as u64;
            pending.drain(..sure);
        }
        mac.verify_slice(&pending).map_err(|_| Error::Passphrase)?;
        drop(body);
        let cipher = Ctr128BE::<Aes256>::new_from_slices(&keys[..32], &head[17..33]).map_err(|_| Error::Passphrase)?;
        Ok(KeyFile { file, cipher, length })
    }

    /// Hands out its sessions, each with its room; what is no session is counted by who takes them.
    pub fn each(mut self, take: &mut dyn FnMut(&str, Result<Session, Unusable>)) -> Result<(), Error> {
        self.file.seek(SeekFrom::Start(0)).map_err(Error::Io)?;
        let mut body = body(&mut self.file)?;
        body.read_exact(&mut [0; HEAD]).map_err(cut)?;
        let plain = Decrypting { inner: body.take(self.length), cipher: self.cipher };
        let mut parser = serde_json::Deserializer::from_reader(BufReader::with_capacity(16 * 1024, plain));
        parser.deserialize_seq(Each(take)).map_err(|_| Error::NoList)
    }
}

/// What is between the lines that begin and end it, decoded.
fn body<F: Read>(file: &mut F) -> Result<impl Read + use<'_, F>, Error> {
    let mut file = BufReader::new(file);
    // somebody may have written something above it
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut file).take(4096).read_until(b'\n', &mut line).map_err(Error::Io)?;
        if read == 0 {
            return Err(Error::NoKeyFile);
        }
        if line.trim_ascii() == BEGIN.as_bytes() {
            return Ok(DecoderReader::new(Body { file, ended: false }, &STANDARD));
        }
    }
}

/// The characters of base64, up to the line that ends them.
struct Body<F> {
    file: F,
    ended: bool,
}

impl<F: BufRead> Read for Body<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut written = 0;
        while written == 0 && !self.ended && !buffer.is_empty() {
            let available = self.file.fill_buf()?;
            if available.is_empty() {
                break;
            }
            let mut taken = 0;
            for byte in available {
                if written == buffer.len() {
                    break;
                }
                taken += 1;
                match byte {
                    b'-' | b'=' => {
                        self.ended = true;
                        break;
                    }
                    byte if byte.is_ascii_whitespace() => {}
                    byte => {
                        buffer[written] = *byte;
                        written += 1;
                    }
                }
            }
            self.file.consume(taken);
        }
        Ok(written)
    }
}

/// A file that ends too early, or has what base64 has not, is damaged.
fn cut(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => Error::Passphrase,
        _ => Error::Io(error),
    }
}

/// What is decrypted as it is read.
struct Decrypting<R> {
    inner: R,
    cipher: Ctr128BE<Aes256>,
}

impl<R: Read> Read for Decrypting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.cipher.apply_keystream(&mut buffer[..read]);
        Ok(read)
    }
}

/// Hands out a list's items.
struct Each<'a>(&'a mut dyn FnMut(&str, Result<Session, Unusable>));

impl<'de> Visitor<'de> for Each<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of sessions")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<Box<RawValue>>()? {
            let text = Zeroizing::new(String::from(Box::<str>::from(item)));
            match Exported::parse(&text) {
                Ok(exported) => match (&exported.room_id, &exported.session_id) {
                    (Some(room_id), Some(session_id)) => self.0(room_id, exported.session(session_id)),
                    _ => self.0("", Err(Unusable::Damaged)),
                },
                Err(unusable) => self.0("", Err(unusable)),
            }
        }
        Ok(())
    }
}
