//! What a server may send, for it may be none, or somebody in between: every message says how long it is, and what is longer
//! than any that PostgreSQL has a reason for is refused before it has come. Without a bound, it would all be kept in memory.
//!
//! It looks at the bytes above the encryption, where tokio-postgres offers one place for it: a connector that is asked for
//! encryption, and gives the plain connection where none is wanted. Not for sockets of this machine, which have no such place.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use postgres_native_tls::{MakeTlsConnector, TlsStream as Encrypted};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::Socket;
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};

/// Why there is no connection, or no transaction on it.
pub(super) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// All that comes before the login is done, in bytes: a few settings, and perhaps a notice.
const LOGIN: u64 = 1 << 20;
/// One message, in bytes: of rows the longest, with one event in it, of which Synapse takes none above 64 KiB.
const MESSAGE: u64 = 64 << 20;
/// What a server says beside an answer, in bytes for each: notices, settings that change, errors.
const ASIDE: u64 = 1 << 20;
/// All settings that it says have changed on a connection, in bytes: they are kept, each by its name. But for so many of each
/// answer: a transaction that sets some for itself is told of each twice.
const SETTINGS: u64 = 16 << 20;
const SETTINGS_OF_ANSWER: u64 = 4 << 10;

/// Why the last connection was given up, if it was for what the server sent. The connection's end alone is seen elsewhere.
#[derive(Clone, Default)]
pub(super) struct Excess(Arc<Mutex<Option<&'static str>>>);

impl Excess {
    fn set(&self, what: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
    }

    /// What it was; from here on it is known.
    pub(super) fn take(&self) -> Option<&'static str> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Makes connections that are looked after, in the clear or encrypted.
#[derive(Clone)]
pub(super) struct Bounding {
    encryption: Option<MakeTlsConnector>,
    excess: Excess,
}

impl Bounding {
    /// With this connector, as `mode` asks for. `postgres` is told to leave the request for encryption to it.
    pub(super) fn new(
        postgres: &mut tokio_postgres::Config,
        mode: SslMode,
        connector: Option<&MakeTlsConnector>,
        excess: &Excess,
    ) -> Bounding {
        let encryption = connector.filter(|_| mode != SslMode::Disable).cloned();
        postgres.ssl_mode(SslMode::Require);
        if encryption.is_none() {
            // asked for "encryption" at once, without a question to the server, tokio-postgres hands over the plain connection
            postgres.ssl_negotiation(SslNegotiation::Direct);
        }
        Bounding { encryption, excess: excess.clone() }
    }
}

impl MakeTlsConnect<Socket> for Bounding {
    type Stream = Bounded;
    type TlsConnect = One;
    type Error = native_tls::Error;

    fn make_tls_connect(&mut self, host: &str) -> Result<One, native_tls::Error> {
        let encryption = self.encryption.as_mut();
        let encryption = encryption.map(|it| MakeTlsConnect::<Socket>::make_tls_connect(it, host)).transpose()?;
        Ok(One { encryption, excess: self.excess.clone() })
    }
}

/// Makes one connection.
pub(super) struct One {
    encryption: Option<postgres_native_tls::TlsConnector>,
    excess: Excess,
}

impl TlsConnect<Socket> for One {
    type Stream = Bounded;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Bounded, Failure>> + Send>>;

    fn connect(self, socket: Socket) -> Self::Future {
        Box::pin(async move {
            let stream = match self.encryption {
                None => MaybeTls::Clear(socket),
                Some(encryption) => MaybeTls::Encrypted(Box::new(encryption.connect(socket).await?)),
            };
            Ok(Bounded { stream, meter: Meter::default(), excess: self.excess })
        })
    }
}

enum MaybeTls {
    Clear(Socket),
    Encrypted(Box<Encrypted<Socket>>),
}

/// A connection whose messages are looked at as they come.
pub(super) struct Bounded {
    stream: MaybeTls,
    meter: Meter,
    excess: Excess,
}

trait Duplex: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

impl Bounded {
    fn stream(&mut self) -> Pin<&mut dyn Duplex> {
        match &mut self.stream {
            MaybeTls::Clear(socket) => Pin::new(socket),
            MaybeTls::Encrypted(stream) => Pin::new(&mut **stream),
        }
    }
}

impl TlsStream for Bounded {
    fn channel_binding(&self) -> ChannelBinding {
        match &self.stream {
            MaybeTls::Clear(_) => ChannelBinding::none(),
            MaybeTls::Encrypted(stream) => stream.channel_binding(),
        }
    }
}

impl AsyncRead for Bounded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        std::task::ready!(self.stream().poll_read(cx, buffer))?;
        let come = buffer.filled().get(before..).unwrap_or_default();
        Poll::Ready(self.meter.see(come).map_err(|what| {
            self.excess.set(what);
            io::Error::new(io::ErrorKind::InvalidData, what)
        }))
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}

/// Reads of all messages the heads: a byte that tells the kind, and a length of four bytes, itself included.
#[derive(Default)]
struct Meter {
    head: Vec<u8>,
    /// What is still to come of the message, in bytes.
    left: u64,
    is_logged_in: bool,
    login: u64,
    aside: u64,
    settings: u64,
}

impl Meter {
    /// Sees what has come; an error says what of it is too much.
    fn see(&mut self, mut bytes: &[u8]) -> Result<(), &'static str> {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let passed = self.left.min(bytes.len() as u64);
                self.left -= passed;
                bytes = bytes.get(usize::try_from(passed).unwrap_or(usize::MAX)..).unwrap_or_default();
                continue;
            }
            self.head.push(*first);
            bytes = rest;
            if let [kind, length @ ..] = &*self.head
                && let Ok(length) = <[u8; 4]>::try_from(length)
            {
                let (kind, length) = (*kind, u64::from(u32::from_be_bytes(length)));
                self.head.clear();
                // a shorter one is no message, which is told where it is read
                self.left = length.saturating_sub(4);
                self.allow(kind, length + 1)?;
            }
        }
        Ok(())
    }

    /// Whether a message may come.
    fn allow(&mut self, kind: u8, length: u64) -> Result<(), &'static str> {
        if !self.is_logged_in {
            self.login += length;
        }
        match kind {
            // it is ready for a query
            b'Z' => {
                self.is_logged_in = true;
                self.aside = 0;
                self.settings = self.settings.saturating_sub(SETTINGS_OF_ANSWER);
            }
            b'E' | b'N' | b'A' => self.aside += length,
            b'S' => {
                self.aside += length;
                self.settings += length;
            }
            _ => {}
        }
        if self.login > LOGIN {
            Err("it sends more than 1 MiB before the login is done")
        } else if length > MESSAGE {
            Err("it sends a message of more than 64 MiB")
        } else if self.aside > ASIDE {
            Err("it sends more than 1 MiB of notices, settings or errors to one question")
        } else if self.settings > SETTINGS {
            Err("it sends more than 16 MiB of settings")
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, length: u32) -> Vec<u8> {
        [&[kind][..], &(length + 4).to_be_bytes(), &vec![0; length as usize]].concat()
    }

    /// Sees bytes in pieces of this many.
    fn see(meter: &mut Meter, bytes: &[u8], at_a_time: usize) -> Result<(), &'static str> {
        bytes.chunks(at_a_time).try_for_each(|piece| meter.see(piece))
    }

    #[test]
    fn what_a_server_may_send_is_bounded_however_it_comes() {
        for at_a_time in [1, 3, 5, 4_096] {
            let small = [message(b'N', 100), message(b'S', 20), message(b'D', 1_000)].concat();
            let mut meter = Meter::default();
            assert!((0..10).try_for_each(|_| see(&mut meter, &small, at_a_time)).is_ok());
            assert!((0..1_000).try_for_each(|_| see(&mut meter, &small, at_a_time)).is_err(), "before the login");

            let mut meter = Meter::default();
            see(&mut meter, &message(b'Z', 1), at_a_time).unwrap();
            let rows = message(b'D', 10_000);
            assert!(
                (0..200).try_for_each(|_| see(&mut meter, &rows, at_a_time)).is_ok(),
                "rows are as many as are read"
            );
            let aside = message(b'N', 50_000);
            for _ in 0..3 {
                assert!((0..20).try_for_each(|_| see(&mut meter, &aside, at_a_time)).is_ok());
                see(&mut meter, &message(b'Z', 1), at_a_time).unwrap();
            }
            assert!((0..21).try_for_each(|_| see(&mut meter, &aside, at_a_time)).is_err());

            let mut meter = Meter::default();
            see(&mut meter, &message(b'Z', 1), at_a_time).unwrap();
            let settings = [message(b'S', 50_000), message(b'Z', 1)].concat();
            assert!((0..300).try_for_each(|_| see(&mut meter, &settings, 50_000)).is_ok());
            assert!((0..100).try_for_each(|_| see(&mut meter, &settings, 50_000)).is_err(), "they are all kept");

            let mut meter = Meter::default();
            let own = [message(b'S', 180), message(b'S', 180), message(b'Z', 1)].concat();
            assert!((0..100_000).try_for_each(|_| see(&mut meter, &own, 50_000)).is_ok(), "transactions have no end");
        }
    }

    #[test]
    fn a_length_is_refused_before_its_bytes_have_come() {
        for (length, may) in [(MESSAGE - 1, true), (MESSAGE, false), (u64::from(u32::MAX), false)] {
            let mut meter = Meter { is_logged_in: true, ..Meter::default() };
            let head = [&b"D"[..], &u32::try_from(length).unwrap().to_be_bytes()].concat();
            assert_eq!(meter.see(&head).is_ok(), may, "{length}");
        }
    }
}
