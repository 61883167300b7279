//! Which process of PostgreSQL's a connection was told of at login.
//!
//! PostgreSQL names its process then, and that process answers as long as the connection lasts. A pooler makes up what it
//! names, and lets other processes answer. Ports and addresses do not tell the two apart: tunnels, containers and balancers
//! of connections change them too. tokio-postgres does not show the number, but writes it into a request for cancelling:
//! here onto a piece of memory, which nobody gets.

use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::Client;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

/// The process named at login, 0 if none was.
pub(super) fn named_at_login(client: &Client) -> Option<i32> {
    let paper = Paper::default();
    client.cancel_token().cancel_query_raw(paper.clone(), InTheClear).now_or_never()?.ok()?;
    let written = paper.0.lock().unwrap_or_else(PoisonError::into_inner);
    // it ends with the process and a secret key, of four bytes each
    let (_, end) = written.split_last_chunk::<8>()?;
    let (process, _) = end.split_first_chunk::<4>()?;
    Some(i32::from_be_bytes(*process))
}

/// Takes what is written, and agrees to any encryption.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl AsyncRead for Paper {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buffer.remaining() > 0 {
            buffer.put_slice(b"S");
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Paper {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl TlsStream for Paper {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

/// Leaves what is written as it is.
struct InTheClear;

impl TlsConnect<Paper> for InTheClear {
    type Stream = Paper;
    type Error = io::Error;
    type Future = Ready<io::Result<Paper>>;

    fn connect(self, paper: Paper) -> Self::Future {
        ready(Ok(paper))
    }
}
