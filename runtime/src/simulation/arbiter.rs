//! An arbiter's executor that runs one task when it is told to.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use slab::Slab;

/// A task of an arbiter that simulation runs. Another one may have its number once it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskId(usize);

type Boxed = Pin<Box<dyn Future<Output = ()>>>;

thread_local! {
    /// The tasks of the arbiter that this thread is. `None`: it is none.
    static TASKS: RefCell<Option<Slab<Task>>> = const { RefCell::new(None) };
}

struct Task {
    /// `None` while it has its turn.
    future: Option<Boxed>,
    ready: Arc<Ready>,
}

struct Ready(AtomicBool);

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The arbiter of this thread, while it lives.
#[derive(Debug)]
pub(crate) struct Arbiter(());

impl Arbiter {
    /// Runs its own tasks up to where they wait, so that they are there before the first entity.
    pub(crate) fn new(own: [Boxed; 2]) -> Self {
        TASKS.set(Some(Slab::new()));
        let arbiter = Self(());
        for future in own {
            let task = arbiter.spawn(future);
            arbiter.turn(task);
        }
        arbiter
    }

    /// Takes a future, if this thread is an arbiter that simulation runs; gives it back if not.
    pub(crate) fn adopt<F: Future<Output = ()> + 'static>(future: F) -> Option<F> {
        TASKS.with_borrow_mut(|tasks| match tasks {
            Some(tasks) => {
                insert(tasks, Box::pin(future));
                None
            }
            None => Some(future),
        })
    }

    pub(crate) fn spawn(&self, future: Boxed) -> TaskId {
        TASKS.with_borrow_mut(|tasks| TaskId(insert(tasks.as_mut().expect("it lives"), future)))
    }

    pub(crate) fn wake(&self, TaskId(task): TaskId) {
        TASKS.with_borrow(|tasks| {
            let task = tasks.as_ref().and_then(|tasks| tasks.get(task));
            task.inspect(|task| task.ready.0.store(true, Ordering::Relaxed));
        });
    }

    /// The tasks that were woken.
    pub(crate) fn ready(&self, mut each: impl FnMut(TaskId)) {
        TASKS.with_borrow(|tasks| {
            for (number, task) in tasks.iter().flatten() {
                if task.ready.0.load(Ordering::Relaxed) {
                    each(TaskId(number));
                }
            }
        });
    }

    /// Polls a task once. It may spawn others meanwhile.
    pub(crate) fn turn(&self, TaskId(number): TaskId) {
        let taken = TASKS.with_borrow_mut(|tasks| {
            let task = tasks.as_mut()?.get_mut(number)?;
            task.ready.0.store(false, Ordering::Relaxed);
            Some((task.future.take()?, Waker::from(Arc::clone(&task.ready))))
        });
        let Some((mut future, waker)) = taken else { return };
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        TASKS.with_borrow_mut(|tasks| {
            let tasks = tasks.as_mut().expect("it lives");
            match polled {
                Poll::Pending => tasks[number].future = Some(future),
                Poll::Ready(()) => drop(tasks.remove(number)),
            }
        });
    }

    /// Drops all tasks.
    pub(crate) fn end(&self) {
        let tasks = TASKS.take();
        drop(tasks);
    }
}

fn insert(tasks: &mut Slab<Task>, future: Boxed) -> usize {
    let (future, ready) = (Some(future), Arc::new(Ready(AtomicBool::new(true))));
    tasks.insert(Task { future, ready })
}
