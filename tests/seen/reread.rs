//! What the log tells of a configuration file that changes.

use std::time::Duration;

use serde_json::Value;
use tonic::Request;

use crate::calls;
use crate::process::Server;
use crate::sunmi::Sunmi;

const ENV: [(&str, &str); 4] = [
    ("SUNMI_TRADE__LOG__FORMAT", "json"),
    ("SUNMI_TRADE__RELOAD_INTERVAL", "10ms"),
    ("SUNMI_TRADE__REFUND__LEDGER", "memory"),
    ("SUNMI_TRADE__REFUND__LAG", "0s"),
];

const SECRET: &str = "s3cretDoNotShow";

fn signs(app_id: &str, key: &str) -> String {
    format!("[[credentials]]\napp_id = '{app_id}'\napp_key = '{key}'\n")
}

fn caller(name: &str, rpc: &str) -> String {
    format!("[[callers]]\nname = '{name}'\ntoken_file = '/dev/null'\nrpcs = ['{rpc}']\n")
}

/// The fields of a line that name something.
fn named(line: &str) -> Vec<(String, String)> {
    let line: Value = serde_json::from_str(line).unwrap();
    let told = ["timestamp", "level", "target", "message", "kind", "file"];
    let fields = line.as_object().unwrap().iter();
    let fields = fields.filter(|(name, _)| !told.contains(&name.as_str()));
    fields.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[tokio::test]
async fn what_changed_is_told_by_name_once_and_what_takes_a_restart() {
    let sunmi = Sunmi::start("").await;
    let start = signs("app-1", SECRET) + &signs("app-2", SECRET);
    let server = Server::start(&sunmi, &start, &ENV).await;
    let rest = "[deadlines]\ndefault = '9s'\nmax = '31s'\n";
    let new = format!("{}{}{rest}", signs("app-1", &format!("{SECRET}2")), signs("app-3", SECRET));
    server.configure(&new);
    let told = server.logs("changed, and in force\"", 1).await;
    let expected = [
        pair("app_ids_added", "app-3"),
        pair("app_ids_changed", "app-1"),
        pair("app_ids_removed", "app-2"),
    ];
    assert_eq!(named(&told[0]), expected);
    let restart = server.logs("only after a restart", 1).await;
    assert_eq!(named(&restart[0]), [pair("settings", "deadlines.default, deadlines.max")]);

    // Two faults, each told once though it is looked at all the time.
    server.configure(&format!("{new}{}", caller(SECRET, "Query")));
    server.logs("what was in force stays", 1).await;
    server.configure(&format!("{new}nonsense = '{SECRET}'"));
    let refused = server.logs("what was in force stays", 2).await;
    assert!(refused[1].contains("deadlines.nonsense: is not a setting of this version"));
    server.configure(&new);
    server.logs("again what is in force", 1).await;
    assert_eq!(server.logs("what was in force stays", 2).await.len(), 2);
    assert_eq!(server.logs("only after a restart", 1).await.len(), 1);
    assert!(!server.output().contains(SECRET), "{}", server.output());
}

#[tokio::test]
async fn an_app_id_without_a_key_is_told_once_however_often_its_refund_is_due() {
    let sunmi = Sunmi::start("").await;
    let server = Server::start(&sunmi, &signs("app-1", "k"), &ENV).await;
    let mut request = Request::new(calls::refund("RESET"));
    request.set_timeout(Duration::from_millis(1500));
    server.client().await.refund(request).await.unwrap_err();
    server.configure(&signs("app-2", "k"));
    server.logs("no key of this app_id is configured", 1).await;
    // Each pass that looked at it and left it open says so.
    let passes = server.logs("looked for what became of refunds", 0).await.len();
    server.logs("looked for what became of refunds", passes + 2).await;
    assert_eq!(server.logs("no key of this app_id is configured", 1).await.len(), 1);
    server.configure(&(signs("app-2", "k") + &signs("app-1", "k")));
    server.logs("a key of this app_id is configured again", 1).await;
}
