//! Messages as proto3 JSON, by their descriptors.

use std::error::Error;

use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::Value;

/// A message, or why it cannot be one.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

static DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Which fields that hold their default value are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defaults {
    /// None, as proto3 JSON has it.
    Left,
    /// All that cannot be absent.
    Written,
}

/// Writes a message. A number that its enum does not have stays a number.
pub fn write<M: Message + Name>(message: &M, defaults: Defaults) -> Result<Value> {
    let dynamic = DynamicMessage::decode(descriptor::<M>()?, message.encode_to_vec().as_slice())?;
    let options = SerializeOptions::new().skip_default_fields(defaults == Defaults::Left);
    Ok(dynamic.serialize_with_options(serde_json::value::Serializer, &options)?)
}

/// Reads a message. A field that it does not have is an error.
pub fn read<M: Message + Name + Default>(json: &Value) -> Result<M> {
    let dynamic = DynamicMessage::deserialize(descriptor::<M>()?, json)?;
    Ok(dynamic.transcode_to()?)
}

fn descriptor<M: Name>() -> Result<MessageDescriptor> {
    let pool = DescriptorPool::decode(DESCRIPTORS)?;
    let name = M::full_name();
    pool.get_message_by_name(&name).ok_or_else(|| format!("no message is named {name}").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::{RefundRequest, RefundResponse, TradeError};

    #[test]
    fn amounts_beyond_the_numbers_of_javascript_are_kept() {
        let request = RefundRequest { amount_minor: (1 << 53) + 1, ..RefundRequest::default() };
        let json = write(&request, Defaults::Left).unwrap();
        assert_eq!(json, serde_json::json!({"amountMinor": "9007199254740993"}));
        assert_eq!(read::<RefundRequest>(&json).unwrap(), request);
    }

    #[test]
    fn a_number_that_the_enum_does_not_have_stays_one() {
        let json = write(&TradeError { reason: 99, ..TradeError::default() }, Defaults::Left);
        assert_eq!(json.unwrap(), serde_json::json!({"reason": 99}));
    }

    #[test]
    fn defaults_are_written_of_what_cannot_be_absent_alone() {
        let json = write(&RefundResponse::default(), Defaults::Written).unwrap();
        let expected = serde_json::json!({
            "orderType": "ORDER_TYPE_UNSPECIFIED",
            "platform": "PAYMENT_PLATFORM_UNSPECIFIED",
            "state": "TRADE_STATE_UNSPECIFIED",
            "evidence": "REFUND_EVIDENCE_UNSPECIFIED",
            "replayed": false,
            "unrecognized": {},
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn a_field_that_the_message_does_not_have_is_an_error() {
        assert!(read::<RefundRequest>(&serde_json::json!({"amount": "1"})).is_err());
    }
}
