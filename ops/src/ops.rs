//! What a service holds of its ops server.

use std::fmt;
use std::sync::Arc;

use actix_web::web::ServiceConfig;
use dormouse_persistence::OpenProgress;
use dormouse_runtime::Dormouse;

use crate::builder::Builder;
use crate::error::StartError;
use crate::routes::Mounted;
use crate::server::Server;

/// A running metrics endpoint, health endpoint, admin API and console. Clones are the same; the last one dropped stops it.
#[derive(Clone)]
pub struct Ops {
    mounted: Mounted,
    /// None where it is mounted in another server.
    server: Option<Arc<Server>>,
}

impl Ops {
    /// An ops server, to be told where to listen, and started.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// For a runtime that runs already: on `127.0.0.1:7070`, all in one line. What was counted before is not in
    /// `/metrics`, so a service rather [starts](Builder::start) it first and [attaches](Self::attach) the runtime later.
    /// It holds a clone of the runtime from here on, as [`attach`](Self::attach) says.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn beside(runtime: &Dormouse) -> Result<Self, StartError> {
        let ops = Self::builder().start()?;
        ops.attach(runtime);
        Ok(ops)
    }

    pub(crate) fn new(mounted: Mounted, server: Option<Server>) -> Self {
        Self {
            mounted,
            server: server.map(Arc::new),
        }
    }

    /// For [`StoreOptions::progress`](dormouse_persistence::StoreOptions::progress): until a runtime is attached,
    /// `/health/ready` tells how far reading the log has come.
    pub fn opening(&self) -> impl Fn(OpenProgress) + Send + Sync + 'static {
        // weak: a store keeps it, and would never end if it led back to its own runtime
        let attached = Arc::downgrade(&self.mounted.attached.clone().into_inner());
        move |progress| {
            if let Some(attached) = attached.upgrade() {
                attached.progressed(progress);
            }
        }
    }

    /// From here on it shows `runtime`, or another one in place of the one before.
    ///
    /// It holds a clone, until the last clone of this `Ops` is dropped: dropping yours does not end the runtime meanwhile, nor
    /// close its store. The runtime stays yours to [shut down](Dormouse::shutdown); do so first, and [stop](Self::stop) this
    /// after it, so that `/health/ready` tells of the end, too.
    pub fn attach(&self, runtime: &Dormouse) {
        self.mounted.attached.attach(runtime);
    }

    /// Adds its routes to an actix-web app: `App::new().configure(|app| ops.mount(app))`.
    pub fn mount(&self, app: &mut ServiceConfig) {
        self.mounted.configure(app);
    }

    /// Where the console is; only the path where it is mounted in another server.
    #[must_use]
    pub fn url(&self) -> String {
        let base = &self.mounted.attached.base;
        match &self.server {
            Some(server) => format!("{}{base}/", server.origin()),
            None => format!("{base}/"),
        }
    }

    /// Stops listening; answers under way are finished, within a few seconds, and the console's pages are told. Where it
    /// is mounted in another server, this comes before that one's stop, which waits for the pages otherwise.
    pub async fn stop(self) {
        self.mounted.live.close();
        if let Some(server) = &self.server {
            server.stop().await;
        }
    }
}

impl fmt::Debug for Ops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ops")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}
