//! Numbers as people read them: grouped digits, units, one width while they change. The only place where the console and
//! what jobs tell turn a number into text; scripts show what is made here.

use std::time::Duration;

/// Keeps a number and its unit on one line.
const NO_BREAK: char = '\u{a0}';

/// `1,658,199`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A mean or a rate: whole from 100 on, with one decimal below, `0` for nothing at all.
pub(crate) fn decimal(x: f64) -> String {
    if x == 0.0 {
        "0".into()
    } else if x.abs() < 99.95 {
        format!("{x:.1}")
    } else {
        count(x.round().max(0.0) as u64)
    }
}

/// Three figures and a binary unit: `1.25 MiB`.
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if n < 1024 {
        return format!("{n}{NO_BREAK}B");
    }
    let mut scaled = n as f64;
    let mut unit = 0;
    // 1,023.95 would be shown as 1024
    while scaled >= 999.5 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    format!("{}{NO_BREAK}{}", three_figures(scaled), UNITS[unit])
}

/// Three figures and a unit from nanoseconds to seconds; longer ones in minutes, hours and days.
pub(crate) fn duration(time: Duration) -> String {
    seconds(time.as_secs_f64())
}

/// In whole seconds: for what passes while it is shown.
pub(crate) fn whole(time: Duration) -> String {
    match time.as_secs() {
        s @ ..60 => format!("{s}{NO_BREAK}s"),
        s => long(s),
    }
}

/// As [`duration`], from seconds.
pub(crate) fn seconds(s: f64) -> String {
    if s <= 0.0 {
        return format!("0{NO_BREAK}ms");
    }
    if s >= 59.5 {
        return long(s.round() as u64);
    }
    let (scaled, unit) = match s {
        s if s < 999.5e-9 => (s * 1e9, "ns"),
        s if s < 999.5e-6 => (s * 1e6, "µs"),
        s if s < 999.5e-3 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    format!("{}{NO_BREAK}{unit}", three_figures(scaled))
}

fn long(s: u64) -> String {
    let (days, hours, minutes, seconds) = (s / 86_400, s / 3_600 % 24, s / 60 % 60, s % 60);
    if days > 0 {
        format!("{days}{NO_BREAK}d {hours}{NO_BREAK}h")
    } else if hours > 0 {
        format!("{hours}{NO_BREAK}h {minutes}{NO_BREAK}min")
    } else {
        format!("{minutes}{NO_BREAK}min {seconds}{NO_BREAK}s")
    }
}

fn three_figures(x: f64) -> String {
    match x {
        x if x < 9.995 => format!("{x:.2}"),
        x if x < 99.95 => format!("{x:.1}"),
        x => format!("{x:.0}"),
    }
}

/// A share of a whole: `37 %`.
pub(crate) fn percent(part: f64, whole: f64) -> String {
    let share = if whole > 0.0 { 100.0 * part / whole } else { 0.0 };
    format!("{share:.0}{NO_BREAK}%")
}

/// `1 event`, `2 events`.
pub(crate) fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{}{NO_BREAK}{}", count(n), if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        text.replace(NO_BREAK, " ")
    }

    #[test]
    fn digits_are_grouped() {
        for (n, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345_678, "12,345,678"),
        ] {
            assert_eq!(count(n), text);
        }
    }

    #[test]
    fn bytes_have_three_figures() {
        for (n, text) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.00 KiB"),
            (1_023 * 1_024, "1.00 MiB"),
            (150 << 20, "150 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(plain(&bytes(n)), text);
        }
    }

    #[test]
    fn seconds_take_the_unit_that_fits() {
        for (s, text) in [
            (0.0, "0 ms"),
            (4e-8, "40.0 ns"),
            (0.000_999_6, "1.00 ms"),
            (0.001_234, "1.23 ms"),
            (12.345, "12.3 s"),
            (59.4, "59.4 s"),
            (59.6, "1 min 0 s"),
            (99.6, "1 min 40 s"),
            (3_725.0, "1 h 2 min"),
            (200_000.0, "2 d 7 h"),
        ] {
            assert_eq!(plain(&seconds(s)), text);
        }
    }

    #[test]
    fn small_rates_keep_a_decimal() {
        for (x, text) in [
            (0.0, "0"),
            (0.04, "0.0"),
            (99.94, "99.9"),
            (99.96, "100"),
            (12_345.6, "12,346"),
        ] {
            assert_eq!(decimal(x), text);
        }
    }
}
