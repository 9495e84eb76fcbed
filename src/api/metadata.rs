//! How much metadata a call may have.

use http::HeaderMap;

use crate::error::Violation;

/// So much, in bytes, by the measure of HTTP/2.
pub const MAX: usize = 16 << 10;

/// So much is read, to say what is wrong with it: what is more HTTP/2 refuses by itself, without
/// details, and what is much more it answers with the end of the connection, and of all calls on it.
pub const MAX_READ: usize = 4 * MAX;

/// What HTTP/2 adds for each entry (RFC 9113, 10.5.1).
const PER_ENTRY: usize = 32;

/// Whether a call has more than it may have.
pub fn is_too_much(headers: &HeaderMap) -> bool {
    let size = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        name.as_str().len() + value.len() + PER_ENTRY
    };
    headers.iter().map(size).sum::<usize>() > MAX
}

/// That it does not.
pub(super) fn within_bounds(headers: &HeaderMap) -> Result<(), Violation> {
    let rule = "must come to at most 16 KiB, with 32 bytes for each entry";
    if is_too_much(headers) { Err(Violation { field: "metadata", rule }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_is_names_and_values_and_32_bytes_for_each() {
        let mut headers = HeaderMap::new();
        headers.append("x-one", "x".repeat(1000).parse().unwrap());
        headers.append("x-two", "x".repeat(MAX - 1000 - 2 * 5 - 2 * 32).parse().unwrap());
        assert!(!is_too_much(&headers));
        headers.append("x", "".parse().unwrap());
        assert!(is_too_much(&headers));
    }
}
