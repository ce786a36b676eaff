//! What clients and readers of one process find while they run side by side: the first violation ends them all.

use std::collections::BTreeMap;
use std::future::{Future, IntoFuture};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::tally::Tally;
use crate::violation::Violation;

/// Who has no answer after so long never gets one. It is waited for twice: a process that was stopped for a while
/// finds its timers run out as it goes on, and its answers a moment later.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often tries are counted and the end is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[derive(Debug, Default)]
pub(crate) struct Findings {
    over: AtomicBool,
    broken: Mutex<Vec<Violation>>,
    tried: Mutex<BTreeMap<&'static str, u64>>,
}

impl Findings {
    pub(crate) fn tried(&self, kind: &'static str) {
        *self
            .tried
            .lock()
            .expect("nobody panics with it")
            .entry(kind)
            .or_default() += 1;
    }

    pub(crate) fn broken(&self, promise: &'static str, what: impl Into<String>) {
        let mut broken = self.broken.lock().expect("nobody panics with it");
        broken.push(Violation::new(promise, what));
        self.over.store(true, Ordering::Release);
    }

    /// Whether it is time to end.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    pub(crate) fn is_broken(&self) -> bool {
        !self.broken.lock().expect("nobody panics with it").is_empty()
    }

    /// Lets them run until so much was tried, or something is broken.
    pub(crate) async fn until(&self, tries: u64, tally: &mut Tally) {
        while tally.tried < tries && !self.is_over() {
            tokio::time::sleep(LOOK_EVERY).await;
            self.count(tally);
        }
        self.over.store(true, Ordering::Release);
    }

    /// What is broken, once they have ended.
    pub(crate) fn end(&self, tally: &mut Tally) -> Vec<Violation> {
        self.count(tally);
        std::mem::take(&mut *self.broken.lock().expect("nobody panics with it"))
    }

    fn count(&self, tally: &mut Tally) {
        let tried = std::mem::take(&mut *self.tried.lock().expect("nobody panics with it"));
        for (kind, many) in tried {
            (0..many).for_each(|_| tally.tried(kind, ""));
        }
    }
}

/// A deadline for what is to be answered. The default may pass where others have the processor, and that breaks no
/// promise; what hangs is noticed by [`answered`] and by the harness's own watch.
pub(crate) const UNHURRIED: Duration = Duration::from_secs(3_600);

/// The answer; none if there is none in good time.
pub(crate) async fn answered<F: IntoFuture>(asked: F) -> Option<F::Output> {
    let mut asked = std::pin::pin!(asked.into_future());
    if let Ok(answer) = patiently(asked.as_mut()).await {
        return Some(answer);
    }
    patiently(asked).await.ok()
}

async fn patiently<F: Future>(asked: F) -> Result<F::Output, tokio::time::error::Elapsed> {
    tokio::time::timeout(PATIENCE, asked).await
}
