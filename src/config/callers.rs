//! Who may call: `[[callers]]`, or a word such as `callers = "trust-network"`.

use super::source::Reader;
use crate::callers::{Access, Bound, Caller, Callers, Mesh, Tokens};
use crate::reload::{self, Origin};
use crate::trade::{Identifier, Method};

/// What stands in the place of callers where the network has checked them, and whom it makes
/// this server believe.
const TRUSTS: [(&str, Option<Mesh>); 3] = [
    ("trust-network", None),
    ("trust-envoy", Some(Mesh::Envoy)),
    ("trust-linkerd", Some(Mesh::Linkerd)),
];

/// Reads who may call; `app_ids` are those that calls can be signed as.
pub(super) fn read(reader: &mut Reader, app_ids: &[Identifier]) -> Access {
    let rule = "must be trust-network, trust-envoy, trust-linkerd, or tables, each under \
                [[callers]]";
    let trusts = reader.take("callers", rule, |value| match value.as_array() {
        Some(array) => array.is_empty().then_some(None),
        None => TRUSTS.into_iter().find(|(word, _)| value.as_str() == Some(word)).map(Some),
    });
    if let Some((word, mesh)) = trusts.flatten() {
        reader.in_force(&word);
        return Access::TrustNetwork(mesh);
    }
    let tables = reader.rows("callers");
    if tables.is_empty() {
        return Access::Open;
    }
    let mut all: Vec<(&str, (Caller, Tokens))> = Vec::new();
    for prefix in &tables {
        let Some(caller) = caller(reader, prefix, app_ids) else { continue };
        let place = prefix.trim_end_matches('.');
        for (other_place, other) in &all {
            check_apart(reader, &format!("{other_place} and {place}"), &caller, other);
        }
        all.push((place, caller));
    }
    Access::Listed(Callers::new(all.into_iter().map(|(_, caller)| caller).collect()))
}

/// Whoever calls is one caller at most. A fault tells places: a name may be a token in the
/// wrong place.
fn check_apart(
    reader: &mut Reader,
    places: &str,
    (one, tokens): &(Caller, Tokens),
    (other, other_tokens): &(Caller, Tokens),
) {
    let shared = |a: &[String], b: &[String]| a.iter().any(|name| b.contains(name));
    reader.check(one.name != other.name, places, "must have different names");
    let apart = !shared(&one.uris, &other.uris) && !shared(&one.dns_names, &other.dns_names);
    reader.check(apart, places, "must not have a name of a certificate in common");
    reader.check(!tokens.overlap(other_tokens), places, "must not have a token in common");
}

/// A table of `[[callers]]`.
fn caller(reader: &mut Reader, prefix: &str, app_ids: &[Identifier]) -> Option<(Caller, Tokens)> {
    let key = |name: &str| format!("{prefix}{name}");
    reader.check(reader.has(&key("name")), &key("name"), "is required");
    let known_by = ["uris", "dns_names", "token_file"];
    let known = known_by.iter().any(|name| reader.has(&key(name)));
    reader.check(known, prefix.trim_end_matches('.'), "must have uris, dns_names or token_file");
    let name = reader.text(&key("name"));
    let name = name.and_then(|name| super::credentials::identifier(reader, &key("name"), name));
    let uris = reader.texts(&key("uris")).unwrap_or_default();
    let dns_names = reader.texts(&key("dns_names")).unwrap_or_default();
    let token_file = reader.text(&key("token_file"));
    let read = token_file.and_then(|path| tokens(reader, &key("token_file"), path));
    let (tokens, tokens_from) = read.unzip();
    let rpcs = rpcs(reader, &key("rpcs"));
    let app_ids = own_app_ids(reader, &key("app_ids"), app_ids);
    let (max_refund, max_refund_per_day) = max_refunds(reader, prefix);
    let own_refunds_only = own_refunds_only(reader, &key("own_refunds_only"));
    let max_calls = reader.optional_count(&key("max_calls"), 1..=1_000_000);
    let caller = Caller {
        name: name?,
        uris,
        dns_names: dns_names.iter().map(|name| name.to_ascii_lowercase()).collect(),
        tokens_from,
        rpcs,
        app_ids,
        max_refund,
        max_refund_per_day,
        own_refunds_only,
        calls: Bound::new(max_calls),
    };
    Some((caller, tokens.unwrap_or_default()))
}

fn tokens(reader: &mut Reader, key: &str, path: String) -> Option<(Tokens, Origin)> {
    match reload::read(vec![path.into()]) {
        Ok((contents, origin)) => {
            let tokens = contents.first().and_then(|content| Tokens::parse(content));
            reader.check(tokens.is_some(), key, Tokens::RULE);
            Some((tokens?, origin))
        }
        Err(error) => {
            reader.fault(key, format!("names a file that cannot be read: {}", error.why));
            None
        }
    }
}

fn rpcs(reader: &mut Reader, key: &str) -> Vec<Method> {
    reader.check(reader.has(key), key, "is required");
    let rule = "must be a list out of Query, Refund, SwipeQuery, GetRefund, ListRefunds and \
                WatchRefunds";
    let named = |name: &str| Method::ALL.into_iter().find(|it| it.name() == name);
    reader.list(key, rule, named).unwrap_or_default()
}

fn own_app_ids(reader: &mut Reader, key: &str, known: &[Identifier]) -> Option<Vec<Identifier>> {
    let rule = "must be a list of app_ids that are configured";
    reader.list(key, rule, |name| known.iter().find(|id| id.as_str() == name).cloned())
}

/// The most that it may refund at once, and on one day.
fn max_refunds(reader: &mut Reader, prefix: &str) -> (Option<i64>, Option<i64>) {
    let keys =
        ["max_refund_minor", "max_refund_per_day_minor"].map(|name| format!("{prefix}{name}"));
    let [at_once, per_day] = keys.each_ref().map(|key| max_refund(reader, key));
    let fits = at_once.zip(per_day).is_none_or(|(at_once, per_day)| at_once <= per_day);
    let rule = "must not allow more at once than on one day";
    reader.check(fits, &keys.join(" and "), rule);
    (at_once, per_day)
}

fn max_refund(reader: &mut Reader, key: &str) -> Option<i64> {
    let rule = "must be a whole number of minor units, at least 1";
    let most = reader.take(key, rule, |value| value.as_integer().filter(|most| *most > 0))?;
    reader.in_force_as(&most.into());
    Some(most)
}

fn own_refunds_only(reader: &mut Reader, key: &str) -> bool {
    let only = reader.take(key, "must be true or false", toml::Value::as_bool);
    if let Some(only) = only {
        reader.in_force_as(&only.into());
    }
    only.unwrap_or_default()
}
