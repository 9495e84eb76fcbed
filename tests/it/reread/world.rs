//! A server and its configuration file, which changes.

use std::fs;
use std::path::PathBuf;

use sunmi_trade::api::pb::refund_ledger_service_client::RefundLedgerServiceClient;
use sunmi_trade::api::pb::trade_service_client::TradeServiceClient;
use sunmi_trade::config::Sources;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::measures::{measure, until};
use crate::scratch::Scratch;
use crate::server::{Server, settings, with};
use crate::upstream::Upstream;

pub(crate) const LOADED: &str = r#"sunmi_reload_total{kind="configuration",result="ok"}"#;
pub(crate) const REFUSED: &str = r#"sunmi_reload_total{kind="configuration",result="error"}"#;
pub(crate) const STALE: &str = r#"sunmi_reload_stale{kind="configuration"}"#;

/// A folder with a configuration file and the files that it names.
pub(crate) struct Files(Scratch);

impl Files {
    pub(crate) fn new() -> Self {
        Self(Scratch::new())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file as an editor does: what is not complete is never seen.
    pub(crate) fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path("new"), text).unwrap();
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    /// A table of a caller that is known by a token of this name, which may do this.
    pub(crate) fn caller(&self, name: &str, rights: &str) -> String {
        self.caller_with(name, name, rights)
    }

    /// The same of a caller that is known by a token of another name.
    pub(crate) fn caller_with(&self, name: &str, token: &str, rights: &str) -> String {
        self.put(token, token_of(token));
        let file = self.path(token).display().to_string();
        format!("[[callers]]\nname = '{name}'\ntoken_file = '{file}'\n{rights}\n")
    }
}

/// A table of a credential.
pub(crate) fn credential(app_id: &str, key: &str) -> String {
    format!("[[credentials]]\napp_id = '{app_id}'\napp_key = '{key}'\n")
}

pub(crate) fn token_of(name: &str) -> String {
    format!("{name}-token-0123456789")
}

/// A server with its file, at a scripted upstream.
pub(crate) struct World {
    pub(crate) upstream: Upstream,
    pub(crate) server: Server,
    pub(crate) files: Files,
}

/// Settings of which the credentials are none: the file has them.
pub(crate) fn bare(upstream: &Upstream) -> Sources {
    let env = [
        ("SUNMI_TRADE_APP_ID", ""),
        ("SUNMI_TRADE_APP_KEY", ""),
        ("SUNMI_TRADE__RELOAD_INTERVAL", "10ms"),
        ("SUNMI_TRADE__RETRY__MAX_ATTEMPTS", "1"),
    ];
    with(settings(upstream.address), &env)
}

impl World {
    /// A server that was started with this text in its file.
    pub(crate) async fn new(text: impl FnOnce(&Files) -> String) -> Self {
        let (files, upstream) = (Files::new(), Upstream::start().await);
        files.put("config.toml", text(&files));
        let path = files.path("config.toml");
        let server = Server::start_rereading(&path, bare(&upstream), false).await;
        Self { upstream, server, files }
    }

    /// Writes this into the file, and waits until it is in force.
    pub(crate) async fn says(&self, text: impl AsRef<str>) {
        let before = measure(&self.server, LOADED).await;
        self.files.put("config.toml", text.as_ref());
        until(&self.server, LOADED, |count| count == before + 1).await;
        until(&self.server, STALE, |stale| stale == 0).await;
    }

    /// A client whose every call shows the token of this name.
    pub(crate) async fn client(&self, token: &str) -> TradeServiceClient<Authorized> {
        let authorize = Authorize::with(token);
        TradeServiceClient::with_interceptor(self.server.channel().await, authorize)
    }

    /// The same of the ledger's service.
    pub(crate) async fn ledger(&self, token: &str) -> RefundLedgerServiceClient<Authorized> {
        let authorize = Authorize::with(token);
        RefundLedgerServiceClient::with_interceptor(self.server.channel().await, authorize)
    }
}

pub(crate) type Authorized = InterceptedService<Channel, Authorize>;

/// Adds a token to every call.
#[derive(Clone)]
pub(crate) struct Authorize(MetadataValue<Ascii>);

impl Authorize {
    fn with(token: &str) -> Self {
        Self(format!("Bearer {}", token_of(token)).parse().expect("a header"))
    }
}

impl Interceptor for Authorize {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}
