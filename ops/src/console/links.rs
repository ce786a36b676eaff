//! Addresses of the console's pages, with ids in them that may be any text.

use std::fmt::Write as _;

/// `path?a=b&c=d`.
pub(crate) fn to(base: &str, path: &str, parameters: &[(&str, &str)]) -> String {
    let mut address = format!("{base}{path}");
    for (at, (name, value)) in parameters.iter().enumerate() {
        address.push(if at == 0 { '?' } else { '&' });
        address.push_str(name);
        address.push('=');
        encode(value, &mut address);
    }
    address
}

/// An aggregate's page, at its head or at a version.
pub(crate) fn aggregate(base: &str, aggregate_type: &str, id: &str, version: Option<u64>) -> String {
    let at = version.map(|version| version.to_string());
    let mut parameters = vec![("type", aggregate_type), ("id", id)];
    parameters.extend(at.as_deref().map(|at| ("at", at)));
    to(base, "/aggregate", &parameters)
}

/// Percent-encoding of everything that RFC 3986 does not call unreserved.
fn encode(value: &str, into: &mut String) {
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => into.push(byte.into()),
            _ => write!(into, "%{byte:02X}").expect("a string takes whatever is written"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_id_fits_into_a_link() {
        assert_eq!(
            aggregate("/ops", "flight", "2013/HA?51&x=é ..", Some(3)),
            "/ops/aggregate?type=flight&id=2013%2FHA%3F51%26x%3D%C3%A9%20..&at=3"
        );
        assert_eq!(to("", "/jobs", &[]), "/jobs");
    }
}
