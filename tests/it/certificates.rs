//! Certificates made for a test, in files, and clients that use them.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use sunmi_trade::api::pb::trade_service_client::TradeServiceClient;
use sunmi_trade::config::Sources;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};
use uuid::Uuid;

use crate::server::{Server, with};

/// An authority of a test's own.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a server on localhost.
    pub(crate) fn server(&self) -> Issued {
        self.issue(&CertificateParams::new(["localhost".to_owned()]).unwrap())
    }

    /// A certificate for a server on localhost that expired long ago.
    pub(crate) fn expired(&self) -> Issued {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_after = date_time_ymd(2001, 1, 1);
        self.issue(&params)
    }

    /// A certificate of a caller with these names.
    pub(crate) fn client(&self, uri: &str, dns_name: &str) -> Issued {
        let mut params = CertificateParams::default();
        let text = |text: &str| Ia5String::try_from(text).unwrap();
        params.subject_alt_names = vec![SanType::URI(text(uri)), SanType::DnsName(text(dns_name))];
        self.issue(&params)
    }

    fn issue(&self, params: &CertificateParams) -> Issued {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Issued { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// A folder with `tls.crt`, `tls.key` and `ca.crt`, removed with this value.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(issued: &Issued) -> Self {
        let path = std::env::temp_dir().join(format!("sunmi-trade-{}", Uuid::new_v4()));
        std::fs::create_dir(&path).unwrap();
        let folder = Self(path);
        folder.put(issued);
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes the certificate and its key.
    pub(crate) fn put(&self, issued: &Issued) {
        self.write("tls.crt", &issued.certificate);
        self.write("tls.key", &issued.key);
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }

    /// The same settings with these files, looked at often.
    pub(crate) fn settings(&self, sources: Sources) -> Sources {
        let [certificate, key] = ["tls.crt", "tls.key"].map(|name| self.named(name));
        let env = [
            ("SUNMI_TRADE__TLS__CERTIFICATE_FILE", certificate.as_str()),
            ("SUNMI_TRADE__TLS__KEY_FILE", &key),
            ("SUNMI_TRADE__RELOAD_INTERVAL", "20ms"),
        ];
        with(sources, &env)
    }

    /// The same with callers' certificates from `ca.crt`.
    pub(crate) fn mutual(&self, sources: Sources, client_certificate: &str) -> Sources {
        let ca = self.named("ca.crt");
        let env = [
            ("SUNMI_TRADE__TLS__CLIENT_CA_FILE", ca.as_str()),
            ("SUNMI_TRADE__TLS__CLIENT_CERTIFICATE", client_certificate),
        ];
        with(self.settings(sources), &env)
    }

    fn named(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A client that trusts an authority, and shows a certificate if it has one.
#[derive(Clone)]
pub(crate) struct Caller(pub(crate) ClientConfig);

impl Caller {
    pub(crate) fn new(trusts: &Authority, shows: Option<&Issued>) -> Self {
        Self::speaking(rustls::ALL_VERSIONS, trusts, shows)
    }

    /// One that knows these versions of TLS alone.
    pub(crate) fn speaking(
        versions: &[&'static SupportedProtocolVersion],
        trusts: &Authority,
        shows: Option<&Issued>,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(trusts.pem().as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match shows {
            Some(issued) => {
                let chain = CertificateDer::pem_slice_iter(issued.certificate.as_bytes());
                let chain = chain.map(Result::unwrap).collect();
                let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Self(config)
    }

    /// A connection after its handshake. In TLS 1.3 the server may still refuse it.
    pub(crate) async fn connect(&self, address: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(self.0.clone())).connect(name, stream).await
    }

    /// The certificate that the server shows on a new connection.
    pub(crate) async fn shown(&self, server: &Server) -> io::Result<CertificateDer<'static>> {
        let stream = self.connect(server.address).await?;
        let shown = stream.get_ref().1.peer_certificates().expect("a certificate");
        Ok(shown[0].clone().into_owned())
    }

    /// A client on a connection of its own, if there can be one.
    pub(crate) async fn client(
        &self,
        server: &Server,
    ) -> Result<TradeServiceClient<Channel>, tonic::transport::Error> {
        let (caller, address) = (self.clone(), server.address);
        let connector = tower::service_fn(move |_| {
            let caller = caller.clone();
            async move { caller.connect(address).await.map(TokioIo::new) }
        });
        let endpoint = Endpoint::from_static("http://localhost");
        endpoint.connect_with_connector(connector).await.map(TradeServiceClient::new)
    }
}

/// The DER of a certificate in PEM.
pub(crate) fn der(issued: &Issued) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap()
}
