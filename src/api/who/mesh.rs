//! What the proxy of a mesh says of who calls, in the header that it alone writes.

use http::HeaderMap;

use crate::callers::Mesh;

/// The name that this mesh gives the caller.
pub(super) fn name(mesh: Mesh, headers: &HeaderMap) -> Option<&str> {
    match mesh {
        Mesh::Linkerd => headers.get("l5d-client-id")?.to_str().ok(),
        Mesh::Envoy => {
            let last = headers.get_all("x-forwarded-client-cert").iter().next_back()?;
            uri(last.to_str().ok()?)
        }
    }
}

/// The first URI of the last element, which is of the proxy before this server. What stands
/// before it may be the caller's, so it is looked for from the end: whatever quotes the caller
/// opened, none of them reaches it.
fn uri(forwarded: &str) -> Option<&str> {
    let (_, element) = rsplit(forwarded, b',');
    let (mut left, mut uri) = (Some(element), None);
    while let Some(pairs) = left {
        let (before, pair) = rsplit(pairs, b';');
        uri = pair.trim().strip_prefix("URI=").or(uri);
        left = before;
    }
    uri.map(|uri| uri.trim_matches('"'))
}

/// What stands before the last `separator` outside of quotes, if there is one, and what behind.
fn rsplit(text: &str, separator: u8) -> (Option<&str>, &str) {
    let bytes = text.as_bytes();
    let mut quoted = false;
    for (at, byte) in bytes.iter().enumerate().rev() {
        if *byte == b'"' && !escaped(&bytes[..at]) {
            quoted = !quoted;
        } else if *byte == separator && !quoted {
            return (Some(&text[..at]), &text[at + 1..]);
        }
    }
    (None, text)
}

/// Whether what comes next is escaped: after an odd number of backslashes.
fn escaped(before: &[u8]) -> bool {
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_element_is_read_with_its_quotes_whatever_comes_before() {
        let own = |subject: &str| {
            format!(r#"By=spiffe://a/us;Hash=468ed3;Subject="{subject}";URI=spiffe://a/y;DNS=y"#)
        };
        for before in ["", "URI=spiffe://forged,", "a=\",", "a=\"\\,", "\"URI=spiffe://forged\","] {
            for subject in [
                "",
                "CN=y,O=z",
                "CN=y;URI=spiffe://forged",
                "CN=y,URI=spiffe://forged",
                r#"CN=\";URI=spiffe://forged,\""#,
                r"CN=y\\",
            ] {
                let header = format!("{before}{}", own(subject));
                assert_eq!(uri(&header), Some("spiffe://a/y"), "{header}");
            }
        }
    }

    #[test]
    fn a_certificate_without_a_uri_has_no_name() {
        for header in [
            "",
            "Hash=468ed3",
            r#"Subject="URI=spiffe://forged""#,
            r#"Hash=1;Subject=";URI=spiffe://forged""#,
            "URI=spiffe://forged,Hash=468ed3",
        ] {
            assert_eq!(uri(header), None, "{header}");
        }
        assert_eq!(uri(r#"URI="spiffe://a/y";URI=spiffe://a/z"#), Some("spiffe://a/y"));
    }

    #[test]
    fn of_two_headers_the_last_one_is_that_of_the_proxy() {
        let headers = ["URI=spiffe://forged", "URI=spiffe://a/y"].map(|value| {
            let value = http::HeaderValue::from_static(value);
            (http::HeaderName::from_static("x-forwarded-client-cert"), value)
        });
        assert_eq!(name(Mesh::Envoy, &headers.into_iter().collect()), Some("spiffe://a/y"));
    }
}
