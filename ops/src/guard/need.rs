//! Which scope a request needs, from its method and path alone: what nobody thought of needs one, too.

use actix_web::http::Method;

use crate::scope::Scope;

/// Where a form hands in a token, and gets a session.
pub(crate) const LOGIN: &str = "/login";
/// Where a session ends.
pub(crate) const LOGOUT: &str = "/logout";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Orchestrators, and whoever has to log in first.
    Nothing,
    Scope(Scope),
}

/// `path` is what follows the base path, as the router sees it.
pub(crate) fn of(method: &Method, path: &str) -> Need {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match path {
        LOGIN | LOGOUT | "/health/live" | "/health/ready" => Need::Nothing,
        _ if !reads => Need::Scope(Scope::Act),
        "/metrics" => Need::Scope(Scope::Metrics),
        _ if path.starts_with("/assets/") => Need::Nothing,
        _ => Need::Scope(Scope::Read),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_not_said_to_be_open_needs_a_token() {
        let need = |method: &str, path| of(&method.parse().unwrap(), path);
        assert_eq!(need("GET", "/health/live"), Need::Nothing);
        assert_eq!(need("HEAD", "/health/ready"), Need::Nothing);
        assert_eq!(need("GET", "/assets/console.css"), Need::Nothing);
        assert_eq!(need("POST", "/login"), Need::Nothing);
        assert_eq!(need("GET", "/metrics"), Need::Scope(Scope::Metrics));
        for path in [
            "",
            "/",
            "/api/v1/overview",
            "/health",
            "/health/other",
            "/metrics/",
            "/%6detrics",
            "/assets",
            "/login/x",
        ] {
            assert_eq!(need("GET", path), Need::Scope(Scope::Read), "{path}");
        }
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get"] {
            assert_eq!(need(method, "/metrics"), Need::Scope(Scope::Act), "{method}");
            assert_eq!(
                need(method, "/health/ready"),
                Need::Nothing,
                "{method}: only read is answered"
            );
            assert_eq!(need(method, "/assets/x"), Need::Scope(Scope::Act), "{method}");
        }
    }
}
