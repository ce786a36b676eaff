//! The counts, by one thread. What several do to them is explored in `schedules.rs`.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Wake, Waker};

use super::*;

struct Nobody;

impl Evicts for Nobody {
    fn evict(&self, _: &Residency) -> bool {
        false
    }
}

fn resident(gauges: &Arc<Gauges>) -> Arc<Residency> {
    let keeper = Keeper {
        aggregate_type: AggregateType::from_static("guest"),
        evicts: Weak::<Nobody>::new(),
        gauges: Arc::clone(gauges),
    };
    Residency::new(AggregateId::try_from("a").unwrap(), Arc::new(keeper), 7)
}

fn poll(future: Pin<&mut impl Future<Output = ()>>) -> Poll<()> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn what_is_over_a_bound_is_turned_away_and_not_counted() {
    let gauges = Arc::<Gauges>::default();
    let (one, other) = (resident(&gauges), resident(&gauges));
    let over = |bound, limit| Err(NotDone::Overloaded { bound, limit });
    let charges = [one.charge(2, 3).unwrap(), one.charge(2, 3).unwrap()];
    assert_eq!(one.charge(2, 3).map(drop), over(Bound::Mailbox, 2));
    let last = other.charge(2, 3).unwrap();
    assert_eq!(gauges.has_room(4), Ok(()));
    assert_eq!(gauges.has_room(3), over(Bound::Runtime, 3));
    assert_eq!(other.charge(2, 3).map(drop), over(Bound::Runtime, 3));
    assert_eq!(
        (one.in_flight(), other.in_flight(), gauges.in_flight()),
        (2, 1, 3)
    );
    drop((charges, last));
    assert_eq!(
        (one.in_flight(), other.in_flight(), gauges.in_flight()),
        (0, 0, 0)
    );
}

#[test]
fn nobody_waits_for_an_end_if_nothing_is_in_flight() {
    assert!(poll(pin!(Gauges::default().ended())).is_ready());
}

#[test]
fn who_gave_up_waiting_is_not_counted_any_more() {
    let gauges = Arc::<Gauges>::default();
    let charge = resident(&gauges).charge(1, 1).unwrap();
    {
        let mut waits = pin!(gauges.ended());
        assert!(poll(waits.as_mut()).is_pending());
        assert_eq!(gauges.waiting_for_room.load(Ordering::SeqCst), 1);
    }
    assert_eq!(gauges.waiting_for_room.load(Ordering::SeqCst), 0);
    drop(charge);
    assert_eq!(gauges.in_flight(), 0);
}

#[derive(Default)]
struct Woken(std::sync::atomic::AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn the_last_actor_that_goes_wakes_who_waits_for_all() {
    let gauges = Gauges::default();
    gauges.actor_started();
    gauges.actor_started();
    let woken = Arc::<Woken>::default();
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let mut all_gone = pin!(gauges.all_gone());
    assert!(all_gone.as_mut().poll(&mut context).is_pending());
    gauges.actor_gone();
    assert!(!woken.0.load(Ordering::SeqCst), "one still lives");
    gauges.actor_gone();
    assert!(woken.0.load(Ordering::SeqCst));
    assert!(all_gone.as_mut().poll(&mut context).is_ready());
}

#[test]
fn what_residents_weigh_together_follows_each_ones_weight() {
    let gauges = Arc::<Gauges>::default();
    let counted = || {
        let (residents, bytes) = (&gauges.residents, &gauges.resident_bytes);
        (residents.load(Ordering::Relaxed), bytes.load(Ordering::Relaxed))
    };
    let (one, other) = (resident(&gauges), resident(&gauges));
    other.weigh(1_000);
    for bytes in [100, 250, 40] {
        one.weigh(bytes);
        assert_eq!(counted(), (2, 1_000 + bytes));
    }
    let (residents, bytes) = (&gauges.residents_peak, &gauges.resident_bytes_peak);
    assert_eq!(
        (residents.load(Ordering::Relaxed), bytes.load(Ordering::Relaxed)),
        (2, 1_250)
    );
    one.leave();
    assert_eq!(counted(), (1, 1_000));
    resident(&gauges).leave();
    assert_eq!(
        counted(),
        (1, 1_000),
        "what was never weighed takes nothing with it"
    );
}

#[test]
fn uses_are_counted_up_to_a_few() {
    let resident = resident(&Arc::default());
    for used_ms in 1..=10 {
        resident.touch(used_ms);
    }
    assert_eq!((resident.frequency(), resident.used_ms()), (FREQUENCY_MAX, 10));
    assert_eq!(resident.woken_ms(), 7);
    resident.cool();
    assert_eq!(resident.frequency(), FREQUENCY_MAX - 1);
}

#[test]
fn commands_are_counted() {
    let resident = resident(&Arc::default());
    assert_eq!(resident.commands(), 0);
    (0..3).for_each(|_| resident.count_command());
    assert_eq!(resident.commands(), 3);
}
