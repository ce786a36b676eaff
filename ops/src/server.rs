//! The HTTP server, on a thread of its own: what it does holds up no arbiter and no thread of the service's.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::KeepAlive;
use actix_web::middleware::from_fn;
use actix_web::web::ServiceConfig;
use actix_web::{App, HttpServer};
use parking_lot::Mutex;
use rustls::ServerConfig;

use crate::connection::{self, Addresses, Lifetimes, OF_ADDRESS_MAX};
use crate::guard::ANSWER_TIME;

/// One is enough for a console and a scrape every few seconds.
const WORKERS: usize = 1;
/// Connections at once; more wait to be accepted. A console takes a handful, a scraper one.
pub(crate) const CONNECTIONS_MAX: usize = 128;
const _: () = assert!(
    OF_ADDRESS_MAX <= CONNECTIONS_MAX / 4,
    "a few addresses that hold all they may must leave some to others"
);
/// Connections that wait to be accepted; the system refuses more.
const BACKLOG: u32 = 64;
/// What a request's head may take to arrive, and what the TLS hand-shake may take: whoever sends a byte now and then is cut
/// off.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// What the other end may take to close.
const DISCONNECT_TIME: Duration = Duration::from_secs(2);
/// What a connection may take in all. The longest answers are of a few MiB: they are read in this time at 100 KB a second.
/// A stream of events begins anew then, which a page shows for half a second.
pub(crate) const LIFETIMES: Lifetimes = Lifetimes {
    answer: Duration::from_secs(120),
    events: Duration::from_secs(60 * 60),
};
const _: () = assert!(
    LIFETIMES.answer.as_secs() >= HEAD_TIME.as_secs() + 2 * ANSWER_TIME.as_secs(),
    "an answer that took its time must leave some to read it"
);
/// What answers under way may take once it is stopped. A console's stream of events never ends by itself.
const STOP_TIME_S: u64 = 3;

pub(crate) struct Server {
    address: SocketAddr,
    tls: bool,
    handle: ServerHandle,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Server {
    /// Serves what `configure` adds to an app.
    pub(crate) fn start(
        listener: TcpListener,
        tls: Option<ServerConfig>,
        lifetimes: Lifetimes,
        configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let is_tls = tls.is_some();
        let (tell, told) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("dormouse-ops".into())
            .spawn(move || {
                actix_web::rt::System::new().block_on(serve(listener, tls, lifetimes, configure, &tell));
            })?;
        let handle = told
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("its thread ended")))?;
        Ok(Self {
            address,
            tls: is_tls,
            handle,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Scheme, address and port.
    pub(crate) fn origin(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Takes no more connections and ends; answers under way are finished.
    pub(crate) async fn stop(&self) {
        self.handle.stop(true).await;
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    /// Without waiting: it may be dropped anywhere.
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

async fn serve(
    listener: TcpListener,
    tls: Option<ServerConfig>,
    lifetimes: Lifetimes,
    configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    tell: &mpsc::Sender<io::Result<ServerHandle>>,
) {
    let addresses = Arc::<Addresses>::default();
    let app = move || {
        App::new()
            .wrap(from_fn(connection::serve_once))
            .configure(configure.clone())
    };
    let server = HttpServer::new(app)
        .workers(WORKERS)
        .max_connections(CONNECTIONS_MAX)
        .backlog(BACKLOG)
        .client_request_timeout(HEAD_TIME)
        .tls_handshake_timeout(HEAD_TIME)
        // one request a connection, as `serve_once` sees to: actix limits the time of its first head only, and a second could dribble in for ever
        .keep_alive(KeepAlive::Disabled)
        .client_disconnect_timeout(DISCONNECT_TIME)
        .on_connect(move |connection, data| {
            connection::accepted(&addresses, lifetimes, connection, data);
        })
        .shutdown_timeout(STOP_TIME_S)
        .disable_signals();
    let server = match tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls),
        None => server.listen(listener),
    };
    match server.map(HttpServer::run) {
        Ok(server) => {
            let _ = tell.send(Ok(server.handle()));
            if let Err(error) = server.await {
                tracing::error!(%error, "the ops server ended");
            }
        }
        Err(error) => drop(tell.send(Err(error))),
    }
}
