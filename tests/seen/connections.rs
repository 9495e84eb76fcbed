//! What is logged of connections that are not served.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;
use tokio::time::Instant;

use crate::calls::{self, PLAIN};
use crate::process::{PATIENCE, Server};
use crate::scratch::Scratch;
use crate::sunmi::Sunmi;

#[tokio::test(flavor = "multi_thread")]
async fn connections_past_the_bound_are_told_of_but_not_one_by_one() {
    let sunmi = Sunmi::start("").await;
    let env = [("SUNMI_TRADE__LOG__FORMAT", "json"), ("SUNMI_TRADE__LIMITS__CONNECTIONS", "1")];
    let mut server = Server::start(&sunmi, PLAIN, &env).await;
    let mut client = server.client().await;
    // Now it has spoken, so that it does not give way.
    let _ = client.query(calls::query("O1")).await;
    let began = Instant::now();
    for _ in 0..200 {
        let mut closed = TcpStream::connect(server.grpc).unwrap();
        closed.set_read_timeout(Some(PATIENCE)).unwrap();
        // Closed, one way or the other.
        assert!(closed.read(&mut [0]).map_or(true, |read| read == 0));
    }
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap();
    drop(client);
    assert!(server.stop().await.success());
    let log = server.log();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    let told: Vec<_> = lines.filter(|line| line["why"] == "full").collect();
    assert!((1..=seconds + 1).contains(&told.len()), "{} in {seconds} s", told.len());
    assert_eq!(
        (&told[0]["level"], &told[0]["message"]),
        (&"WARN".into(), &"closed a connection".into())
    );
    assert!(told[0]["address"].as_str().unwrap().starts_with("127.0.0.1:"));
}

/// A server with a certificate of its own, whose files are in this folder.
async fn secured(files: &Scratch, sunmi: &Sunmi, env: &[(&str, &str)]) -> Server {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let file = |name: &str, content: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let certificate = file("tls.crt", &made.cert.pem());
    let key = file("tls.key", &made.signing_key.serialize_pem());
    let tls = format!("[tls]\ncertificate_file = \"{certificate}\"\nkey_file = \"{key}\"\n");
    Server::start(sunmi, &format!("{PLAIN}{tls}"), env).await
}

/// How many connections were closed for this reason.
fn closed_for(server: &Server, why: &str) -> u64 {
    let series = format!("sunmi_connections_closed_total{{reason=\"{why}\"}} ");
    let page = server.get("/metrics");
    page.lines().find_map(|line| line.strip_prefix(&series)).expect("a series").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_fails_leaves_a_line_with_the_cause_and_many_leave_few() {
    let (files, sunmi) = (Scratch::new(), Sunmi::start("").await);
    let env = [("SUNMI_TRADE__LOG__FORMAT", "json")];
    let mut server = secured(&files, &sunmi, &env).await;
    let began = Instant::now();
    for _ in 0..200 {
        // A caller without TLS.
        let mut caller = TcpStream::connect(server.grpc).unwrap();
        caller.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        caller.set_read_timeout(Some(PATIENCE)).unwrap();
        while caller.read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
    }
    while closed_for(&server, "handshake_failed") < 200 {
        assert!(began.elapsed() < PATIENCE, "{}", server.log());
    }
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap();
    assert!(server.stop().await.success());
    let log = server.log();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    let told: Vec<_> = lines.filter(|line| line["message"] == "a TLS handshake failed").collect();
    assert!((1..=seconds + 1).contains(&told.len()), "{} in {seconds} s", told.len());
    for line in &told {
        assert_eq!(line["level"], "WARN");
        assert!(line["address"].as_str().unwrap().starts_with("127.0.0.1:"));
        assert_eq!(line["error"], "received corrupt message of type InvalidContentType");
    }
    // All but those after the last line.
    let left_out: u64 = told.iter().map(|line| line["left_out"].as_u64().unwrap()).sum();
    assert!(left_out + told.len() as u64 <= 200);
    assert_eq!(told[0]["left_out"], 0);
    assert!(told.len() == 1 || left_out > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_takes_too_long_and_a_caller_that_trusts_nobody_are_told_of() {
    let (files, sunmi) = (Scratch::new(), Sunmi::start("").await);
    let env = [("SUNMI_TRADE__TLS__HANDSHAKE_TIMEOUT", "50ms")];
    let server = secured(&files, &sunmi, &env).await;
    let _silent = TcpStream::connect(server.grpc).unwrap();
    let line = server.logs("a TLS handshake failed", 1).await.remove(0);
    assert!(line.contains("error=it took too long left_out=0"), "{line}");
    let server = secured(&files, &sunmi, &[]).await;
    let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    server.refuses(&stranger.cert.pem()).await;
    let line = server.logs("a TLS handshake failed", 1).await.remove(0);
    assert!(line.contains("received fatal alert"), "{line}");
}
