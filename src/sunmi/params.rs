//! The parameters of a call, and their signature (chapter 3 of the API document). They are
//! collected once; what is signed and what is sent are both made from that one value.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use md5::{Digest, Md5};
use secrecy::{ExposeSecret, SecretString};

use super::search::Search;

/// Name of the parameter that carries the signature, itself never signed.
pub const SIGN: &str = "sign";

/// Parameters by name, in ASCII order. None is empty: an empty optional parameter is
/// neither sent nor signed.
#[derive(Clone, Debug, Default)]
pub struct Params(BTreeMap<Cow<'static, str>, String>);

impl Params {
    /// Sets a parameter to its raw value. An empty value leaves it out; so does the name
    /// `sign`, which is made here.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        if !value.is_empty() && name != SIGN {
            self.0.insert(name, value);
        }
    }

    /// `stringA` of chapter 3: the raw values, in ASCII order of the names.
    pub fn string_to_sign(&self) -> String {
        let length = self.0.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        let mut text = String::with_capacity(length);
        for (name, value) in &self.0 {
            if !text.is_empty() {
                text.push('&');
            }
            text.push_str(name);
            text.push('=');
            text.push_str(value);
        }
        text
    }

    /// The signature under this key: MD5 of `stringA` and the key with nothing between, in
    /// upper-case hex.
    pub fn signature(&self, key: &AppKey) -> String {
        let digest = Md5::new()
            .chain_update(self.string_to_sign())
            .chain_update(key.0.expose_secret())
            .finalize();
        hex::encode_upper(digest)
    }

    /// The form to send: these parameters and their signature.
    pub fn sign(&self, key: &AppKey) -> SignedForm {
        // Longer than most are.
        let mut form = form_urlencoded::Serializer::new(String::with_capacity(256));
        form.extend_pairs(&self.0);
        let sign = self.signature(key);
        form.append_pair(SIGN, &sign);
        SignedForm { body: form.finish(), sign, key: key.clone() }
    }
}

impl<N: Into<Cow<'static, str>>, V: Into<String>> FromIterator<(N, V)> for Params {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut params = Self::default();
        for (name, value) in pairs {
            params.set(name, value);
        }
        params
    }
}

/// The key that signs for an `app_id`. It cannot be printed. Clones share it.
#[derive(Clone, Debug)]
pub struct AppKey(Arc<SecretString>);

impl AppKey {
    /// A key as Sunmi gave it.
    pub fn new(key: impl Into<SecretString>) -> Self {
        Self(Arc::new(key.into()))
    }

    /// Whether it is the same key.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

/// A body of `application/x-www-form-urlencoded` with a signature over all the rest. Only
/// [`Params::sign`] makes one, and only one can be sent. It cannot be printed.
#[derive(Clone)]
pub struct SignedForm {
    body: String,
    sign: String,
    key: AppKey,
}

/// What stands in the place of a secret.
const REDACTED: &[u8] = b"[redacted]";

/// A key that is shorter may well be a word of a reply, and is no secret worth the name.
const MIN_SECRET: usize = 16;

impl SignedForm {
    /// The bytes to send.
    pub fn into_body(self) -> String {
        self.body
    }

    /// A reply without this form's signature and key, as they are or escaped as in a form, in
    /// whatever case: an upstream that shows what it got shows those, too.
    pub fn redact(&self, reply: Bytes) -> Bytes {
        let key = self.key.0.expose_secret();
        let plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric());
        // Wiped in the end, like the key.
        let escaped = (!plain).then(|| SecretString::from(escaped(key)));
        let escaped = escaped.as_ref().map(ExposeSecret::expose_secret);
        let secrets = [Some(self.sign.as_str()), Some(key), escaped].into_iter().flatten();
        secrets.filter(|secret| secret.len() >= MIN_SECRET).fold(reply, without)
    }
}

/// The text as it is in a form.
fn escaped(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The text without this secret.
fn without(text: Bytes, secret: &str) -> Bytes {
    let search = Search::of(secret);
    let Some(mut at) = search.find_in(&text) else {
        return text;
    };
    let mut kept = Vec::with_capacity(text.len());
    let mut rest = &text[..];
    loop {
        kept.extend_from_slice(&rest[..at]);
        kept.extend_from_slice(REDACTED);
        rest = &rest[at + secret.len()..];
        at = match search.find_in(rest) {
            Some(next) => next,
            None => break,
        };
    }
    kept.extend_from_slice(rest);
    kept.into()
}

impl std::fmt::Debug for SignedForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignedForm([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> AppKey {
        AppKey::new(text.to_owned())
    }

    /// The vector that Sunmi's page on its cloud-printer API gives for the same scheme.
    #[test]
    fn the_published_vector_is_reproduced() {
        let params: Params = [
            ("timestamp", "1589277365"),
            ("shop_id", "1"),
            ("msn", "NT1234DF23456"),
            ("app_id", "sm5b9b4daef3463"),
        ]
        .into_iter()
        .collect();
        assert_eq!(
            params.signature(&key("dd3ac24736589ae17d333e362859bf4c")),
            "946720303FEFF4516626A4431D2753CA"
        );
    }

    #[test]
    fn the_string_to_sign_is_in_ascii_order_with_upper_case_first_and_without_sign_or_empties() {
        let table: &[(&[(&str, &str)], &str)] = &[
            (&[], ""),
            (&[("b", "2"), ("a", "1")], "a=1&b=2"),
            (&[("a", "1"), ("B", "2"), ("_", "3")], "B=2&_=3&a=1"),
            (&[("a", ""), ("b", "2")], "b=2"),
            (&[("a", "1"), ("sign", "X")], "a=1"),
            (&[("a", "x y+z%=中")], "a=x y+z%=中"),
        ];
        for (pairs, expected) in table {
            let params: Params = pairs.iter().copied().collect();
            assert_eq!(&params.string_to_sign(), expected);
        }
    }

    #[test]
    fn the_form_is_escaped_and_ends_with_the_signature() {
        let params: Params = [("b", "a b&c=d+e%中"), ("a", "1")].into_iter().collect();
        assert_eq!(
            params.sign(&key("k")).into_body(),
            format!("a=1&b=a+b%26c%3Dd%2Be%25%E4%B8%AD&sign={}", params.signature(&key("k")))
        );
    }

    #[test]
    fn neither_key_nor_form_can_be_printed() {
        let secret = key("hunter2");
        let form = [("a", "hunter2")].into_iter().collect::<Params>().sign(&secret);
        assert!(!format!("{secret:?} {form:?}").contains("hunter2"));
    }

    #[test]
    fn a_reply_is_read_without_the_signature_and_the_key_that_made_it() {
        let app_key = "dd3ac247+36589ae17d3";
        let form = [("a", "1")].into_iter().collect::<Params>().sign(&key(app_key));
        let sign = form.sign.clone();
        let redacted = |text: String| form.redact(text.into());
        for secret in [&sign, &sign.to_lowercase(), app_key, "dd3ac247%2B36589AE17d3"] {
            assert_eq!(
                redacted(format!("{{{secret}{secret}&x{secret}")),
                "{[redacted][redacted]&x[redacted]"
            );
        }
        for harmless in ["", "a=1", &sign[1..], &app_key[..19]] {
            assert_eq!(redacted(harmless.to_owned()), harmless);
        }
    }

    #[test]
    fn a_key_that_may_be_a_word_spoils_no_reply() {
        let form = [("a", "1")].into_iter().collect::<Params>().sign(&key("orderId"));
        assert_eq!(form.redact("orderId".into()), "orderId");
    }

    /// The scheme written down a second time, in another way, from the form that was sent.
    fn verifies(body: &str, app_key: &str) -> bool {
        let mut pairs: Vec<(String, String)> =
            form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let at = pairs.iter().position(|(name, _)| name == "sign").expect("a signature");
        let (_, sign) = pairs.remove(at);
        pairs.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
        let lines: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let digest = Md5::digest(format!("{}{app_key}", lines.join("&")).as_bytes());
        sign == digest.iter().map(|byte| format!("{byte:02X}")).collect::<String>()
    }

    proptest! {
        #[test]
        fn what_is_sent_verifies_independently(
            pairs in proptest::collection::btree_map("[a-zA-Z_]{1,12}", "\\PC{0,40}", 0..10),
            app_key in "[!-~]{1,40}",
        ) {
            let params: Params = pairs.into_iter().collect();
            prop_assert!(verifies(&params.sign(&key(&app_key)).into_body(), &app_key));
        }

        #[test]
        fn the_order_of_setting_does_not_matter(
            pairs in proptest::collection::btree_map("[a-zA-Z_]{1,12}", "\\PC{0,40}", 0..10)
                .prop_map(|map| map.into_iter().collect::<Vec<_>>())
                .prop_flat_map(|pairs| (Just(pairs.clone()), Just(pairs).prop_shuffle())),
        ) {
            let (one, other) = pairs;
            let one: Params = one.into_iter().collect();
            let other: Params = other.into_iter().collect();
            prop_assert_eq!(one.signature(&key("k")), other.signature(&key("k")));
        }

        #[test]
        fn another_key_signs_differently(value in "\\PC{1,40}", keys in ("[a-z]{8}", "[A-Z]{8}")) {
            let params: Params = [("a", value)].into_iter().collect();
            prop_assert_ne!(params.signature(&key(&keys.0)), params.signature(&key(&keys.1)));
        }
    }
}
