//! How long certificates are valid, for those who have to renew them.

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What a certificate is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The port shows it.
    Server,
    /// It leads from the port's to an authority, and is shown with it.
    Issuer,
    /// Callers' certificates are held against it.
    ClientAuthority,
}

/// From when until when a certificate is valid, in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validity {
    /// What it is there for.
    pub role: Role,
    /// Whose it is, as it says itself; empty where it names nobody.
    pub subject: String,
    /// From then on.
    pub not_before: i64,
    /// Until then.
    pub not_after: i64,
}

impl Validity {
    /// That of this certificate, if it can be read.
    pub(super) fn of(role: Role, certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let validity = certificate.validity();
        Some(Self {
            role,
            subject: certificate.subject().to_string(),
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
        })
    }
}
