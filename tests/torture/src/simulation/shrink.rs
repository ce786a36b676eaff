//! Leaves operations out of a plan that fails, as long as it fails in the same way.

use super::plan::Plan;
use super::world;
use crate::violation::Violation;

/// Runs that a shrinking may cost.
const RUNS_MAX: u32 = 2_000;

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
    let (mut runs, mut part) = (0, plan.operations.len() / 2);
    while part > 0 {
        let (mut from, before) = (0, plan.operations.len());
        while from < plan.operations.len() && runs < RUNS_MAX {
            runs += 1;
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
        if runs >= RUNS_MAX {
            break;
        }
    }
    plan
}
