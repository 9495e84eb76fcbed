//! What is logged of connections that are not served.

use std::io::Read;
use std::net::TcpStream;

use serde_json::Value;
use tokio::time::Instant;

use crate::calls::{self, PLAIN};
use crate::process::{PATIENCE, Server};
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
