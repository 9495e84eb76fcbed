//! Who makes a call, by its token, its client certificate or the word of the mesh.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, Request};
use tonic::body::Body;

use crate::callers::{Access, Caller, Mesh, TokenDigest};
use crate::error::Error;
use crate::ledger::Sight;
use crate::peer::{Peer, PeerIdentity};
use crate::trade::Method;

mod mesh;

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

/// What a request shows of who makes it; of a token the digest alone.
#[derive(Debug)]
pub(super) struct Shown {
    token: Option<TokenDigest>,
    identity: Option<Arc<PeerIdentity>>,
    by_envoy: Option<Box<str>>,
    by_linkerd: Option<Box<str>>,
}

impl Shown {
    /// What this one shows.
    pub(super) fn of(request: &Request<Body>) -> Self {
        let (peer, headers) = (request.extensions().get::<Peer>(), request.headers());
        let by = |mesh| mesh::name(mesh, headers).map(shown);
        Self {
            token: token(headers).map(TokenDigest::of),
            identity: peer.and_then(|peer| peer.identity.clone()),
            by_envoy: by(Mesh::Envoy),
            by_linkerd: by(Mesh::Linkerd),
        }
    }
}

impl Who {
    /// Who shows this.
    ///
    /// # Errors
    /// `CALLER_UNAUTHENTICATED` if that has to be known and is not.
    pub(super) fn of(shown: &Shown, access: &Access) -> Result<Self, Error> {
        let peer = shown.identity.as_deref();
        match access {
            Access::Open => Ok(Self { name: peer.and_then(first_name), caller: None }),
            Access::TrustNetwork(None) => Ok(Self::default()),
            Access::TrustNetwork(Some(Mesh::Envoy)) => {
                Ok(Self { name: shown.by_envoy.clone(), caller: None })
            }
            Access::TrustNetwork(Some(Mesh::Linkerd)) => {
                Ok(Self { name: shown.by_linkerd.clone(), caller: None })
            }
            Access::Listed(callers) => {
                let caller = callers.identify(shown.token.as_ref(), peer)?;
                let name = Some(caller.name.as_str().into());
                Ok(Self { name, caller: Some(Arc::clone(caller)) })
            }
        }
    }

    /// Checks that it may make calls of this kind.
    ///
    /// # Errors
    /// `CALLER_NOT_ALLOWED`.
    pub(super) fn may_call(&self, method: Method) -> Result<(), Error> {
        self.caller.as_ref().map_or(Ok(()), |caller| caller.may_call(method))
    }

    /// Which refunds of the ledger it may see.
    pub(super) fn sight(&self) -> Sight {
        self.caller.as_ref().map_or_else(Sight::default, |caller| caller.sight())
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

/// A name that others chose, short enough for a log.
fn shown(name: &str) -> Box<str> {
    name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callers::Mesh;

    #[test]
    fn a_name_that_others_chose_is_cut_and_has_no_control_characters() {
        assert_eq!(shown("web.ns\n.serviceaccount"), "web.ns.serviceaccount".into());
        assert_eq!(shown(&"x".repeat(1000)).len(), MAX_NAME);
    }

    #[test]
    fn only_the_mesh_that_is_trusted_names_the_caller() {
        let request = Request::builder()
            .header("l5d-client-id", "linkerd")
            .header("x-forwarded-client-cert", "URI=spiffe://envoy")
            .body(Body::empty())
            .expect("a request");
        for (trusted, name) in [
            (None, None),
            (Some(Mesh::Envoy), Some("spiffe://envoy")),
            (Some(Mesh::Linkerd), Some("linkerd")),
        ] {
            let shown = Shown::of(&request);
            let who = Who::of(&shown, &Access::TrustNetwork(trusted)).expect("anybody");
            assert_eq!((who.name.as_deref(), who.caller.is_none()), (name, true), "{trusted:?}");
        }
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
