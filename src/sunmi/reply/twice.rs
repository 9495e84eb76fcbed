//! Finds a field that is named twice. JSON leaves open which of the two counts, and a map
//! keeps the last without a word. No sound writer does it, so nothing that stands in such a
//! text is to be relied on, not even where both values are the same.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A text that contradicts itself.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a field is named twice")]
pub(super) struct NamedTwice;

/// Refuses a JSON text in which an object, at any depth, names a field twice.
pub(super) fn refuse_names_twice(json: &str) -> Result<(), NamedTwice> {
    serde_json::from_str::<Once>(json).map(|Once| ()).map_err(|_| NamedTwice)
}

/// A value of which nothing is kept, in which every name stands once.
struct Once;

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Once)
    }
}

impl<'de> Visitor<'de> for Once {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self, A::Error> {
        while values.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    /// Of an object, or of a number of any size, which comes as a map with one field.
    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self, A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = fields.next_key::<String>()? {
            if !names.insert(name) {
                return Err(A::Error::custom(NamedTwice));
            }
            fields.next_value::<Self>()?;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            let object = proptest::collection::btree_map("[ab]{0,2}", inner.clone(), 0..4);
            prop_oneof![
                proptest::collection::vec(inner, 0..4).prop_map(Value::from),
                object.prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_text_is_refused_for_anything_but_its_names(value in json()) {
            prop_assert!(refuse_names_twice(&value.to_string()).is_ok(), "{value}");
        }
    }

    #[test]
    fn a_name_may_stand_once_in_each_object() {
        let table = [
            (
                r#"{"a":1,"b":[1.5e9,-2,18446744073709551615,"x",true,null,[]],"c":{"a":{"a":1}}}"#,
                true,
            ),
            (r#"[{"a":1},{"a":1}]"#, true),
            (r#"{"a":1,"A":1,"a ":1,"":1}"#, true),
            ("123456789012345678901234567890.5e99", true),
            (r#"{"a":1,"a":2}"#, false),
            (r#"{"a":1,"a":1}"#, false),
            (r#"{"a":1,"b":2,"\u0061":1}"#, false),
            (r#"{"b":{"a":1,"a":null}}"#, false),
            (r#"{"b":[0,{"":1,"":2}]}"#, false),
        ];
        for (json, expected) in table {
            assert_eq!(refuse_names_twice(json).is_ok(), expected, "{json}");
        }
    }
}
