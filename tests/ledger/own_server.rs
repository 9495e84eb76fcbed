//! A PostgreSQL of a test's own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use url::Url;

use crate::postgres::{VARIABLE, shared};

/// A server of a test's own, whose settings are its to change. It ends with this value, or
/// with the test's process.
#[derive(Debug)]
pub(crate) struct Server {
    runs: Child,
    url: Url,
}

impl Server {
    /// A new one, where there is a shared one as well.
    pub(crate) fn new() -> Option<Self> {
        shared()?;
        let mut runs = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/postgres"))
            .args(["sh", "-c", &format!("echo ${VARIABLE}; exec cat")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a server");
        let mut url = String::new();
        let says = runs.stdout.take().expect("its words");
        BufReader::new(says).read_line(&mut url).expect("where it is");
        Some(Self { runs, url: url.trim().parse().expect("a postgres:// URL") })
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of its input ends the command, and with it the server.
        drop(self.runs.stdin.take());
        let _ = self.runs.wait();
    }
}
