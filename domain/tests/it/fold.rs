use dormouse_domain::{Aggregate, Decision, Event, FoldFailed, Never, fold};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    n: u32,
}

#[derive(Debug, Clone, PartialEq, Event)]
enum Counted {
    Up(u32),
}

impl Aggregate for Counter {
    const TYPE: &'static str = "counter";
    type Event = Counted;
    type Error = Never;

    fn apply(&mut self, Counted::Up(by): &Counted) {
        self.n += by;
    }
}

/// Folds with a record that fails at the event of this size.
fn run<R>(
    decision: Decision<Counter, R>,
    fail_at: u32,
) -> (Counter, Vec<u32>, Result<R, FoldFailed<&'static str>>) {
    let (mut state, mut recorded) = (Counter::default(), Vec::new());
    let result = fold(&mut state, decision, |&Counted::Up(by)| {
        if by == fail_at {
            return Err("full");
        }
        recorded.push(by);
        Ok(())
    });
    (state, recorded, result)
}

#[test]
fn nothing_happens() {
    let (state, recorded, result) = run(Decision::none(), 0);
    assert_eq!((state.n, recorded, result), (0, vec![], Ok(())));
}

#[test]
fn events_are_recorded_and_applied_in_order_and_then_sees_the_state_after() {
    let decision = Decision::event(Counted::Up(1))
        .and(Counted::Up(2))
        .then(|after: &Counter| vec![Counted::Up(after.n * 10)])
        .then(|after: &Counter| vec![Counted::Up(after.n * 100), Counted::Up(7)])
        .reply(|after| after.n);
    let (state, recorded, result) = run(decision, 0);
    assert_eq!(recorded, [1, 2, 30, 3300, 7]);
    assert_eq!((state.n, result), (3340, Ok(3340)));
}

#[test]
fn a_reply_known_before() {
    let (state, _, result) = run(
        Decision::events([Counted::Up(1), Counted::Up(2)]).reply_with("thanks"),
        0,
    );
    assert_eq!((state.n, result), (3, Ok("thanks")));
}

#[test]
fn a_failed_record_leaves_the_state_alone() {
    let (state, recorded, result) = run(Decision::events([Counted::Up(1), Counted::Up(2)]), 2);
    assert_eq!((state.n, recorded), (0, vec![1]));
    assert_eq!(
        result,
        Err(FoldFailed {
            error: "full",
            state_changed: false
        })
    );
}

#[test]
fn a_failed_record_of_then_says_that_the_state_changed() {
    let decision = Decision::event(Counted::Up(1)).then(|_: &Counter| vec![Counted::Up(2)]);
    let (state, _, result) = run(decision, 2);
    assert_eq!(state.n, 1);
    assert_eq!(
        result,
        Err(FoldFailed {
            error: "full",
            state_changed: true
        })
    );

    let nothing_first = Decision::none().then(|_: &Counter| vec![Counted::Up(2)]);
    assert_eq!(
        run(nothing_first, 2).2,
        Err(FoldFailed {
            error: "full",
            state_changed: false
        })
    );
}
