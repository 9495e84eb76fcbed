//! Which field of the request Sunmi complains about. E27 names a parameter in its message
//! ("msn必传": msn is required), and other codes may; the names are Sunmi's, not always
//! those of the three calls.

use crate::error::{Fault, Violation};

/// Who made the parameter that Sunmi names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Maker {
    /// The caller, in this field of the request.
    Caller(&'static str),
    /// The caller, in whichever field names the order.
    CallerOrder,
    /// This server.
    Server,
}

/// Sunmi's names of parameters: those of the three calls, and those that only the text of
/// E27 uses.
const PARAMETERS: [(&str, Maker); 20] = [
    ("msn", Maker::Caller("msn")),
    ("misId", Maker::Caller("mis_id")),
    ("orderId", Maker::Caller("order_id")),
    ("platformId", Maker::Caller("platform_id")),
    ("amount", Maker::Caller("amount_minor")),
    ("oriMisId", Maker::Caller("ori_mis_id")),
    ("oriPlatformId", Maker::Caller("ori_platform_id")),
    ("oriOrderId", Maker::Caller("ori_order_id")),
    ("businessId", Maker::Caller("business_id")),
    ("tradeDate", Maker::Caller("trade_date")),
    ("refund_amount", Maker::Caller("amount_minor")),
    ("Merchant_business_no", Maker::Caller("business_id")),
    ("sunmi_order_no", Maker::CallerOrder),
    ("merchant_order_no", Maker::CallerOrder),
    ("app_id", Maker::Server),
    ("app_key", Maker::Server),
    ("charset", Maker::Server),
    ("sid", Maker::Server),
    ("sign", Maker::Server),
    ("timestamp", Maker::Server),
];

/// The fault to report, and the field to blame for it, where the fault is about the
/// request. `order_field` is the field in which this call names its order.
pub(super) fn blame(
    fault: Fault,
    message: &str,
    order_field: &'static str,
) -> (Fault, Vec<Violation>) {
    let named = named_parameter(message);
    let field = match (fault, named) {
        (Fault::ParameterMissing, Some(Maker::Server)) => {
            return (Fault::ServerParameterMissing, Vec::new());
        }
        (Fault::ParameterRequired, Some(Maker::Server)) => {
            return (Fault::ServerParameterRequired, Vec::new());
        }
        (_, Some(Maker::Caller(field))) => field,
        (_, Some(Maker::CallerOrder)) | (Fault::OrderNumberIllegal, _) => order_field,
        (_, Some(Maker::Server) | None) => "",
    };
    (fault, rule(fault).map(|rule| Violation { field, rule }).into_iter().collect())
}

/// What Sunmi says is wrong with a field, if the fault is about one.
fn rule(fault: Fault) -> Option<&'static str> {
    // The table is the one place that lists every fault; here only these few differ.
    #[allow(clippy::wildcard_enum_match_arm, reason = "no other fault blames a field")]
    match fault {
        Fault::ParameterMissing | Fault::ParameterRequired => Some("is required by Sunmi"),
        Fault::ParameterIllegal => Some("is illegal to Sunmi"),
        Fault::ParameterMalformed => Some("has a format that Sunmi does not accept"),
        Fault::OrderNumberIllegal => Some("is an order number that Sunmi does not accept"),
        _ => None,
    }
}

/// The first of Sunmi's parameters that the message names, as a whole word.
fn named_parameter(message: &str) -> Option<Maker> {
    message
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .find_map(|word| PARAMETERS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)))
        .map(|(_, maker)| *maker)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(fault: Fault, message: &str) -> (Fault, Option<&'static str>) {
        let (fault, violations) = blame(fault, message, "ori_mis_id");
        (fault, violations.first().map(|violation| violation.field))
    }

    /// The texts are those of chapter 4, blanks and all.
    #[test]
    fn e27_blames_the_field_that_its_message_names() {
        let table = [
            ("msn必传", Some("msn")),
            ("sid 必传", None),
            ("app_id 必传", None),
            ("sunmi_order_no 必传", Some("ori_mis_id")),
            ("sign 必传", None),
            ("Merchant_business_no 必传", Some("business_id")),
            ("merchant_order_no必传", Some("ori_mis_id")),
            ("refund_amount 必传", Some("amount_minor")),
            ("什么必传", Some("")),
            ("unsigned 必传", Some("")),
        ];
        for (message, expected) in table {
            let fault = match expected {
                Some(_) => Fault::ParameterRequired,
                None => Fault::ServerParameterRequired,
            };
            assert_eq!(field(Fault::ParameterRequired, message), (fault, expected), "{message}");
        }
    }

    #[test]
    fn other_codes_blame_the_field_that_they_name_if_they_are_about_one() {
        use Fault::*;
        let table = [
            (ParameterMissing, "缺少必需参数: charset", ServerParameterMissing, None),
            (ParameterMissing, "缺少必需参数", ParameterMissing, Some("")),
            (ParameterIllegal, "非法参数 tradeDate", ParameterIllegal, Some("trade_date")),
            (ParameterIllegal, "非法参数 sign", ParameterIllegal, Some("")),
            (ParameterMalformed, "AMOUNT", ParameterMalformed, Some("amount_minor")),
            (OrderNumberIllegal, "订单号不合法", OrderNumberIllegal, Some("ori_mis_id")),
            (OrderNumberIllegal, "orderId", OrderNumberIllegal, Some("order_id")),
            (SystemError, "msn", SystemError, None),
        ];
        for (fault, message, expected, expected_field) in table {
            assert_eq!(field(fault, message), (expected, expected_field), "{message}");
        }
    }
}
