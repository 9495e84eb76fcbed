use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::sandbox::credential;
use crate::sunmi::params::{Params, SIGN};

mod beside;

/// All that came back before the connection ended.
struct Answered {
    head: String,
    body: Vec<u8>,
}

impl Answered {
    fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

async fn start() -> (Sandbox, SocketAddr) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let sandbox = Sandbox::new([&credential()]);
    tokio::spawn(sandbox.clone().serve(listener));
    (sandbox, address)
}

async fn ask(address: SocketAddr, line: &str, kind: &str, body: &str) -> Answered {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let len = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nhost: sandbox\r\nconnection: close\r\ncontent-type: {kind}\r\n\
         content-length: {len}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let at = bytes.windows(4).position(|it| it == b"\r\n\r\n").unwrap_or_default();
    let head = String::from_utf8(bytes[..at].to_vec()).unwrap();
    Answered { head, body: bytes.split_off((at + 4).min(bytes.len())) }
}

/// Does this, which can be done.
async fn done(address: SocketAddr, line: &str, body: Value) {
    let answered = ask(address, line, "application/json", &body.to_string()).await;
    let said = String::from_utf8_lossy(&answered.body);
    assert_eq!((answered.status(), &*said), ("200", "{}"), "{line} {body}");
}

/// Fails to do this.
async fn refused(address: SocketAddr, line: &str, body: Value) {
    let answered = ask(address, line, "application/json", &body.to_string()).await;
    assert_eq!(answered.status(), "400", "{line} {body}");
}

async fn until(it_is: impl Fn() -> bool) {
    let wait = async {
        while !it_is() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap();
}

async fn books(address: SocketAddr) -> Value {
    ask(address, "GET /sandbox/books", "", "").await.json()
}

async fn call(address: SocketAddr, path: &str, pairs: &[(&str, &str)]) -> Answered {
    let common = [("app_id", "sandbox"), ("msn", "M1"), ("charset", "utf8")];
    let pairs = common.iter().chain(pairs).map(|(name, value)| ((*name).into(), (*value).into()));
    let mut form: Form = pairs.collect();
    let params: Params = form.clone().into_iter().collect();
    form.insert(SIGN.to_owned(), params.signature(&credential().keys.preferred()));
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    ask(address, &format!("POST /v1/trade/{path}"), "application/x-www-form-urlencoded", &body)
        .await
}

async fn refund(address: SocketAddr, number: &str) -> Answered {
    let pairs =
        [("orderId", number), ("oriOrderId", "DEMO-1"), ("amount", "100"), ("businessId", "B1")];
    call(address, "refund", &pairs).await
}

async fn query(address: SocketAddr, number: &str) -> Value {
    call(address, "query", &[("orderId", number)]).await.json()
}

#[tokio::test]
async fn settings_change_what_they_name_and_nothing_else() {
    let (_, address) = start().await;
    let settings = "POST /sandbox/settings";
    done(address, settings, json!({"refuse_with": "E22", "keep_refused": true})).await;
    done(address, settings, json!({"lag_ms": 0, "echo_originals": "other"})).await;
    assert_eq!(refund(address, "R1").await.json()["code"], "E22");
    assert_eq!(query(address, "R1").await["data"]["state"], "5");
    let set = &books(address).await["settings"];
    assert_eq!((&set["refuse_with"], &set["echo_originals"]), (&json!("E22"), &json!("other")));
    refused(address, settings, json!({"refunds_queriable": true})).await;
    refused(address, settings, json!({"course": {"seconds": "9"}})).await;
}

#[tokio::test]
async fn payments_are_entered_and_changed() {
    let (_, address) = start().await;
    let orders = "POST /sandbox/orders";
    let payment = json!({"order_id": "P1", "amount": 7, "platform_id": "", "app_id": "sandbox"});
    done(address, orders, payment).await;
    refused(address, orders, json!({"order_id": "P1"})).await;
    refused(address, orders, json!({"amount": 7})).await;
    done(address, "PATCH /sandbox/orders", json!({"order_id": "P1-MIS", "state": "4"})).await;
    refused(address, "PATCH /sandbox/orders", json!({"order_id": "P2", "state": "4"})).await;
    let data = &query(address, "P1").await["data"];
    let shown = ["amount", "platformId", "misId", "state"].map(|name| data[name].clone());
    assert_eq!(shown, ["7", "", "P1-MIS", "4"].map(Value::from));
}

#[tokio::test]
async fn money_moves_without_a_call() {
    let (_, address) = start().await;
    let past = json!({"order_id": "R0", "original": "DEMO-1", "amount": 10});
    done(address, "POST /sandbox/refunds", past).await;
    refused(address, "POST /sandbox/refunds", json!({"order_id": "R0"})).await;
    let device = json!({"order_id": "DEMO-1", "amount": 20});
    done(address, "POST /sandbox/device-refunds", device).await;
    refused(address, "POST /sandbox/device-refunds", json!({"order_id": "no", "amount": 1})).await;
    assert_eq!(refund(address, "R1").await.json()["code"], "1");
    assert_eq!(query(address, "DEMO-1").await["data"]["refunded"], "130");
    done(address, "POST /sandbox/returns", json!({"order_id": "R1"})).await;
    done(address, "POST /sandbox/returns", json!({"order_id": "R0", "keeps_state": true})).await;
    refused(address, "POST /sandbox/returns", json!({"order_id": "R1"})).await;
    assert_eq!(query(address, "DEMO-1").await["data"]["refunded"], "20");
    let states = [query(address, "R0").await, query(address, "R1").await];
    assert_eq!(states.map(|it| it["data"]["state"].clone()), ["3", "5"]);
    let books = books(address).await;
    assert_eq!(books["device_refunds"][0]["amount"], 20);
    let [only] = books["executions"].as_array().unwrap().as_slice() else { panic!("{books}") };
    assert_eq!((&only["order_id"], &only["amount"]), (&json!("R1"), &json!(100)));
    assert_eq!(only["payment_names"]["mis_id"], "DEMO-1-MIS");
    assert!(only["returned_at_ms"].as_i64() >= only["at_ms"].as_i64());
}

#[tokio::test]
async fn the_books_count_calls_that_they_no_longer_remember() {
    let (sandbox, address) = start().await;
    sandbox.state().total_calls = 123_456;
    query(address, "DEMO-1").await;
    let books = books(address).await;
    assert_eq!(books["total_calls"], 123_457);
    assert_eq!(books["calls"][0]["serial"], 123_457);
    assert_eq!(books["calls"][0]["form"]["orderId"], "DEMO-1");
}

#[tokio::test]
async fn faults_are_for_their_order_and_can_be_forgotten() {
    let (_, address) = start().await;
    let script = json!([
        {"order_id": "R2", "times": 2, "answer": {"code": "S03"}},
        {"with": {"refuse_with": "T04", "keep_refused": true}, "endpoint": "refund",
         "order_id": "R3", "answer": "normal"},
    ]);
    done(address, "POST /sandbox/faults", script).await;
    let mut codes = Vec::new();
    for number in ["R1", "R2", "R3", "R3"] {
        codes.push(refund(address, number).await.json()["code"].clone());
    }
    assert_eq!(codes, ["1", "S03", "T04", "1"]);
    assert_eq!(books(address).await["faults"][0]["times"], 1);
    done(address, "DELETE /sandbox/faults", Value::Null).await;
    assert_eq!(refund(address, "R2").await.json()["code"], "1");
    refused(address, "POST /sandbox/faults", json!({"answer": "odd"})).await;
}

#[tokio::test]
async fn a_repeated_call_is_executed_as_often_and_answered_as_asked() {
    let (sandbox, address) = start().await;
    let all = json!({"amount": 150, "order_id": "DEMO-1"});
    done(address, "PATCH /sandbox/orders", all).await;
    for (answer_of, delay, number, code) in
        [("first", 0, "R1", "1"), ("last", 1, "R2", "E22"), ("last", 0, "R3", "E22")]
    {
        let fault = json!({
            "execute": true, "repeats": 2, "repeat_delay_ms": delay, "answer_of": answer_of,
            "with": {"keep_refused": true}, "answer": "normal",
        });
        done(address, "POST /sandbox/faults", fault).await;
        assert_eq!(refund(address, number).await.json()["code"], code, "{number}");
        let orders = sandbox.with_book(|book| book.orders().to_vec());
        assert_eq!(orders.iter().filter(|it| it.order_id == number).count(), 3, "{number}");
    }
    assert_eq!(sandbox.with_book(|book| book.executions().len()), 1);
    assert_eq!(sandbox.total_calls(), 3);
}

#[tokio::test]
async fn an_executed_refund_is_answered_by_whatever_is_in_between() {
    let (sandbox, address) = start().await;
    let http = |fields: Value| json!({"http": fields});
    let table = [
        (json!({"code": "E22"}), "200"),
        (http(json!({"status": 403, "body": "denied", "retry_after": "7"})), "403"),
        (http(json!({"status": 413, "reply": true})), "413"),
        (http(json!({"status": 400, "body": "{\"code\": 1}", "cut": true})), "400"),
        (http(json!({"status": 400, "cut": true})), "400"),
        (http(json!({"status": 400, "body": "hi", "gzip": true})), "400"),
        (http(json!({"status": 400, "body_hex": "1f8b00ff"})), "400"),
    ];
    let mut answers = Vec::new();
    for (at, (answer, status)) in table.into_iter().enumerate() {
        let fault = json!({"execute": true, "answer": answer});
        done(address, "POST /sandbox/faults", fault).await;
        let answered = refund(address, "R1").await;
        assert_eq!(answered.status(), status, "{answer}");
        assert_eq!(sandbox.with_book(|book| book.executions().len()), at + 1, "{answer}");
        answers.push(answered);
    }
    let [code, denied, replied, cut, nothing, packed, hex] = &answers[..] else { panic!() };
    assert_eq!((&code.json()["code"], &code.json()["data"]), (&json!("E22"), &Value::Null));
    assert!(denied.body == b"denied" && denied.head.contains("retry-after: 7"));
    assert_eq!(replied.json()["data"]["state"], "3");
    assert!(cut.body == b"{\"cod" && cut.head.contains("content-length: 11"), "{}", cut.head);
    assert!(nothing.body.is_empty() && nothing.head.contains("content-length: 1"));
    assert_eq!(packed.body, super::gzip::gzip(b"hi"));
    assert!(packed.head.contains("content-encoding: gzip"), "{}", packed.head);
    assert_eq!(hex.body, [0x1f, 0x8b, 0, 0xff]);
}

#[tokio::test]
async fn a_late_call_is_executed_though_its_caller_hung_up_if_so_asked() {
    let (sandbox, address) = start().await;
    for (number, outlives_caller) in [("R1", false), ("R2", true)] {
        let fault = json!({
            "delay_ms": 200, "outlives_caller": outlives_caller, "answer": "normal",
        });
        done(address, "POST /sandbox/faults", fault).await;
        // It hangs up as soon as it is heard, which is sooner than the delay is over.
        let heard = sandbox.total_calls() + 1;
        tokio::select! {
            _ = refund(address, number) => panic!("{number} was answered"),
            () = until(|| sandbox.total_calls() == heard) => {}
        }
    }
    let executed = || sandbox.with_book(|book| book.executions().to_vec());
    until(|| !executed().is_empty()).await;
    // R1's time came before R2's.
    assert_eq!(executed()[0].order_id, "R2");
}
