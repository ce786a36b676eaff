//! Where to go on after logging in: a page of this console, whatever a link says.

use crate::console::{PAGES, links};
use crate::guard::LOGIN;

/// Longer ones are forgotten. An aggregate's page with the longest type and id takes 1,800 bytes, a search 3,400.
pub(super) const DESTINATION_BYTES_MAX: usize = 4 * 1024;

/// The form's address for who wanted to go to `wanted`.
pub(super) fn login(base: &str, wanted: &str) -> String {
    let form = format!("{base}{LOGIN}");
    match checked(base, wanted) {
        to if to == home(base) => form,
        to => links::to("", &form, &[("to", &to)]),
    }
}

/// `wanted` if it is a page of this console, and the overview otherwise: a link to the login page may come from anywhere,
/// and must not lead elsewhere.
pub(super) fn checked(base: &str, wanted: &str) -> String {
    let path = wanted.split(['?', '#']).next().unwrap_or_default();
    let is_page = path
        .strip_prefix(base)
        .is_some_and(|below| PAGES.contains(&below));
    // nothing else fits into a header
    let is_plain = wanted.bytes().all(|byte| byte.is_ascii_graphic());
    if is_page && is_plain && wanted.len() <= DESTINATION_BYTES_MAX {
        wanted.to_owned()
    } else {
        home(base)
    }
}

fn home(base: &str) -> String {
    format!("{base}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_the_console_is_gone_to_and_nothing_else() {
        for (base, own) in [
            ("", "/"),
            ("", "/aggregate?type=parcel&id=..&at=3"),
            ("", "/aggregate?id=https%3A%2F%2Fexample.com"),
            ("/ops", "/ops/store"),
        ] {
            assert_eq!(checked(base, own), own);
        }
        let long = format!("/store?{}", "a".repeat(DESTINATION_BYTES_MAX));
        for (base, other) in [
            ("", ""),
            ("", "store"),
            ("", "https://example.com/"),
            ("", "//example.com"),
            ("", "/\\example.com"),
            ("", "/\t/example.com"),
            ("", "/store?a b"),
            ("", "/store?ä"),
            ("", "/store/"),
            ("", "/login?to=/login"),
            ("", "/logout"),
            ("", "/live"),
            ("", "/api/v1/jobs"),
            ("", "/assets/0/console.js"),
            ("", "/health/live"),
            ("", "/metrics"),
            ("/ops", "/ops/live"),
            ("", &long),
            ("/ops", "/"),
            ("/ops", "/ops/../elsewhere"),
            ("/ops", "/ops/%2e%2e/elsewhere"),
            ("/ops", "/opsother"),
            ("/ops", "/ops//example.com"),
            ("/ops", "https://example.com/ops/"),
        ] {
            assert_eq!(checked(base, other), format!("{base}/"), "{other}");
        }
    }

    #[test]
    fn the_form_remembers_what_was_wanted() {
        assert_eq!(login("", "/"), "/login");
        assert_eq!(login("", "//example.com"), "/login");
        assert_eq!(
            login("/ops", "/ops/aggregate?type=a&id=b%2Fc"),
            "/ops/login?to=%2Fops%2Faggregate%3Ftype%3Da%26id%3Db%252Fc"
        );
    }
}
