//! The JSON of a reply, read in one go: its values, texts borrowed where the reply has them as
//! they are, and whether a name stands twice.
//!
//! JSON leaves open which of two fields of one name counts, and a map keeps the last without a
//! word. No sound writer does it, so nothing that stands in such a text is to be relied on, not
//! even where both values are the same.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor,
};
use serde::ser::{Serialize, Serializer};
use serde_json::{Error, Number};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    /// As it was written, whatever its size.
    Number(Number),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Object(Object<'a>),
}

/// Names and their values, in their order.
pub(super) type Object<'a> = Vec<(Cow<'a, str>, Json<'a>)>;

/// A text that was read to its end.
#[derive(Debug)]
pub(super) struct Read<'a> {
    pub(super) value: Json<'a>,
    /// Whether an object, at any depth, names a field twice.
    pub(super) names_twice: bool,
}

/// Reads a text that is JSON as a whole.
pub(super) fn read(text: &str) -> Result<Read<'_>, Error> {
    let twice = Cell::new(false);
    let mut text = serde_json::Deserializer::from_str(text);
    let value = AnyValue { twice: &twice }.deserialize(&mut text)?;
    text.end()?;
    Ok(Read { value, names_twice: twice.get() })
}

/// Compact, in the order of the text.
impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(bool) => serializer.serialize_bool(*bool),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(values) => serializer.collect_seq(values),
            Self::Object(fields) => {
                serializer.collect_map(fields.iter().map(|(name, value)| (name, value)))
            }
        }
    }
}

/// What serde_json calls the one field of the map as which it hands over a number that is not
/// whole, or has more than 64 bits.
/// Where a text names a field so first of all, serde_json itself takes it for a number.
const NUMBER: &str = "$serde_json::private::Number";

/// Reads any value.
#[derive(Clone, Copy)]
struct AnyValue<'c> {
    /// Set where a name stands twice.
    twice: &'c Cell<bool>,
}

impl<'de> DeserializeSeed<'de> for AnyValue<'_> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyValue<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, bool: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(bool))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    /// One with escapes.
    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Json<'de>, A::Error> {
        let mut all = Vec::new();
        while let Some(value) = values.next_element_seed(self)? {
            all.push(value);
        }
        Ok(Json::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Json<'de>, A::Error> {
        let mut next = fields.next_key::<Name<'de>>()?;
        if next.as_ref().is_some_and(|name| name.0 == NUMBER) {
            let digits: String = fields.next_value()?;
            return digits.parse().map(Json::Number).map_err(A::Error::custom);
        }
        // Sunmi's objects have 14 to 19 fields.
        let mut all = Object::with_capacity(if next.is_some() { 16 } else { 0 });
        while let Some(Name(name)) = next {
            all.push((name, fields.next_value_seed(self)?));
            next = fields.next_key()?;
        }
        if has_twice(&all) {
            self.twice.set(true);
        }
        Ok(Json::Object(all))
    }
}

/// A field's name.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfName;

        impl<'de> Visitor<'de> for OfName {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }

        deserializer.deserialize_str(OfName)
    }
}

/// Whether a name stands twice. Sorted, since an object may have any number of fields.
fn has_twice(fields: &Object<'_>) -> bool {
    let mut names: Vec<&str> = fields.iter().map(|(name, _)| &**name).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
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
        /// No text is refused for anything but its names.
        #[test]
        fn what_was_read_is_written_as_it_was(value in json()) {
            let text = value.to_string();
            let read = read(&text).unwrap();
            prop_assert!(!read.names_twice, "{text}");
            prop_assert_eq!(serde_json::to_string(&read.value).unwrap(), text);
        }

        /// Mostly almost JSON.
        #[test]
        fn it_reads_what_serde_json_reads(text in "[\\[\\]{}:,\"a1e.\\- ntu\\\\]{0,12}", value in json(), cut in 0usize..40) {
            let value = value.to_string();
            let cut: String = value.chars().take(cut).collect();
            for text in [text.as_str(), &cut, &value] {
                let theirs = serde_json::from_str::<Value>(text);
                let ours = read(text);
                prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{}", text);
                if let (Ok(ours), Ok(theirs)) = (ours, theirs.map(|it| it.to_string())) {
                    let (ours, twice) = (serde_json::to_string(&ours.value), ours.names_twice);
                    prop_assert!(twice || ours.unwrap() == theirs, "{}", text);
                }
            }
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
            assert_eq!(read(json).unwrap().names_twice, !expected, "{json}");
        }
    }

    #[test]
    fn what_is_nested_more_than_127_deep_is_refused() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&nested(127)).is_ok() && read(&nested(128)).is_err());
    }
}
