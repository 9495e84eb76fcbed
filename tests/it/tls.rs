//! TLS: who is let in, and what is wrong with files.

use rustls::HandshakeKind;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sunmi_trade::config::{self, Sources};
use sunmi_trade::peer::PeerIdentity;
use sunmi_trade::tls;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;

use crate::calls;
use crate::certificates::{Authority, Caller, Folder, der};
use crate::frames::{closed, hello};
use crate::server::{GUARD, Server, settings, with};
use crate::upstream::{QUERY, Upstream};

pub(crate) async fn upstream() -> Upstream {
    let upstream = Upstream::start().await;
    upstream.always(QUERY, calls::paid());
    upstream
}

/// A server with a certificate, who issued it, and where it is.
pub(crate) struct Secured {
    pub(crate) upstream: Upstream,
    pub(crate) server: Server,
    pub(crate) authority: Authority,
    pub(crate) folder: Folder,
}

impl Secured {
    pub(crate) async fn start(env: &[(&str, &str)]) -> Self {
        let (upstream, authority) = (upstream().await, Authority::new());
        let folder = Folder::new(&authority.server());
        let sources = with(folder.settings(settings(upstream.address)), env);
        let server = Server::start(&sources).await;
        Self { upstream, server, authority, folder }
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller::new(&self.authority, None)
    }
}

/// Whether a call on a connection of this caller's own is served.
pub(crate) async fn served(caller: &Caller, server: &Server) -> Result<(), String> {
    let call = async {
        let mut client = caller.client(server).await.map_err(|error| format!("{error:?}"))?;
        let answer = client.query(calls::query("O1")).await;
        answer.map(drop).map_err(|status| format!("{status:?}"))
    };
    tokio::time::timeout(GUARD, call).await.expect("an end in time")
}

#[tokio::test]
async fn calls_are_served_over_tls_1_2_and_1_3() {
    let secured = Secured::start(&[]).await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let caller = Caller::speaking(&[version], &secured.authority, None);
        served(&caller, &secured.server).await.unwrap();
    }
}

#[tokio::test]
async fn no_session_is_resumed() {
    let secured = Secured::start(&[]).await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let caller = Caller::speaking(&[version], &secured.authority, None);
        for _ in 0..2 {
            let mut stream = caller.connect(secured.server.address).await.unwrap();
            stream.write_all(&hello()).await.unwrap();
            // A ticket would come before it.
            stream.read_exact(&mut [0; 9]).await.unwrap();
            assert_eq!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
        }
    }
}

#[tokio::test]
async fn a_client_may_leave_the_protocol_open_but_not_ask_for_another() {
    let secured = Secured::start(&[]).await;
    let mut caller = secured.caller();
    caller.0.alpn_protocols.clear();
    let mut stream = caller.connect(secured.server.address).await.expect("a handshake");
    stream.write_all(&hello()).await.unwrap();
    stream.read_exact(&mut [0; 9]).await.expect("a word of HTTP/2");
    caller.0.alpn_protocols = vec![b"http/1.1".to_vec()];
    let refused = caller.connect(secured.server.address).await.unwrap_err().to_string();
    assert!(refused.contains("NoApplicationProtocol"), "{refused}");
}

#[tokio::test]
async fn without_tls_or_with_tls_where_there_is_none_a_connection_is_closed() {
    let secured = Secured::start(&[("SUNMI_TRADE__TLS__HANDSHAKE_TIMEOUT", "1m")]).await;
    let mut plain = TcpStream::connect(secured.server.address).await.unwrap();
    plain.write_all(&hello()).await.unwrap();
    closed(&mut plain).await;

    let env = [("SUNMI_TRADE__LIMITS__PREFACE_TIMEOUT", "1m")];
    let server = Server::start(&with(settings(secured.upstream.address), &env)).await;
    let refused = served(&secured.caller(), &server).await;
    refused.expect_err("no TLS");
    served(&secured.caller(), &secured.server).await.unwrap();
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_not_waited_for() {
    let env = [
        ("SUNMI_TRADE__TLS__HANDSHAKE_TIMEOUT", "300ms"),
        ("SUNMI_TRADE__LIMITS__PREFACE_TIMEOUT", "1m"),
    ];
    let secured = Secured::start(&env).await;
    let mut mute = TcpStream::connect(secured.server.address).await.unwrap();
    let mut half = TcpStream::connect(secured.server.address).await.unwrap();
    half.write_all(b"\x16\x03\x01\x02\0\x01").await.unwrap();
    // While they wait, others are served.
    served(&secured.caller(), &secured.server).await.unwrap();
    closed(&mut mute).await;
    closed(&mut half).await;
}

#[tokio::test]
async fn after_the_handshake_the_preface_is_not_waited_for_either() {
    let env = [("SUNMI_TRADE__LIMITS__PREFACE_TIMEOUT", "300ms")];
    let secured = Secured::start(&env).await;
    let mut mute = secured.caller().connect(secured.server.address).await.unwrap();
    closed(&mut mute).await;
}

#[tokio::test]
async fn callers_must_show_a_certificate_of_the_right_authority_where_one_is_required() {
    let (upstream, authority) = (upstream().await, Authority::new());
    let (clients, others) = (Authority::new(), Authority::new());
    let folder = Folder::new(&authority.server());
    folder.write("ca.crt", &clients.pem());
    let right = clients.client("spiffe://example.org/till", "till.example.org");
    let wrong = others.client("spiffe://example.org/till", "till.example.org");
    for (rule, without) in [("required", false), ("optional", true)] {
        let sources = folder.mutual(settings(upstream.address), rule);
        let server = Server::start(&sources).await;
        let table = [(None, without), (Some(&right), true), (Some(&wrong), false)];
        for (at, (shown, expected)) in table.into_iter().enumerate() {
            let caller = Caller::new(&authority, shown);
            let found = served(&caller, &server).await;
            assert_eq!(found.is_ok(), expected, "{rule} {at} {found:?}");
        }
    }
}

#[test]
fn callers_by_certificate_want_an_authority_and_names_of_their_own() {
    let caller =
        |name: &str| format!("[[callers]]\nname = '{name}'\nuris = ['a:b']\nrpcs = ['Query']\n");
    let sources = Sources { file: Some(caller("a") + &caller("b")), ..Sources::default() };
    let expected = [
        "callers[0] and callers[1]: must not have a name of a certificate in common",
        "callers: can only be known by uris and dns_names with tls.client_ca_file",
    ];
    assert_eq!(faults(&sources), expected);
}

/// In production on an address that others reach.
#[test]
fn certificates_that_callers_must_show_say_who_may_call() {
    let authority = Authority::new();
    let folder = Folder::new(&authority.server());
    folder.write("ca.crt", &authority.pem());
    let env = [
        ("SUNMI_TRADE_APP_ID", "app-1"),
        ("SUNMI_TRADE_APP_KEY", "x"),
        ("SUNMI_TRADE__LISTEN", "0.0.0.0:50051"),
        ("SUNMI_TRADE__REFUND__LEDGER", "sqlite://ledger.db"),
    ];
    for (rule, enough) in [("required", true), ("optional", false)] {
        let sources = with(folder.mutual(Sources::default(), rule), &env);
        assert_eq!(config::load(&sources, false).is_ok(), enough, "{rule}");
    }
}

/// The faults of a configuration.
fn faults(sources: &Sources) -> Vec<String> {
    let faults = config::load(sources, true).err().unwrap_or_default();
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn files_that_cannot_be_used_are_faults_of_the_configuration() {
    let authority = Authority::new();
    let (one, other) = (authority.server(), authority.server());
    let folder = Folder::new(&one);
    folder.write("ca.crt", &authority.pem());
    let sources = || folder.mutual(Sources::default(), "optional");
    assert_eq!(faults(&sources()), [""; 0]);
    let table = [
        ("tls.crt", "", "tls.certificate_file: names a file without a certificate in PEM"),
        ("tls.crt", &one.key, "tls.certificate_file: names a file without a certificate in PEM"),
        ("tls.key", &one.certificate, "tls.key_file: names a file without a private key in PEM"),
        (
            "tls.key",
            &other.key,
            "tls.key_file: names a file with another key than the certificate's",
        ),
        ("ca.crt", "", "tls.client_ca_file: names a file without a certificate in PEM"),
    ];
    for (name, text, fault) in table {
        folder.put(&one);
        folder.write("ca.crt", &authority.pem());
        folder.write(name, text);
        assert_eq!(faults(&sources()), [fault], "{name}");
    }
    std::fs::remove_file(folder.path().join("ca.crt")).unwrap();
    let fault = "tls.client_ca_file: names a file that cannot be read: entity not found";
    assert_eq!(faults(&sources()), [fault]);
}

#[test]
fn settings_of_tls_that_do_not_go_together_are_faults() {
    let table: [(&[(&str, &str)], &str); 4] = [
        (
            &[("SUNMI_TRADE__TLS__CERTIFICATE_FILE", "x")],
            "tls.key_file: is required with tls.certificate_file",
        ),
        (
            &[("SUNMI_TRADE__TLS__KEY_FILE", "x")],
            "tls.certificate_file: is required with tls.key_file",
        ),
        (
            &[("SUNMI_TRADE__TLS__CLIENT_CA_FILE", "x")],
            "tls.client_ca_file: only goes with tls.certificate_file",
        ),
        (
            &[("SUNMI_TRADE__TLS__CLIENT_CERTIFICATE", "required")],
            "tls.client_certificate: only goes with tls.client_ca_file",
        ),
    ];
    for (env, fault) in table {
        assert_eq!(faults(&with(Sources::default(), env)), [fault]);
    }
}

#[test]
fn the_names_of_a_caller_are_read_from_its_certificate() {
    let authority = Authority::new();
    let issued = authority.client("spiffe://example.org/ns/shop/sa/till", "till.example.org");
    let identity = tls::identity(&der(&issued));
    assert_eq!(identity.uris, ["spiffe://example.org/ns/shop/sa/till"]);
    assert_eq!(identity.dns_names, ["till.example.org"]);
    // One without names is nobody's.
    let authority = CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap();
    assert_eq!(tls::identity(&authority), PeerIdentity::default());
}

#[tokio::test]
async fn callers_are_known_by_the_names_in_their_certificates() {
    let (upstream, authority, clients) = (upstream().await, Authority::new(), Authority::new());
    let folder = Folder::new(&authority.server());
    folder.write("ca.crt", &clients.pem());
    let callers = r#"
        [[callers]]
        name = "till"
        uris = ["spiffe://example.org/till"]
        rpcs = ["Query"]
        [[callers]]
        name = "clerk"
        dns_names = ["clerk.example.org"]
        rpcs = ["Refund"]
    "#;
    let sources = Sources { file: Some(callers.to_owned()), ..settings(upstream.address) };
    let server = Server::start(&folder.mutual(sources, "optional")).await;
    let table = [
        (Some(("spiffe://example.org/till", "x")), Code::Ok),
        (Some(("spiffe://example.org/x", "clerk.example.org")), Code::PermissionDenied),
        (Some(("spiffe://example.org/x", "x")), Code::Unauthenticated),
        (None, Code::Unauthenticated),
    ];
    for (names, expected) in table {
        let shown = names.map(|(uri, dns_name)| clients.client(uri, dns_name));
        let caller = Caller::new(&authority, shown.as_ref());
        let mut client = caller.client(&server).await.unwrap();
        let answer = client.query(calls::query("O1")).await;
        let code = answer.map_or_else(|status| status.code(), |_| Code::Ok);
        assert_eq!(code, expected, "{names:?}");
    }
}

/// A certificate that has expired is the operator's concern: to refuse it would keep down
/// a server that callers might still accept.
#[tokio::test]
async fn a_certificate_that_has_expired_is_still_shown() {
    let (upstream, authority) = (upstream().await, Authority::new());
    let expired = authority.expired();
    let folder = Folder::new(&expired);
    let server = Server::start(&folder.settings(settings(upstream.address))).await;
    let caller = Caller::new(&authority, None);
    let refused = served(&caller, &server).await.unwrap_err();
    assert!(refused.contains("Expired"), "{refused}");
}
