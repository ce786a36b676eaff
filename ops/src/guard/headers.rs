//! What every answer tells the browser.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

/// Everything is from here, no script or style is written into a page, nobody frames one.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

const ALWAYS: [(&str, &str); 5] = [
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Events and states are nobody's to keep; what may be kept, the console's assets, says so itself.
const UNLESS_SAID: (&str, &str) = ("cache-control", "no-store");

pub(crate) fn secure(headers: &mut HeaderMap) {
    for (name, value) in ALWAYS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let (name, value) = (
        HeaderName::from_static(UNLESS_SAID.0),
        HeaderValue::from_static(UNLESS_SAID.1),
    );
    if !headers.contains_key(&name) {
        headers.insert(name, value);
    }
}
