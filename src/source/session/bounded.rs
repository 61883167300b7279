//! How much of a server's answer is taken in: a server that lies, or who stands between where nobody checks certificates,
//! must not fill the memory.
//!
//! Above the encryption, so that it sees PostgreSQL's messages: their types and lengths, never what they say. A Unix socket
//! is left alone: nobody stands between, and its server is this machine's own.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use deadpool_postgres::{ClientWrapper, HookError};
use futures_util::{FutureExt as _, TryStreamExt as _, future::BoxFuture};
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio_native_tls::TlsStream;
use tokio_postgres::config::{self, Host, SslMode, SslNegotiation};
use tokio_postgres::tls::{self, ChannelBinding, MakeTlsConnect, TlsConnect};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, SimpleQueryMessage};
use tokio_util::either::Either;

use super::servers::Failure;

/// How much a server may say before it has let us in, in bytes: it greets with a few dozen short settings.
const GREETING: usize = 1 << 20;
/// How long a single message may be, in bytes: a thousand times the largest event that Matrix allows, with room for what
/// older servers stored.
const MESSAGE: usize = 64 << 20;
/// How much the answer to a question may be that gives few rows, in bytes: names, topics and the like of a page of rooms, each
/// as large as an event may be, are half of it.
pub(super) const ANSWER: usize = 128 << 20;
/// How much a server may answer while a session is set up, in bytes.
const SET_UP: usize = 1 << 20;
/// What a row takes beside what it says, in bytes.
const ROW: usize = 128;

/// A connector, with and without encryption, whose streams are bounded.
#[derive(Clone)]
pub(super) struct Connector {
    tls: Option<native_tls::TlsConnector>,
    /// Whether there has to be a channel binding.
    bound: bool,
}

impl Connector {
    /// The connector for a way to a server, which is set up for it: `tls` is used unless the way's mode forbids it. None:
    /// for a Unix socket.
    pub(super) fn new(
        postgres: &mut tokio_postgres::Config,
        tls: Option<&native_tls::TlsConnector>,
    ) -> Option<Connector> {
        if postgres.get_hosts().iter().any(|host| matches!(host, Host::Unix(_))) {
            return None;
        }
        if postgres.get_ssl_mode() != SslMode::Disable {
            let bound = postgres.get_channel_binding() == config::ChannelBinding::Require;
            return Some(Connector { tls: tls.cloned(), bound });
        }
        // asked for "encryption" at once, without a question to the server, tokio-postgres hands over the bare stream: so the
        // connector can put its own around that
        postgres.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
        Some(Connector { tls: None, bound: false })
    }
}

impl<S> MakeTlsConnect<S> for Connector
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Bounded<S>;
    type TlsConnect = Handshake;
    type Error = Failure;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Handshake, Failure> {
        let tls = self.tls.clone().map(|tls| (tls.into(), domain.to_owned()));
        Ok(Handshake { tls, bound: self.bound })
    }
}

/// One connection's handshake; without encryption there is none.
pub(super) struct Handshake {
    tls: Option<(tokio_native_tls::TlsConnector, String)>,
    bound: bool,
}

impl<S> TlsConnect<S> for Handshake
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Bounded<S>;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<Bounded<S>, Failure>>;

    fn connect(self, stream: S) -> Self::Future {
        async move {
            let stream = match self.tls {
                Some((tls, domain)) => {
                    let stream = tls.connect(&domain, BufReader::new(stream)).await?;
                    if self.bound && stream.get_ref().tls_server_end_point()?.is_none() {
                        return Err(UNBOUND.into());
                    }
                    Either::Left(stream)
                }
                None => Either::Right(stream),
            };
            Ok(Bounded { stream, messages: Messages::default() })
        }
        .boxed()
    }
}

/// RFC 5929 (tls-server-end-point) takes the hash that the certificate is signed with, and Ed25519 and Ed448 have none.
const UNBOUND: &str = "no channel binding exists for a certificate with this kind of signature, such as Ed25519, and channel_binding=require asks for one: give the server an ECDSA or RSA certificate, or use channel_binding=prefer with sslmode=verify-full";

/// A stream that ends with an error when the server says too much.
pub(super) struct Bounded<S> {
    stream: Either<TlsStream<BufReader<S>>, S>,
    messages: Messages,
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Poll::Ready(Ok(())) = read {
            self.messages.pass(&buf.filled()[before..])?;
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> tls::TlsStream for Bounded<S> {
    fn channel_binding(&self) -> ChannelBinding {
        match &self.stream {
            Either::Left(tls) => {
                let end_point = tls.get_ref().tls_server_end_point().ok().flatten();
                end_point.map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
            }
            Either::Right(_) => ChannelBinding::none(),
        }
    }
}

/// Which message of the server's the stream is in (PostgreSQL manual, "Message Formats": a type, then a length that counts
/// itself).
#[derive(Debug, Default)]
struct Messages {
    header: [u8; 5],
    /// How much of the header has come.
    known: usize,
    /// How much of the message is to come.
    left: usize,
    /// What has come before the server was ready.
    greeting: usize,
    is_ready: bool,
}

impl Messages {
    /// Takes note of what has come.
    fn pass(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = if self.left > 0 {
                let count = self.left.min(bytes.len());
                self.left -= count;
                count
            } else {
                let count = (self.header.len() - self.known).min(bytes.len());
                self.header[self.known..self.known + count].copy_from_slice(&bytes[..count]);
                self.known += count;
                if self.known == self.header.len() {
                    self.known = 0;
                    let [kind, length @ ..] = self.header;
                    // one that is shorter than itself tokio-postgres refuses
                    self.left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX).saturating_sub(4);
                    if self.left > MESSAGE {
                        return Err(too_much("announces a message of more than 64 MiB"));
                    }
                    self.is_ready |= kind == b'Z';
                }
                count
            };
            bytes = &bytes[count..];
            if !self.is_ready {
                self.greeting += count;
                if self.greeting > GREETING {
                    return Err(too_much("says more than 1 MiB before it lets anybody in"));
                }
            }
        }
        Ok(())
    }
}

/// No failure that passes: the kind is none of the network's.
fn too_much(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the server {what}; check that it is PostgreSQL, and whose"))
}

/// Adds up how large an answer has become.
#[derive(Debug)]
pub(super) struct Size {
    left: usize,
}

impl Size {
    pub(super) fn within(limit: usize) -> Size {
        Size { left: limit }
    }

    /// Whether there was room for this row.
    pub(super) fn admits(&mut self, row: &Row) -> bool {
        self.admits_bytes(row.raw_size_bytes())
    }

    fn admits_bytes(&mut self, bytes: usize) -> bool {
        let left = self.left.checked_sub(bytes.saturating_add(ROW));
        self.left = left.unwrap_or_default();
        left.is_some()
    }
}

/// The short answer to statements without parameters, while a session is set up.
pub(super) async fn simple(client: &ClientWrapper, sql: &str) -> Result<Vec<SimpleQueryMessage>, HookError> {
    let mut answer = std::pin::pin!(client.simple_query_raw(sql).await.map_err(HookError::Backend)?);
    let mut size = Size::within(SET_UP);
    let mut messages = Vec::new();
    while let Some(message) = answer.try_next().await.map_err(HookError::Backend)? {
        let bytes = match &message {
            SimpleQueryMessage::Row(row) => (0..row.len()).filter_map(|nth| row.get(nth)).map(str::len).sum(),
            _ => 0,
        };
        if !size.admits_bytes(bytes) {
            return Err(HookError::message(ENDLESS));
        }
        messages.push(message);
    }
    Ok(messages)
}

/// The short answer to a statement, while a session is set up.
pub(super) async fn rows(
    client: &ClientWrapper,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Result<Vec<Row>, tokio_postgres::Error>, HookError> {
    let answer = match client.query_raw(sql, parameters.iter().copied()).await {
        Ok(answer) => answer,
        Err(error) => return Ok(Err(error)),
    };
    let mut answer = std::pin::pin!(answer);
    let mut size = Size::within(SET_UP);
    let mut rows = Vec::new();
    loop {
        match answer.try_next().await {
            Ok(Some(row)) if size.admits(&row) => rows.push(row),
            Ok(Some(_)) => return Err(HookError::message(ENDLESS)),
            Ok(None) => return Ok(Ok(rows)),
            Err(error) => return Ok(Err(error)),
        }
    }
}

const ENDLESS: &str = "it answers more than 1 MiB to a question about itself; check that it is PostgreSQL, and whose";

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, length: u32) -> Vec<u8> {
        [&[kind][..], &length.to_be_bytes()].concat()
    }

    #[test]
    fn messages_are_told_apart_however_they_are_cut() {
        let mut bytes = message(b'S', 14);
        bytes.extend(b"ZZZZZZZZZZ");
        bytes.extend(message(b'Z', 5));
        bytes.push(b'I');
        bytes.extend(message(b'D', 4));
        for cut in 1..bytes.len() {
            let mut messages = Messages::default();
            for part in bytes.chunks(cut) {
                messages.pass(part).unwrap();
            }
            assert!(
                messages.is_ready && (15..20).contains(&messages.greeting) && messages.left == 0,
                "{cut}: {messages:?}"
            );
        }
    }

    #[test]
    fn what_a_message_announces_is_bounded() {
        let largest = u32::try_from(MESSAGE).unwrap() + 4;
        let ready = || Messages { is_ready: true, ..Messages::default() };
        assert!(ready().pass(&message(b'D', largest)).is_ok());
        for length in [largest + 1, u32::MAX] {
            let error = ready().pass(&message(b'D', length)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        }
        // what is shorter than itself does no harm here
        assert!(ready().pass(&message(b'D', 0)).is_ok());
    }

    #[test]
    fn an_endless_greeting_ends() {
        let mut notice = message(b'N', 1004);
        notice.extend([b'x'; 1000]);
        let mut messages = Messages::default();
        let taken = (0..10_000).take_while(|_| messages.pass(&notice).is_ok()).count();
        assert_eq!(taken, GREETING / notice.len());
        let mut messages = Messages { is_ready: true, ..Messages::default() };
        assert!((0..10_000).all(|_| messages.pass(&notice).is_ok()), "later ones are not kept");
    }
}
