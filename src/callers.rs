//! Who may call, and what each caller may do. A caller is known by a name in its client
//! certificate or by a bearer token; a token is kept as its SHA-256 alone.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

mod bound;

use crate::error::{BoxError, Error, Fault, Violation};
use crate::ledger::Sight;
use crate::peer::PeerIdentity;
use crate::reload::{Contents, Kind, Origin, Watched};
use crate::trade::{Identifier, Method, Refund};
pub use bound::{Bound, Full, Held};

/// Who may call this server.
#[derive(Clone, Debug)]
pub enum Access {
    /// Whoever reaches it: on loopback, or with a certificate of the client CA.
    Open,
    /// Whoever reaches it, because the network, such as a mesh, has checked them. Who they are
    /// is known only if it is said which mesh that is.
    TrustNetwork(Option<Mesh>),
    /// These callers.
    Listed(Callers),
}

/// A mesh whose word is taken for a caller's name. Each has a header of its own, which it
/// sets or removes; the other's passes through it as a caller wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mesh {
    /// Envoy, which Istio is made of, too.
    Envoy,
    /// Linkerd.
    Linkerd,
}

impl Access {
    /// The same where another was in force before: the calls of a caller that stays go on to count.
    #[must_use]
    pub fn after(self, before: &Self) -> Self {
        match (self, before) {
            (Self::Listed(callers), Self::Listed(before)) => Self::Listed(callers.after(before)),
            (this, Self::Open | Self::TrustNetwork(_) | Self::Listed(_)) => this,
        }
    }

    /// The files of tokens, to be read again when they change.
    pub fn watched(&self) -> Vec<Watched> {
        match self {
            Self::Open | Self::TrustNetwork(_) => Vec::new(),
            Self::Listed(callers) => callers.watched().into_iter().collect(),
        }
    }
}

/// The callers of the configuration.
#[derive(Clone, Debug)]
pub struct Callers {
    all: Arc<[Arc<Caller>]>,
    /// Those of each, in the order of all. They are replaced as a whole, while calls are
    /// served: a token that moves to another caller is never nobody's.
    tokens: Arc<ArcSwap<Vec<Tokens>>>,
    /// Callers that are gone while calls of theirs are under way, which count if they come back.
    gone: Vec<(Identifier, Bound)>,
}

/// A caller, and what it may do.
#[derive(Clone, Debug)]
pub struct Caller {
    /// What logs call it.
    pub name: Identifier,
    /// URIs of its certificate, such as a SPIFFE ID: equal to one of these, to the letter.
    pub uris: Vec<String>,
    /// DNS names of its certificate, in lower case; no wildcards.
    pub dns_names: Vec<String>,
    /// The file of its bearer tokens.
    pub tokens_from: Option<Origin>,
    /// What it may call.
    pub rpcs: Vec<Method>,
    /// As whom it may have calls signed; `None` for all.
    pub app_ids: Option<Vec<Identifier>>,
    /// The most that one refund of its may be, in minor units.
    pub max_refund: Option<i64>,
    /// The most that its refunds of one day in China may come to, in minor units.
    pub max_refund_per_day: Option<i64>,
    /// Whether it sees only those refunds of the ledger that it asked for itself.
    pub own_refunds_only: bool,
    /// How many of its calls are served at once.
    pub calls: Bound,
}

impl Callers {
    /// These callers, with their tokens.
    pub fn new(all: Vec<(Caller, Tokens)>) -> Self {
        let (all, tokens): (Vec<_>, Vec<_>) =
            all.into_iter().map(|(caller, tokens)| (Arc::new(caller), tokens)).unzip();
        let tokens = Arc::new(ArcSwap::from_pointee(tokens));
        Self { all: all.into(), tokens, gone: Vec::new() }
    }

    /// These, in which the calls count that are under way of callers of the same names.
    #[must_use]
    fn after(&self, before: &Self) -> Self {
        let bounds = before.iter().map(|caller| (caller.name.clone(), caller.calls.clone()));
        let mut gone: Vec<_> = bounds.chain(before.gone.iter().cloned()).collect();
        let mut goes_on = |caller: &Arc<Caller>| {
            let same = gone.iter().position(|(name, _)| *name == caller.name);
            let calls = match same.map(|at| gone.swap_remove(at)) {
                Some((_, before)) => caller.calls.after(&before),
                None => caller.calls.clone(),
            };
            Arc::new(Caller { calls, ..Caller::clone(caller) })
        };
        let all = self.iter().map(&mut goes_on).collect();
        gone.retain(|(_, bound)| bound.is_in_use());
        Self { all, tokens: Arc::clone(&self.tokens), gone }
    }

    /// All files as one, so that a token can move from one to another, and two can be swapped.
    fn watched(&self) -> Option<Watched> {
        let origins: Vec<_> = self.iter().filter_map(|caller| caller.tokens_from.clone()).collect();
        let (any, callers) = (!origins.is_empty(), self.clone());
        let apply = move |contents: &Contents| callers.replace_tokens(contents);
        any.then(|| Watched::new(Kind::CallerTokens, Origin::joined(origins), apply))
    }

    fn replace_tokens(&self, contents: &Contents) -> Result<(), BoxError> {
        let mut contents = contents.iter();
        let mut all: Vec<Tokens> = Vec::with_capacity(self.all.len());
        for caller in self.iter() {
            let content = caller.tokens_from.as_ref().and_then(|_| contents.next());
            let tokens = content.map_or_else(|| Some(Tokens::default()), |it| Tokens::parse(it));
            let tokens =
                tokens.ok_or_else(|| format!("that of caller {} {}", caller.name, Tokens::RULE))?;
            if let Some((other, _)) = self.iter().zip(&all).find(|(_, it)| tokens.overlap(it)) {
                let (one, other) = (&other.name, &caller.name);
                let rule = "must not have a token in common";
                return Err(format!("callers {one} and {other} {rule}").into());
            }
            all.push(tokens);
        }
        self.tokens.store(Arc::new(all));
        Ok(())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Caller>> {
        self.all.iter()
    }

    /// Who this is. A token goes before a certificate: a caller that shows one means to be
    /// known by it.
    ///
    /// # Errors
    /// [`Fault::CallerUnauthenticated`] if it is none of these.
    pub fn identify(
        &self,
        token: Option<&TokenDigest>,
        peer: Option<&PeerIdentity>,
    ) -> Result<&Arc<Caller>, Error> {
        let found = match (token, peer) {
            (Some(token), _) => self.by_token(token),
            (None, Some(peer)) => self.iter().find(|caller| caller.is(peer)),
            (None, None) => None,
        };
        found.ok_or_else(|| {
            Error::new(Fault::CallerUnauthenticated).because(match (token, peer) {
                (Some(_), _) => "the token is not that of a caller",
                (None, Some(_)) => "the certificate is not that of a caller",
                (None, None) => "neither a token nor a client certificate",
            })
        })
    }

    /// Compares with every token of every caller, so that the time tells nothing of which.
    fn by_token(&self, digest: &TokenDigest) -> Option<&Arc<Caller>> {
        let mut found = None;
        for (caller, tokens) in self.iter().zip(self.tokens.load().iter()) {
            if bool::from(tokens.has(digest)) {
                found = Some(caller);
            }
        }
        found
    }
}

impl Caller {
    fn is(&self, peer: &PeerIdentity) -> bool {
        peer.uris.iter().any(|uri| self.uris.contains(uri))
            || peer.dns_names.iter().any(|name| self.dns_names.contains(&name.to_ascii_lowercase()))
    }

    /// Checks that it may make calls of this kind.
    ///
    /// # Errors
    /// [`Fault::CallerNotAllowed`].
    pub fn may_call(&self, method: Method) -> Result<(), Error> {
        match self.rpcs.contains(&method) {
            true => Ok(()),
            false => Err(self.not_allowed(None)),
        }
    }

    /// Checks that it may have calls signed as `app_id`.
    ///
    /// # Errors
    /// [`Fault::CallerNotAllowed`].
    pub fn may_sign_as(&self, app_id: &Identifier) -> Result<(), Error> {
        match self.app_ids.as_ref().is_none_or(|all| all.contains(app_id)) {
            true => Ok(()),
            false => Err(self.not_allowed(Some(Violation {
                field: "app_id",
                rule: "must be an app_id that this caller may use",
            }))),
        }
    }

    /// Checks that it may ask for this refund. What is left of its day's bound, only the ledger
    /// can tell.
    ///
    /// # Errors
    /// [`Fault::CallerNotAllowed`].
    pub fn may_refund(&self, refund: &Refund) -> Result<(), Error> {
        self.may_sign_as(&refund.app_id)?;
        match self.max_refund.is_none_or(|most| refund.amount <= most) {
            true => Ok(()),
            false => Err(self.not_allowed(Some(Violation {
                field: "amount_minor",
                rule: "must not be more than this caller may refund at once",
            }))),
        }
    }

    /// Which refunds of the ledger it may see.
    pub fn sight(&self) -> Sight {
        let own = self.own_refunds_only.then(|| self.name.to_string());
        Sight { app_ids: self.app_ids.clone(), caller: own }
    }

    fn not_allowed(&self, violation: Option<Violation>) -> Error {
        Error::new(Fault::CallerNotAllowed)
            .because(format!("caller {}", self.name))
            .with(|context| context.violations.extend(violation))
    }
}

/// The bearer tokens of a caller, as their SHA-256.
#[derive(Default)]
pub struct Tokens(Vec<TokenDigest>);

impl Tokens {
    /// What a file of tokens must be.
    pub const RULE: &'static str = "must hold one token or more, one a line, each of 16 to 4096 \
                                    printable ASCII characters without blanks, or as \
                                    sha256: and 64 hexadecimal digits";

    /// The tokens that a file holds, or `None` if it breaks [`Self::RULE`].
    pub fn parse(content: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(content).ok()?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let digests = lines.map(TokenDigest::parse).collect::<Option<Vec<_>>>()?;
        (!digests.is_empty()).then_some(Self(digests))
    }

    /// Whether they have one in common with those.
    pub fn overlap(&self, others: &Self) -> bool {
        others.0.iter().any(|digest| bool::from(self.has(digest)))
    }

    fn has(&self, digest: &TokenDigest) -> Choice {
        self.0.iter().fold(Choice::from(0), |found, known| found | known.0.ct_eq(&digest.0))
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens([redacted])")
    }
}

/// The SHA-256 of a bearer token.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// That of this token.
    pub fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    fn parse(line: &str) -> Option<Self> {
        if let Some(digits) = line.strip_prefix("sha256:") {
            let mut digest = [0; 32];
            hex::decode_to_slice(digits, &mut digest).ok()?;
            return Some(Self(digest));
        }
        let printable = line.bytes().all(|byte| byte.is_ascii_graphic());
        (printable && (16..=4096).contains(&line.len())).then(|| Self::of(line.as_bytes()))
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";
    const DIGEST: &str = "sha256:9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f";

    fn tokens(text: &str) -> Option<Tokens> {
        Tokens::parse(text.as_bytes())
    }

    #[test]
    fn a_token_may_be_given_as_its_digest() {
        let both = tokens(&format!("\n  {TOKEN} \n{DIGEST}\r\n")).unwrap();
        assert!(both.0.len() == 2 && both.0[0] == both.0[1]);
    }

    #[test]
    fn texts_that_are_no_tokens_are_refused_whole() {
        let long = "x".repeat(4097);
        for text in ["short", "0123456789 abcdef", "0123456789abcdé", &long, "sha256:00"] {
            assert!(tokens(text).is_none(), "{text:?}");
            assert!(tokens(&format!("{TOKEN}\n{text}")).is_none(), "{text:?}");
        }
        for text in ["", " \n\n"] {
            assert!(tokens(text).is_none(), "{text:?}");
            assert!(tokens(&format!("{TOKEN}\n{text}")).is_some(), "{text:?}");
        }
    }

    #[test]
    fn tokens_cannot_be_printed() {
        let tokens = tokens(DIGEST).unwrap();
        let shown = format!("{:?} {tokens:?}", tokens.0[0]);
        assert_eq!(shown, "TokenDigest([redacted]) Tokens([redacted])");
    }
}
