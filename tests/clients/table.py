#!/usr/bin/env python3
"""Holds clients/conformance/cases.json to its format, the contract and docs/errors.md.

    tests/clients/table.py

What the cases say is checked by running them; here it is checked that every runner reads them
alike, that none depends on another, and that together they tell all that a client may meet. The last
line is "N passed, N failed".
"""

import json
import re
import sys
import tomllib
from pathlib import Path

from protos import Contract, in_proto

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "clients/conformance"
RUN = "${run}"

TABLE = {"tokens", "cases"}
CASE = {"name", "why", "orders", "past_refunds", "faults", "steps", "executions"}
STEP = {"rpc", "as", "request", "deadline_ms", "repeat_until", "expect"}
EXPECT = {
    "status", "response", "error", "metadata", "retry", "retry_at_least_ms", "violations", "localized",
}
RPCS = {"Query", "SwipeQuery", "Refund", "GetRefund"}
METADATA = {
    "operation", "attempts", "sunmiCode", "httpStatus", "refundOutcome", "openOrderId",
    "maxRefundPerDayMinor", "leftMinor", "resetsAt",
}
# Less is no deadline that a busy machine keeps.
SHORTEST = 700
# What a look before a refund fails with: then NOT_ATTEMPTED, whatever the row says.
BEFORE = {"20000", "E05", "F04", "R02", "R03", "S03"}

CONTRACT = Contract()


def steps(table):
    for case in table["cases"]:
        for number, step in enumerate(case["steps"], 1):
            yield f"{case['name']}, step {number}", step


def knows_every_member(table):
    yield from unknown("the table", table, TABLE, TABLE)
    for case in table["cases"]:
        yield from unknown(case["name"], case, CASE, {"name", "why", "steps"})
        for number, step in enumerate(case["steps"], 1):
            where = f"{case['name']}, step {number}"
            yield from unknown(where, step, STEP, STEP - {"repeat_until"})
            yield from unknown(f"{where}, expect", step["expect"], EXPECT, {"status"})


def unknown(where, value, known, required):
    for name in value.keys() - known:
        yield f"{where}: {name} is not in the format"
    for name in required - value.keys():
        yield f"{where}: {name} is missing"


def is_told_of_in_its_page(_):
    page = (FOLDER / "README.md").read_text()
    for name in sorted(CASE | STEP | EXPECT | {"tokens"}):
        if f"`{name}`" not in page:
            yield f"README.md does not tell of {name}"


def has_a_name_and_a_reason_for_each_case(table):
    names = [case["name"] for case in table["cases"]]
    for case in table["cases"]:
        name, why = case["name"], case["why"]
        if names.count(name) > 1:
            yield f"{name} stands there twice"
        if not re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)+", name):
            yield f"{name} is not words with underscores"
        if not re.fullmatch(r"\S.*\.", why):
            yield f"{name}: why is not a sentence"
        if not case["steps"]:
            yield f"{name} has no steps"


def spoils_nothing_of_another_case(table):
    """Each has numbers of its own for whatever it enters, spoils, refunds and counts."""
    for case in table["cases"]:
        entered = [it["order_id"] for it in [*case.get("orders", []), *case.get("past_refunds", [])]]
        spoiled = [fault.get("order_id", "") for fault in case.get("faults", [])]
        refunded = [
            step["request"].get(name, RUN)
            for step in case["steps"] if step["rpc"] == "Refund" and step["expect"]["status"] == "OK"
            for name in ("orderId", "oriOrderId", "oriMisId", "oriPlatformId")
        ]
        for number in [*entered, *spoiled, *refunded, *case.get("executions", {})]:
            if RUN not in number:
                yield f"{case['name']}: {number!r} may be another case's"


def calls_what_the_contract_has(table):
    for where, step in steps(table):
        rpc = step["rpc"]
        if rpc not in RPCS:
            yield f"{where}: {rpc} is none of {sorted(RPCS)}"
            continue
        asked, answered = CONTRACT.rpcs[rpc]
        yield from CONTRACT.faults(step["request"], asked, f"{where}, request")
        expect = step["expect"]
        yield from CONTRACT.faults(expect.get("response", {}), answered, f"{where}, response")
        yield from CONTRACT.faults(expect.get("error") or {}, "TradeError", f"{where}, error")
        fields = {in_proto(name) for name in CONTRACT.messages[asked]} | {"order", "original"}
        for field in set(expect.get("violations", [])) - fields:
            yield f"{where}: {asked} has no field {field}"
        for name in expect.get("metadata", {}).keys() - METADATA:
            yield f"{where}: docs/errors.md does not tell of {name} in ErrorInfo's metadata"


def expects_what_goes_with_the_status(table):
    for where, step in steps(table):
        expect = step["expect"]
        answered = expect["status"] == "OK"
        if answered and expect.keys() - {"status", "response"}:
            yield f"{where}: what is OK has no details"
        if answered and "response" not in expect:
            yield f"{where}: nothing is expected of the response"
        if not answered and ("response" in expect or "error" not in expect):
            yield f"{where}: an error has a TradeError or null, and no response"
        if not SHORTEST <= step["deadline_ms"] <= 10000:
            yield f"{where}: the deadline is not from {SHORTEST} to 10000 ms"
        if step.get("repeat_until", True) is not True:
            yield f"{where}: repeat_until is true or not there"


def rows():
    """By reason: the rows of the table in docs/errors.md."""
    found = {}
    for line in (ROOT / "docs/errors.md").read_text().splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        if len(cells) == 7 and re.fullmatch(r"[A-Z_]+", cells[1]):
            found.setdefault(cells[1], []).append(cells)
    return found


def agrees_with_the_table_of_errors(table):
    known = rows()
    for where, step in steps(table):
        error = step["expect"].get("error")
        if not error:
            continue
        reason, next_step, outcome = (
            error.get(field, "").removeprefix(prefix)
            for field, prefix in (
                ("reason", "ERROR_REASON_"), ("nextStep", "NEXT_STEP_"), ("refundOutcome", "REFUND_OUTCOME_"),
            )
        )
        fitting = [
            row for row in known.get(reason, [])
            if (row[2], row[5]) == (step["expect"]["status"], next_step)
        ]
        if not fitting:
            yield f"{where}: no row has {reason}, {step['expect']['status']} and {next_step}"
            continue
        allowed = {it for row in fitting for it in outcomes(step["rpc"], row)}
        if outcome not in allowed:
            yield f"{where}: {reason} has the outcome {' or '.join(sorted(allowed))}, not {outcome}"
        code = error.get("sunmiCode")
        if code and fitting[0][0] not in ("–", code):
            yield f"{where}: {reason} is {fitting[0][0]}, not {code}"


def outcomes(rpc, row):
    if rpc != "Refund":
        return {"UNSPECIFIED"}
    if row[1] == "REFUND_OUTCOME_UNKNOWN":
        return {"UNKNOWN"}
    named = set(re.findall(r"NOT_APPLIED|NOT_ATTEMPTED", row[3]))
    unread = row[0] in BEFORE or row[1].startswith("UPSTREAM_")
    return named | ({"NOT_ATTEMPTED"} if unread else set())


def knows_its_callers(table):
    with (FOLDER / "server.toml").open("rb") as file:
        callers = {it["name"]: it["token_file"] for it in tomllib.load(file)["callers"]}
    if callers != {name: f"{name}.token" for name in table["tokens"]}:
        yield "the callers of server.toml are not those of the tokens"
    for name, token in table["tokens"].items():
        if len(token) < 16:
            yield f"the token of {name} is too short"
    for where, step in steps(table):
        if step["as"] not in table["tokens"].keys() | {"nobody"}:
            yield f"{where}: {step['as']} is nobody's name"


def has_all_that_a_caller_may_meet(table):
    seen = json.dumps([[step["rpc"], step["expect"]] for _, step in steps(table)])
    wanted = [
        *CONTRACT.enums["NextStep"][1:],
        *CONTRACT.enums["RefundOutcome"],
        *CONTRACT.enums["RefundRecordState"][1:],
        "REFUND_EVIDENCE_REPLY", "REFUND_EVIDENCE_QUERY",
        "TRADE_STATE_CREATED", "TRADE_STATE_PROCESSING", "TRADE_STATE_SUCCEEDED", "TRADE_STATE_FAILED",
        *RPCS, *(METADATA - {"resetsAt"}), *EXPECT,
    ]
    for name in wanted:
        if f'"{name}"' not in seen:
            yield f"no case has {name}"


CHECKS = [
    knows_every_member,
    is_told_of_in_its_page,
    has_a_name_and_a_reason_for_each_case,
    spoils_nothing_of_another_case,
    calls_what_the_contract_has,
    expects_what_goes_with_the_status,
    agrees_with_the_table_of_errors,
    knows_its_callers,
    has_all_that_a_caller_may_meet,
]


def main():
    table = json.loads((FOLDER / "cases.json").read_text(), object_pairs_hook=without_repeats)
    failed = 0
    for check in CHECKS:
        faults = list(check(table))
        failed += bool(faults)
        words = check.__name__.replace("_", " ")
        print(f"{'FAILED' if faults else 'ok    '}  the table {words}", *faults, sep="\n        ")
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


def without_repeats(pairs):
    names = [name for name, _ in pairs]
    if len(names) != len(set(names)):
        sys.exit(f"a member stands twice among {names}")
    return dict(pairs)


if __name__ == "__main__":
    sys.exit(main())
