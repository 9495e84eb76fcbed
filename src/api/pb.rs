//! The generated types of `sunmi.trade.v1`, and the descriptors that reflection serves.

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::too_many_lines,
    clippy::allow_attributes_without_reason,
    clippy::wildcard_enum_match_arm,
    reason = "generated"
)]
mod generated {
    tonic::include_proto!("sunmi.trade.v1");
}

pub use generated::*;

/// The compiled protos with their comments, as an encoded `FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
