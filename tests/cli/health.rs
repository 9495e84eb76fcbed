//! `health`, asked of servers in each state, and over each kind of connection.

use std::net::TcpListener;
use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair,
    generate_simple_self_signed,
};
use tonic_health::ServingStatus;

use super::run::{Running, SERVE};
use super::{Ran, file, program, run};

/// The last line of a run that failed.
#[track_caller]
fn failed(ran: &Ran) -> &str {
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    ran.stderr.lines().last().expect("a reason")
}

#[test]
fn a_server_that_serves_is_healthy_as_a_whole_and_by_service() {
    let mut server = Running::start(&SERVE);
    let address = server.logged("serving address=");
    for service in ["", "sunmi.trade.v1.TradeService", "sunmi.trade.v1.RefundLedgerService"] {
        let ran = run(&["health", "--addr", &address, "--service", service], &[]);
        assert_eq!(ran.printed(), "SERVING\n", "{service}");
    }
    let unknown = run(&["health", "--addr", &address, "--service", "nonsense"], &[]);
    let expected = format!("sunmi-trade: {address}: NotFound: service not registered");
    assert_eq!(failed(&unknown), expected);
    // The one that is configured, which listens everywhere.
    let port = address.rsplit_once(':').unwrap().1;
    let everywhere = format!("0.0.0.0:{port}");
    let config = file(&format!("health-{port}.toml"), format!("listen = \"{everywhere}\"\n"));
    let config = config.to_str().unwrap();
    assert_eq!(run(&["health", "--config", config], &[]).printed(), "SERVING\n");
    assert_eq!(run(&["health"], &[("SUNMI_TRADE__LISTEN", &everywhere)]).printed(), "SERVING\n");
}

#[tokio::test]
async fn one_that_is_draining_or_away_or_silent_is_not_and_the_reason_is_told() {
    let (reporter, service) = tonic_health::server::health_reporter();
    reporter.set_service_status("", ServingStatus::NotServing).await;
    let incoming = tonic::transport::server::TcpIncoming::bind("127.0.0.1:0".parse().unwrap());
    let incoming = incoming.unwrap();
    let address = incoming.local_addr().unwrap().to_string();
    tokio::spawn(
        tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming),
    );
    let ask = async |address: String| {
        let args = ["health", "--addr", &address, "--timeout", "300ms"].map(str::to_owned);
        tokio::task::spawn_blocking(move || run(&args.each_ref().map(String::as_str), &[]))
            .await
            .unwrap()
    };
    let draining = ask(address.clone()).await;
    assert_eq!(failed(&draining), format!("sunmi-trade: {address}: NOT_SERVING"));

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let silent_ran = ask(address.clone()).await;
    assert_eq!(failed(&silent_ran), format!("sunmi-trade: {address}: no answer within 300ms"));
    drop(silent);
    let away = ask(address).await;
    assert!(failed(&away).contains("Connection refused"), "{away:?}");
}

/// Certificates of a server, in files.
struct Certificates {
    ca: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
    other_ca: PathBuf,
}

fn certificates() -> Certificates {
    let authority = || {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (ca, key) = (authority(), KeyPair::generate().unwrap());
    let params = CertificateParams::new(["trade.example.com".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &ca).unwrap();
    let written = |name: &str, pem: String| file(&format!("health-{name}.pem"), pem);
    Certificates {
        ca: written("ca", ca.pem()),
        certificate: written("certificate", certificate.pem()),
        key: written("key", key.serialize_pem()),
        other_ca: written("other-ca", authority().pem()),
    }
}

#[test]
fn over_tls_only_the_server_that_is_meant_is_trusted() {
    let files = certificates();
    let path = |file: &PathBuf| file.to_str().unwrap().to_owned();
    let tls = [
        ("SUNMI_TRADE__TLS__CERTIFICATE_FILE", path(&files.certificate)),
        ("SUNMI_TRADE__TLS__KEY_FILE", path(&files.key)),
    ];
    let mutual = [
        ("SUNMI_TRADE__TLS__CLIENT_CA_FILE", path(&files.ca)),
        ("SUNMI_TRADE__TLS__CLIENT_CERTIFICATE", "required".to_owned()),
    ];
    let (ca, other_ca) = (path(&files.ca), path(&files.other_ca));
    let (certificate, key) = (path(&files.certificate), path(&files.key));
    for mutual in [&[][..], &mutual[..]] {
        let env: Vec<_> = tls.iter().chain(mutual).cloned().collect();
        let mut server = Running::of(program().args(SERVE).envs(env.clone()));
        let address = server.logged("serving address=");
        let named = ["health", "--addr", &address, "--tls-server-name", "trade.example.com"];
        let shown = ["--tls-client-cert", &certificate, "--tls-client-key", &key];
        let shown = if mutual.is_empty() { &[][..] } else { &shown[..] };
        let with = |args: &[&str]| run(&[&named[..], shown, args].concat(), &[]);
        assert_eq!(with(&["--tls-ca-cert", &ca]).printed(), "SERVING\n");
        for untrusted in [with(&["--tls-ca-cert", &other_ca]), with(&["--tls"])] {
            assert!(failed(&untrusted).contains("invalid peer certificate"), "{untrusted:?}");
        }
        let unnamed = [&["health", "--addr", &address, "--tls-ca-cert", &ca][..], shown].concat();
        assert!(failed(&run(&unnamed, &[])).contains("not valid for name"));
        let plain = run(&["health", "--addr", &address], &[]);
        failed(&plain);
        if !mutual.is_empty() {
            let nobody = run(&[&named[..], &["--tls-ca-cert", &ca]].concat(), &[]);
            // By an alert, or by the end of the connection: what is read first.
            assert!(failed(&nobody).starts_with(&format!("sunmi-trade: {address}: ")));
        }
        // What is configured is enough, and another's certificate is not.
        let own: Vec<_> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let configured = |certificate: &str, key: &str| {
            let mut env = own.clone();
            env.push(("SUNMI_TRADE__LISTEN", &address));
            env[0].1 = certificate;
            env[1].1 = key;
            run(&["health"], &env)
        };
        assert_eq!(configured(&certificate, &key).printed(), "SERVING\n");
        let other = generate_simple_self_signed(["trade.example.com".to_owned()]).unwrap();
        let imposter = file("health-imposter.pem", other.cert.pem());
        let imposter_key = file("health-imposter-key.pem", other.signing_key.serialize_pem());
        let taken_in = configured(&path(&imposter), &path(&imposter_key));
        assert!(failed(&taken_in).contains("invalid peer certificate"), "{taken_in:?}");
    }
}

#[test]
fn what_cannot_be_asked_is_an_error_of_use() {
    for args in [
        &["health", "--tls"][..],
        &["health", "--addr", "a:1", "--tls-client-cert", "x"],
        &["health", "--timeout", "soon"],
    ] {
        assert_eq!(run(args, &[]).status, Some(64), "{args:?}");
    }
    let faults = run(&["health"], &[("SUNMI_TRADE__LISTEN", "nowhere")]);
    assert_eq!(faults.faults().len(), 1, "{faults:?}");
    let missing = run(&["health", "--addr", "127.0.0.1:1", "--tls-ca-cert", "/nonexistent"], &[]);
    assert!(failed(&missing).contains("/nonexistent: No such file"), "{missing:?}");
}
