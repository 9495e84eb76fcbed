use proptest::prelude::*;

use super::*;

const SECRET: &str = "s3cretDoNotShow";

/// What may be read aloud: the configuration as printed, or its faults.
fn aloud(sources: &Sources, sandbox: bool) -> String {
    match load(sources, sandbox) {
        Ok(config) => config.to_toml(),
        Err(faults) => {
            let lines: Vec<_> = faults.iter().map(ConfigFault::to_string).collect();
            assert!(lines.iter().all(|line| line.lines().count() == 1), "{lines:?}");
            lines.join("\n")
        }
    }
}

/// Every setting that is not of a table in an array.
fn keys() -> Vec<String> {
    settings().into_iter().map(|it| it.key).filter(|key| !key.contains('[')).collect()
}

/// Values that are nearly right in one way or another, with the secret in them.
fn values() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(format!("'{SECRET}'")),
        Just(format!("'{SECRET}ms'")),
        Just(format!("'5s {SECRET}'")),
        Just(format!("'http://{SECRET}@127.0.0.1'")),
        Just(format!("'http://127.0.0.1/?key={SECRET}'")),
        Just(format!("'ftp://{SECRET}'")),
        Just(format!("'127.0.0.1:{SECRET}'")),
        Just(format!("['{SECRET}']")),
        Just(format!("{{ '{SECRET}' = 1 }}")),
        Just(format!("[{{ app_key = '{SECRET}' }}]")),
        Just(SECRET.to_owned()),
        Just(format!("'{SECRET}")),
        "[0-9]{1,30}".prop_map(|digits| format!("'{digits}s'")),
        "[0-9]{1,30}",
        "\\PC{0,20}",
    ]
}

proptest! {
    #[test]
    fn any_file_and_environment_are_read_or_refused(
        file in "\\PC{0,50}",
        env in proptest::collection::btree_map("SUNMI_TRADE__[A-Z_\\[\\]0-9]{0,20}", ".*", 0..4),
        sandbox: bool,
    ) {
        aloud(&Sources { file: Some(file), env, flags: Vec::new() }, sandbox);
    }

    /// Whatever a setting is given, and wherever the file breaks off.
    #[test]
    fn a_value_of_the_file_is_not_read_aloud(
        key in proptest::sample::select(keys()),
        value in values(),
        cut in 0usize..40,
    ) {
        let text = format!("\n{key} = {value}\n");
        let kept = text.chars().count().saturating_sub(cut.saturating_sub(20));
        let file = Some(text.chars().take(kept).collect());
        let aloud = aloud(&Sources { file, ..Sources::default() }, false);
        // A name is no value.
        let named = format!("{key}.{SECRET}: ");
        prop_assert!(!aloud.replace(&named, "").contains(SECRET), "{}", aloud);
    }

    #[test]
    fn a_value_of_the_environment_is_not_read_aloud(
        key in proptest::sample::select(keys()),
        value in values(),
    ) {
        let name = format!("SUNMI_TRADE__{}", key.replace('.', "__").to_ascii_uppercase());
        let value = value.trim_matches('\'').to_owned();
        let env = [(name, value)].into();
        let aloud = aloud(&Sources { env, ..Sources::default() }, false);
        prop_assert!(!aloud.contains(SECRET), "{}", aloud);
    }
}

#[test]
fn a_fault_is_one_line_whatever_the_key() {
    let file = Some("\"a\\nb\\u001Bc\" = 1".to_owned());
    let faults = load(&Sources { file, ..Sources::default() }, true).unwrap_err();
    assert_eq!(faults[0].to_string(), r"a\nb\u{1b}c: is not a setting of this version");
}

#[test]
fn callers_that_are_alike_are_told_by_their_places() {
    let caller = format!("[[callers]]\nname = '{SECRET}'\nuris = ['{SECRET}']\nrpcs = ['Query']\n");
    let other = "[[callers]]\nname = 'other'\ndns_names = ['a.b']\nrpcs = ['Query']\n";
    let file = Some([&caller, other, &caller].concat());
    let faults = load(&Sources { file, ..Sources::default() }, true).unwrap_err();
    let faults: Vec<_> = faults.iter().map(ConfigFault::to_string).collect();
    let expected = [
        "callers[0] and callers[2]: must have different names",
        "callers[0] and callers[2]: must not have a name of a certificate in common",
        "callers: can only be known by uris and dns_names with tls.client_ca_file",
    ];
    assert_eq!(faults, expected);
}

#[test]
fn a_ratio_and_a_filter_are_what_they_say() {
    for (key, value, fits) in [
        ("tracing.sample_ratio", "0", true),
        ("tracing.sample_ratio", "1", true),
        ("tracing.sample_ratio", "0.25", true),
        ("tracing.sample_ratio", "'0.25'", true),
        ("tracing.sample_ratio", "1.01", false),
        ("tracing.sample_ratio", "-0.01", false),
        ("tracing.sample_ratio", "2", false),
        ("tracing.sample_ratio", "nan", false),
        ("tracing.sample_ratio", "'all'", false),
        ("log.filter", "'warn,sunmi_trade=info'", true),
        ("log.filter", "''", false),
        ("log.filter", "'info,x=loud'", false),
        ("log.filter", "1", false),
    ] {
        let file = Some(format!("{key} = {value}"));
        let read = load(&Sources { file, ..Sources::default() }, true);
        assert_eq!(read.is_ok(), fits, "{key} = {value}: {read:?}");
    }
}

/// What this file comes to, with somebody who signs.
fn loaded(text: &str, sandbox: bool) -> Config {
    let credentials = "[[credentials]]\napp_id = 'a'\napp_key = 'x'";
    let file = Some(format!("{text}\n{credentials}"));
    load(&Sources { file, ..Sources::default() }, sandbox).unwrap()
}

#[test]
fn a_ledger_is_bound_to_the_name_of_the_upstream_or_else_to_its_address() {
    let long = format!("http://127.0.0.1/{}", "p".repeat(300));
    let custom =
        |url: &str| format!("upstream.environment = 'custom'\nupstream.base_url = '{url}'");
    for (text, sandbox, name) in [
        ("refund.ledger = 'sqlite://l.db'", false, "https://openapi.sunmi.com/"),
        ("upstream.environment = 'test'", false, "http://test.openapi.sunmi.com/"),
        (&custom("http://127.0.0.1:1/below"), false, "http://127.0.0.1:1/below"),
        (&custom(&long), false, &long),
        ("", true, "sandbox"),
        ("upstream.name = 'shop'\nupstream.environment = 'test'", false, "shop"),
        ("upstream.name = 'shop'", true, "shop"),
    ] {
        let config = loaded(text, sandbox);
        assert_eq!(config.upstream_name(), name, "{text}");
        let printed = Sources { file: Some(config.to_toml()), ..Sources::default() };
        assert_eq!(load(&printed, sandbox).unwrap().upstream_name(), name, "{text}");
    }
}

#[test]
fn codes_that_mean_refused_are_kept_and_those_in_doubt_are_as_if_not_given() {
    let table = |(code, means)| format!("[[upstream.codes]]\ncode = '{code}'\nmeans = '{means}'\n");
    let text: String =
        [("T04", "refused"), ("T05", "doubt"), ("d11", "refused")].map(table).concat();
    assert_eq!(*loaded(&text, true).refund.refused_codes, ["T04".to_owned(), "d11".to_owned()]);
    assert!(loaded("", true).refund.refused_codes.is_empty());
}

#[test]
fn refunds_go_by_the_settings() {
    let text = "[refund]\nlag = '2s'\nprocessing_patience = '4d'\nlook_first = false\n\
                create_ledger = false\nledger_connections = 7\nledger = 'sqlite://l.db'";
    let config = loaded(text, true);
    let rules = (config.refund.lag, config.refund.processing_patience, config.refund.look_first);
    assert_eq!((rules, config.create_ledger), ((s(2), s(4 * DAY), false), false));
    assert_eq!(config.ledger_connections, 7);
    let config = loaded("", true);
    let rules = (config.refund.lag, config.refund.processing_patience, config.refund.look_first);
    assert_eq!((rules, config.create_ledger), ((s(5), s(3 * DAY), true), true));
    assert_eq!(config.ledger_connections, 16);
}
