//! Reads callgrind's profile: <https://valgrind.org/docs/manual/cl-format.html>.

use std::collections::HashMap;

/// Where threads wait for work, calls included. How many instructions that takes is the clock's and the scheduler's
/// business, and no command's.
const WAITING: [&str; 1] = ["dormouse_persistence::queue::Queue::next"];

/// All instructions of a profile but those of waiting; none if it is not a profile.
pub(crate) fn working(profile: &str) -> Option<u64> {
    let mut names = HashMap::new();
    let (mut caller, mut callee) = ("", "");
    let mut called = None;
    let (mut all, mut waiting) = (None, 0);
    for line in profile.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            caller = known(&mut names, name)?;
        } else if let Some(name) = line.strip_prefix("cfn=") {
            callee = known(&mut names, name)?;
        } else if line.starts_with("calls=") {
            called = Some(callee);
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            // a line's number and its cost: of its own, or, behind `calls`, of all that the call led to
            let cost: u64 = line.split(' ').nth(1)?.parse().ok()?;
            match called.take() {
                None => *all.get_or_insert(0) += cost,
                Some(callee) if WAITING.contains(&callee) && caller != callee => waiting += cost,
                Some(_) => {}
            }
        }
    }
    all.map(|all| all - waiting)
}

/// A name is spelt out where it comes first, `(7) name`, and a number later, `(7)`.
fn known<'p>(names: &mut HashMap<&'p str, &'p str>, text: &'p str) -> Option<&'p str> {
    match text.split_once(' ') {
        Some((number, name)) => {
            names.insert(number, name);
            Some(name)
        }
        None => names.get(text).copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_left_out_with_what_it_calls() {
        let profile = "\
events: Ir
fl=(1) journal.rs
fn=(1) dormouse_persistence::journal::Journal::run
10 100
cfn=(2) dormouse_persistence::queue::Queue::next
calls=3 20
+1 50
cfn=(3) memcpy
calls=1 0
* 7

fn=(2)
20 30
cfn=(4) clock_gettime
calls=9 0
+2 20

fn=(4)
0 20

fn=(3)
0 7
totals: 157
";
        assert_eq!(working(profile), Some(107));
        assert_eq!(working("nothing of the kind"), None);
        assert_eq!(working("fn=(1) a\n10 many"), None);
    }
}
