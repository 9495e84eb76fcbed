//! `--help` teaches, and wrong usage says what is wrong.

use super::run;

#[test]
fn every_help_says_what_it_is_for_and_ends_well() {
    let table: &[(&[&str], &[&str])] = &[
        (&["--help"], &["serve --sandbox", "SUNMI_TRADE_APP_KEY", "explain E22", "Exit status"]),
        (&["serve", "--help"], &["--config", "SUNMI_TRADE__", "127.0.0.1:50051", "SIGTERM"]),
        (&["sandbox", "--help"], &["127.0.0.1:8080", "/sandbox/books", "/sandbox/faults"]),
        (&["sign", "--help"], &["NAME=VALUE", "SUNMI_TRADE_APP_KEY", "E05"]),
        (&["check-config", "--help"], &["--config", "by name, never by value"]),
        (&["explain", "--help"], &["explain REFUND_OUTCOME_UNKNOWN"]),
        (&["refunds", "--help"], &["settle NUMBER --epoch 1", "verify", "rehome", "--offline"]),
        (&["health", "--help"], &["--tls-ca-cert", "grpc.health.v1", "0 it serves, 1 it does not"]),
        (&["refunds", "list", "--help"], &["--needs-person", "--changed-since", "--json"]),
        (&["refunds", "export", "--help"], &["--day", "most recently claimed first", "jsonl"]),
        (&["refunds", "reconcile", "--help"], &["--only-where", "Exit status: 0", "gb18030"]),
        (&["--version"], &[env!("CARGO_PKG_VERSION")]),
    ];
    for (args, says) in table {
        let printed = run(args, &[]).printed();
        for text in *says {
            assert!(printed.contains(text), "{args:?} lacks {text:?}:\n{printed}");
        }
    }
}

#[test]
fn wrong_usage_exits_64_and_prints_nothing_on_standard_output() {
    let table: &[(&[&str], &str)] = &[
        (&[], "Usage: sunmi-trade <COMMAND>"),
        (&["refund"], "unrecognized subcommand"),
        (&["serve", "--port", "1"], "--port"),
        (&["serve", "--listen"], "--listen"),
        (&["sandbox", "--listen", "here"], "--listen: must be an IP address and a port"),
        (&["sign"], "NAME=VALUE"),
    ];
    for (args, says) in table {
        let ran = run(args, &[]);
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(64), ""), "{args:?} {ran:?}");
        assert!(ran.stderr.contains(says), "{args:?} lacks {says:?}:\n{}", ran.stderr);
    }
}
