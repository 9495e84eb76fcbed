//! The documents say what the code says.

use sunmi_trade::config::{Setting, settings};
use sunmi_trade::error::{Fault, NextStep};
use sunmi_trade::explain::{TABLE_HEAD, table_row};

use super::{file, repository, run};

/// Enough to start with, though money may move.
const ENOUGH: [(&str, &str); 3] = [
    ("SUNMI_TRADE_APP_ID", "app-1"),
    ("SUNMI_TRADE_APP_KEY", "x"),
    ("SUNMI_TRADE__REFUND__LEDGER", "sqlite://ledger.db"),
];

/// The lines of the table with this head.
fn table<'a>(text: &'a str, head: &str) -> Vec<&'a str> {
    let (_, rest) = text.split_once(head).expect("the head of the table");
    rest.trim_start().lines().take_while(|line| line.starts_with('|')).collect()
}

#[test]
fn the_table_of_errors_is_the_table_of_the_code() {
    let errors = repository("docs/errors.md");
    let rows: Vec<String> = Fault::ALL.into_iter().map(table_row).collect();
    assert_eq!(table(&errors, TABLE_HEAD), rows, "sunmi-trade explain prints it anew");
}

#[test]
fn the_table_of_errors_is_what_explain_prints() {
    let errors = repository("docs/errors.md");
    let printed = run(&["explain"], &[]).printed();
    assert!(errors.ends_with(&printed), "{printed}");
}

#[test]
fn a_wait_comes_with_the_reasons_that_are_documented_to_have_one() {
    let errors = repository("docs/errors.md");
    let row = errors.lines().find(|line| line.starts_with("| `google.rpc.RetryInfo`"));
    let (retries, others) = row.and_then(|row| row.split_once(", and with ")).expect("the row");
    for fault in Fault::ALL {
        let (row, reason) = (fault.row(), format!("`{}`", fault.row().reason));
        let is_retry = row.next_step == NextStep::Retry && !retries.contains(&reason);
        assert_eq!(row.retry_info, is_retry || others.contains(&reason), "{reason}");
    }
}

/// What the documented row of a setting begins with.
fn row(setting: &Setting) -> String {
    let rule = setting.rule.trim_start_matches("must be ");
    let rule = rule.replace(" with a unit, such as 500ms or 5s,", "");
    let default = setting.default.as_ref().map_or("–".to_owned(), |it| format!("`{it}`"));
    format!("| `{}` | {rule} | {default} | ", setting.key)
}

#[test]
fn the_settings_are_documented_with_their_rules_and_defaults() {
    let text = repository("docs/configuration.md");
    let documented: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
    let rows: Vec<String> = settings().iter().map(row).collect();
    for row in &rows {
        let found = documented.iter().filter(|line| line.starts_with(row)).count();
        assert_eq!(found, 1, "docs/configuration.md should have a row that begins so:\n{row}");
    }
    assert_eq!(documented.len(), rows.len(), "rows of settings that are not there");
}

#[test]
fn the_documented_default_is_what_is_in_force_without_settings() {
    let printed: toml::Table =
        run(&["check-config"], &ENOUGH).printed().parse().expect("what it prints is TOML");
    for setting in settings().into_iter().filter(|setting| setting.key != "refund.ledger") {
        let mut at = Some(&printed);
        let mut value = None;
        for name in setting.key.split('.') {
            value = at.and_then(|table| table.get(name));
            at = value.and_then(|value| value.as_table());
        }
        let value = value.filter(|value| !value.is_array());
        let value = value.map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned));
        assert_eq!(value, setting.default, "{}", setting.key);
    }
}

#[test]
fn every_setting_but_those_of_tables_is_read_from_the_environment() {
    for setting in settings().iter().filter(|setting| !setting.key.contains("[]")) {
        let name = format!("SUNMI_TRADE__{}", setting.key.replace('.', "__").to_ascii_uppercase());
        let ran = run(&["check-config"], &[&ENOUGH[..], &[(&name, "")]].concat());
        let fault = format!("{name}: {}", setting.rule);
        assert!(ran.faults().contains(&fault.as_str()), "{fault}: {}", ran.stderr);
    }
}

#[test]
fn the_example_of_a_configuration_is_in_order_and_has_every_setting() {
    let example = repository("config.example.toml");
    let path = file("example.toml", &example);
    run(&["check-config", "--config", path.to_str().unwrap()], &ENOUGH[..2]).printed();
    let mut section = String::new();
    let mut shown: Vec<String> = Vec::new();
    for line in example.lines().map(|line| line.trim_start_matches("# ")) {
        if let Some(name) = line.strip_prefix('[') {
            section = format!("{}.", name.replace(['[', ']'], ""));
        } else if let Some((key, _)) = line.split_once(" = ") {
            shown.push(format!("{section}{key}"));
        }
    }
    for setting in settings() {
        let key = setting.key.replace("[]", "");
        // An array of tables is there when one of its tables is.
        let key = if setting.rule.contains("[[") { format!("{key}.") } else { key };
        assert!(
            shown.iter().any(|it| it.starts_with(&key)),
            "{key} is not in config.example.toml: {shown:?}"
        );
    }
}

#[test]
fn the_documents_that_the_readme_links_are_there() {
    let readme = repository("README.md");
    let links: Vec<&str> = readme
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|link| !link.contains("://"))
        .collect();
    assert!(links.len() > 3, "{links:?}");
    for link in links {
        let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
        let text = repository(path);
        let headings =
            text.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
        let mut anchors = headings.map(|heading| heading.to_lowercase().replace(' ', "-"));
        assert!(anchor.is_empty() || anchors.any(|it| it == anchor), "{link}");
    }
}
