//! The program as a person runs it: the real binary with a cleared environment, its
//! output and its exit status. And the documents, held against what they describe.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../ledger/postgres.rs"]
mod postgres;

mod chinese;
mod config;
mod docs;
mod explain;
mod health;
mod help;
mod refunds;
mod run;
mod sign;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The program, with nothing in its environment.
fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sunmi-trade"));
    command.env_clear();
    command
}

/// What a run of it came to.
#[derive(Debug)]
struct Ran {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

impl Ran {
    /// All that it printed, of a run that succeeded without a complaint.
    #[track_caller]
    fn printed(self) -> String {
        assert_eq!((self.status, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        self.stdout
    }

    /// The faults, one a line, of a run that was an error of use.
    #[track_caller]
    fn faults(&self) -> Vec<&str> {
        assert_eq!((self.status, self.stdout.as_str()), (Some(64), ""), "{self:?}");
        self.stderr
            .lines()
            .map(|line| line.strip_prefix("sunmi-trade: ").expect("a line that is a fault"))
            .collect()
    }
}

/// So long a process may keep a test waiting before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the program to its end.
#[track_caller]
fn run(args: &[&str], env: &[(&str, &str)]) -> Ran {
    finish(program().args(args).envs(env.iter().copied()))
}

/// Waits for the end of a program, which must come in time: one that serves by mistake
/// would never end.
#[track_caller]
fn finish(command: &mut Command) -> Ran {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let pid = child.id();
    let (ended, end) = mpsc::channel();
    thread::spawn(move || ended.send(child.wait_with_output()));
    let Ok(output) = end.recv_timeout(PATIENCE) else {
        signal(pid, "-KILL");
        panic!("it did not end in time: {command:?}");
    };
    output.expect("its output can be read").into()
}

fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([name, &pid.to_string()]).status().expect("kill runs");
    assert!(sent.success());
}

/// A file with this text, for one test.
fn file(name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("a file can be written");
    path
}

/// Part of this repository.
fn repository(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
