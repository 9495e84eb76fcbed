//! TLS of the port, from files: the certificate that is shown, its key, and the authorities
//! whose certificates callers may show. All of them are read and put in force together.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{InconsistentKeys, RootCertStore, ServerConfig};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

pub mod client;
mod validity;

use crate::clock;
use crate::peer::PeerIdentity;
use crate::reload::{self, Contents, Origin};
pub use validity::{Role, Validity};

/// The settings that name the files.
pub const CERTIFICATE: &str = "tls.certificate_file";
/// See [`CERTIFICATE`].
pub const KEY: &str = "tls.key_file";
/// See [`CERTIFICATE`].
pub const CLIENT_CA: &str = "tls.client_ca_file";

/// With less left a certificate is warned of.
pub(crate) const SOON: i64 = 14 * 24 * 60 * 60;

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Files {
    /// The certificate, and those that lead from it to an authority.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Whether and how callers show a certificate of their own.
    pub clients: Option<Clients>,
}

/// Callers' certificates.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The authorities that may have issued them.
    pub ca: PathBuf,
    /// Whether a caller must show one.
    pub required: bool,
}

/// What is wrong with a file: the setting that names it, and the rule that it breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {rule}")]
pub struct TlsFault {
    /// The setting.
    pub setting: &'static str,
    /// The rule.
    pub rule: String,
}

impl TlsFault {
    fn new(setting: &'static str, rule: &str) -> Self {
        Self { setting, rule: rule.to_owned() }
    }
}

impl Files {
    /// Reads the files and puts them in force.
    ///
    /// # Errors
    /// The first thing that is wrong with them.
    pub fn load(&self) -> Result<(Tls, Origin), TlsFault> {
        let mut files = vec![self.certificate.clone(), self.key.clone()];
        files.extend(self.clients.iter().map(|clients| clients.ca.clone()));
        let (contents, origin) = reload::read(files).map_err(|error| {
            let setting = match error.file {
                file if file == self.certificate => CERTIFICATE,
                file if file == self.key => KEY,
                _ => CLIENT_CA,
            };
            TlsFault { setting, rule: format!("names a file that cannot be read: {}", error.why) }
        })?;
        let required = self.clients.as_ref().is_some_and(|clients| clients.required);
        let in_force = ArcSwap::from_pointee(InForce::of(&contents, required)?);
        Ok((Tls { in_force, required }, origin))
    }
}

/// What is in force.
pub struct Tls {
    in_force: ArcSwap<InForce>,
    required: bool,
}

struct InForce {
    config: Arc<ServerConfig>,
    not_before: i64,
    not_after: i64,
    all: Vec<Validity>,
}

impl Tls {
    /// With what a connection that begins now is secured.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.in_force.load().config)
    }

    /// When the certificate that is shown expires, in seconds since 1970.
    pub fn expiry(&self) -> i64 {
        self.in_force.load().not_after
    }

    /// How long the certificates in force are valid: the one that is shown, then those that lead
    /// from it to an authority, then the authorities of callers.
    pub fn validities(&self) -> Vec<Validity> {
        self.in_force.load().all.clone()
    }

    /// Puts what the files now hold in force.
    ///
    /// # Errors
    /// What is wrong with it. Then nothing has changed.
    pub fn replace(&self, contents: &Contents) -> Result<(), TlsFault> {
        self.in_force.store(Arc::new(InForce::of(contents, self.required)?));
        self.warn();
        Ok(())
    }

    /// Warns of a certificate that callers do not accept, or soon will not.
    pub fn warn(&self) {
        let InForce { not_before, not_after, .. } = **self.in_force.load();
        let now = clock::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let at = |seconds: i64| {
            let since = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
            humantime::format_rfc3339_seconds(UNIX_EPOCH + since)
        };
        if now < not_before {
            tracing::warn!(from = %at(not_before), "the certificate is not yet valid");
        } else if now > not_after {
            tracing::warn!(at = %at(not_after), "the certificate has expired");
        } else if not_after - now < SOON {
            tracing::warn!(at = %at(not_after), "the certificate expires soon");
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls([redacted])")
    }
}

impl InForce {
    fn of(contents: &Contents, required: bool) -> Result<Self, TlsFault> {
        let provider = Arc::new(ring::default_provider());
        let (certified, clients) = match contents.as_slice() {
            [certificate, key] => (certified(certificate, key, &provider)?, None),
            [certificate, key, ca] => {
                let verifier = verifier(ca, required, &provider)?;
                (certified(certificate, key, &provider)?, Some(verifier))
            }
            _ => return Err(TlsFault::new(CERTIFICATE, "is not one of two or three files")),
        };
        let (not_before, not_after) = validity(&certified)?;
        let all = validities(&certified, contents.get(2).map(Vec::as_slice))?;
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| TlsFault::new(CERTIFICATE, "cannot be served by this build"))?;
        let builder = match clients {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = vec![b"h2".to_vec()];
        // A session that is resumed is not verified again, so that it could outlive the caller's
        // certificate.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self { config: Arc::new(config), not_before, not_after, all })
    }
}

/// All certificates in a file, or the rule that it breaks.
fn certificates(
    pem: &[u8],
    setting: &'static str,
) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(read) if !read.is_empty() => Ok(read),
        Ok(_) | Err(_) => Err(TlsFault::new(setting, "names a file without a certificate in PEM")),
    }
}

/// The certificate with its key, if it is that.
fn certified(
    certificate: &[u8],
    key: &[u8],
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsFault> {
    let chain = certificates(certificate, CERTIFICATE)?;
    let rule = "names a file without a private key in PEM";
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsFault::new(KEY, rule))?;
    let rule = "names a file with a private key that cannot be used";
    let key = provider.key_provider.load_private_key(key);
    let certified = CertifiedKey::new(chain, key.map_err(|_| TlsFault::new(KEY, rule))?);
    match certified.keys_match() {
        Ok(()) => Ok(certified),
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(TlsFault::new(KEY, "names a file with another key than the certificate's"))
        }
        Err(_) => Err(TlsFault::new(CERTIFICATE, "names a file with an unusable certificate")),
    }
}

/// What callers' certificates are held against.
fn verifier(
    ca: &[u8],
    required: bool,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsFault> {
    let unusable = || TlsFault::new(CLIENT_CA, "names a file with an unusable certificate");
    let mut roots = RootCertStore::empty();
    for root in certificates(ca, CLIENT_CA)? {
        roots.add(root).map_err(|_| unusable())?;
    }
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = if required { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|_| unusable())
}

/// From when until when the certificate that is shown is valid, in seconds since 1970.
fn validity(certified: &CertifiedKey) -> Result<(i64, i64), TlsFault> {
    let unusable = || TlsFault::new(CERTIFICATE, "names a file with an unusable certificate");
    let leaf = certified.end_entity_cert().map_err(|_| unusable())?;
    let (_, leaf) = X509Certificate::from_der(leaf).map_err(|_| unusable())?;
    let validity = leaf.validity();
    Ok((validity.not_before.timestamp(), validity.not_after.timestamp()))
}

/// How long all of them are valid that can be read.
fn validities(certified: &CertifiedKey, ca: Option<&[u8]>) -> Result<Vec<Validity>, TlsFault> {
    let roles = std::iter::once(Role::Server).chain(std::iter::repeat(Role::Issuer));
    let chain = roles.zip(&certified.cert).filter_map(|(role, it)| Validity::of(role, it));
    let mut all: Vec<_> = chain.collect();
    if let Some(ca) = ca {
        let of = |it| Validity::of(Role::ClientAuthority, it);
        all.extend(certificates(ca, CLIENT_CA)?.iter().filter_map(of));
    }
    Ok(all)
}

/// The names in a certificate that was verified. One that has none, or whose names cannot be
/// read, is nobody's.
pub fn identity(certificate: &CertificateDer<'_>) -> PeerIdentity {
    let mut identity = PeerIdentity::default();
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return identity };
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return identity };
    for name in &names.value.general_names {
        if let GeneralName::URI(uri) = name {
            identity.uris.push((*uri).to_owned());
        } else if let GeneralName::DNSName(name) = name {
            identity.dns_names.push((*name).to_owned());
        }
    }
    identity
}
