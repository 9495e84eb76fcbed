//! Sunmi as an upstream that says what an order's number asks for, such as all that it got.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The device of queries: not that of refunds, so that they are told from looks for these.
pub(crate) const QUERYING: &str = "V206D89-MSNX";

/// Ways to answer that show what was sent, or break off. An order is named for one.
pub(crate) const ODD: [&str; 21] = [
    "ECHO-MSG",
    "ECHO-LOWER",
    "ECHO-CODE",
    "ECHO-FIELDS",
    "ECHO-RESULT",
    "ECHO-NESTED",
    "ECHO-PROCESSING",
    "ECHO-TWICE",
    "ECHO-STRING",
    "ECHO-SHAPE",
    "ECHO-TEXT",
    "ECHO-ARRAY",
    "ECHO-503",
    "ECHO-400",
    "ECHO-HEADER",
    "ECHO-STATUS",
    "ECHO-GARBAGE",
    "ECHO-CUT",
    "SIGN-WRONG",
    "RESET",
    "CLOSE",
];

/// An upstream on a port of its own. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Sunmi {
    pub(crate) address: SocketAddr,
    /// What it shows where it is asked for `SHOW-KEY`.
    key: Arc<str>,
    seen: Arc<Mutex<Seen>>,
}

/// What it got.
#[derive(Debug, Default)]
struct Seen {
    /// Heads of requests, as they came.
    heads: Vec<String>,
    signatures: BTreeSet<String>,
    /// The numbers of all refunds.
    refunds: BTreeSet<String>,
    /// How often each order was asked for.
    counts: BTreeMap<String, usize>,
}

impl Sunmi {
    /// One that knows this key.
    pub(crate) async fn start(key: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sunmi = Self { address, key: key.into(), seen: Arc::default() };
        let served = sunmi.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(served.clone().connection(stream));
            }
        });
        sunmi
    }

    /// All signatures that it got.
    pub(crate) fn signatures(&self) -> BTreeSet<String> {
        self.seen.lock().unwrap().signatures.clone()
    }

    /// The heads of all requests.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.seen.lock().unwrap().heads.clone()
    }

    async fn connection(self, mut stream: TcpStream) {
        while let Some((head, body)) = read(&mut stream).await {
            match self.answer(&head, &body) {
                Some(bytes) if stream.write_all(&bytes).await.is_ok() => {}
                Some(_) => return,
                None if body.contains("RESET") => {
                    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
                    return;
                }
                None if body.contains("HANG") => {
                    let _ = stream.read(&mut [0]).await;
                    return;
                }
                None => return,
            }
        }
    }

    /// What is answered, or nothing.
    fn answer(&self, head: &str, body: &str) -> Option<Vec<u8>> {
        let form: BTreeMap<String, String> =
            form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let order = form.get("orderId").map_or("", String::as_str);
        let count = {
            let mut seen = self.seen.lock().unwrap();
            seen.heads.push(head.to_owned());
            seen.signatures.insert(form["sign"].clone());
            if head.contains("/refund ") {
                seen.refunds.insert(order.to_owned());
            } else if head.contains("/query ") && form["msn"] != QUERYING {
                // A look at a payment, or at a refund that was not sent, finds nothing.
                if !seen.refunds.contains(order) {
                    return Some(told(&json!({"code": "E19", "msg": "x"})));
                }
            }
            let count = seen.counts.entry(order.to_owned()).or_default();
            *count += 1;
            *count
        };
        let kind = if head.contains("/refund ") { "1" } else { "0" };
        let trade = json!({"amount": "100", "orderType": kind, "state": "3"});
        let with = |name: &str, value: &str| {
            let mut trade = trade.clone();
            trade[name] = value.into();
            trade
        };
        let ok = |data: Value| json!({"code": "1", "data": data, "msg": body, "echo": body});
        // The order's number may have a suffix, for it to be another order.
        let way = order.split('.').next().unwrap();
        Some(match way {
            "RESET" | "CLOSE" | "HANG" => return None,
            "FLAKY" if count == 1 => http("503 Unavailable", ""),
            "E01" => told(&json!({"code": "E01", "msg": "x"})),
            "SHOW-KEY" => told(&json!({"code": "E05", "msg": format!("a=1{}", self.key)})),
            "SIGN-WRONG" => told(&json!({"code": "E05", "msg": form["sign"]})),
            "ECHO-MSG" => told(&json!({"code": "E05", "msg": body})),
            "ECHO-LOWER" => told(&json!({"code": "E05", "msg": body.to_lowercase()})),
            "ECHO-CODE" => told(&json!({"code": body, "msg": body})),
            "ECHO-FIELDS" => told(&ok(with(body, body))),
            "ECHO-RESULT" => told(&ok(with("resultMsg", body))),
            "ECHO-NESTED" => told(&ok(with("amount", body).to_string().into())),
            "ECHO-PROCESSING" => told(&json!({"code": "D01", "data": {"x": body}, "y": body})),
            "ECHO-TWICE" => http("200 OK", &format!(r#"{{"code":"1","{body}":1,"{body}":2}}"#)),
            "ECHO-STRING" => told(&body.into()),
            "ECHO-SHAPE" => told(&ok(body.into())),
            "ECHO-ARRAY" => told(&json!([body])),
            "ECHO-TEXT" => http("200 OK", body),
            "ECHO-503" => http("503 Unavailable", body),
            "ECHO-400" => http("400 Bad Request", body),
            "ECHO-HEADER" => {
                http(&format!("429 No\r\nretry-after: {body}\r\nx-echo: {body}"), body)
            }
            "ECHO-STATUS" => http(&format!("200 {body}"), "x"),
            "ECHO-GARBAGE" => format!("{body}\r\n\r\n").into_bytes(),
            "ECHO-CUT" => {
                format!("HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{body}").into_bytes()
            }
            _ => told(&json!({"code": "1", "data": trade, "msg": "ok"})),
        })
    }
}

fn told(reply: &Value) -> Vec<u8> {
    http("200 OK", &reply.to_string())
}

/// A reply with this status, which may have headers behind it.
fn http(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

/// The next request of a connection: its head and its body.
async fn read(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8(bytes.clone()).unwrap();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase().replace("/v1/trade/refund ", "/refund ");
            let length = head.split_once("content-length: ").unwrap().1;
            let length: usize = length.lines().next().unwrap().parse().unwrap();
            if body.len() == length {
                return Some((head, body.to_owned()));
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
