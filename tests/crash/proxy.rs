//! A proxy in front of PostgreSQL, to lose the server, or one answer of it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use url::Url;

/// How PostgreSQL says that it has carried out a statement, and waits for the next.
const READY: &[u8] = &[b'Z', 0, 0, 0, 5, b'I'];

/// The proxy, shared with its connections.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    server: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    stopped: bool,
    /// Ends the connections there are.
    end: CancellationToken,
    /// The answer to a statement with this value in it is lost.
    loses: Option<String>,
}

impl Proxy {
    /// In front of the server of this URL.
    pub(crate) async fn of(url: &Url) -> Self {
        let server = (url.host_str().unwrap(), url.port().unwrap_or(5432));
        let server = tokio::net::lookup_host(server).await.unwrap().next().unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = Self { address, server, state: Arc::default() };
        let accepting = proxy.clone();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(accepting.clone().connection(client));
            }
        });
        proxy
    }

    /// The URL by way of the proxy.
    pub(crate) fn url(&self, url: &Url) -> String {
        let mut url = url.clone();
        url.set_host(Some(&self.address.ip().to_string())).unwrap();
        url.set_port(Some(self.address.port())).unwrap();
        url.to_string()
    }

    /// The server goes: every connection breaks, and none is made.
    pub(crate) fn stop(&self) {
        let mut state = self.state.lock().unwrap();
        state.stopped = true;
        std::mem::take(&mut state.end).cancel();
    }

    /// It comes back.
    pub(crate) fn start(&self) {
        self.state.lock().unwrap().stopped = false;
    }

    /// The next statement with this value in it is carried out, but its answer is lost, and
    /// the server with it.
    pub(crate) fn lose_the_answer_to(&self, value: &str) {
        self.state.lock().unwrap().loses = Some(value.to_owned());
    }

    async fn connection(self, client: TcpStream) {
        let end = {
            let state = self.state.lock().unwrap();
            if state.stopped {
                return;
            }
            state.end.clone()
        };
        // An error is one side's end of the connection, and so the other's.
        end.run_until_cancelled(async {
            let server = TcpStream::connect(self.server).await.unwrap();
            let _ = self.pass(client, server).await;
        })
        .await;
    }

    async fn pass(&self, mut client: TcpStream, mut server: TcpStream) -> std::io::Result<()> {
        let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        let mut lost = false;
        loop {
            tokio::select! {
                count = client.read(&mut asked) => {
                    let asked = &asked[..count?];
                    if asked.is_empty() {
                        return Ok(());
                    }
                    lost = lost || self.loses(asked);
                    server.write_all(asked).await?;
                }
                count = server.read(&mut answered) => {
                    let answered = &answered[..count?];
                    if answered.is_empty() {
                        return Ok(());
                    }
                    if !lost {
                        client.write_all(answered).await?;
                    } else if answered.ends_with(READY) {
                        self.stop();
                        return Ok(());
                    }
                }
            }
        }
    }

    fn loses(&self, asked: &[u8]) -> bool {
        let mut state = self.state.lock().unwrap();
        let hit = state.loses.as_ref().is_some_and(|value| {
            asked.windows(value.len()).any(|window| window == value.as_bytes())
        });
        if hit {
            state.loses = None;
        }
        hit
    }
}
