//! A panic, in a process of its own: this test binary, which runs one test of it as a child.

use std::process::Command;

use serde_json::Value;
use sunmi_trade::telemetry::{Format, Log, Settings, init};

const CHILD: &str = "panics::panics_in_a_process_of_its_own";

/// Only does something as a child, for the test below.
#[test]
fn panics_in_a_process_of_its_own() {
    #[allow(clippy::disallowed_methods, reason = "how a child is told that it is one")]
    if std::env::var(CHILD).is_err() {
        return;
    }
    let log = Log { format: Format::Json, ..Log::default() };
    let _telemetry = init(&Settings { log, traces: None }, None).unwrap();
    let named = std::thread::Builder::new().name("worker".to_owned());
    named.spawn(|| panic!("no {}", "use")).unwrap().join().unwrap_err();
}

#[test]
fn a_panic_is_a_line_of_the_log() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", CHILD])
        .env(CHILD, "1")
        .env("RUST_BACKTRACE", "1")
        .output()
        .unwrap();
    let log = String::from_utf8(child.stderr).unwrap();
    assert!(child.status.success(), "{log}");
    let line: Value = serde_json::from_str(&log).expect("one line, and JSON");
    assert_eq!(
        (&line["level"], &line["message"], &line["thread"], &line["panic"]),
        (&"ERROR".into(), &"panicked".into(), &"worker".into(), &"no use".into())
    );
    assert!(line["location"].as_str().unwrap().starts_with("tests/seen/panics.rs:"), "{line}");
}
