//! Settings of refunds, and what is demanded where money may move.

use super::{CREDENTIALS, check, check_with, line};

#[test]
fn settings_out_of_their_range_are_faults() {
    let long = "n".repeat(201);
    let table = [
        ("refund.lag", "10m 1ns"),
        ("refund.settle_window", "0s"),
        ("refund.processing_patience", "59s"),
        ("refund.processing_patience", "90d 1ns"),
        ("refund.look_first", "perhaps"),
        ("refund.create_ledger", "perhaps"),
        ("refund.ledger_connections", "201"),
        ("upstream.money", "both"),
        ("upstream.name", ""),
        ("upstream.name", " sunmi"),
        ("upstream.name", "sunmi "),
        ("upstream.name", "sun\tmi"),
        ("upstream.name", "商米"),
        ("upstream.name", &long),
    ];
    for (at, (key, value)) in table.into_iter().enumerate() {
        let ran = check(&format!("range-{at}"), &format!("{key} = \"{value}\""), &[], &[]);
        let faults = ran.faults();
        assert_eq!(faults.len(), 1, "{key} = {value}: {faults:?}");
        assert!(faults[0].starts_with(&format!("{key}: must be ")), "{key} = {value}: {faults:?}");
    }
    for (at, (key, value)) in [
        ("refund.lag", "10m"),
        ("refund.lag", "1s"),
        ("refund.settle_window", "3d"),
        ("refund.processing_patience", "90d"),
        ("refund.processing_patience", "1h"),
        ("upstream.name", &long[1..]),
        ("upstream.name", "~ Sunmi 2 !"),
    ]
    .into_iter()
    .enumerate()
    {
        check(&format!("in-range-{at}"), &format!("{key} = '{value}'"), &[], &[]).printed();
    }
}

#[test]
fn a_code_that_is_no_code_or_known_or_given_twice_is_a_fault() {
    let table = |code: &str, means: &str| format!("[[upstream.codes]]\n{code}\n{means}\n");
    let (good, means) = (table("code = 'T04'", "means = 'refused'"), "means = 'doubt'");
    let code_of = |code: &str| table(&format!("code = '{code}'"), means);
    for (at, (text, key, rule)) in [
        (table("", means), "[0].code", "is required"),
        (table("code = 'T04'", ""), "[0].means", "is required"),
        (table("code = 'T04'", "means = 'done'"), "[0].means", "must be refused or doubt"),
        (table("code = 4", means), "[0].code", "must be 1 to 16 ASCII letters or digits"),
        (code_of(""), "[0].code", "must be 1 to 16 ASCII letters or digits"),
        (code_of("T-04"), "[0].code", "must be 1 to 16 ASCII letters or digits"),
        (code_of("Ｔ04"), "[0].code", "must be 1 to 16 ASCII letters or digits"),
        (code_of("T0400000000000000"), "[0].code", "must be 1 to 16 ASCII letters or digits"),
        (code_of("E22"), "[0].code", "is known from Sunmi's document and cannot be redefined"),
        (code_of("1"), "[0].code", "is known from Sunmi's document and cannot be redefined"),
        (code_of("D01"), "[0].code", "is known from Sunmi's document and cannot be redefined"),
        (
            format!("{good}{}", code_of("T04")),
            "[1].code",
            "must not be the code of another of these tables",
        ),
        (format!("{good}more = 1"), "[0].more", "is not a setting of this version"),
    ]
    .into_iter()
    .enumerate()
    {
        let ran = check(&format!("codes-{at}"), &text, &[], &[]);
        assert_eq!(ran.faults(), [format!("upstream.codes{key}: {rule}")], "{text}");
    }
    check("codes-good", &format!("{good}{}", code_of("T040000000000000")), &[], &[]).printed();
}

#[test]
fn where_money_may_move_a_ledger_must_be_set() {
    for (at, (text, flags, fits)) in [
        ("", &[] as &[&str], false),
        ("[upstream]\nenvironment = 'custom'\nbase_url = 'http://10.0.0.1'", &[], false),
        ("", &["--upstream-base-url", "http://10.0.0.1"], false),
        ("[upstream]\nenvironment = 'test'\nmoney = 'real'", &[], false),
        ("[upstream]\nenvironment = 'test'", &[], true),
        ("[upstream]\nmoney = 'play'", &["--upstream-base-url", "http://10.0.0.1"], true),
        ("", &["--upstream-base-url", "http://127.0.0.1"], true),
        ("", &["--sandbox"], true),
    ]
    .into_iter()
    .enumerate()
    {
        let ran = check_with(&format!("unset-{at}"), text, &CREDENTIALS, flags);
        if fits {
            ran.printed();
        } else {
            let rule = "must be set where money may move, to where it outlives this process";
            assert_eq!(ran.faults(), [format!("refund.ledger: {rule}")], "{text} {flags:?}");
        }
    }
}

#[test]
fn a_ledger_that_must_be_there_is_not_in_memory() {
    let text = "[refund]\ncreate_ledger = false";
    let ran = check("must-be-there", text, &[], &["--sandbox"]);
    ran.printed();
    let env = [("SUNMI_TRADE__REFUND__LEDGER", "memory")];
    let ran = check("must-be-there-in-memory", text, &env, &["--sandbox"]);
    let rule = "must be true where refund.ledger is memory, which is new with every start";
    assert_eq!(ran.faults(), [format!("refund.create_ledger: {rule}")]);
}

#[test]
fn no_money_is_said_to_move_where_it_is_known_to_and_none_in_the_sandbox() {
    let custom = |url: &str| {
        format!("[upstream]\nmoney = 'play'\nenvironment = 'custom'\nbase_url = '{url}'")
    };
    for (at, (text, flags, fits)) in [
        ("[upstream]\nmoney = 'play'".to_owned(), &[] as &[&str], false),
        (custom("http://openapi.sunmi.com:1/below"), &[], false),
        (custom("https://OPENAPI.sunmi.com."), &[], false),
        (custom("https://openapi.sunmi.com.shop.example"), &[], true),
        (custom("https://test.openapi.sunmi.com"), &[], true),
        ("[upstream]\nmoney = 'real'".to_owned(), &["--sandbox"], false),
        ("[upstream]\nmoney = 'play'".to_owned(), &["--sandbox"], true),
    ]
    .into_iter()
    .enumerate()
    {
        let ran = check(&format!("said-{at}"), &text, &[], flags);
        if fits {
            assert_eq!(line(&ran.printed(), "money"), r#"money = "play""#, "{text}");
        } else {
            let faults = ran.faults();
            assert_eq!(faults.len(), 1, "{text}: {faults:?}");
            assert!(faults[0].starts_with("upstream.money: "), "{text}: {faults:?}");
        }
    }
}

/// Whatever the upstream is called, unless it is said otherwise.
#[test]
fn what_holds_for_production_holds_wherever_money_may_move() {
    let settings = "listen = '0.0.0.0:1'\nrefund.settle_window = '59s'\nrefund.lag = '999ms'\n";
    let memory = [("SUNMI_TRADE__REFUND__LEDGER", "memory")];
    let upstream = |text: &str| format!("{settings}[upstream]\nenvironment = {text}\n");
    for (at, (text, moves)) in [
        ("'production'", true),
        ("'test'", false),
        ("'custom'\nbase_url = 'https://openapi.sunmi.com'", true),
        ("'custom'\nbase_url = 'http://proxy.shop.example/sunmi'", true),
        ("'custom'\nbase_url = 'http://10.0.0.1'", true),
        ("'custom'\nbase_url = 'http://localhost.shop.example'", true),
        ("'custom'\nbase_url = 'http://test.openapi.sunmi.com.shop.example'", true),
        ("'custom'\nbase_url = 'https://test.openapi.sunmi.com/'", false),
        ("'custom'\nbase_url = 'http://127.1.2.3:1'", false),
        ("'custom'\nbase_url = 'http://[::1]:1'", false),
        ("'custom'\nbase_url = 'http://LOCALHOST:1'", false),
        ("'custom'\nbase_url = 'http://127.0.0.1'\nmoney = 'real'", true),
        ("'test'\nmoney = 'real'", true),
        ("'custom'\nbase_url = 'http://10.0.0.1'\nmoney = 'play'", false),
    ]
    .into_iter()
    .enumerate()
    {
        let ran = check(&format!("money-{at}"), &upstream(text), &memory, &[]);
        let keys = ["refund.ledger: ", "refund.settle_window: ", "refund.lag: ", "callers: "];
        let told = keys.map(|key| ran.stderr.contains(&format!("sunmi-trade: {key}")));
        assert_eq!((ran.status, told), (Some(if moves { 64 } else { 0 }), [moves; 4]), "{text}");
    }
}
