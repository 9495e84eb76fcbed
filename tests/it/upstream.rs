//! Sunmi as a script: what it answers, byte for byte, and what it was asked.
//!
//! The looks that the server makes before it sends a refund are kept apart: they find nothing
//! unless a test says otherwise, use up nothing that is scripted, and are not among the requests
//! that tests count. [`Upstream::everything`] has them, too.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

use crate::calls::{self, QUERYING};
use crate::form::{self, Form};
use crate::server::GUARD;

pub(crate) const QUERY: &str = "/v1/trade/query";
pub(crate) const REFUND: &str = "/v1/trade/refund";
pub(crate) const SWIPE_QUERY: &str = "/v1/trade/swipeQuery";

/// What is done with a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// These bytes. The connection stays open.
    Bytes(Vec<u8>),
    /// These bytes, and an orderly close.
    BytesThenClose(Vec<u8>),
    /// These bytes, and a reset.
    BytesThenReset(Vec<u8>),
    /// These bytes one by one, with this pause before each.
    Slowly(Vec<u8>, Duration),
    /// Nothing, until the caller goes.
    Silence,
    /// These bytes, but only when the test says so.
    Held(Arc<Mutex<Option<oneshot::Receiver<()>>>>, Vec<u8>),
}

/// A request that was seen.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Which connection it came on, in the order in which they were made.
    pub(crate) connection: usize,
    /// Method and path, as in `POST /v1/trade/query`.
    pub(crate) line: String,
    pub(crate) path: String,
    /// By their names in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) form: Form,
}

/// An upstream on a port of its own. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    count: Arc<watch::Sender<usize>>,
}

#[derive(Default)]
struct State {
    once: HashMap<&'static str, VecDeque<Answer>>,
    /// To queries by this number.
    found: HashMap<String, Answer>,
    /// To looks by this number before a refund is sent under it.
    found_before: HashMap<String, Answer>,
    always: HashMap<&'static str, Answer>,
    seen: Vec<Seen>,
    /// The same, and the looks before refunds, in the order in which they came.
    everything: Vec<Seen>,
    /// The numbers of all refunds so far.
    refunds: HashSet<String>,
}

/// A reply with this status line, these headers and this body.
pub(crate) fn reply(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// A reply with status 200 and this JSON.
pub(crate) fn answer_json(body: &str) -> Answer {
    let json = [("content-type", "application/json;charset=UTF-8")];
    Answer::Bytes(reply("200 OK", &json, body.as_bytes()))
}

/// An answer that waits for a word: what holds it, and what lets it go.
pub(crate) fn held(answer: &Answer) -> (Answer, oneshot::Sender<()>) {
    let (release, released) = oneshot::channel();
    let Answer::Bytes(bytes) = answer else { panic!("only plain bytes can be held") };
    (Answer::Held(Arc::new(Mutex::new(Some(released))), bytes.clone()), release)
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn start_on(listener: TcpListener) -> Self {
        let upstream = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::default(),
            count: Arc::new(watch::Sender::new(0)),
        };
        let served = upstream.clone();
        tokio::spawn(async move {
            let mut connections = 0;
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(served.clone().connection(stream, connections));
                connections += 1;
            }
        });
        upstream
    }

    /// Answers the next request to this path so, after those already scripted.
    pub(crate) fn next(&self, path: &'static str, answer: Answer) -> &Self {
        self.state.lock().unwrap().once.entry(path).or_default().push_back(answer);
        self
    }

    /// Answers so whatever nothing else is scripted for.
    pub(crate) fn always(&self, path: &'static str, answer: Answer) -> &Self {
        self.state.lock().unwrap().always.insert(path, answer);
        self
    }

    /// Answers so when this order is asked for, if nothing is scripted once.
    pub(crate) fn finds(&self, number: &str, answer: Answer) -> &Self {
        self.state.lock().unwrap().found.insert(number.to_owned(), answer);
        self
    }

    /// Takes looks for this number for those at a refund that was sent, though none was sent here.
    #[allow(
        dead_code,
        reason = "only tests of the ledger's service begin with a refund that was sent"
    )]
    pub(crate) fn had(&self, number: &str) -> &Self {
        self.state.lock().unwrap().refunds.insert(number.to_owned());
        self
    }

    /// Answers so when this number is looked for before a refund is sent under it.
    pub(crate) fn finds_before(&self, number: &str, answer: Answer) -> &Self {
        self.state.lock().unwrap().found_before.insert(number.to_owned(), answer);
        self
    }

    /// Every request so far, looks before refunds and all, in order. Not forgotten by others.
    pub(crate) fn everything(&self) -> Vec<Seen> {
        self.state.lock().unwrap().everything.clone()
    }

    /// Every request so far, in order, but for looks before refunds.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    /// The requests so far, by their paths, and forgets them.
    pub(crate) fn take_paths(&self) -> Vec<String> {
        let seen = std::mem::take(&mut self.state.lock().unwrap().seen);
        seen.into_iter().map(|seen| seen.path).collect()
    }

    /// What was sent and looked for of the refund with this number, by the paths, and forgets
    /// all requests so far. The others can only be looks for refunds that were sent earlier.
    pub(crate) fn take_of(&self, number: &str) -> Vec<String> {
        let mut state = self.state.lock().unwrap();
        let (of, others): (Vec<_>, Vec<_>) = std::mem::take(&mut state.seen)
            .into_iter()
            .partition(|seen| seen.form.get("orderId").is_some_and(|it| it == number));
        for other in others {
            assert!(other.path == QUERY && state.refunds.contains(&other.form["orderId"]));
        }
        of.into_iter().map(|seen| seen.path).collect()
    }

    /// How often any refund was sent, by all requests so far.
    pub(crate) fn sends(&self) -> usize {
        self.seen().iter().filter(|seen| seen.path == REFUND).count()
    }

    /// The refund with this number was sent so often, and after that only looked for.
    /// Forgets all requests so far.
    pub(crate) fn assert_sent(&self, number: &str, times: usize, name: &str) {
        let paths = self.take_of(number);
        assert!(paths.len() >= times, "{name}: {paths:?}");
        let (sends, looks) = paths.split_at(times);
        assert!(sends.iter().all(|path| path == REFUND), "{name}: {paths:?}");
        assert!(looks.iter().all(|path| path == QUERY), "{name}: {paths:?}");
    }

    /// The only request so far.
    pub(crate) fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.into_iter().next().unwrap()
    }

    /// Waits until so many requests have been seen since the start.
    pub(crate) async fn has_seen(&self, count: usize) {
        let mut counted = self.count.subscribe();
        let wait = counted.wait_for(|seen| *seen >= count);
        tokio::time::timeout(GUARD, wait).await.expect("a request in time").unwrap();
    }

    async fn connection(self, mut stream: TcpStream, connection: usize) {
        while let Some(seen) = read_request(&mut stream).await {
            let answer = self.enter(Seen { connection, ..seen });
            if !perform(&mut stream, answer).await {
                return;
            }
        }
    }

    /// Notes a request, and says what to do with it.
    fn enter(&self, seen: Seen) -> Answer {
        let mut state = self.state.lock().unwrap();
        state.everything.push(seen.clone());
        if let Some(number) = state.looked_for_before(&seen) {
            return state.before(number);
        }
        if seen.path == REFUND {
            state.refunds.insert(seen.form["orderId"].clone());
        }
        let once = state.once.get_mut(seen.path.as_str()).and_then(VecDeque::pop_front);
        let number = seen.form.get("orderId").filter(|_| seen.path == QUERY);
        let found = number.and_then(|number| state.found.get(number));
        let other = found.or_else(|| state.always.get(seen.path.as_str())).cloned();
        let answer = once.or(other);
        state.seen.push(seen);
        self.count.send_modify(|count| *count += 1);
        answer.unwrap_or_else(|| {
            Answer::Bytes(reply("418 I'm a teapot", &[], b"the test scripted no answer to this"))
        })
    }
}

impl State {
    /// The number that is looked for, if this is a look at a refund that was not sent, or at a
    /// payment. Queries of the tests' own are known by their device.
    fn looked_for_before<'a>(&self, seen: &'a Seen) -> Option<&'a String> {
        let own = seen.form.get("msn").is_some_and(|msn| msn == QUERYING);
        let number = ["misId", "orderId", "platformId"].iter().find_map(|it| seen.form.get(*it));
        number.filter(|number| seen.path == QUERY && !own && !self.refunds.contains(*number))
    }

    fn before(&self, number: &str) -> Answer {
        let payment = self.found.get(number).filter(|_| number.starts_with('P'));
        let found = self.found_before.get(number).or(payment);
        found.cloned().unwrap_or_else(calls::not_found)
    }
}

/// Acts on a connection and says whether it goes on.
async fn perform(stream: &mut TcpStream, answer: Answer) -> bool {
    match answer {
        Answer::Bytes(bytes) => stream.write_all(&bytes).await.is_ok(),
        Answer::BytesThenClose(bytes) => {
            let _ = stream.write_all(&bytes).await;
            false
        }
        Answer::BytesThenReset(bytes) => {
            let _ = stream.write_all(&bytes).await;
            socket2::SockRef::from(&*stream).set_linger(Some(Duration::ZERO)).unwrap();
            false
        }
        Answer::Slowly(bytes, pause) => {
            for byte in bytes {
                tokio::time::sleep(pause).await;
                if stream.write_all(&[byte]).await.is_err() {
                    return false;
                }
            }
            true
        }
        Answer::Silence => {
            let _ = stream.read(&mut [0]).await;
            false
        }
        Answer::Held(released, bytes) => {
            let released = released.lock().unwrap().take();
            let Some(released) = released else { return false };
            released.await.is_ok() && stream.write_all(&bytes).await.is_ok()
        }
    }
}

/// The next request of a connection, all of it, or `None` at its end.
async fn read_request(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).expect("a head in UTF-8");
    let mut lines = head.split("\r\n");
    let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let headers: HashMap<String, String> = lines
        .map(|line| line.split_once(':').expect("a header"))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers["content-length"].parse().expect("a length");
    let mut body = bytes.split_off(head_end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    assert_eq!(body.len(), length, "no pipelining");
    let path = line.split_once(' ').expect("method and path").1.to_owned();
    Some(Seen { connection: 0, line, path, headers, form: form::parse(&body) })
}
