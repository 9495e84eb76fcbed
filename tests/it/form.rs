//! Forms and signatures, written down a second time from the document, so that what the
//! server sends is not judged by its own code.

use std::collections::BTreeMap;

use md5::{Digest, Md5};

/// The parameters of a form, by name.
pub(crate) type Form = BTreeMap<String, String>;

/// Reads `application/x-www-form-urlencoded`.
pub(crate) fn parse(body: &[u8]) -> Form {
    let text = std::str::from_utf8(body).expect("a form in ASCII");
    let mut form = Form::new();
    for pair in text.split('&') {
        let (name, value) = pair.split_once('=').expect("a pair");
        let twice = form.insert(decode(name), decode(value));
        assert_eq!(twice, None, "{name} is sent twice");
    }
    form
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        (bytes, rest) = match (first, others) {
            (b'%', [high, low, others @ ..]) => {
                let hex = [*high, *low];
                let hex = std::str::from_utf8(&hex).expect("ASCII");
                bytes.push(u8::from_str_radix(hex, 16).expect("two hex digits"));
                (bytes, others)
            }
            (b'+', others) => {
                bytes.push(b' ');
                (bytes, others)
            }
            (byte, others) => {
                assert!(byte.is_ascii_alphanumeric() || b"*-._".contains(byte), "{text}");
                bytes.push(*byte);
                (bytes, others)
            }
        };
    }
    String::from_utf8(bytes).expect("UTF-8")
}

/// The signature that chapter 3 asks for.
pub(crate) fn signature(form: &Form, app_key: &str) -> String {
    let signed = form.iter().filter(|(name, _)| *name != "sign");
    let mut pairs: Vec<String> = signed.map(|(name, value)| format!("{name}={value}")).collect();
    pairs.sort_by(|one, other| one.as_bytes().cmp(other.as_bytes()));
    let digest = Md5::digest(format!("{}{app_key}", pairs.join("&")));
    digest.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// The vector that Sunmi publishes for the same scheme (`sunmi-api.md`, "Signature").
#[test]
fn sunmis_published_vector_verifies_here_too() {
    let form = parse(b"app_id=sm5b9b4daef3463&msn=NT1234DF23456&shop_id=1&timestamp=1589277365");
    let sign = signature(&form, "dd3ac24736589ae17d333e362859bf4c");
    assert_eq!(sign, "946720303FEFF4516626A4431D2753CA");
}
