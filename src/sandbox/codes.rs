//! The result codes of chapter 4 with Sunmi's own words, as Sunmi would send them.

/// Codes and their words. E27 names a parameter in its words, see [`required`].
#[rustfmt::skip]
const WORDS: [(&str, &str); 27] = [
    ("1", "成功"),
    ("10000", "成功"),
    ("20000", "不可用服务"),
    ("20001", "授权不足"),
    ("40001", "缺少必需参数"),
    ("40002", "非法参数"),
    ("D01", "处理中"),
    ("D04", "交易结束"),
    ("E01", "商户不存在"),
    ("E05", "验签失败"),
    ("E15", "订单号不合法"),
    ("E19", "订单不存在"),
    ("E20", "不支持的交易"),
    ("E22", "退款金额有误"),
    ("E23", "交易设备未获取支付宝授权"),
    ("E24", "未获取支付宝授权"),
    ("E25", "商户不合法"),
    ("E28", "非退款订单"),
    ("F04", "请求支付宝退款接口失败"),
    ("Q03", "参数异常"),
    ("R01", "软件商不合法"),
    ("R02", "非法IP"),
    ("R03", "请求太频繁"),
    ("S03", "系统异常"),
    ("S04", "设备商户未开通支付渠道"),
    ("T01", "无效交易"),
    ("T13", "当日交易不支持部分退款"),
];

/// What Sunmi says with this code.
pub(super) fn words(code: &str) -> &'static str {
    match code {
        "E27" => "msn必传",
        code => WORDS.iter().find(|(known, _)| *known == code).map_or("", |(_, words)| words),
    }
}

/// What Sunmi says when this parameter is missing (code E27).
pub(super) fn required(parameter: &str) -> String {
    format!("{parameter}必传")
}
