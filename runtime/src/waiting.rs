//! Waiting for a future on a thread that runs no executor: a reader's.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// What the future brings; `None` if it takes longer than `at_most`. Blocks.
pub(crate) fn wait<T>(future: impl Future<Output = T>, at_most: Duration) -> Option<T> {
    let deadline = Instant::now() + at_most;
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(brought) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(brought);
        }
        let left = deadline.checked_duration_since(Instant::now())?;
        std::thread::park_timeout(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[test]
    fn what_comes_is_brought_and_what_does_not_is_given_up() {
        let (tell, told) = oneshot::channel();
        let teller = std::thread::spawn(move || tell.send(7));
        assert_eq!(wait(told, Duration::from_secs(60)), Some(Ok(7)));
        assert_eq!(teller.join().unwrap(), Ok(()));
        assert_eq!(wait(std::future::pending::<()>(), Duration::from_millis(1)), None);
    }
}
