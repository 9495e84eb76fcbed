//! The program as a child process, with all that it prints.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use sunmi_trade::api::pb::trade_service_client::TradeServiceClient;
use tokio::time::Instant;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::scratch::Scratch;
use crate::sunmi::Sunmi;

/// What is waited for comes within this time, on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A setting or another variable of the environment.
pub(crate) type Env<'a> = (&'a str, &'a str);

/// A server, killed with this value.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    files: Scratch,
    pub(crate) grpc: SocketAddr,
    admin: SocketAddr,
}

impl Server {
    /// One that calls this Sunmi and serves when this returns.
    pub(crate) async fn start(sunmi: &Sunmi, file: &str, env: &[Env<'_>]) -> Self {
        let files = Scratch::new();
        let config = files.path().join("config.toml");
        std::fs::write(&config, file).unwrap();
        let output = |name: &str| File::create(files.path().join(name)).unwrap();
        let child = serve(&config, sunmi.address)
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(output("stdout"))
            .stderr(output("stderr"))
            .spawn()
            .unwrap();
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut server = Self { child, files, grpc: nowhere, admin: nowhere };
        let give_up = Instant::now() + PATIENCE;
        loop {
            if let Some((grpc, admin)) = server.log().lines().find_map(serving) {
                (server.grpc, server.admin) = (grpc, admin);
                return server;
            }
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < give_up, "{ended:?}:\n{}", server.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A client with a connection of its own.
    pub(crate) async fn client(&self) -> TradeServiceClient<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.grpc)).unwrap();
        TradeServiceClient::new(endpoint.connect().await.unwrap())
    }

    /// The same over TLS, by which this certificate is trusted.
    pub(crate) async fn client_over_tls(&self, certificate: &str) -> TradeServiceClient<Channel> {
        TradeServiceClient::new(self.trusting(certificate).connect().await.unwrap())
    }

    /// Sees that one that trusts this certificate does not take the server for what it says.
    pub(crate) async fn refuses(&self, certificate: &str) {
        self.trusting(certificate).connect().await.expect_err("no trust");
    }

    fn trusting(&self, certificate: &str) -> Endpoint {
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(certificate))
            .domain_name("localhost");
        let endpoint = Endpoint::from_shared(format!("https://{}", self.grpc)).unwrap();
        endpoint.tls_config(tls).unwrap()
    }

    /// Replaces its configuration file.
    pub(crate) fn configure(&self, file: &str) {
        let new = self.files.path().join("new");
        std::fs::write(&new, file).unwrap();
        std::fs::rename(new, self.files.path().join("config.toml")).unwrap();
    }

    /// Waits until so many lines of its log have this in them, and gives them.
    pub(crate) async fn logs(&self, text: &str, times: usize) -> Vec<String> {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let log = self.log();
            let lines: Vec<_> = log.lines().filter(|it| it.contains(text)).collect();
            if lines.len() >= times {
                return lines.into_iter().map(str::to_owned).collect();
            }
            assert!(Instant::now() < give_up, "never {times} times {text}:\n{log}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What it has printed on this stream.
    fn printed(&self, name: &str) -> String {
        let bytes = std::fs::read(self.files.path().join(name)).unwrap();
        String::from_utf8(bytes).expect("UTF-8")
    }

    /// Its log.
    pub(crate) fn log(&self) -> String {
        self.printed("stderr")
    }

    /// All that it has printed.
    pub(crate) fn output(&self) -> String {
        self.printed("stdout") + &self.log()
    }

    /// What its admin port answers, head and body.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.admin).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The most memory that it ever had, in KiB; `None` where the system does not say.
    pub(crate) fn peak(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    }

    /// Asks it to stop, and waits until it has ended.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        let sent = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &pid]).status().unwrap();
        assert!(sent.success());
        let give_up = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < give_up, "it never ended:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The line of the one call that it has served, of a log in JSON. After its end.
    pub(crate) fn line(&self) -> Value {
        let log = self.log();
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
        let mut calls = lines.filter(|line| line["message"] == "call");
        let call = calls.next().expect("a line of a call");
        assert_eq!(calls.next(), None);
        call
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

/// Where it serves, of the line that says so.
fn serving(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    if let Ok(line) = serde_json::from_str::<Value>(line) {
        let address = |name| line[name].as_str()?.parse().ok();
        return (line["message"] == "serving")
            .then(|| Some((address("address")?, address("admin")?)))?;
    }
    let (_, fields) = line.split_once("serving address=")?;
    let (grpc, admin) = fields.split_once(" admin=")?;
    Some((grpc.parse().ok()?, admin.parse().ok()?))
}

/// `serve` with this file, on ports of its own, quick to retry and to stop.
fn serve(config: &Path, sunmi: SocketAddr) -> Command {
    let mut command = program();
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--config"])
        .arg(config)
        .args(["--upstream-base-url", &format!("http://{sunmi}")])
        .env("SUNMI_TRADE__RETRY__BASE_DELAY", "1ms")
        .env("SUNMI_TRADE__SHUTDOWN__DELAY", "0s");
    command
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sunmi-trade"));
    command.env_clear().env("NO_COLOR", "1");
    command
}

/// Runs the program with this file to its end.
pub(crate) fn run(args: &[&str], config: Option<&PathBuf>, env: &[Env<'_>]) -> Output {
    let mut command = program();
    command.args(args);
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    command.envs(env.iter().copied()).stdin(Stdio::null()).output().unwrap()
}
