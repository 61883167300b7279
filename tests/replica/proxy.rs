//! What may stand between a program and its server: a way that breaks, or swallows all that is sent.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// What happens on a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// All is passed on.
    Open,
    /// Nothing that the client sends is passed on.
    Upward,
    /// Nothing is passed on, and nobody is told.
    Swallowed,
    /// It is reset.
    Cut,
}

/// Passes on what comes to its port of 127.0.0.1 to a server's.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    /// One for the connections made after each change.
    ways: Arc<Mutex<Vec<watch::Sender<Way>>>>,
    _runtime: Runtime,
}

impl Proxy {
    pub(crate) fn to(server: u16) -> Proxy {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let ways = Arc::new(Mutex::new(vec![watch::Sender::new(Way::Open)]));
        let listening = Arc::clone(&ways);
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Some(way) = listening.lock().unwrap().last().map(watch::Sender::subscribe) else { return };
                // when the server is away, the client sees its connection closed
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { continue };
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                tokio::spawn(pass_on(from_client, to_server, way.clone(), &[Way::Open]));
                tokio::spawn(pass_on(from_server, to_client, way, &[Way::Open, Way::Upward]));
            }
        });
        Proxy { port, ways, _runtime: runtime }
    }

    /// Changes the connections there are; those to come are open.
    pub(crate) fn change(&self, way: Way) {
        let mut ways = self.ways.lock().unwrap();
        if let Some(last) = ways.last() {
            last.send_replace(way);
        }
        ways.push(watch::Sender::new(Way::Open));
    }
}

async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut way: watch::Receiver<Way>, open: &[Way]) {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let count = tokio::select! {
            count = from.read(&mut bytes) => count.unwrap_or(0),
            changed = way.changed() => {
                if changed.is_err() || *way.borrow() == Way::Cut {
                    // no farewell: both ends see a reset
                    let _ = to.as_ref().set_zero_linger();
                    return;
                }
                continue;
            }
        };
        // what has come meanwhile waits with the rest
        while !open.contains(&way.borrow_and_update()) {
            if way.changed().await.is_err() || *way.borrow() == Way::Cut {
                let _ = to.as_ref().set_zero_linger();
                return;
            }
        }
        if count == 0 || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
