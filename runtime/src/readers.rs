//! The bounded pool of threads that read the store, so that no actor's thread ever waits for a disk.
//!
//! Its size is the bound on activations at once. What waits for a reader waits in its actor's mailbox, and is bounded
//! with the commands in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, unbounded};
use parking_lot::Mutex;
use tokio::sync::oneshot;

pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// Whether somebody still waits for what a job brings.
pub(crate) type IsWanted<'a> = &'a dyn Fn() -> bool;

enum Order {
    Run(Job),
    Stop,
}

#[derive(Debug)]
pub(crate) struct Readers {
    orders: Sender<Order>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    closing: Arc<AtomicBool>,
    busy: Arc<AtomicUsize>,
    /// In place of threads.
    #[cfg(feature = "simulation")]
    by_hand: Option<Receiver<Order>>,
}

/// The pool has been closed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadersClosed;

impl Readers {
    /// `name` is its threads'.
    pub(crate) fn start(name: &str, count: usize) -> std::io::Result<Self> {
        let (orders, receiver) = unbounded();
        let closing = Arc::<AtomicBool>::default();
        let busy = Arc::<AtomicUsize>::default();
        let threads: std::io::Result<Vec<_>> = (0..count.max(1))
            .map(|n| {
                let (receiver, closing, busy) = (receiver.clone(), Arc::clone(&closing), Arc::clone(&busy));
                std::thread::Builder::new()
                    .name(format!("dormouse-{name}-{n}"))
                    .spawn(move || serve(&receiver, &closing, &busy))
            })
            .collect();
        Ok(Self {
            orders,
            threads: Mutex::new(threads?),
            closing,
            busy,
            #[cfg(feature = "simulation")]
            by_hand: None,
        })
    }

    /// A pool without threads: whoever takes a job runs it.
    #[cfg(feature = "simulation")]
    pub(crate) fn by_hand() -> Self {
        let (orders, receiver) = unbounded();
        Self {
            orders,
            threads: Mutex::default(),
            closing: Arc::default(),
            busy: Arc::default(),
            by_hand: Some(receiver),
        }
    }

    /// The next job of a pool without threads.
    #[cfg(feature = "simulation")]
    pub(crate) fn take(&self) -> Option<Job> {
        match self.by_hand.as_ref()?.try_recv() {
            Ok(Order::Run(job)) => Some(job),
            _ => None,
        }
    }

    /// Jobs that wait for a thread.
    pub(crate) fn waiting(&self) -> usize {
        self.orders.len()
    }

    /// Threads at work.
    pub(crate) fn busy(&self) -> usize {
        self.busy.load(Ordering::Relaxed)
    }

    /// Runs a job some time later. Dropped, not run, if the pool closes first.
    pub(crate) fn submit(&self, job: impl FnOnce() + Send + 'static) {
        // a closed pool drops the job, and whoever waits for it notices
        let _ = self.orders.send(Order::Run(Box::new(job)));
    }

    /// Runs a job and brings back what it returns.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ReadersClosed> {
        self.run_while_wanted(|_| job()).await
    }

    /// The same for a job that may take long: it can ask whether somebody still waits for it.
    pub(crate) async fn run_while_wanted<T: Send + 'static>(
        &self,
        job: impl FnOnce(IsWanted<'_>) -> T + Send + 'static,
    ) -> Result<T, ReadersClosed> {
        let (tell, told) = oneshot::channel();
        self.submit(move || {
            // nobody reads for a caller who has gone
            if !tell.is_closed() {
                let done = job(&|| !tell.is_closed());
                let _ = tell.send(done);
            }
        });
        told.await.map_err(|_| ReadersClosed)
    }

    /// Ends the threads once they have done what they are at; what waits is dropped. Blocking.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        let threads = std::mem::take(&mut *self.threads.lock());
        for _ in &threads {
            let _ = self.orders.send(Order::Stop);
        }
        for thread in threads {
            // the last owner of the runtime may be a job on one of these threads
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
        #[cfg(feature = "simulation")]
        while self.take().is_some() {}
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.close();
    }
}

fn serve(orders: &Receiver<Order>, closing: &AtomicBool, busy: &AtomicUsize) {
    while let Ok(Order::Run(job)) = orders.recv() {
        if closing.load(Ordering::Acquire) {
            continue;
        }
        busy.fetch_add(1, Ordering::Relaxed);
        // a job that panics (domain code is caught before) must not take the thread with it
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
            tracing::error!("a reader's job panicked");
        }
        busy.fetch_sub(1, Ordering::Relaxed);
    }
}
