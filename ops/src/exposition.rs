//! What `/metrics` says: the recorder's text, in which counters of seconds are counters.
//!
//! The counters of the `metrics` facade are whole numbers, so whoever counts seconds tells it of a gauge. A scraper should
//! know better: a counter may begin anew at 0, and only its rate means anything.

/// How the names of counters of seconds end; no gauge's name does.
const SECONDS_COUNTED: &str = "_seconds_total";

/// The text of the recorder, with the right types.
pub(crate) fn typed(text: &str) -> String {
    let mut typed = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match counted(line) {
            Some(name) => {
                typed.push_str("# TYPE ");
                typed.push_str(name);
                typed.push_str(" counter\n");
            }
            None => typed.push_str(line),
        }
    }
    typed
}

/// The name that this line calls a gauge, if it is that of a counter of seconds.
fn counted(line: &str) -> Option<&str> {
    let name = line.strip_prefix("# TYPE ")?.strip_suffix(" gauge\n")?;
    name.ends_with(SECONDS_COUNTED).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_seconds_are_counters_and_nothing_else_changes() {
        let text = "# HELP process_cpu_seconds_total Time # TYPE gauge\n# TYPE process_cpu_seconds_total gauge\n\
                    process_cpu_seconds_total 1.5\n\n# TYPE process_start_time_seconds gauge\n\
                    process_start_time_seconds 1\n\n# TYPE a_total counter\na_total{b=\"# TYPE x_seconds_total gauge\"} 1";
        let wanted = text.replace(
            "# TYPE process_cpu_seconds_total gauge",
            "# TYPE process_cpu_seconds_total counter",
        );
        assert_eq!(typed(text), wanted);
        assert_ne!(wanted, text);
    }
}
