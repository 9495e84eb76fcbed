//! A key that changes while the server runs: files are read again, whatever way they
//! change, and no call fails.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;

use sunmi_trade::api::pb;
use sunmi_trade::api::pb::trade_service_client::TradeServiceClient;
use sunmi_trade::config::{self, Sources};
use sunmi_trade::sandbox::http::Sandbox;
use sunmi_trade::sunmi::{Credential, KeyRing};
use sunmi_trade::trade::Identifier;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::calls;
use crate::measures::{measure, until};
use crate::server::{APP_ID, GUARD, Server, query, settings, settle, with};
use crate::two_keys::signer;
use crate::upstream::{QUERY, Upstream};

const LOADED: &str = r#"sunmi_reload_total{kind="app_key",result="ok"}"#;
const FAILED: &str = r#"sunmi_reload_total{kind="app_key",result="error"}"#;
const STALE: &str = r#"sunmi_reload_stale{kind="app_key"}"#;

/// A folder with a file `key`, removed with this value.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("sunmi-trade-{}", Uuid::new_v4()));
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn key(&self) -> PathBuf {
        self.0.join("key")
    }

    /// As an editor does: what is not complete is never seen.
    fn replace(&self, text: impl AsRef<[u8]>) {
        let other = self.0.join("key.new");
        fs::write(&other, text).unwrap();
        fs::rename(other, self.key()).unwrap();
    }

    /// As Kubernetes mounts and updates a Secret: `key` leads through `..data` to a folder of
    /// this name, and `..data` is replaced.
    fn mount(&self, name: &str, text: &str) {
        fs::create_dir(self.0.join(name)).unwrap();
        fs::write(self.0.join(name).join("key"), text).unwrap();
        symlink(name, self.0.join("..data_tmp")).unwrap();
        fs::rename(self.0.join("..data_tmp"), self.0.join("..data")).unwrap();
    }

    /// Settings for a server that reads its key here.
    fn settings(&self, settings: Sources) -> Sources {
        let file = format!(
            "reload_interval = '10ms'\n[[credentials]]\napp_id = '{APP_ID}'\napp_key_file = '{}'",
            self.key().display()
        );
        let none = [("SUNMI_TRADE_APP_ID", ""), ("SUNMI_TRADE_APP_KEY", "")];
        Sources { file: Some(file), ..with(settings, &none) }
    }
}

/// A server with the key of this folder, at an upstream that does not mind.
async fn start(folder: &Folder) -> (Upstream, Server) {
    let upstream = Upstream::start().await;
    upstream.always(QUERY, calls::paid());
    let server = Server::start(&folder.settings(settings(upstream.address))).await;
    (upstream, server)
}

/// The next call is signed with this key.
async fn assert_signs(upstream: &Upstream, server: &Server, key: &str) {
    query(server, calls::query("O1")).await.unwrap();
    assert_eq!(signer(&upstream.seen().pop().unwrap(), &[key]), key);
}

#[tokio::test]
async fn a_key_file_that_is_written_or_replaced_is_in_force_without_a_restart() {
    let folder = Folder::new();
    fs::write(folder.key(), "first\n").unwrap();
    let (upstream, server) = start(&folder).await;
    assert_eq!(measure(&server, LOADED).await, 0);
    assert_signs(&upstream, &server, "first").await;

    fs::write(folder.key(), "second").unwrap();
    until(&server, LOADED, |count| count == 1).await;
    assert_signs(&upstream, &server, "second").await;

    folder.replace("third");
    until(&server, LOADED, |count| count == 2).await;
    assert_signs(&upstream, &server, "third").await;
    assert_eq!((measure(&server, FAILED).await, measure(&server, STALE).await), (0, 0));
}

#[tokio::test]
async fn a_kubernetes_secret_that_is_updated_is_in_force_without_a_restart() {
    let folder = Folder::new();
    folder.mount("..2026_01_01_00_00_00.1", "first");
    symlink("..data/key", folder.key()).unwrap();
    let (upstream, server) = start(&folder).await;
    assert_signs(&upstream, &server, "first").await;

    folder.mount("..2026_01_02_00_00_00.2", "second");
    fs::remove_dir_all(folder.0.join("..2026_01_01_00_00_00.1")).unwrap();
    until(&server, LOADED, |count| count == 1).await;
    assert_signs(&upstream, &server, "second").await;
    assert_eq!((measure(&server, FAILED).await, measure(&server, STALE).await), (0, 0));
}

#[tokio::test]
async fn a_bad_key_file_leaves_the_key_in_force_and_is_told_until_a_good_one_comes() {
    let folder = Folder::new();
    folder.replace("first");
    let (upstream, server) = start(&folder).await;
    let spoil: [&dyn Fn(); 5] = [
        &|| folder.replace(""),
        &|| folder.replace("one\ntwo\nthree"),
        &|| folder.replace(b"\xFF\xFE"),
        &|| fs::remove_file(folder.key()).unwrap(),
        // Root may read any file, but no folder.
        &|| fs::create_dir(folder.key()).unwrap(),
    ];
    for (spoilt, spoil) in (1..).zip(spoil) {
        spoil();
        until(&server, FAILED, |count| count >= spoilt).await;
        assert_eq!(measure(&server, FAILED).await, spoilt);
        until(&server, STALE, |stale| stale == 1).await;
        assert_signs(&upstream, &server, "first").await;
    }
    assert_eq!(measure(&server, LOADED).await, 0);
    fs::remove_dir(folder.key()).unwrap();
    folder.replace("second");
    until(&server, LOADED, |count| count == 1).await;
    until(&server, STALE, |stale| stale == 0).await;
    assert_signs(&upstream, &server, "second").await;
}

/// What it takes follows the file, too.
#[tokio::test]
async fn the_built_in_sandbox_takes_the_key_that_is_in_force() {
    let folder = Folder::new();
    folder.replace("old\nnew");
    let server = Server::start_with({
        let settings = folder.settings(Sources::default());
        config::load(&settings, true).expect("settings in order")
    })
    .await;
    query(&server, calls::query("DEMO-1")).await.unwrap();
    folder.replace("newer");
    until(&server, LOADED, |count| count == 1).await;
    query(&server, calls::query("DEMO-1")).await.unwrap();
}

/// A sandbox that takes the key in the ring alone.
async fn sandbox(ring: &Arc<KeyRing>) -> (Sandbox, Sources) {
    let app_id = Identifier::parse(APP_ID.to_owned()).unwrap();
    let credential = Credential { app_id, keys: Arc::clone(ring), file: None };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = settings(listener.local_addr().unwrap());
    let sandbox = Sandbox::new([&credential]);
    sandbox.with_book(|book| book.add_payment("P1", 100_000_000, 0));
    tokio::spawn(sandbox.clone().serve(listener));
    (sandbox, settings)
}

/// A refund, repeated by its caller if it was refused because Sunmi took to the other key just
/// when it was sent. A read is what finds that out.
async fn repeated(
    client: &mut TradeServiceClient<Channel>,
    request: pb::RefundRequest,
) -> pb::RefundResponse {
    loop {
        match settle(client.refund(request.clone())).await {
            Ok(refunded) => return refunded,
            Err(failure) => {
                let told = (failure.reason.as_str(), failure.outcome.as_deref());
                assert_eq!(told, ("SIGNATURE_REJECTED", Some("NOT_APPLIED")));
                settle(client.query(calls::query("P1"))).await.expect("a query");
            }
        }
    }
}

/// Callers who read and refund in turn until they are to stop, and how many calls were
/// answered. A caller whose call fails for another reason panics.
async fn callers(server: &Server, done: &watch::Sender<(u64, bool)>) -> JoinSet<u64> {
    let mut callers = JoinSet::new();
    for caller in 0..8 {
        let (mut client, done) = (server.client().await, done.clone());
        callers.spawn(async move {
            let mut refunds = 0;
            while !done.borrow().1 {
                settle(client.query(calls::query("P1"))).await.expect("a query");
                let request = calls::refund(&format!("R-{caller}-{refunds}"));
                let refunded = repeated(&mut client, request).await;
                assert_eq!(refunded.evidence(), pb::RefundEvidence::Reply);
                refunds += 1;
                done.send_modify(|(calls, _)| *calls += 2);
            }
            refunds
        });
    }
    callers
}

/// Waits until so many more calls were answered.
async fn more(done: &watch::Sender<(u64, bool)>) {
    let from = done.borrow().0;
    let mut done = done.subscribe();
    let wait = done.wait_for(|(calls, _)| *calls >= from + 100);
    tokio::time::timeout(GUARD, wait).await.expect("callers who are answered").unwrap();
}

#[tokio::test]
async fn a_key_that_is_rotated_under_load_fails_no_read_and_executes_each_refund_once() {
    let folder = Folder::new();
    folder.replace("old");
    let taken = Arc::new(KeyRing::parse(b"old").unwrap());
    let (sandbox, settings) = sandbox(&taken).await;
    let server = Server::start(&folder.settings(settings)).await;
    let done = watch::Sender::new((0, false));
    let callers = callers(&server, &done).await;
    more(&done).await;
    folder.replace("old\nnew");
    until(&server, LOADED, |count| count == 1).await;
    more(&done).await;
    taken.replace(b"new").unwrap();
    more(&done).await;
    folder.replace("new");
    until(&server, LOADED, |count| count == 2).await;
    more(&done).await;
    done.send_modify(|(_, stop)| *stop = true);
    let refunds: u64 = callers.join_all().await.into_iter().sum();
    let mut executed =
        sandbox.with_book(|book| book.executions().iter().map(|it| it.order_id.clone()).collect());
    let count = Vec::len(&executed);
    executed.sort();
    executed.dedup();
    assert_eq!((count as u64, executed.len()), (refunds, count));
}
