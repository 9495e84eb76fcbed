//! Who makes a call, by its token, its client certificate or the word of the mesh.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, Request};
use tonic::body::Body;

use crate::callers::{Access, Caller};
use crate::error::Error;
use crate::peer::{Peer, PeerIdentity};
use crate::trade::Operation;

/// The longest name that is taken from a header, in bytes.
const MAX_NAME: usize = 256;

/// Who makes a call, as far as that is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Who {
    /// What logs call it.
    pub(super) name: Option<Box<str>>,
    /// What it may do; `None` for everything.
    pub(super) caller: Option<Arc<Caller>>,
}

impl Who {
    /// Who sent this request.
    ///
    /// # Errors
    /// `CALLER_UNAUTHENTICATED` if that has to be known and is not.
    pub(super) fn of(request: &Request<Body>, access: &Access) -> Result<Self, Error> {
        let peer = request.extensions().get::<Peer>().and_then(|peer| peer.identity.as_deref());
        match access {
            Access::Open => Ok(Self { name: peer.and_then(first_name), caller: None }),
            Access::TrustNetwork => {
                let name = told_by_mesh(request.headers());
                Ok(Self { name, caller: None })
            }
            Access::Listed(callers) => {
                let caller = callers.identify(token(request.headers()), peer)?;
                let name = Some(caller.name.as_str().into());
                Ok(Self { name, caller: Some(Arc::clone(caller)) })
            }
        }
    }

    /// Checks that it may make calls of this kind.
    ///
    /// # Errors
    /// `CALLER_NOT_ALLOWED`.
    pub(super) fn may_call(&self, operation: Operation) -> Result<(), Error> {
        self.caller.as_ref().map_or(Ok(()), |caller| caller.may_call(operation))
    }
}

/// The bearer token (RFC 6750, section 2.1). A header of another scheme is a token that is
/// nobody's, not none.
fn token(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next()?.as_bytes();
    if values.next().is_some() {
        // Which of them is meant is not known.
        return Some(b"");
    }
    match value.split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => Some(token),
        Some(_) | None => Some(b""),
    }
}

fn first_name(identity: &PeerIdentity) -> Option<Box<str>> {
    identity.uris.iter().chain(&identity.dns_names).map(|name| shown(name)).next()
}

/// Who the proxy before this server says it is: Linkerd in a header of its own, Envoy as the
/// last element, its own, of `x-forwarded-client-cert`.
fn told_by_mesh(headers: &HeaderMap) -> Option<Box<str>> {
    let text = |name| headers.get(name)?.to_str().ok();
    if let Some(name) = text("l5d-client-id") {
        return Some(shown(name));
    }
    let (_, last) = text("x-forwarded-client-cert")?
        .rsplit_once(',')
        .map_or_else(|| text("x-forwarded-client-cert").map(|only| ("", only)), Some)?;
    let uri = last.split(';').find_map(|pair| pair.trim().strip_prefix("URI="))?;
    Some(shown(uri.trim_matches('"')))
}

/// A name that others chose, short enough for a log.
fn shown(name: &str) -> Box<str> {
    name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named_by(headers: &[(&'static str, &str)]) -> Option<String> {
        let headers = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), value.parse().expect("a value"))
        });
        told_by_mesh(&headers.collect()).map(String::from)
    }

    #[test]
    fn a_mesh_is_believed_as_it_writes_its_headers() {
        let hash = "Hash=468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688";
        let xfcc = format!("By=spiffe://a/ns/b/sa/c;{hash};Subject=\"\";URI=spiffe://a/ns/x/sa/y");
        let twice = format!("URI=spiffe://forged,{xfcc}");
        for (name, value, expected) in [
            ("x-forwarded-client-cert", xfcc.as_str(), Some("spiffe://a/ns/x/sa/y")),
            ("x-forwarded-client-cert", &twice, Some("spiffe://a/ns/x/sa/y")),
            ("x-forwarded-client-cert", hash, None),
            ("l5d-client-id", "web.ns.serviceaccount", Some("web.ns.serviceaccount")),
            ("x-client", "web", None),
        ] {
            assert_eq!(named_by(&[(name, value)]).as_deref(), expected, "{name}: {value}");
        }
        let long = named_by(&[("l5d-client-id", &"x".repeat(1000))]).expect("a name");
        assert_eq!(long.len(), MAX_NAME);
    }

    #[test]
    fn a_bearer_token_is_found_whatever_the_case_of_its_scheme() {
        let of = |value: &str| {
            let headers = [(AUTHORIZATION, value.parse().expect("a value"))];
            token(&headers.into_iter().collect()).map(<[u8]>::to_vec)
        };
        assert_eq!(of("Bearer abc"), Some(b"abc".to_vec()));
        assert_eq!(of("bEARER abc"), Some(b"abc".to_vec()));
        assert_eq!(of("Basic abc"), Some(Vec::new()));
        assert_eq!(of("abc"), Some(Vec::new()));
        assert_eq!(token(&HeaderMap::new()), None);
        let value = || "Bearer abc".parse().expect("a value");
        let twice = [(AUTHORIZATION, value()), (AUTHORIZATION, value())];
        assert_eq!(token(&twice.into_iter().collect()), Some(&b""[..]));
    }
}
