//! Settings from file, environment and flags: which wins, and what is said of faults.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::{Ran, file, finish, program, run};

mod money;

const SECRET: &str = "s3cret-Do-Not-Show";

/// Somebody who signs.
const CREDENTIALS: [(&str, &str); 2] =
    [("SUNMI_TRADE_APP_ID", "app-1"), ("SUNMI_TRADE_APP_KEY", SECRET)];

const LEDGER: (&str, &str) = ("SUNMI_TRADE__REFUND__LEDGER", "sqlite://ledger.db");

/// Enough to start with, though money may move.
const ENOUGH: [(&str, &str); 3] = [CREDENTIALS[0], CREDENTIALS[1], LEDGER];

/// Checks a configuration file, with enough to start in the environment and more of it.
fn check(name: &str, text: &str, env: &[(&str, &str)], flags: &[&str]) -> Ran {
    check_with(name, text, &[&ENOUGH, env].concat(), flags)
}

/// Checks a configuration file in this environment.
fn check_with(name: &str, text: &str, env: &[(&str, &str)], flags: &[&str]) -> Ran {
    let path = file(&format!("{name}.toml"), text);
    let args = [&["check-config", "--config", path.to_str().unwrap()], flags].concat();
    run(&args, env)
}

/// The line of the printed configuration that sets this.
fn line<'a>(printed: &'a str, key: &str) -> &'a str {
    let start = format!("{key} = ");
    printed.lines().find(|line| line.starts_with(&start)).unwrap_or("")
}

#[test]
fn without_credentials_nothing_starts() {
    for command in ["serve", "check-config"] {
        let ran = run(&[command], &[LEDGER]);
        let rule = "credentials: none are set: \
            set SUNMI_TRADE_APP_ID and SUNMI_TRADE_APP_KEY, or [[credentials]]";
        assert_eq!(ran.faults(), [rule], "{command}");
    }
}

#[test]
fn an_id_a_key_and_a_ledger_are_enough_and_the_key_is_redacted() {
    let printed = run(&["check-config"], &ENOUGH).printed();
    assert_eq!(line(&printed, "environment"), r#"environment = "production""#);
    assert_eq!(line(&printed, "app_id"), r#"app_id = "app-1""#);
    assert_eq!(line(&printed, "app_key"), r#"app_key = "[redacted]""#);
    assert!(!printed.contains(SECRET));
}

#[test]
fn half_a_pair_of_credentials_is_a_fault() {
    for (given, missing) in [(0, "SUNMI_TRADE_APP_KEY"), (1, "SUNMI_TRADE_APP_ID")] {
        let ran = run(&["serve"], &[CREDENTIALS[given], LEDGER]);
        let fault = format!("{missing}: is required with {}", CREDENTIALS[given].0);
        assert_eq!(ran.faults(), [fault]);
        assert!(!ran.stderr.contains(SECRET));
    }
}

#[test]
fn all_faults_are_told_at_once_by_name_and_never_by_value() {
    let text = format!(
        r#"
        listen = []
        admin_listen = "{SECRET}"
        colour = "{SECRET}"
        [upstream]
        environment = "{SECRET}"
        proxy = "http://user:{SECRET}@127.0.0.1:1"
        attempt_timeout = 5
        [retry]
        max_attempts = "{SECRET}"
        [deadlines]
        default = "{SECRET}"
        [[credentials]]
        app_id = "{SECRET} with blanks"
        app_key = 5
        app_key_file = "{SECRET}"
        [[credentials]]
        "#
    );
    let env = [
        ("SUNMI_TRADE__SHUTDOWN__DRAIN", SECRET),
        ("SUNMI_TRADE__APP_KEY", SECRET),
        ("SUNMI_TRADE__CREDENTIALS", SECRET),
    ];
    let ran = check("all-faults", &text, &env, &["--upstream-base-url", SECRET]);
    let mut keys: Vec<&str> =
        ran.faults().into_iter().map(|fault| fault.split_once(": ").unwrap().0).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "--upstream-base-url",
            "SUNMI_TRADE__APP_KEY",
            "SUNMI_TRADE__CREDENTIALS",
            "SUNMI_TRADE__SHUTDOWN__DRAIN",
            "admin_listen",
            "colour",
            "credentials[0].app_id",
            "credentials[0].app_key",
            "credentials[0].app_key",
            "credentials[0].app_key_file",
            "credentials[1].app_id",
            "credentials[1].app_key",
            "deadlines.default",
            "listen",
            "retry.max_attempts",
            "upstream.attempt_timeout",
            "upstream.proxy",
        ]
    );
    assert!(!ran.stderr.contains(SECRET), "{}", ran.stderr);
}

#[test]
fn a_file_that_is_not_toml_is_named_by_line_without_what_stands_there() {
    let ran =
        check("malformed", &format!("listen = \"127.0.0.1:1\"\napp_key = {SECRET}\n"), &[], &[]);
    assert_eq!(ran.faults(), ["configuration file: is not TOML, at line 2"]);
    assert!(!ran.stderr.contains(SECRET));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let ran = run(&["serve", "--config", "no/such/file.toml"], &CREDENTIALS);
    let faults = ran.faults();
    assert_eq!(faults.len(), 1);
    assert!(faults[0].starts_with("--config no/such/file.toml: "), "{faults:?}");
}

#[test]
fn a_variable_of_ours_that_is_not_text_is_a_fault() {
    let ran = finish(
        program()
            .arg("serve")
            .env("SUNMI_TRADE_APP_ID", "app-1")
            .env("SUNMI_TRADE_APP_KEY", OsStr::from_bytes(b"key\xFF"))
            .env("OTHER", OsStr::from_bytes(b"\xFF")),
    );
    assert_eq!(ran.faults(), ["SUNMI_TRADE_APP_KEY: must be UTF-8"]);
}

#[test]
fn variables_that_kubernetes_makes_for_a_service_of_this_name_are_ignored() {
    let env = [
        ("SUNMI_TRADE_PORT", "tcp://10.0.0.1:50051"),
        ("SUNMI_TRADE_SERVICE_HOST", "10.0.0.1"),
        ("SUNMI_TRADE_SERVICE_PORT_GRPC", "50051"),
        ("SUNMI_TRADE_PORT_50051_TCP_ADDR", "10.0.0.1"),
    ];
    let printed = run(&["check-config"], &[&ENOUGH[..], &env].concat()).printed();
    assert_eq!(printed, run(&["check-config"], &ENOUGH).printed());
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let text = r#"
        listen = "127.0.0.1:1"
        admin_listen = "127.0.0.1:1"
        [retry]
        max_attempts = 1
        base_delay = "1ms"
    "#;
    let env = [
        ("SUNMI_TRADE__LISTEN", "127.0.0.1:2"),
        ("SUNMI_TRADE__ADMIN_LISTEN", "127.0.0.1:2"),
        ("SUNMI_TRADE__RETRY__MAX_ATTEMPTS", "2"),
        ("SUNMI_TRADE__UPSTREAM__ENVIRONMENT", "test"),
    ];
    let flags = ["--listen", "127.0.0.1:3", "--upstream-base-url", "http://127.0.0.1:3/sunmi"];
    let printed = check("precedence", text, &env, &flags).printed();
    for (key, value) in [
        ("listen", r#""127.0.0.1:3""#),
        ("admin_listen", r#""127.0.0.1:2""#),
        ("max_attempts", "2"),
        ("base_delay", r#""1ms""#),
        ("max_delay", r#""1s""#),
        ("environment", r#""custom""#),
        ("base_url", r#""http://127.0.0.1:3/sunmi""#),
    ] {
        assert_eq!(line(&printed, key), format!("{key} = {value}"));
    }
}

#[test]
fn what_check_config_prints_is_read_again_to_the_same() {
    let full = r#"
        listen = "[::1]:1"
        default_app_id = "b"
        [upstream]
        environment = "test"
        name = "Sunmi's test"
        money = "real"
        proxy = "http://127.0.0.1:3128"
        connect_timeout = "1500ms"
        [[upstream.codes]]
        code = "T04"
        means = "refused"
        [[upstream.codes]]
        code = "T05"
        means = "doubt"
        [deadlines]
        max = "1m 30s"
        [refund]
        ceiling = "2m"
        ledger = "sqlite://ledger.db"
        look_first = false
        create_ledger = false
        ledger_connections = 200
        [shutdown]
        drain = "3m"
        grace = "4m"
        [[credentials]]
        app_id = "a"
        app_key = "x"
        [[credentials]]
        app_id = 'b"\'
        app_key = "y"
    "#
    .replace("default_app_id = \"b\"", "default_app_id = 'b\"\\'");
    for (name, text, flags) in [
        ("again-full", full.as_str(), &[] as &[&str]),
        (
            "again-default",
            "refund.ledger = 'sqlite://ledger.db'\n[[credentials]]\napp_id = 'a'\napp_key = 'x'",
            &[],
        ),
        ("again-sandbox", "", &["--sandbox"]),
        ("again-custom", "", &["--sandbox", "--listen", "127.0.0.1:0"]),
    ] {
        let path = file(&format!("{name}.toml"), text);
        let args = [&["check-config", "--config", path.to_str().unwrap()], flags].concat();
        let printed = run(&args, &[]).printed();
        let path = file(&format!("{name}-printed.toml"), &printed);
        let flags = if flags.contains(&"--sandbox") { &["--sandbox"] as &[&str] } else { &[] };
        let args = [&["check-config", "--config", path.to_str().unwrap()], flags].concat();
        assert_eq!(run(&args, &[]).printed(), printed, "{name}");
    }
}

/// Each row breaks one relation between settings that are fine by themselves.
#[test]
fn limits_that_do_not_fit_each_other_are_faults() {
    let table = [
        ("[upstream]\nconnect_timeout = '5s'", "upstream.connect_timeout"),
        ("[upstream]\nattempt_timeout = '30s'", "upstream.attempt_timeout"),
        ("[deadlines]\ndefault = '31s'", "deadlines.default"),
        ("[deadlines]\nreserve = '10s'", "deadlines.reserve"),
        ("[deadlines]\nmax = '60s'", "deadlines.max"),
        ("[refund]\nmin_left = '10s'", "refund.min_left"),
        ("[refund]\nceiling = '70s'", "refund.ceiling"),
        ("[refund]\nlag = '10m'\nsettle_window = '10m'", "refund.lag"),
        ("[refund]\nlag = '999ms'", "refund.lag"),
        ("[refund]\nsettle_window = '72h 1ms'", "refund.processing_patience"),
        ("[refund]\nprocessing_patience = '59m'", "refund.processing_patience"),
        ("[upstream]\nmoney = 'play'", "upstream.money"),
        ("[shutdown]\ngrace = '79999ms'", "shutdown.grace"),
        ("listen = '0.0.0.0:1'", "callers"),
        ("admin_listen = '127.0.0.1:50051'", "admin_listen"),
        ("[[callers]]\nname = 'a'\nrpcs = ['Query']", "callers[0]"),
        ("[[callers]]\nname = 'a'\ntoken_file = 'TOKENS'", "callers[0].rpcs"),
        ("[[callers]]\nname = 'a'\ntoken_file = 'TOKENS'\nrpcs = ['Void']", "callers[0].rpcs"),
        ("[[callers]]\ntoken_file = 'TOKENS'\nrpcs = ['Query']", "callers[0].name"),
        (
            "[[callers]]\nname = 'a'\ntoken_file = 'TOKENS'\nrpcs = ['Query']\napp_ids = ['app-2']",
            "callers[0].app_ids",
        ),
        (
            "[[callers]]\nname = 'a'\ntoken_file = 'TOKENS'\nrpcs = ['Query']\n\
             [[callers]]\nname = 'b'\ntoken_file = 'TOKENS'\nrpcs = ['Query']",
            "callers[0] and callers[1]",
        ),
        (
            "[[callers]]\nname = 'a'\ntoken_file = 'TOKENS'\nrpcs = ['Refund']\n\
             max_refund_per_day_minor = 0",
            "callers[0].max_refund_per_day_minor",
        ),
        (
            "[[callers]]\nname = 'a'\ntoken_file = 'TOKENS'\nrpcs = ['Refund']\n\
             max_refund_minor = 101\nmax_refund_per_day_minor = 100",
            "callers[0].max_refund_minor and callers[0].max_refund_per_day_minor",
        ),
        (
            "refund.retention = '47h'\n\
             [[callers]]\nname = 'a'\ntoken_file = 'TOKENS'\nrpcs = ['Refund']\n\
             max_refund_per_day_minor = 100",
            "refund.retention",
        ),
        ("callers = 'anybody'", "callers"),
        ("[retry]\nbase_delay = '2s'", "retry.base_delay"),
        ("[upstream]\nbase_url = 'http://127.0.0.1'", "upstream.base_url"),
        ("[upstream]\nenvironment = 'custom'", "upstream.base_url"),
        ("default_app_id = 'another'", "default_app_id"),
        ("[[credentials]]\napp_id = 'app-1'\napp_key = 'x'", "credentials"),
        (
            "[[credentials]]\napp_id = 'x'\napp_key = 'x'\napp_key_file = 'x'",
            "credentials[0].app_key",
        ),
    ];
    let tokens = file("relation.tokens", "0123456789abcdef");
    for (at, (text, key)) in table.into_iter().enumerate() {
        let text = &text.replace("TOKENS", tokens.to_str().unwrap());
        let ran = check(&format!("relation-{at}"), text, &[], &[]);
        let faults = ran.faults();
        assert_eq!(faults.len(), 1, "{text}: {faults:?}");
        assert!(faults[0].starts_with(&format!("{key}: ")), "{text}: {faults:?}");
    }
}

/// After the default delay of 5 s and drain of 70 s.
#[test]
fn the_time_before_a_kill_has_5_s_for_what_comes_after_the_drain() {
    let printed = check("grace", "[shutdown]\ngrace = '80s'", &[], &[]).printed();
    assert_eq!(line(&printed, "grace"), r#"grace = "1m 20s""#);
}

#[test]
fn who_may_call_must_be_said_where_strangers_could_move_money() {
    let listen = "listen = '0.0.0.0:1'\n";
    let tokens = file("listing.tokens", "0123456789abcdef");
    let listed = "[[callers]]\nname = 'a'\nrpcs = ['Query']\ntoken_file = ";
    let listed = format!("{listed}'{}'\n", tokens.display());
    for (name, more) in [
        ("trusting", "callers = 'trust-network'\n"),
        ("trusting-envoy", "callers = 'trust-envoy'\n"),
        ("trusting-linkerd", "callers = 'trust-linkerd'\n"),
        ("listing", listed.as_str()),
        ("testing", "[upstream]\nenvironment = 'test'\n"),
    ] {
        check(name, &format!("{listen}{more}"), &[], &[]).printed();
    }
    for word in ["trust-network", "trust-envoy", "trust-linkerd"] {
        let env = [("SUNMI_TRADE__CALLERS", word)];
        let printed = check("trusting-env", listen, &env, &[]).printed();
        assert_eq!(line(&printed, "callers"), format!("callers = \"{word}\""));
    }
}

#[test]
fn the_sandbox_goes_with_no_other_upstream() {
    let ran = run(&["serve", "--sandbox", "--upstream-base-url", "http://127.0.0.1:1"], &[]);
    assert_eq!(ran.faults(), ["--sandbox: cannot go with another upstream"]);
}

#[test]
fn keys_come_from_files_too() {
    let key = file("config.key", format!("{SECRET}\n"));
    let empty = file("config-empty.key", " \n");
    let credential = |app_id: &str, path: &std::path::Path| {
        format!("[[credentials]]\napp_id = '{app_id}'\napp_key_file = '{}'\n", path.display())
    };
    let printed = check("key-file", &credential("app-2", &key), &[], &[]).printed();
    assert_eq!(printed.matches("[redacted]").count(), 1);
    assert_eq!(line(&printed, "app_key_file"), format!("app_key_file = \"{}\"", key.display()));

    let paths: [&std::path::Path; 6] = [
        &empty,
        &file("config-three.key", format!("{SECRET}\n{SECRET}\n{SECRET}\n")),
        &file("config-bytes.key", b"\xFF"),
        &file("config-long.key", vec![b'x'; (1 << 20) + 1]),
        "no/such/key".as_ref(),
        "/dev/null".as_ref(),
    ];
    let text: String = paths.iter().map(|path| credential("app-3", path)).collect();
    let ran = check_with("key-files-bad", &text, &[LEDGER], &[]);
    let rules = [
        "that must hold one key, or two during rotation, one a line",
        "that must hold one key, or two during rotation, one a line",
        "that must be UTF-8",
        "that cannot be read: longer than 1 MiB",
        "that cannot be read: entity not found",
        "that cannot be read: not a regular file",
    ];
    let fault = |(at, rule)| format!("credentials[{at}].app_key_file: names a file {rule}");
    assert_eq!(ran.faults(), rules.iter().enumerate().map(fault).collect::<Vec<_>>());
}

#[test]
fn two_keys_are_a_rotation_and_three_are_a_fault() {
    let env = |keys: &'static str| [CREDENTIALS[0], ("SUNMI_TRADE_APP_KEY", keys), LEDGER];
    let printed = run(&["check-config"], &env("old\nnew\n")).printed();
    assert_eq!(line(&printed, "app_key"), r#"app_key = "[redacted]""#);
    let ran = run(&["check-config"], &env("one\ntwo\nthree"));
    let rule = "must hold one key, or two during rotation, one a line";
    assert_eq!(ran.faults(), [format!("SUNMI_TRADE_APP_KEY: {rule}")]);
    let text = "default_app_id = 'app-2'\n[[credentials]]\napp_id = 'app-2'\napp_key = ' '";
    let ran = check("blank-key", text, &[], &[]);
    assert_eq!(ran.faults(), [format!("credentials[0].app_key: {rule}")]);
}

#[test]
fn an_app_id_at_fault_is_the_only_fault() {
    let env = [("SUNMI_TRADE_APP_ID", "with blanks"), CREDENTIALS[1], LEDGER];
    let ran = run(&["check-config"], &env);
    let faults = ran.faults();
    assert!(faults.len() == 1 && faults[0].starts_with("SUNMI_TRADE_APP_ID: "), "{faults:?}");
}
