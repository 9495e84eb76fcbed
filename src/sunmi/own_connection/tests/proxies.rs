//! Through proxies, which the configuration or the environment names.

use super::*;

const CREDENTIALS: &str = "proxy-authorization: Basic dXNAZXI6cGFzcw==";

#[tokio::test]
async fn through_a_proxy_a_plain_address_is_written_in_whole() {
    let (listener, address) = listener().await;
    let config = config("http://sunmi.test:8080/base", Some(address));
    let own = connect(&config, tls(&config.base_url).unwrap()).await.unwrap();
    let proxy = listener.accept().await.unwrap().0;
    let (reply, request) = tokio::join!(post(own), answer(proxy));
    assert_eq!(reply.unwrap().status, 200);
    let (first, headers) = lines(&request);
    assert_eq!(first, "POST http://sunmi.test:8080/base/v1/trade/refund HTTP/1.1");
    for header in [CREDENTIALS, "host: sunmi.test:8080"] {
        assert!(headers.contains(&header), "{header} {request}");
    }
}

#[tokio::test]
async fn through_a_proxy_tls_goes_by_a_tunnel_which_alone_sees_the_credentials() {
    let (acceptor, trusting) = certificate();
    let (listener, address) = listener().await;
    let config = config("https://localhost:8443", Some(address));
    let proxied = async {
        let mut stream = listener.accept().await.unwrap().0;
        let asked = read(&mut stream, 0).await;
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
        // The proxy is Sunmi itself.
        (asked, acceptor.accept(stream).await.unwrap())
    };
    let (own, (asked, upstream)) = tokio::join!(connect(&config, trusting), proxied);
    let (first, headers) = lines(&asked);
    assert_eq!(first, "CONNECT localhost:8443 HTTP/1.1");
    let named = |name: &str| headers.iter().any(|line| line.eq_ignore_ascii_case(name));
    assert!(named(CREDENTIALS) && named("host: localhost:8443"), "{asked}");
    assert!(named(&format!("user-agent: {}", wire::USER_AGENT)), "{asked}");

    let (reply, request) = tokio::join!(post(own.unwrap()), answer(upstream));
    assert_eq!(reply.unwrap().status, 200);
    assert!(request.starts_with("POST /v1/trade/refund HTTP/1.1\r\n"), "{request}");
    assert!(!request.to_lowercase().contains("proxy-"), "{request}");
}

#[tokio::test]
async fn a_proxy_that_refuses_a_tunnel_makes_no_connection() {
    let (listener, address) = listener().await;
    let config = config("https://localhost:8443", Some(address));
    let refused = async {
        let mut stream = listener.accept().await.unwrap().0;
        read(&mut stream, 0).await;
        let no = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
        stream.write_all(no).await.unwrap();
    };
    let (_, trusting) = certificate();
    let (own, ()) = tokio::join!(connect(&config, trusting), refused);
    own.map(drop).unwrap_err();
}

/// Run by the test below, in a process of its own with an environment of its own.
#[tokio::test]
#[ignore = "only to be run by another test"]
async fn calls_by_the_environment() {
    let wire = Wire::new(&config("http://sunmi.test", None)).unwrap();
    wire.post(PATH, form()).await.unwrap();
    wire.connect().await.unwrap().post(PATH, form()).await.unwrap();
    // No proxy is asked for what is on this machine.
    let (listener, address) = listener().await;
    let wire = Wire::new(&config(&format!("http://{address}"), None)).unwrap();
    let own = wire.connect().await.unwrap();
    let accepted = tokio::time::timeout(GUARD, listener.accept()).await;
    let other = accepted.expect("no proxy in between").unwrap().0;
    let (_, request) = tokio::join!(own.post(PATH, form()), answer(other));
    assert!(request.starts_with("POST /v1/trade/refund"), "{request}");
}

#[tokio::test]
async fn the_proxy_that_the_environment_names_is_used_for_refunds_as_for_reads() {
    let (listener, address) = listener().await;
    let mut child = tokio::task::spawn_blocking(move || {
        let test = "sunmi::own_connection::tests::proxies::calls_by_the_environment";
        std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--ignored"])
            .env("HTTP_PROXY", format!("http://us%40er:pass@{address}"))
            .env_remove("NO_PROXY")
            .env_remove("no_proxy")
            .env_remove("REQUEST_METHOD")
            .output()
            .unwrap()
    });
    for name in ["read", "refund"] {
        let request = tokio::select! {
            accepted = listener.accept() => answer(accepted.unwrap().0).await,
            ended = &mut child => panic!("{name}: {ended:?}"),
        };
        let (first, headers) = lines(&request);
        assert_eq!(first, "POST http://sunmi.test/v1/trade/refund HTTP/1.1", "{name}");
        assert!(headers.contains(&CREDENTIALS), "{name}: {request}");
    }
    assert!(child.await.unwrap().status.success());
}
