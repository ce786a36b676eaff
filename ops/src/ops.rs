//! Starting it, and telling it of the runtime.

use std::io;
use std::net::TcpListener;

use actix_web::web::Data;
use dormouse_runtime::Dormouse;

use crate::attached::Attached;
use crate::server::Server;

/// Where it listens unless told otherwise: this machine only.
const BIND: &str = "127.0.0.1:7070";

/// A running metrics endpoint, health endpoint, admin API and console.
pub struct Ops {
    attached: Data<Attached>,
    server: Server,
}

/// What can be chosen of it: made by [`Ops::builder`].
#[derive(Debug)]
#[must_use = "it starts with `start()`"]
pub struct Builder {
    bind: String,
}

/// Why it did not start. Nothing listens.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address can't be listened on.
    #[error("can't listen on {address}: {source}")]
    Bind {
        /// As it was given.
        address: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Builder {
    /// Address and port to listen on. Default: `127.0.0.1:7070`; port 0 takes any that is free.
    pub fn bind(mut self, address: impl Into<String>) -> Self {
        self.bind = address.into();
        self
    }

    /// Listens.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(self) -> Result<Ops, StartError> {
        let Self { bind } = self;
        let attached = Data::new(Attached::new(String::new()));
        let server = TcpListener::bind(&bind)
            .and_then(|listener| Server::start(listener, attached.clone()))
            .map_err(|source| StartError::Bind {
                address: bind,
                source,
            })?;
        Ok(Ops { attached, server })
    }
}

impl Ops {
    /// An ops server, to be told where to listen, and started.
    pub fn builder() -> Builder {
        Builder { bind: BIND.into() }
    }

    /// From here on it shows `runtime`.
    pub fn attach(&self, runtime: &Dormouse) {
        self.attached.attach(runtime);
    }

    /// Where the console is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}{}/", self.server.address, self.attached.base)
    }

    /// Stops listening; answers under way are finished.
    pub async fn stop(self) {
        self.attached.live.close();
        self.server.stop().await;
    }
}

impl std::fmt::Debug for Ops {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ops")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}
