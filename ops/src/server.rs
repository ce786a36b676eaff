//! The HTTP server, on a thread of its own: what it does holds up no arbiter and no thread of the service's.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use actix_web::{App, HttpServer};

use crate::attached::Attached;
use crate::routes;

/// One is enough for a console and a scrape every few seconds.
const WORKERS: usize = 1;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(listener: TcpListener, attached: Data<Attached>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("dormouse-ops".into())
            .spawn(move || {
                actix_web::rt::System::new().block_on(async move {
                    let app = move || App::new().app_data(attached.clone()).configure(routes::configure);
                    let server = HttpServer::new(app)
                        .workers(WORKERS)
                        .disable_signals()
                        .listen(listener);
                    match server.map(HttpServer::run) {
                        Ok(server) => {
                            let _ = tell.send(Ok(server.handle()));
                            if let Err(error) = server.await {
                                tracing::error!(%error, "the ops server ended");
                            }
                        }
                        Err(error) => drop(tell.send(Err(error))),
                    }
                });
            })?;
        let handle = told
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("its thread ended")))?;
        Ok(Self {
            address,
            handle,
            thread: Some(thread),
        })
    }

    /// Takes no more connections and ends; answers under way are finished.
    pub(crate) async fn stop(mut self) {
        self.handle.stop(true).await;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
