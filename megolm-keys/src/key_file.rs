//! The files in which clients export their sessions: `-----BEGIN MEGOLM SESSION DATA-----`, base64 of any line length and padding
//! ("Key export format" in the client-server specification). What is encrypted in one, a list of sessions as JSON, may be a file by itself.
//!
//! Files are read, and written. A file is read twice and never held as a whole: first its MAC is checked, then its sessions are handed out one by one.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};

use aes::Aes256;
use base64::engine::GeneralPurpose;
use base64::read::DecoderReader;
use base64::write::EncoderWriter;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::de::{Deserializer as _, SeqAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Sha256, Sha512};
use zeroize::Zeroizing;

use crate::base64_text::STANDARD;
use crate::exported::{self, Exported};
use crate::secret_storage::{MOST_ROUNDS, Passphrase};
use crate::{Session, Unusable};

const BEGIN: &str = "-----BEGIN MEGOLM SESSION DATA-----";
const END: &str = "-----END MEGOLM SESSION DATA-----";
/// How long a line is that is written.
const LINE: usize = 96;
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
    /// It is in clear by now, and is no list of sessions.
    #[error("what is in it is no list of sessions")]
    NoList,
}

/// A file whose passphrase fits, or that needs none.
pub struct KeyFile<F> {
    file: F,
    /// What decrypts it, and how many bytes of the list there are; none: it is not encrypted.
    encrypted: Option<(Ctr128BE<Aes256>, u64)>,
}

/// Whether a file is a list that is not encrypted: one that begins with `[`.
pub fn is_plain(file: impl Read) -> io::Result<bool> {
    let first = file.bytes().find(|byte| byte.as_ref().map_or(true, |byte| !byte.is_ascii_whitespace()));
    Ok(first.transpose()? == Some(b'['))
}

impl<F: Read + Seek> KeyFile<F> {
    /// Takes a file that is not encrypted.
    pub fn plain(file: F) -> KeyFile<F> {
        KeyFile { file, encrypted: None }
    }

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
        Ok(KeyFile { file, encrypted: Some((cipher, length)) })
    }

    /// Hands out its sessions, each with its room; what is no session is counted by who takes them.
    pub fn each(mut self, take: &mut dyn FnMut(&str, Result<Session, Unusable>)) -> Result<(), Error> {
        self.file.seek(SeekFrom::Start(0)).map_err(Error::Io)?;
        let Some((cipher, length)) = self.encrypted else { return listed(self.file, take) };
        let mut body = body(&mut self.file)?;
        body.read_exact(&mut [0; HEAD]).map_err(cut)?;
        listed(Decrypting { inner: body.take(length), cipher }, take)
    }
}

/// Hands out the sessions of a list.
fn listed(list: impl Read, take: &mut dyn FnMut(&str, Result<Session, Unusable>)) -> Result<(), Error> {
    let mut parser = serde_json::Deserializer::from_reader(BufReader::with_capacity(16 * 1024, list));
    parser.deserialize_seq(Each(take)).map_err(|_| Error::NoList)
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

/// A key file that is being written, session by session.
pub struct NewKeyFile<W: Write> {
    out: Out<W>,
    any: bool,
}

/// What it is written to, and how.
enum Out<W: Write> {
    Encrypted(Box<Encrypting<W>>),
    Plain(W),
}

struct Encrypting<W: Write> {
    out: EncoderWriter<'static, GeneralPurpose, Lines<W>>,
    cipher: Ctr128BE<Aes256>,
    mac: Hmac<Sha256>,
}

impl<W: Write> NewKeyFile<W> {
    /// Begins one that is not encrypted.
    pub fn plain(out: W) -> NewKeyFile<W> {
        NewKeyFile { out: Out::Plain(out), any: false }
    }

    /// Begins one, of so many rounds. `random`: 32 bytes that nobody can guess, of which no other file is made.
    pub fn begin(mut out: W, passphrase: &Passphrase, rounds: u32, random: &[u8; 32]) -> io::Result<NewKeyFile<W>> {
        let mut head = [0; HEAD];
        head[0] = 1;
        head[1..33].copy_from_slice(random);
        // for implementations that count 64 bits alone
        head[17 + 8] &= 0x7f;
        head[33..].copy_from_slice(&rounds.to_be_bytes());
        let mut keys = Zeroizing::new([0; 64]);
        pbkdf2::pbkdf2_hmac::<Sha512>(passphrase.as_bytes(), &head[1..17], rounds, &mut *keys);
        let failed = |_| io::Error::other("a key has another length than it has");
        let mut mac = Hmac::<Sha256>::new_from_slice(&keys[32..]).map_err(failed)?;
        let cipher = Ctr128BE::<Aes256>::new_from_slices(&keys[..32], &head[17..33])
            .map_err(|_| io::Error::other("a key has another length than it has"))?;
        mac.update(&head);
        writeln!(out, "{BEGIN}")?;
        let mut out = EncoderWriter::new(Lines { out, at: 0 }, &base64::engine::general_purpose::STANDARD);
        out.write_all(&head)?;
        Ok(NewKeyFile { out: Out::Encrypted(Encrypting { out, cipher, mac }.into()), any: false })
    }

    /// Adds a session of a room.
    pub fn add(&mut self, room_id: &str, session: &Session) -> io::Result<()> {
        let begin = if self.any { "," } else { "[" };
        self.any = true;
        self.push(begin.as_bytes())?;
        self.push(exported::written(session, room_id).as_bytes())
    }

    /// Ends it, and hands back what it was written to.
    pub fn end(mut self) -> io::Result<W> {
        self.push(if self.any { b"]" } else { b"[]" })?;
        let Encrypting { mut out, mac, .. } = match self.out {
            Out::Encrypted(encrypting) => *encrypting,
            Out::Plain(mut out) => {
                out.write_all(b"\n")?;
                return Ok(out);
            }
        };
        out.write_all(&mac.finalize().into_bytes())?;
        let Lines { mut out, .. } = out.finish()?;
        write!(out, "\n{END}\n")?;
        Ok(out)
    }

    fn push(&mut self, plain: &[u8]) -> io::Result<()> {
        let Encrypting { out, cipher, mac } = match &mut self.out {
            Out::Encrypted(encrypting) => &mut **encrypting,
            Out::Plain(out) => return out.write_all(plain),
        };
        let mut encrypted = Zeroizing::new(plain.to_vec());
        cipher.apply_keystream(&mut encrypted);
        mac.update(&encrypted);
        out.write_all(&encrypted)
    }
}

/// Breaks a text into lines.
struct Lines<W> {
    out: W,
    at: usize,
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let mut rest = text;
        while !rest.is_empty() {
            if self.at == LINE {
                self.out.write_all(b"\n")?;
                self.at = 0;
            }
            let (line, next) = rest.split_at(rest.len().min(LINE - self.at));
            self.out.write_all(line)?;
            (self.at, rest) = (self.at + line.len(), next);
        }
        // all of it: what encodes takes less for a failure
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
