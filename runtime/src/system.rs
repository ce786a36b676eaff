//! The actix System of our own: a thread that owns the arbiters, so that users never start one.

use std::thread::JoinHandle;

use actix::{Arbiter, ArbiterHandle, System};
use dormouse_persistence::Store;

use crate::lane::Lane;

/// The thread of the System. Stopping it ends every arbiter, and every actor with it.
#[derive(Debug)]
pub(crate) struct OwnSystem {
    system: System,
    thread: Option<JoinHandle<()>>,
}

impl OwnSystem {
    /// Starts `arbiters` of them, each with its settlements' runner.
    pub(crate) fn start(arbiters: usize, store: &Store) -> std::io::Result<(Self, Vec<Lane>)> {
        let (tell, told) = crossbeam_channel::bounded(1);
        let thread = std::thread::Builder::new()
            .name("dormouse-system".into())
            .spawn(move || run(arbiters, &tell))?;
        let (system, handles) = told
            .recv()
            .map_err(|_| std::io::Error::other("the actix System did not start"))??;
        let lanes = handles.iter().map(|arbiter| lane(arbiter, store)).collect();
        Ok((
            Self {
                system,
                thread: Some(thread),
            },
            lanes,
        ))
    }

    /// Ends the arbiters without waiting for them.
    pub(crate) fn stop(&self) {
        self.system.stop();
    }

    /// Whether the caller runs on one of its arbiters.
    pub(crate) fn is_current(&self) -> bool {
        System::try_current().is_some_and(|current| current.id() == self.system.id())
    }

    /// Ends the arbiters and waits until their actors are dropped. Blocking.
    pub(crate) fn join(mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for OwnSystem {
    /// A start that failed later on leaves no thread behind.
    fn drop(&mut self) {
        self.stop();
    }
}

type Started = std::io::Result<(System, Vec<ArbiterHandle>)>;

fn run(arbiters: usize, tell: &crossbeam_channel::Sender<Started>) {
    let runner = System::new();
    let started: std::io::Result<Vec<Arbiter>> = (0..arbiters.max(1)).map(|_| Arbiter::try_new()).collect();
    match started {
        Ok(arbiters) => {
            let handles = arbiters.iter().map(Arbiter::handle).collect();
            let _ = tell.send(Ok((System::current(), handles)));
            if let Err(error) = runner.run() {
                tracing::error!(%error, "the actix System ended with an error");
            }
            for arbiter in arbiters {
                arbiter.stop();
                let _ = arbiter.join();
            }
        }
        Err(error) => {
            let _ = tell.send(Err(error));
        }
    }
}

fn lane(arbiter: &ArbiterHandle, store: &Store) -> Lane {
    let (lane, deliver, let_in) = Lane::new(store);
    arbiter.spawn(deliver);
    arbiter.spawn(let_in);
    lane
}
