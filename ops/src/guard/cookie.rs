//! The cookie that holds a session.

use actix_web::http::header::{self, HeaderMap};

use crate::guard::sessions::SessionId;

/// As the browser knows it that sent a request: in the extensions of each.
#[derive(Clone)]
pub(crate) struct SessionCookie {
    name: String,
    secure: bool,
}

impl SessionCookie {
    /// Of the console at `base` on `host`, which has been checked. Browsers tell cookies by host and name, whatever the port,
    /// so that the name tells consoles on one host apart. The prefix `__Host-` makes them refuse it from a neighbouring host,
    /// and without TLS.
    pub(super) fn of(secure: bool, base: &str, host: &str) -> Self {
        let mut name = String::from(if secure { "__Host-dormouse" } else { "dormouse" });
        // the last group of an IPv6 address ends in a bracket
        let port = host.rsplit_once(':').map(|(_, port)| port);
        if let Some(port) = port.filter(|port| !port.ends_with(']')) {
            name += "-";
            name += port;
        }
        name += &base.replace('/', ".");
        Self { name, secure }
    }

    /// For `Set-Cookie`.
    pub(super) fn with(&self, id: &str) -> String {
        let (name, secure) = (&self.name, if self.secure { "; Secure" } else { "" });
        format!("{name}={id}; Path=/; HttpOnly; SameSite=Strict{secure}")
    }

    /// For `Set-Cookie`: none any more.
    pub(super) fn ended(&self) -> String {
        self.with("") + "; Max-Age=0"
    }

    /// All that a request holds of this name, true or not: another host of the same domain may have set one, too. Other
    /// cookies may be of any bytes.
    pub(super) fn sessions(&self, headers: &HeaderMap) -> impl Iterator<Item = SessionId> {
        let cookies = headers.get_all(header::COOKIE);
        let pairs = cookies.flat_map(|cookie| cookie.as_bytes().split(|byte| *byte == b';'));
        pairs.filter_map(|pair| {
            let value = pair
                .trim_ascii()
                .strip_prefix(self.name.as_bytes())?
                .strip_prefix(b"=")?;
            str::from_utf8(value).ok().map(SessionId::of_cookie)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_console_on_a_host_has_its_own() {
        for (secure, base, host, name) in [
            (false, "", "localhost", "dormouse"),
            (false, "", "localhost:7070", "dormouse-7070"),
            (false, "/ops", "localhost:7070", "dormouse-7070.ops"),
            (true, "/a/b-c", "ops.example.com", "__Host-dormouse.a.b-c"),
            (true, "", "[::1]:7071", "__Host-dormouse-7071"),
            (true, "", "[::1]", "__Host-dormouse"),
        ] {
            let cookie = SessionCookie::of(secure, base, host);
            assert_eq!(cookie.name, name);
        }
    }
}
