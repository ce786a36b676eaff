//! Points in time, as people read and write them: always UTC. Who shows one says so once, where it is read.

use dormouse_domain::Timestamp;
use maud::{Markup, html};

/// Where the parts of `2013-01-09T14:05:31.000250Z` end.
const SECONDS_END: usize = 19;
const MILLISECONDS_END: usize = 23;

/// `2013-01-09 14:05:31`.
pub(crate) fn to_the_second(at: Timestamp) -> Markup {
    element(at, SECONDS_END)
}

/// `2013-01-09 14:05:31.000`.
pub(crate) fn to_the_millisecond(at: Timestamp) -> Markup {
    element(at, MILLISECONDS_END)
}

/// The same without its element: for a field.
pub(crate) fn text(at: Timestamp) -> String {
    shown(at, MILLISECONDS_END)
}

/// HTML takes three decimals of a second in `datetime`.
fn element(at: Timestamp, end: usize) -> Markup {
    let exact = format!("{}Z", cut(at, MILLISECONDS_END));
    html! { time datetime=(exact) { (shown(at, end)) } }
}

fn shown(at: Timestamp, end: usize) -> String {
    cut(at, end).replace('T', " ")
}

fn cut(at: Timestamp, end: usize) -> String {
    let text = at.to_string();
    // a year after 9999 has more digits
    let more = text.find('-').map_or(0, |year| year.saturating_sub(4));
    text.chars().take(end + more).collect()
}

/// The last microsecond of what someone wrote: a day, an hour, a minute, a second or decimals of one, in UTC, as it is shown
/// here or in RFC 3339. So the time that is shown of an event, which is cut, has the event in it. None: it is no time.
pub(crate) fn last_of(written: &str) -> Option<Timestamp> {
    const LAST: &str = "23:59:59.999999";
    let written = written.trim();
    let written = written.strip_suffix("UTC").unwrap_or(written).trim_end();
    let written = written.strip_suffix('Z').unwrap_or(written);
    let (day, time) = written.split_once(['T', ' ']).unwrap_or((written, ""));
    let is_whole = matches!(time.len(), 0 | 2 | 5 | 8 | 10..=15);
    let rest = LAST.get(time.len()..).filter(|_| is_whole)?;
    format!("{day}T{time}{rest}Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_to_the_millisecond_and_says_itself_to_machines() {
        let at: Timestamp = "2013-01-09T14:05:31.987654Z".parse().unwrap();
        assert_eq!(
            to_the_millisecond(at).into_string(),
            r#"<time datetime="2013-01-09T14:05:31.987Z">2013-01-09 14:05:31.987</time>"#
        );
        assert_eq!(
            to_the_second(at).into_string(),
            r#"<time datetime="2013-01-09T14:05:31.987Z">2013-01-09 14:05:31</time>"#
        );
        let far: Timestamp = "12013-01-09T14:05:31.987654Z".parse().unwrap();
        assert_eq!(text(far), "12013-01-09 14:05:31.987");
    }

    #[test]
    fn what_is_written_counts_to_its_end() {
        let last = |written| last_of(written).map(|at| at.to_string());
        for (written, time) in [
            ("2013-01-09", "23:59:59.999999"),
            ("2013-01-09 14", "14:59:59.999999"),
            ("2013-01-09 14:05", "14:05:59.999999"),
            (" 2013-01-09 14:05:31 ", "14:05:31.999999"),
            ("2013-01-09 14:05:31 UTC", "14:05:31.999999"),
            ("2013-01-09T14:05:31Z", "14:05:31.999999"),
            ("2013-01-09 14:05:31.9", "14:05:31.999999"),
            ("2013-01-09 14:05:31.987", "14:05:31.987999"),
            ("2013-01-09T14:05:31.987654Z", "14:05:31.987654"),
        ] {
            assert_eq!(last(written), Some(format!("2013-01-09T{time}Z")), "{written}");
        }
        for written in [
            "",
            "yesterday",
            "2013-01-09 1",
            "2013-01-09 24:00",
            "2013-02-30",
            "2013-01-09 14:05:31+02:00",
            "2013-01-09 14:05:31.9876543",
            "14:05",
        ] {
            assert_eq!(last(written), None, "{written}");
        }
    }

    #[test]
    fn the_time_that_is_shown_of_an_event_has_it_in_it() {
        let at: Timestamp = "2013-01-09T14:05:31.987654Z".parse().unwrap();
        assert!(last_of(&text(at)) >= Some(at));
    }
}
