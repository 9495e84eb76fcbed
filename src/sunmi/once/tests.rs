use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::*;
use crate::retry::Policy;
use crate::sandbox::credential;
use crate::sunmi::{ClientConfig, Credential, Credentials, KeyRing, WireConfig};
use crate::trade::{Identifier, OrderRef, Refund, RefundTrade};

mod scripted;

use scripted::{Fate, Scripted};

const SECOND: Duration = Duration::from_secs(1);

/// A client with two keys and three attempts.
fn client(wire: &Scripted) -> Client {
    let (config, credentials) = client_of("http://sunmi.invalid");
    Client::over(Box::new(wire.clone()), &config, credentials)
}

/// What such a client of this address is made of.
fn client_of(base_url: &str) -> (ClientConfig, Credentials) {
    let config = ClientConfig {
        wire: WireConfig {
            base_url: base_url.parse().unwrap(),
            connect_timeout: SECOND * 30,
            attempt_timeout: SECOND * 30,
            proxy: None,
        },
        retry: Policy { max_attempts: 3, base: Duration::ZERO, cap: Duration::ZERO },
        max_in_flight: 1,
    };
    let keys = Arc::new(KeyRing::parse(b"old\nnew").unwrap());
    (config, Credentials::new(vec![Credential { keys, ..credential() }], None))
}

fn a_refund() -> Refund {
    let id = |text: &str| Identifier::parse(text.to_owned()).unwrap();
    Refund {
        app_id: credential().app_id,
        msn: id("M1"),
        amount: 1,
        original: OrderRef::OrderId(id("P1")),
        order_id: id("R1"),
        business_id: id("B1"),
        app_id_named: true,
        acknowledged: Box::default(),
        caller: None,
        day_bound: None,
        note: crate::trade::Note::default(),
    }
}

/// A clock that goes as Tokio's, and on top of it as much as the machine slept.
fn clock(slept: Arc<Mutex<Duration>>) -> BootClock {
    let start = Instant::now();
    BootClock::given(Arc::new(move || start.elapsed() + *slept.lock().unwrap()))
}

async fn refund(
    client: &Client,
    connection: Option<Connection>,
    (permitted, deadline): (Duration, Duration),
) -> Result<Answered<RefundTrade>, Error> {
    let clock = clock(Arc::default());
    let permit = Permit::of_claim(1, clock.now().after(permitted));
    let within = (&clock, Deadline::after(deadline));
    client.refund(permit, &a_refund(), connection, within).await
}

/// What was told, and whether that is by a fault that means that surely nothing was sent.
fn told<T>(answer: Result<Answered<T>, Error>) -> (Option<Fault>, Option<u32>) {
    match answer {
        Ok(answered) => (None, Some(answered.attempts)),
        Err(error) => (Some(error.fault()), error.context().attempts),
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_is_answered_a_refund_is_sent_once() {
    let table = [
        (Fate::Says("1"), None),
        (Fate::Says("R03"), Some(Fault::TooManyRequests)),
        (Fate::Says("E05"), Some(Fault::SignatureRejected)),
        (Fate::Says("S03"), Some(Fault::SystemError)),
        (Fate::Breaks, Some(Fault::UpstreamInterrupted)),
        (Fate::Silent, Some(Fault::UpstreamInterrupted)),
    ];
    for (fate, fault) in table {
        let wire = Scripted::new([fate]);
        let answer = refund(&client(&wire), None, (SECOND * 2, SECOND)).await;
        assert_eq!(told(answer), (fault, Some(1)), "{fate:?}");
        assert_eq!(wire.notes(), ["connect", "post"], "{fate:?}");
    }
}

/// So that it comes right even where no read goes before a refund.
#[tokio::test(start_paused = true)]
async fn a_key_that_a_refund_was_rejected_for_gives_way_to_the_other() {
    let wire = Scripted::new([Fate::Says("E05"), Fate::Says("E22"), Fate::Says("E05")]);
    let client = client(&wire);
    let credentials = client.signers.now();
    let keys = credentials.keys(&credential().app_id).unwrap();
    let first = keys.preferred();
    for preferred in [false, false, true] {
        refund(&client, None, (SECOND, SECOND)).await.unwrap_err();
        assert_eq!(keys.preferred().is(&first), preferred);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_tried_again_while_none_can_be_made_and_the_refund_sent_once() {
    let wire = Scripted::new([Fate::Unmade, Fate::Unmade, Fate::Says("1")]);
    let answer = refund(&client(&wire), None, (SECOND, SECOND)).await;
    assert_eq!(told(answer), (None, Some(3)));
    assert_eq!(wire.notes(), ["connect", "connect", "connect", "post"]);

    let wire = Scripted::new([Fate::Unmade; 3]);
    let client = client(&wire);
    let error = client.connect(Deadline::after(SECOND)).await.unwrap_err();
    assert_eq!((error.fault(), error.context().attempts), (Fault::UpstreamUnreachable, Some(3)));
    assert_eq!(wire.notes(), ["connect"; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_not_made_in_time_is_given_up() {
    let wire = Scripted::new([Fate::MadeAfter(SECOND * 2)]);
    let error = client(&wire).connect(Deadline::after(SECOND)).await.unwrap_err();
    assert_eq!((error.fault(), error.context().attempts), (Fault::DeadlineExceeded, Some(1)));
    let error = client(&wire).connect(Deadline::after(Duration::ZERO)).await.unwrap_err();
    assert_eq!((error.fault(), error.context().attempts), (Fault::DeadlineExceeded, Some(0)));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_closed_while_it_waited_is_made_anew() {
    for closed in [Fate::Closed, Fate::FoundClosed] {
        let wire = Scripted::new([closed, Fate::Says("1")]);
        let client = client(&wire);
        let kept = client.connect(Deadline::after(SECOND)).await.unwrap();
        let answer = refund(&client, Some(kept), (SECOND, SECOND)).await;
        assert_eq!(told(answer).0, None);
        assert_eq!(wire.notes(), ["connect", "connect", "post"], "{closed:?}");
    }
    let wire = Scripted::new([Fate::FoundClosed; 3]);
    let answer = refund(&client(&wire), None, (SECOND, SECOND)).await;
    assert_eq!(told(answer), (Some(Fault::UpstreamUnreachable), Some(3)));
    assert_eq!(wire.notes(), ["connect"; 3]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_when_the_callers_time_is_over() {
    let wire = Scripted::new([Fate::MadeAfter(SECOND)]);
    let client = client(&wire);
    let kept = client.connect(Deadline::after(SECOND * 2)).await.unwrap();
    let answer = refund(&client, Some(kept), (SECOND, Duration::ZERO)).await;
    assert_eq!(told(answer), (Some(Fault::DeadlineExceeded), Some(0)));
    assert_eq!(wire.notes(), ["connect"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_when_the_machine_slept_over_the_permits_time() {
    let wire = Scripted::new([Fate::Says("1"), Fate::MadeAfter(SECOND)]);
    let client = client(&wire);
    let slept = Arc::<Mutex<Duration>>::default();
    let clock = clock(Arc::clone(&slept));

    // With a connection that is ready.
    let kept = client.connect(Deadline::after(SECOND)).await.unwrap();
    let permit = Permit::of_claim(1, clock.now().after(SECOND * 5));
    *slept.lock().unwrap() = SECOND * 5;
    let within = (&clock, Deadline::after(SECOND * 9));
    let answer = client.refund(permit, &a_refund(), Some(kept), within).await;
    assert_eq!(told(answer), (Some(Fault::DeadlineExceeded), Some(0)));

    // While one is made.
    let permit = Permit::of_claim(1, clock.now().after(SECOND * 5));
    let order = a_refund();
    let sending = client.refund(permit, &order, None, within);
    let sleeping = async {
        tokio::time::sleep(SECOND / 2).await;
        *slept.lock().unwrap() += SECOND * 5;
    };
    let (answer, ()) = tokio::join!(sending, sleeping);
    assert_eq!(told(answer), (Some(Fault::DeadlineExceeded), Some(0)));
    assert_eq!(wire.notes(), ["connect"; 2]);
}

/// Its answer may come after the caller has gone, but not after the claim's time.
#[tokio::test(start_paused = true)]
async fn an_answer_is_waited_for_as_long_as_the_permit_goes() {
    let wire = Scripted::new([Fate::Silent]);
    let begun = Instant::now();
    let answer = refund(&client(&wire), None, (SECOND * 3, SECOND)).await;
    assert_eq!(told(answer), (Some(Fault::UpstreamInterrupted), Some(1)));
    assert_eq!(begun.elapsed().as_secs(), 3);
}

/// Answers on this connection until its end, and gives all that was sent on it.
async fn serve(mut stream: TcpStream) -> String {
    let mut sent = Vec::new();
    while stream.read_buf(&mut sent).await.unwrap() > 0 {
        let said = String::from_utf8_lossy(&sent).contains("sign=");
        if said {
            let reply = "HTTP/1.1 200 OK\r\ncontent-length: 33\r\n\r\n\
                         {\"code\":\"1\",\"data\":{\"state\":\"3\"}}";
            stream.write_all(reply.as_bytes()).await.unwrap();
        }
    }
    String::from_utf8(sent).unwrap()
}

/// On sockets: not a byte is sent on the first, one request on the second, which is closed
/// once that is answered.
#[tokio::test]
async fn a_socket_that_was_closed_while_it_waited_is_made_anew_and_sees_one_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (config, credentials) = client_of(&format!("http://{}", listener.local_addr().unwrap()));
    let client = Client::new(&config, credentials).unwrap();
    let mut kept = client.connect(Deadline::after(SECOND * 30)).await.unwrap();
    drop(listener.accept().await.unwrap());
    let closed = async {
        while kept.0.is_open() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SECOND * 30, closed).await.expect("a close that is seen");
    let served = async { serve(listener.accept().await.unwrap().0).await };
    let within = (SECOND * 30, SECOND * 30);
    let (answer, sent) = tokio::join!(refund(&client, Some(kept), within), served);
    assert_eq!(told(answer), (None, Some(1)));
    assert_eq!(sent.matches("POST /v1/trade/refund").count(), 1, "{sent}");
}
