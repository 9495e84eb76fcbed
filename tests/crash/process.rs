//! The program as a child process.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::scratch::Scratch;

/// What is waited for comes within this time, on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Looks again and again until it is so.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < give_up, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The environment of the program.
pub(crate) type Env = Vec<(String, String)>;

/// A server, killed with this value.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
    pub(crate) grpc: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Server {
    /// Starts one that serves when this returns.
    pub(crate) async fn start(env: &Env, logs: &Scratch) -> Self {
        let log = logs.path().join(format!("{}.log", Uuid::new_v4()));
        let child = program(env)
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut server = Self { child, log, grpc: nowhere, admin: nowhere };
        (server.grpc, server.admin) = until("a server that serves", async || {
            let log = server.log();
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none(), "ended at its start with {ended:?}:\n{log}");
            let line = log.lines().find(|line| line.contains("serving address="))?;
            let after = |name: &str| line.split_once(name)?.1.split(' ').next()?.parse().ok();
            Some((after("address=")?, after("admin=")?))
        })
        .await;
        server
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// SIGKILL: nothing is finished, nothing is said. Its log.
    pub(crate) fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.log()
    }

    /// SIGTERM.
    pub(crate) fn ask_to_stop(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        until("the end of the process", async || self.child.try_wait().unwrap()).await
    }

    /// What its admin port answers: the status and the body.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.admin).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// The value of a metric without labels.
    pub(crate) fn metric(&self, name: &str) -> i64 {
        let (status, body) = self.get("/metrics");
        assert_eq!(status, 200, "{body}");
        let value = body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name} in {body}")).parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), self.log());
        }
    }
}

/// Runs the program to its end, which comes soon.
pub(crate) fn run(env: &Env, args: &[&str]) -> Output {
    let mut command = program(env);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let give_up = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > give_up {
            child.kill().unwrap();
            panic!("never ended: {:?}", child.wait_with_output().unwrap());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

fn program(env: &Env) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sunmi-trade"));
    command.env_clear().env("NO_COLOR", "1").envs(env.iter().cloned());
    command
}
