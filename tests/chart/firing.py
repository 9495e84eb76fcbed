"""When each alert fires and when it does not: series by the minute, in promtool's notation."""

DOUBT, AGE = "sunmi_refund_unknown_outcome", "sunmi_refund_unresolved_oldest_age_seconds"
HANDLED, RESPONSES = "grpc_server_handled_total", "sunmi_upstream_responses_total"
QUERY = {"grpc_service": "sunmi.trade.v1.TradeService", "grpc_method": "Query", "grpc_type": "unary"}

# Alert; series as (name, labels, values); the minutes at which it fires, and at which it does not.
CASES = [
    ("RefundNeedsPerson", [("sunmi_refund_needs_person", {"pod": "a"}, "0x5 2x40")], [25], [19]),
    ("Contradiction", [("sunmi_refund_contradictions_total", {"pod": "a"}, "0x10 1x40")], [12, 20], [9, 35]),
    ("RefundDisputed", [("sunmi_refund_disputed", {"pod": "a"}, "3x10 4x40")], [12, 20], [9, 35]),
    ("RefundsInDoubt", [(DOUBT, {}, "1x200"), (AGE, {}, "0+60x200")], [85], [70]),
    ("RefundsInDoubt", [(DOUBT, {}, "0x200"), ("sunmi_refund_processing", {}, "1x200"), (AGE, {}, "90000+60x200")], [], [20, 120]),
    ("Errors", [(HANDLED, {**QUERY, "grpc_code": "OK"}, "0+95x40"), (HANDLED, {**QUERY, "grpc_code": "Unavailable"}, "0x10 0+5x30")], [25], [9, 12]),
    ("Errors", [(HANDLED, {**QUERY, "grpc_code": "OK"}, "0+50x40"), (HANDLED, {**QUERY, "grpc_code": "NotFound"}, "0+50x40")], [], [30]),
    ("Slow", [("grpc_server_handling_seconds_bucket", {**QUERY, "le": le}, f"0+{up}x40") for le, up in (("10", 90), ("20", 100), ("+Inf", 100))], [20], [8]),
    ("Slow", [("grpc_server_handling_seconds_bucket", {**QUERY, "grpc_method": "WatchRefunds", "grpc_type": "server_stream", "le": le}, f"0+{up}x40") for le, up in (("10", 0), ("20", 0), ("+Inf", 100))], [], [30]),
    ("SunmiThrottles", [(RESPONSES, {"operation": "Query", "code": "R03"}, "0+3x40")], [10], [3]),
    ("AddressRefused", [(RESPONSES, {"operation": "Query", "code": "R02"}, "0x5 1x40")], [7], [4, 20]),
    ("SignatureRejected", [(RESPONSES, {"operation": "Query", "code": "E05"}, "0x5 0+1x40")], [15], [4, 8]),
    ("SignatureRejected", [(RESPONSES, {"operation": "Query", "code": "E05"}, "0x5 1x40")], [], [8, 12, 20]),  # one rotation
    ("SunmiUnreachable", [(RESPONSES, {"operation": "Query", "code": "10000"}, "0+80x40"), (RESPONSES, {"operation": "Query", "code": "timeout"}, "0+20x40")], [10], [3]),
    ("CertificateExpires", [("sunmi_tls_certificate_expiry_seconds", {"pod": "a"}, "605400x40"), ("sunmi_tls_certificate_expiry_seconds", {"pod": "b"}, "9000000x40")], [12, 30], [8]),
    ("StaleFiles", [("sunmi_reload_stale", {"kind": "app_key"}, "0x5 1x40")], [12], [8]),
    ("LedgerDown", [("sunmi_ledger_up", {"pod": "a"}, "1x40"), ("sunmi_ledger_up", {"pod": "b"}, "1x5 0x40")], [8], [5]),
    ("LedgerErrors", [("sunmi_ledger_errors_total", {"operation": "claim"}, "0x5 0+1x40")], [14], [8]),
    ("Absent", [("sunmi_trade_build_info", {"version": "1"}, "1x5 stale")], [14], [4, 8]),
]

# Of a release that is well, with one that is not beside it.
HEALTHY = [
    ("sunmi_trade_build_info", {"version": "1"}, "1x120"),
    ("sunmi_refund_needs_person", {}, "0x120"),
    ("sunmi_refund_disputed", {}, "3x120"),
    ("sunmi_refund_contradictions_total", {}, "3x120"),
    (DOUBT, {}, "0 1 0 1x5 0x120"),
    (AGE, {}, "0 30 0 60 120 180 240 300 0x120"),
    (HANDLED, {**QUERY, "grpc_code": "OK"}, "0+60x120"),
    (HANDLED, {**QUERY, "grpc_code": "Internal"}, "0x120"),
    (RESPONSES, {"operation": "Query", "code": "10000"}, "0+60x120"),
    *((RESPONSES, {"operation": "Query", "code": code}, "0x120") for code in ("R02", "R03", "E05", "timeout")),
    ("sunmi_ledger_up", {}, "1x120"),
    ("sunmi_ledger_errors_total", {"operation": "claim"}, "0x120"),
    ("sunmi_reload_stale", {"kind": "app_key"}, "0x120"),
    ("sunmi_tls_certificate_expiry_seconds", {}, "9000000x120"),
]
OURS = {"namespace": "payments", "job": "shop-sunmi-trade"}
# The same release in another namespace, and another instance of its parent chart.
OTHERS = [{"namespace": "elsewhere", "job": "shop-sunmi-trade"}, {"namespace": "payments", "job": "shop-second"}]


def series(name, labels, values):
    return {"series": f"{name}{{{','.join(f'{key}=%s' % quoted(value) for key, value in labels.items())}}}", "values": values}


def quoted(text):
    return f'"{text}"'


def firing(alert, minute, fires):
    """The alert, or all of them, at a minute."""
    which = f'alertname="SunmiTrade{alert}",' if alert else ""
    samples = [{"labels": "{}", "value": fires}] if fires else []
    return {"expr": f'sum(ALERTS{{{which}alertstate="firing"}} > bool 0)', "eval_time": f"{minute}m", "exp_samples": samples}


def cases():
    """What promtool is given."""
    tests = []
    for alert, ours, fires, quiet in CASES:
        expected = [firing(alert, minute, 1) for minute in fires] + [firing(alert, minute, 0) for minute in quiet]
        tests.append({"interval": "1m", "name": alert, "input_series": [series(name, OURS | labels, values) for name, labels, values in ours], "promql_expr_test": expected})
    beside = [series("sunmi_trade_build_info", other | {"version": "1"}, "1x40") for other in OTHERS]
    tests.append({"interval": "1m", "name": "absent beside others", "input_series": beside, "promql_expr_test": [firing("Absent", 10, 1)]})
    # What is wrong elsewhere is not told here.
    theirs = [series(name, other | labels, values) for other in OTHERS for _, others, _, _ in CASES for name, labels, values in others]
    theirs = list({it["series"]: it for it in theirs}.values())
    tests.append({"interval": "1m", "name": "healthy", "input_series": [series(name, OURS | labels, values) for name, labels, values in HEALTHY] + theirs,
                  "promql_expr_test": [firing("", minute, 0) for minute in (5, 15, 30, 60, 115)]})
    return {"rule_files": ["rules.json"], "evaluation_interval": "1m", "tests": tests}
