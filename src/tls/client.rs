//! TLS towards a server of this kind, for its health: whom it trusts, and what it shows.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier;

use crate::error::BoxError;

/// Which servers are trusted. Files are PEM.
#[derive(Debug)]
pub enum Trust {
    /// Those that the system's authorities vouch for.
    System,
    /// Those that these authorities vouch for.
    Authorities(Vec<u8>),
    /// The one that shows the first certificate of these.
    This(Vec<u8>),
}

/// TLS for HTTP/2, with a certificate and its key to show, if any.
///
/// # Errors
/// What is wrong with a file.
pub fn config(trust: Trust, shown: Option<(Vec<u8>, Vec<u8>)>) -> Result<ClientConfig, BoxError> {
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::System => Arc::new(Verifier::new(Arc::clone(&provider))?),
        Trust::Authorities(pem) => {
            let mut roots = RootCertStore::empty();
            for root in certificates(&pem)? {
                roots.add(root)?;
            }
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()?
        }
        Trust::This(pem) => {
            let certificate = certificates(&pem)?.into_iter().next();
            let certificate = certificate.ok_or("there is no certificate in the file")?;
            Arc::new(This { certificate, algorithms: provider.signature_verification_algorithms })
        }
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match shown {
        Some((certificate, key)) => {
            let key = PrivateKeyDer::from_pem_slice(&key)?;
            builder.with_client_auth_cert(certificates(&certificate)?, key)?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, BoxError> {
    let read: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>()?;
    if read.is_empty() { Err("there is no certificate in the file".into()) } else { Ok(read) }
}

/// Trusts the owner of one certificate, whatever its names and whoever issued it. That the other
/// side owns it, its signature in the handshake shows.
#[derive(Debug)]
struct This {
    certificate: CertificateDer<'static>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for This {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match *end_entity == self.certificate {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
