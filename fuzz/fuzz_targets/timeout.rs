//! `grpc-timeout`, read again by the grammar of the protocol, and what a caller is granted.

#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sunmi_trade::deadline::{Deadline, Limits, parse_grpc_timeout};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    default: u32,
    max: u32,
    reserve: u16,
    header: &'a str,
}

/// The most that any of the limits may be, in milliseconds.
const MOST: u32 = 600_000;

fuzz_target!(|input: Input| {
    let read = parse_grpc_timeout(input.header).ok();
    assert_eq!(read.map(|read| read.as_nanos()), nanoseconds(input.header));

    let ms = |count: u32| Duration::from_millis(u64::from(count % MOST + 1));
    let limits = Limits {
        default: ms(input.default),
        max: ms(input.max),
        reserve: ms(u32::from(input.reserve)),
    };
    assert_eq!(limits.grant(None), limits.default);
    let Some(asked) = read else { return };
    let granted = limits.grant(Some(asked));
    assert!(granted <= limits.max);
    match asked.checked_sub(limits.reserve) {
        Some(ours) => assert!(granted == ours || (granted == limits.max && granted < ours)),
        None => assert_eq!(granted, Duration::ZERO),
    }
    let more = asked + Duration::from_nanos(1);
    assert!(limits.grant(Some(more)) >= granted, "whoever gives more is not granted less");

    let deadline = Deadline::after(granted);
    assert!(deadline.left() <= granted);
    assert!(deadline.earlier(limits.reserve) <= deadline);
});

/// `TimeoutValue TimeoutUnit`: a positive integer of at most 8 digits, and a letter.
fn nanoseconds(header: &str) -> Option<u128> {
    let (unit, digits) = header.as_bytes().split_last()?;
    let unit: u128 = match unit {
        b'H' => 3_600_000_000_000,
        b'M' => 60_000_000_000,
        b'S' => 1_000_000_000,
        b'm' => 1_000_000,
        b'u' => 1_000,
        b'n' => 1,
        _ => return None,
    };
    if !(1..=8).contains(&digits.len()) {
        return None;
    }
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u128::from(byte - b'0'));
    let value = digits.iter().try_fold(0, |value, byte| Some(value * 10 + digit(byte)?))?;
    Some(value * unit)
}
