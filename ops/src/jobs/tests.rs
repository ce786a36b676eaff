//! How jobs run, end and are forgotten.

use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use dormouse_persistence::Store;
use dormouse_runtime::Dormouse;

use super::job::{Ended, Kind};
use super::{Job, JobId, JobState, Jobs, KEPT_MAX, NotStarted, Progress, Work};

/// A job that runs until it is told how to end.
fn waiting(kind: Kind) -> (Sender<Result<String, Ended>>, Work) {
    let (tell, told) = channel();
    let work = Work::Test(kind, Box::new(move |_: &Job| told.recv().unwrap()));
    (tell, work)
}

#[track_caller]
fn ended(job: &Job) -> JobState {
    let until = Instant::now() + Duration::from_secs(30);
    while job.is_running() {
        assert!(Instant::now() < until, "it does not end");
        std::thread::yield_now();
    }
    job.state()
}

#[test]
fn one_of_a_kind_runs_at_a_time() {
    let jobs = Jobs::default();
    let (first, work) = waiting(Kind::Compact);
    let running = jobs.start(work, "me").unwrap();
    let again = jobs.start(waiting(Kind::Compact).1, "me");
    assert!(matches!(again, Err(NotStarted::Runs(JobId(1)))));
    let (other, work) = waiting(Kind::Checkpoint);
    let beside = jobs.start(work, "me").unwrap();

    first.send(Ok("done".into())).unwrap();
    assert_eq!(ended(&running), JobState::Done("done".into()));
    other.send(Err(Ended::Failed("no".into()))).unwrap();
    assert_eq!(ended(&beside), JobState::Failed("no".into()));
    let (last, work) = waiting(Kind::Compact);
    assert_eq!(jobs.start(work, "me").unwrap().id, JobId(3));
    last.send(Ok(String::new())).unwrap();
}

#[test]
fn a_cancelled_job_gives_up_at_its_next_step() {
    let jobs = Jobs::default();
    let work = |job: &Job| {
        let step = Progress::default();
        while job.progressed(step.clone()).is_continue() {
            std::thread::yield_now();
        }
        Err(Ended::Cancelled)
    };
    let job = jobs
        .start(Work::Test(Kind::Checkpoint, Box::new(work)), "me")
        .unwrap();
    assert!(job.cancel());
    assert_eq!(ended(&job), JobState::Cancelled);
    let (tell, work) = waiting(Kind::Drain);
    let drain = jobs.start(work, "me").unwrap();
    assert!(!drain.cancel() && !drain.is_cancelled(), "there is no way back");
    tell.send(Ok(String::new())).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_after_a_cancel_is_a_failure() {
    let directory = tempfile::TempDir::new().unwrap();
    let on_disk = Store::open(directory.path().join("store")).unwrap();
    for (store, wanted) in [
        (
            Store::in_memory(),
            JobState::Failed("the store refuses to copy itself: it is in memory".into()),
        ),
        (on_disk, JobState::Cancelled),
    ] {
        let runtime = Dormouse::builder(store).start().await.unwrap();
        let work = Work::Checkpoint {
            runtime: runtime.clone(),
            directory: directory.path().join("copy"),
        };
        let job = Job::new(JobId(1), work.kind(), work.what(), "me");
        assert!(job.cancel());
        tokio::task::block_in_place(|| job.run(|job| work.run(job)));
        assert_eq!(job.state(), wanted);
        runtime.shutdown().await.unwrap();
    }
}

#[test]
fn a_panic_is_a_failure() {
    let jobs = Jobs::default();
    let work = Work::Test(Kind::Compact, Box::new(|_: &Job| panic!("a secret")));
    let state = ended(&jobs.start(work, "me").unwrap());
    assert!(
        matches!(&state, JobState::Failed(reason) if reason.contains("panicked")),
        "{state:?}"
    );
}

#[test]
fn only_the_newest_are_kept_and_whatever_runs() {
    let jobs = Jobs::default();
    let (tell, work) = waiting(Kind::Drain);
    let oldest = jobs.start(work, "me").unwrap();
    for _ in 0..2 * KEPT_MAX {
        let work = Work::Test(Kind::Compact, Box::new(|_: &Job| Ok(String::new())));
        ended(&jobs.start(work, "me").unwrap());
    }
    let kept: Vec<_> = jobs.all().iter().map(|job| job.id.0).collect();
    assert_eq!(
        (kept.len(), kept[0], kept[KEPT_MAX - 1]),
        (KEPT_MAX, 1 + 2 * KEPT_MAX as u64, 1)
    );
    assert!(jobs.find(JobId(2)).is_none() && jobs.find(oldest.id).is_some());
    tell.send(Ok(String::new())).unwrap();
}
