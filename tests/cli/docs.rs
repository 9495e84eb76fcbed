//! The documents say what the code says.

use std::collections::BTreeMap;

use sunmi_trade::error::Fault;
use sunmi_trade::explain::{TABLE_HEAD, table_row};

use super::{repository, run};

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
fn the_settings_of_the_readme_are_the_settings_of_the_program() {
    let readme = repository("README.md");
    let rows = table(&readme, "| setting | default | |\n|---|---|---|");
    let cell = |row: &str, at| {
        let cell: &str = row.split('|').nth(at).expect("a cell");
        cell.trim().trim_matches('`').to_owned()
    };
    let documented: BTreeMap<String, String> =
        rows.into_iter().map(|row| (cell(row, 1), cell(row, 2))).collect();

    let mut section = String::new();
    let mut defaults = BTreeMap::new();
    let env = [("SUNMI_TRADE_APP_ID", "app-1"), ("SUNMI_TRADE_APP_KEY", "x")];
    for line in run(&["check-config"], &env).printed().lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = format!("{}.", name.trim_matches(['[', ']']));
        } else if let Some((key, value)) = line.split_once(" = ").filter(|_| !line.starts_with('#'))
        {
            defaults.insert(format!("{section}{key}"), value.trim_matches('"').to_owned());
        }
    }
    // Who signs has no default.
    defaults.retain(|key, _| !key.starts_with("credentials.") && key != "default_app_id");
    let with_default: BTreeMap<_, _> =
        documented.iter().filter(|(_, default)| *default != "–").collect();
    assert_eq!(with_default, defaults.iter().collect());

    for key in documented.keys().filter(|key| !key.starts_with("credentials")) {
        let name = format!("SUNMI_TRADE__{}", key.replace('.', "__").to_ascii_uppercase());
        let ran = run(&["check-config"], &[(&name, ""), env[0], env[1]]);
        let faults = ran.faults();
        assert!(faults.iter().any(|fault| fault.starts_with(&name)), "{key}: {faults:?}");
        assert!(!ran.stderr.contains("not a setting"), "{key}: {faults:?}");
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
    links.into_iter().for_each(|link| drop(repository(link)));
}
