//! What pages are kept up to date by: one sampler for all of them, and server-sent events.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::{Bytes, Data, ReqData};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::attached::Attached;
use crate::console::assets;
use crate::console::sample::{Look, Sample, Samples};
use crate::guard::{Access, Guard, SessionId};
use crate::problem::Problem;
use crate::readiness::Readiness;

/// How often the runtime is looked at. Also what keeps connections alive.
const EVERY: Duration = Duration::from_secs(1);
/// Pages that may be open at once; one more is told to come again. Pages out of sight hold none.
const VIEWERS_MAX: usize = 64;
/// Samples that wait for a page that doesn't read. Then its stream ends, and it begins anew when it can.
const WAITING_MAX: usize = 8;

/// The sampler. It ends when this is dropped or closed.
pub(crate) struct Live {
    shared: Arc<Mutex<Shared>>,
    running: Mutex<Option<(Sender<()>, JoinHandle<()>)>>,
}

#[derive(Default)]
struct Shared {
    samples: Samples,
    viewers: Vec<mpsc::Sender<Bytes>>,
    closed: bool,
}

impl Live {
    /// Of whatever is attached; nothing is looked at before that is there, or after it is gone.
    pub(crate) fn start(attached: Weak<Attached>) -> Self {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let (stop, stopped) = channel();
        let looking = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("dormouse-sampler".into())
            .spawn(move || look(&looking, &attached, &stopped));
        let running = match thread {
            Ok(thread) => Some((stop, thread)),
            Err(error) => {
                tracing::error!(%error, "no thread for the console's sampler: its pages stay as they are loaded");
                None
            }
        };
        Self {
            shared,
            running: Mutex::new(running),
        }
    }

    /// The latest look.
    pub(crate) fn latest<T>(&self, read: impl FnOnce(&Sample) -> T) -> T {
        read(&self.shared.lock().samples.latest)
    }

    /// Ends all streams and the sampler: a server that finishes its answers would wait for them for ever.
    pub(crate) fn close(&self) {
        let mut shared = self.shared.lock();
        shared.closed = true;
        shared.viewers.clear();
        drop(shared);
        if let Some((stop, thread)) = self.running.lock().take() {
            drop(stop);
            let _ = thread.join();
        }
    }

    fn watch(&self) -> Option<mpsc::Receiver<Bytes>> {
        let mut shared = self.shared.lock();
        shared.viewers.retain(|viewer| !viewer.is_closed());
        if shared.closed || shared.viewers.len() >= VIEWERS_MAX {
            return None;
        }
        let (viewer, frames) = mpsc::channel(WAITING_MAX);
        let history = frame("history", &shared.samples.all(&assets::FOLDER));
        viewer.try_send(history).expect("a new channel has room");
        shared.viewers.push(viewer);
        Some(frames)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.close();
    }
}

fn look(shared: &Mutex<Shared>, attached: &Weak<Attached>, stopped: &Receiver<()>) {
    loop {
        if let Some(attached) = attached.upgrade() {
            // before the lock, which every page takes: a disk that hangs must not hold up those
            let look = attached.runtime().map(|runtime| Look::at(&runtime));
            let readiness = Readiness::of(&attached);
            let mut shared = shared.lock();
            let sample = shared.samples.take(look, readiness);
            let sample = frame("sample", &sample);
            shared
                .viewers
                .retain(|viewer| viewer.try_send(sample.clone()).is_ok());
        }
        match stopped.recv_timeout(EVERY) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn frame(event: &str, data: &str) -> Bytes {
    format!("event: {event}\ndata: {data}\n\n").into()
}

/// Samples as they are taken, after all that are kept. It ends with the session that it was asked for in.
pub(crate) async fn stream(live: Data<Live>, guard: Data<Guard>, access: ReqData<Access>) -> HttpResponse {
    match live.watch() {
        Some(frames) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "text/event-stream"))
            .insert_header((CACHE_CONTROL, "no-store"))
            .body(Frames {
                frames,
                guard: guard.into_inner(),
                session: access.into_inner().session,
            }),
        None => Problem::unavailable("as many pages are open as may be").into(),
    }
}

struct Frames {
    frames: mpsc::Receiver<Bytes>,
    guard: Arc<Guard>,
    session: Option<SessionId>,
}

impl MessageBody for Frames {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let this = self.get_mut();
        let frame = ready!(this.frames.poll_recv(cx));
        let lasts = this
            .session
            .as_ref()
            .is_none_or(|session| this.guard.lasts(session));
        Poll::Ready(frame.filter(|_| lasts).map(Ok))
    }
}
