//! Sunmi's result codes (chapter 4 of the API document), and what each means here.

use crate::error::Fault;

/// What a result code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The call was done.
    Success,
    /// The call was accepted and is not finished.
    Processing,
    /// The call was not done, or it is not known whether it was.
    Fault(Fault),
}

/// A row of chapter 4.
#[derive(Clone, Copy, Debug)]
pub struct CodeRow {
    /// The code, as Sunmi sends it.
    pub code: &'static str,
    /// What it means here.
    pub meaning: Meaning,
}

/// Every code of chapter 4, and `1`, with which the document's samples report success.
#[rustfmt::skip]
pub const CODES: [CodeRow; 28] = [
    success("10000"),
    success("1"),
    fault("20000", Fault::ServiceUnavailable),
    fault("20001", Fault::InsufficientAuthorization),
    fault("40001", Fault::ParameterMissing),
    fault("40002", Fault::ParameterIllegal),
    CodeRow { code: "D01", meaning: Meaning::Processing },
    fault("D04", Fault::TransactionEnded),
    fault("E01", Fault::MerchantNotFound),
    fault("E05", Fault::SignatureRejected),
    fault("E15", Fault::OrderNumberIllegal),
    fault("E19", Fault::OrderNotFound),
    fault("E20", Fault::TransactionNotSupported),
    fault("E22", Fault::RefundAmountWrong),
    fault("E23", Fault::DeviceLacksAlipayAuthorization),
    fault("E24", Fault::AlipayAuthorizationMissing),
    fault("E25", Fault::MerchantIllegal),
    fault("E27", Fault::ParameterRequired),
    fault("E28", Fault::NotARefundOrder),
    fault("F04", Fault::AlipayRefundCallFailed),
    fault("Q03", Fault::ParameterMalformed),
    fault("R01", Fault::VendorIllegal),
    fault("R02", Fault::IpIllegal),
    fault("R03", Fault::TooManyRequests),
    fault("S03", Fault::SystemError),
    fault("S04", Fault::PaymentChannelNotOpened),
    fault("T01", Fault::TransactionInvalid),
    fault("T13", Fault::SameDayPartialRefundNotSupported),
];

const fn success(code: &'static str) -> CodeRow {
    CodeRow { code, meaning: Meaning::Success }
}

const fn fault(code: &'static str, fault: Fault) -> CodeRow {
    CodeRow { code, meaning: Meaning::Fault(fault) }
}

/// What codes that are not in the table are counted as.
pub const OTHER: &str = "other";

/// All that [`known`] gives, [`OTHER`] last.
pub fn counted() -> Vec<&'static str> {
    CODES.iter().map(|row| row.code).chain([OTHER]).collect()
}

/// The code as it is counted: itself if it is in the table.
pub fn known(code: &str) -> &'static str {
    CODES.iter().find(|row| row.code == code).map_or(OTHER, |row| row.code)
}

/// What this code means.
pub fn meaning(code: &str) -> Meaning {
    CODES
        .iter()
        .find(|row| row.code == code)
        .map_or(Meaning::Fault(Fault::SunmiCodeUnrecognized), |row| row.meaning)
}
