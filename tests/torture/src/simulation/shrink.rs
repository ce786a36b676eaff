//! Leaves operations out of a plan that fails, as long as it fails in the same way.

use std::time::{Duration, Instant};

use super::plan::Plan;
use super::world;
use crate::violation::Violation;

/// A shrinking may take so long.
const TIME_MAX: Duration = Duration::from_secs(20);

/// A plan with as few operations as that takes, and what happens in it.
pub(crate) fn traced(plan: Plan, violation: &Violation) -> (Plan, Vec<String>) {
    let plan = shrink(plan, violation);
    let mut trace = vec![format!("{:?}", plan.configuration)];
    let again = world::run(&plan, Some(&mut trace));
    trace.push(format!("{again:?}"));
    (plan, trace)
}

fn shrink(mut plan: Plan, violation: &Violation) -> Plan {
    let fails = |plan: &Plan| world::run(plan, None).is_err_and(|found| found.promise == violation.promise);
    let (started, mut part) = (Instant::now(), plan.operations.len() / 2);
    while part > 0 && started.elapsed() < TIME_MAX {
        let (mut from, before) = (0, plan.operations.len());
        while from < plan.operations.len() && started.elapsed() < TIME_MAX {
            let mut fewer = plan.clone();
            let to = (from + part).min(fewer.operations.len());
            fewer.operations.drain(from..to);
            if fails(&fewer) {
                plan = fewer;
            } else {
                from += part;
            }
        }
        // again with the same size while that still helps
        if plan.operations.len() == before {
            part /= 2;
        }
    }
    plan
}
