//! Whether other programs took part in what was measured.

use crate::summary::Summary;

/// Busy cores of others above which figures are worth nothing. The kernel's own work for the measured program's disk
/// counts, too: up to 0.3 where a program does nothing but sync.
const NOISY_CORES: f64 = 0.35;

/// What to say of a run whose figures are worth nothing: names the scenarios that others disturbed.
pub(crate) fn warning(summary: &Summary) -> Option<String> {
    let disturbed: Vec<String> = summary
        .in_order()
        .into_iter()
        .filter_map(|name| {
            let cores = summary.median(name, "others_cores")?;
            (cores > NOISY_CORES).then(|| format!("{name} ({cores:.2})"))
        })
        .collect();
    if disturbed.is_empty() {
        return None;
    }
    Some(format!(
        "NOISY: other programs kept more than {NOISY_CORES} cores busy during {}; throw the run away",
        disturbed.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Arguments;
    use crate::machine::Machine;
    use crate::outcome::Outcome;
    use crate::outcome::Round;
    use crate::summary::About;
    use clap::Parser;

    fn told(others: &[(&str, Option<f64>)]) -> Option<String> {
        let arguments = Arguments::try_parse_from(["load"]).unwrap();
        let round: Round = others
            .iter()
            .map(|(name, cores)| {
                let mut outcome = Outcome::default();
                outcome.set("others_cores", cores.unwrap_or(f64::NAN));
                ((*name).to_owned(), outcome)
            })
            .collect();
        let about = About::new(&arguments, Machine::look(".".as_ref()));
        warning(&Summary::new(about, &[round]))
    }

    #[test]
    fn the_scenarios_that_were_disturbed_are_named() {
        let quiet = ("l0", Some(NOISY_CORES));
        assert_eq!(told(&[quiet, ("flights", None)]), None);
        let told = told(&[("zipf", Some(0.9)), quiet, ("spread-64", Some(0.36))]).unwrap();
        assert!(
            told.contains("NOISY: ") && told.contains("during spread-64 (0.36), zipf (0.90); throw"),
            "{told}"
        );
    }
}
