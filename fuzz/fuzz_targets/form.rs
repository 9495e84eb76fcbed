//! The form and its signature, read and signed again as chapter 3 of the API document tells,
//! by another decoder and another MD5.

#![no_main]

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sunmi_trade::sunmi::params::{AppKey, Params};
use sunmi_trade::trade::Identifier;

#[derive(Arbitrary, Debug)]
struct Input {
    pairs: Vec<(String, String)>,
    key: String,
}

fuzz_target!(|input: Input| {
    let Input { pairs, key } = input;
    let mut wanted = BTreeMap::new();
    for (name, value) in &pairs {
        if name != "sign" && !value.is_empty() {
            wanted.insert(name.clone(), value.clone());
        }
    }
    let params: Params = pairs.iter().cloned().collect();
    let app_key = AppKey::new(key.clone());
    let form = params.sign(&app_key);
    assert_eq!(format!("{form:?}"), "SignedForm([redacted])");
    assert_eq!(format!("{app_key:?}"), format!("{:?}", AppKey::new("")));

    let body = form.into_body();
    assert!(body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"*-._+%&=".contains(&byte)));
    let mut sent = decoded(&body);
    let (name, signature) = sent.pop().expect("a signature");
    assert_eq!(name, "sign", "the signature comes last");
    assert!(sent.iter().is_sorted_by(|a, b| a.0.as_bytes() < b.0.as_bytes()), "{sent:?}");

    let lines: Vec<_> = sent.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let signed = lines.join("&");
    assert_eq!(signature, sign(&signed, &key), "what is sent verifies");
    assert_eq!(params.string_to_sign(), signed);
    assert_eq!(params.signature(&app_key), signature);
    assert_ne!(params.signature(&AppKey::new(format!("{key}x"))), signature);

    let turned: Params = wanted.iter().rev().map(|(n, v)| (n.clone(), v.clone())).collect();
    assert_eq!(turned.sign(&app_key).into_body(), body, "the order of setting does not matter");
    assert_eq!(sent.into_iter().collect::<BTreeMap<_, _>>(), wanted, "nothing lost or added");
    check_unambiguous(&wanted, &signed);
});

/// Among what a caller can ask for, no two forms sign alike: the signed text tells which.
fn check_unambiguous(wanted: &BTreeMap<String, String>, signed: &str) {
    let word = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric());
    let askable =
        wanted.iter().all(|(name, value)| word(name) && Identifier::parse(value.clone()).is_some());
    if !askable {
        return;
    }
    let lines = signed.split('&').filter(|line| !line.is_empty());
    let told = lines.map(|line| line.split_once('=').expect("a value"));
    let told: BTreeMap<_, _> = told.map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    assert_eq!(&told, wanted);
}

/// Upper-case hex of the MD5 of the text and the key with nothing between.
fn sign(text: &str, key: &str) -> String {
    format!("{:X}", md5::compute(format!("{text}{key}")))
}

/// `application/x-www-form-urlencoded`, undone byte by byte.
fn decoded(body: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').expect("a name and a value");
        (unescaped(name), unescaped(value))
    };
    body.split('&').map(pair).collect()
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut digit = || char::from(rest.next().expect("a digit")).to_digit(16).expect("hex");
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => (digit() * 16 + digit()) as u8,
            byte => byte,
        });
    }
    String::from_utf8(bytes).expect("UTF-8, as it was set")
}
