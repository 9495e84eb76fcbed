//! The program as a running process: it says where it listens, answers, and ends when told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use super::{PATIENCE, file, program, run, signal};

/// On ports that are free.
pub(super) const SERVE: [&str; 6] =
    ["serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];

/// A running process, ended with the test.
pub(super) struct Running {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
}

impl Running {
    pub(super) fn start(args: &[&str]) -> Self {
        Self::of(program().args(args))
    }

    pub(super) fn of(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let log = BufReader::new(child.stderr.take().expect("piped"));
        Self { child, log }
    }

    /// Reads the log up to the line that has this text.
    fn read_to(&mut self, text: &str) -> String {
        let mut seen = String::new();
        loop {
            let from = seen.len();
            let read = self.log.read_line(&mut seen).expect("the log can be read");
            assert!(read > 0, "it ended without {text}:\n{seen}");
            assert!(!seen.contains('\u{1b}'), "no colours in a pipe: {seen:?}");
            if seen[from..].contains(text) {
                return seen;
            }
        }
    }

    /// Reads the log up to the line that has this field, and returns its value.
    pub(super) fn logged(&mut self, field: &str) -> String {
        let seen = self.read_to(field);
        let (_, rest) = seen.rsplit_once(field).expect("it has been read");
        rest.split_whitespace().next().expect("a value").to_owned()
    }

    fn terminate(&self) {
        signal(self.child.id(), "-TERM");
    }

    /// Its exit status, and the rest of its log.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).expect("the log can be read");
        (self.child.wait().expect("it ends").code(), rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The whole answer to a GET.
fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
        .expect("a request can be sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn tokens_over_plain_text_from_elsewhere_are_warned_of() {
    let tokens = file("plain.tokens", "0123456789abcdef");
    let text =
        format!("[[callers]]\nname = 'a'\nrpcs = ['Query']\ntoken_file = '{}'", tokens.display());
    let config = file("plain.toml", text);
    let args = ["serve", "--sandbox", "--config", config.to_str().unwrap(), "--listen"];
    let admin = ["--admin-listen", "127.0.0.1:0"];
    for (listen, warned) in [("0.0.0.0:0", true), ("127.0.0.1:0", false)] {
        let mut running = Running::start(&[&args[..], &[listen], &admin].concat());
        let log = running.read_to("serving address=");
        assert_eq!(log.contains("tokens come over plain text"), warned, "{log}");
        running.terminate();
        assert_eq!(running.end().0, Some(0));
    }
}

#[test]
fn serve_with_the_sandbox_answers_and_ends_well_when_told() {
    let mut server = Running::start(&SERVE);
    let sandbox = server.logged("base_url=http://");
    let line = server.logged("serving ");
    let address = line.strip_prefix("address=").expect("where it serves");
    TcpStream::connect(address).expect("gRPC listens");
    assert!(get(sandbox.trim_end_matches('/'), "/sandbox/books").starts_with("HTTP/1.1 200 "));

    server.terminate();
    let (status, log) = server.end();
    assert_eq!(status, Some(0), "{log}");
    assert!(log.contains("all_answered=true"), "{log}");
    assert!(log.contains("all_refunds_finished=true"), "{log}");
}

#[test]
fn the_admin_port_says_that_it_lives_and_is_ready() {
    let mut server = Running::start(&SERVE);
    let admin = server.logged(" admin=");
    for path in ["/livez", "/readyz", "/startupz"] {
        let answer = get(&admin, path);
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("ok\n"), "{answer}");
    }
    assert!(get(&admin, "/nothing").starts_with("HTTP/1.1 404 "));
}

#[test]
fn a_port_in_use_is_named_and_ends_the_start() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap().to_string();
    let table: &[(&str, &[&str])] = &[
        ("listen", &["serve", "--sandbox", "--admin-listen", "127.0.0.1:0", "--listen"]),
        ("admin_listen", &["serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen"]),
        ("listen", &["sandbox", "--listen"]),
    ];
    for (setting, args) in table {
        let ran = run(&[args, &[taken.as_str()][..]].concat(), &[]);
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(1), ""), "{args:?} {ran:?}");
        let start = format!("sunmi-trade: {setting} {taken}: ");
        assert!(ran.stderr.starts_with(&start), "{args:?} {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    }
}

#[test]
fn the_sandbox_on_its_own_shows_its_books_and_ends_well_when_told() {
    let mut sandbox = Running::start(&["sandbox", "--listen", "127.0.0.1:0"]);
    let address = sandbox.logged("address=");
    let books = get(&address, "/sandbox/books");
    assert!(books.starts_with("HTTP/1.1 200 "), "{books}");
    assert!(books.contains("DEMO-1"), "{books}");

    sandbox.terminate();
    assert_eq!(sandbox.end().0, Some(0));
}

#[test]
fn a_key_file_that_changes_is_told_by_its_name_and_the_rule_and_never_by_a_key() {
    let key = file("reload.key", "s3cret");
    let settings = format!(
        "reload_interval = '10ms'\n[[credentials]]\napp_id = 'app-1'\napp_key_file = '{}'",
        key.display()
    );
    let settings = file("reload.toml", settings);
    let ports = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let args = ["serve", "--sandbox", "--config", settings.to_str().unwrap()];
    let mut server = Running::start(&[&args[..], &ports].concat());
    let mut log = server.read_to("serving ");
    for (text, told) in [
        ("s3cret-1\ns3cret-2\ns3cret-3", "must hold one key, or two during rotation, one a line"),
        ("s3cret-4", "changed, and in force"),
    ] {
        // Complete when it is seen.
        let other = file("reload.key.new", text);
        std::fs::rename(other, &key).unwrap();
        let seen = server.read_to(told);
        let line = seen.lines().last().unwrap();
        assert!(line.contains("kind=\"app_key\"") && line.contains("reload.key"), "{line}");
        log += &seen;
    }
    server.terminate();
    log += &server.end().1;
    assert!(!log.contains("s3cret"), "{log}");
    assert_eq!(log.matches("must hold").count(), 1, "{log}");
}

/// What a client of HTTP/2 says first, with empty settings.
const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A connection on which the server has said that it speaks HTTP/2, too.
fn greet(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream.write_all(HELLO).expect("a greeting can be sent");
    let mut head = [0; 9];
    stream.read_exact(&mut head).expect("a greeting comes back");
    assert_eq!(head[3], 4, "settings");
    stream
}

#[test]
fn a_connection_that_does_not_answer_is_told_of_and_the_end_is_still_good() {
    let env = [
        ("SUNMI_TRADE__UPSTREAM__CONNECT_TIMEOUT", "100ms"),
        ("SUNMI_TRADE__UPSTREAM__ATTEMPT_TIMEOUT", "150ms"),
        ("SUNMI_TRADE__DEADLINES__DEFAULT", "200ms"),
        ("SUNMI_TRADE__DEADLINES__MAX", "200ms"),
        ("SUNMI_TRADE__REFUND__MIN_LEFT", "0ms"),
        ("SUNMI_TRADE__REFUND__CEILING", "300ms"),
        ("SUNMI_TRADE__SHUTDOWN__DRAIN", "400ms"),
    ];
    let mut server = Running::of(program().args(SERVE).envs(env));
    let line = server.logged("serving ");
    let silent = greet(line.strip_prefix("address=").expect("where it serves"));
    server.terminate();
    let (status, log) = server.end();
    assert_eq!(status, Some(0), "{log}");
    assert!(log.contains("not all was finished in time"), "{log}");
    assert!(log.contains("connections=1 refunds=0"), "{log}");
    assert!(log.contains("all_answered=false"), "{log}");
    drop(silent);
}

#[test]
fn without_file_descriptors_it_waits_and_then_goes_on() {
    let script = "ulimit -n 64 && exec \"$0\" \"$@\"";
    let mut shell = Command::new("/bin/sh");
    shell.env_clear().args(["-c", script, env!("CARGO_BIN_EXE_sunmi-trade")]).args(SERVE);
    let mut server = Running::of(&mut shell);
    let line = server.logged("serving ");
    let address = line.strip_prefix("address=").expect("where it serves");
    let crowd: Vec<_> = (0..100).map(|_| TcpStream::connect(address).expect("a place")).collect();
    server.logged("cannot take a connection");
    drop(crowd);
    greet(address);
}
