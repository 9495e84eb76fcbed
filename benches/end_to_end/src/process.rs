//! The processes that are measured, and what the kernel knows of them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use crate::BoxError;

/// How long a process may take to serve, or to end: under callgrind all is slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// The core of what is measured. The others share what this process may use.
const CORE: &str = "0";

/// A server that is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind<'a> {
    /// The floor of this program.
    Floor,
    /// This server's program.
    Server(&'a Path),
}

/// What it is measured under.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Under<'a> {
    /// Nothing.
    Plain,
    /// Callgrind, which writes what it counted to this file.
    Callgrind(&'a Path),
}

/// A running process. It is killed when it goes.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    address: String,
    scratch: Option<PathBuf>,
}

impl<'a> Kind<'a> {
    /// The floor, and the server whose program this is.
    pub(crate) fn both(server: &'a str) -> [Self; 2] {
        [Self::Floor, Self::Server(Path::new(server))]
    }

    /// What tables call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Server(_) => "sunmi-trade",
        }
    }

    /// Starts it on its core, with this upstream.
    pub(crate) fn start(self, upstream: &Process, under: Under<'_>) -> Result<Process, BoxError> {
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", CORE]);
        if let Under::Callgrind(file) = under {
            let file = format!("--callgrind-out-file={}", file.display());
            command.args(["valgrind", "--quiet", "--tool=callgrind", "--separate-threads=no"]);
            command.arg(file);
        }
        match self {
            Self::Floor => {
                command.arg(std::env::current_exe()?).args(["floor", upstream.address()]);
                Process::that_says_where(&mut command)
            }
            Self::Server(program) => {
                command.arg(program);
                server(command, upstream.address())
            }
        }
    }
}

/// This server at its default settings, its log in a file. Only more calls may be in flight, and
/// take longer, for the memory that they need, and it ends at once.
fn server(mut command: Command, upstream: &str) -> Result<Process, BoxError> {
    static SERIAL: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let serial = SERIAL.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let scratch = std::env::temp_dir().join(format!("end-to-end-{}-{serial}", std::process::id()));
    fs::create_dir_all(&scratch)?;
    let log = scratch.join("log");
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
        .args(["--upstream-base-url", upstream])
        .env("SUNMI_TRADE_APP_ID", "app-1")
        .env("SUNMI_TRADE_APP_KEY", "0123456789abcdef0123456789abcdef")
        .env("SUNMI_TRADE__REFUND__LEDGER", format!("sqlite://{}/ledger.db", scratch.display()))
        .env("SUNMI_TRADE__UPSTREAM__MAX_IN_FLIGHT", "10000")
        .env("SUNMI_TRADE__UPSTREAM__ATTEMPT_TIMEOUT", "25s")
        .env("SUNMI_TRADE__DEADLINES__DEFAULT", "30s")
        .env("SUNMI_TRADE__SHUTDOWN__DELAY", "0s")
        .stderr(fs::File::create(&log)?);
    let mut process =
        Process { child: command.spawn()?, address: String::new(), scratch: Some(scratch) };
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let said = fs::read_to_string(&log)?;
        let served = said.lines().find_map(|line| line.split_once("serving address="));
        if let Some((_, rest)) = served {
            let address = rest.split_whitespace().next().unwrap_or_default();
            process.address = format!("http://{address}");
            return Ok(process);
        }
        if let Some(status) = process.child.try_wait()? {
            return Err(format!("the server ended with {status}: {said}").into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err("the server does not serve".into())
}

impl Process {
    /// What stands in for Sunmi, and answers after so long.
    pub(crate) fn stub(delay: Duration) -> Result<Self, BoxError> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["stub", &delay.as_millis().to_string()]);
        Self::that_says_where(&mut command)
    }

    /// One that says first where it serves.
    fn that_says_where(command: &mut Command) -> Result<Self, BoxError> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(said) = child.stdout.take() {
            BufReader::new(said).read_line(&mut line)?;
        }
        let process = Self { child, address: line.trim().to_owned(), scratch: None };
        if process.address.is_empty() { Err("it does not serve".into()) } else { Ok(process) }
    }

    /// Where it serves.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// How long its threads have run on a processor.
    pub(crate) fn cpu(&self) -> Result<Duration, BoxError> {
        let mut nanoseconds = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(thread?.path().join("schedstat"))?;
            nanoseconds += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// The most memory that it has had, in MiB.
    pub(crate) fn peak_memory(&self) -> Result<f64, BoxError> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|peak| peak.split_whitespace().next()).ok_or("no VmHWM")?;
        Ok(kib.parse::<f64>()? / 1024.0)
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(mut self) -> Result<(), BoxError> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status()?;
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err("it does not end".into())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(scratch) = &self.scratch {
            let _ = fs::remove_dir_all(scratch);
        }
    }
}

/// Says where it serves to whoever has started it.
pub(crate) fn say_where(address: SocketAddr) {
    println!("http://{address}");
}

/// Ends when it is asked to.
pub(crate) async fn asked_to_stop() -> std::io::Result<()> {
    signal(SignalKind::terminate())?.recv().await;
    Ok(())
}
