//! Whom a request is meant for, and which page sent it: against DNS rebinding and forged requests.

use std::net::IpAddr;

/// Names that mean this machine itself.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The `Host` headers that are answered. A page elsewhere whose name was made to resolve to this machine sends its own
/// name, and gets nothing.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    /// Without ports, in lower case.
    pub(crate) names: Vec<String>,
    /// Whether any literal address will do, as a probe of an orchestrator sends it: a rebound name is never one. Not on
    /// loopback, where nobody needs it.
    pub(crate) any_address: bool,
}

impl Hosts {
    /// Whether this header, with or without a port, is ours.
    pub(crate) fn allow(&self, host: &str) -> bool {
        let Some(name) = without_port(host) else {
            return false;
        };
        LOOPBACK.iter().any(|known| known.eq_ignore_ascii_case(name))
            || self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
            || (self.any_address && is_address(name))
    }
}

/// None if what follows the name is no port.
fn without_port(host: &str) -> Option<&str> {
    let name_ends = match host.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => host.find(':').unwrap_or(host.len()),
    };
    let (name, port) = host.split_at(name_ends);
    (port.is_empty() || is_port(port)).then_some(name)
}

/// A colon and a number.
fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|digits| {
        digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok()
    })
}

fn is_address(name: &str) -> bool {
    name.trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>()
        .is_ok()
}

/// What a browser says of the page that sent a request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sender<'a> {
    pub(crate) origin: Option<&'a str>,
    /// `Sec-Fetch-Site`: no script can set it.
    pub(crate) site: Option<&'a str>,
    /// `Sec-Fetch-Mode`: the same. `navigate` is a page that is gone to.
    pub(crate) mode: Option<&'a str>,
}

impl Sender<'_> {
    /// Whether the sender is none of another site's pages. A program that is no browser says nothing, and passes.
    ///
    /// `changing` requests pass only from our own pages; a link that leads here may come from anywhere. What a page
    /// elsewhere embeds, such as a picture, it could not read, but have made here again and again.
    pub(crate) fn is_own(&self, host: &str, changing: bool) -> bool {
        let site = match self.site {
            Some("same-origin" | "none") | None => true,
            Some(_) => !changing && self.mode == Some("navigate"),
        };
        let origin = match self.origin {
            None => true,
            // a form of a page that sends no referrer has no origin to tell
            Some("null") => self.site == Some("same-origin"),
            Some(origin) => names(origin, host),
        };
        site && origin
    }
}

/// Whether an origin such as `https://ops.example.com:7070` is of `host`.
fn names(origin: &str, host: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| {
        origin
            .strip_prefix(scheme)
            .is_some_and(|authority| authority.eq_ignore_ascii_case(host))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_and_configured_ones_are_hosts() {
        let hosts = Hosts {
            names: vec!["ops.example.com".into()],
            any_address: false,
        };
        for good in [
            "localhost",
            "LocalHost:7070",
            "127.0.0.1:80",
            "[::1]:7070",
            "[::1]",
            "ops.example.com",
            "OPS.example.com:443",
        ] {
            assert!(hosts.allow(good), "{good}");
        }
        for bad in [
            "",
            "example.com",
            "evil.ops.example.com",
            "localhost.evil.com",
            "localhost:",
            "localhost:99999",
            "localhost:80:80",
            "localhost@evil.com",
            "127.0.0.1.evil.com",
            "127.0.0.2",
            "10.0.0.7",
            "[::1",
            "[::1]evil",
            "::1",
        ] {
            assert!(!hosts.allow(bad), "{bad}");
        }
    }

    #[test]
    fn an_address_is_a_host_where_others_may_connect() {
        let hosts = Hosts {
            names: Vec::new(),
            any_address: true,
        };
        assert!(hosts.allow("10.0.0.7:7070"));
        assert!(hosts.allow("[2001:db8::1]:7070"));
        assert!(!hosts.allow("10.0.0.7.evil.com"));
    }

    #[test]
    fn what_other_sites_send_is_not_our_own() {
        let sent =
            |origin, site, mode, changing| Sender { origin, site, mode }.is_own("localhost:7070", changing);
        let own = |origin, site, changing| sent(origin, site, Some("cors"), changing);
        let here = Some("http://localhost:7070");
        assert!(own(None, None, true), "a program");
        assert!(own(here, Some("same-origin"), true));
        assert!(own(here, None, true), "an old browser");
        assert!(own(Some("null"), Some("same-origin"), true), "our login form");
        let link = Some("navigate");
        assert!(sent(None, Some("cross-site"), link, false), "a link in a wiki");

        assert!(!sent(None, Some("cross-site"), link, true));
        for site in ["cross-site", "same-site"] {
            assert!(
                !sent(None, Some(site), Some("no-cors"), false),
                "a picture in a page"
            );
            assert!(!sent(None, Some(site), None, false));
        }
        assert!(
            !own(None, Some("same-site"), true),
            "another port of this machine"
        );
        assert!(!own(Some("null"), None, true), "a sandboxed frame");
        assert!(!own(Some("null"), Some("cross-site"), false));
        for foreign in [
            "https://evil.com",
            "http://localhost:9999",
            "http://localhost",
            "ftp://localhost:7070",
            "http://localhost:7070.evil.com",
            "",
        ] {
            assert!(!own(Some(foreign), None, false), "{foreign}");
        }
    }
}
