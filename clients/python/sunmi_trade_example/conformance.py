"""Runs the cases that all languages have in common, clients/conformance/cases.json.

    python -m sunmi_trade_example.conformance [CASES.json]

SUNMI_TRADE_SERVER says where the server is, SUNMI_TRADE_SANDBOX where its sandbox;
clients/conformance/with-server starts both and sets them.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from google.protobuf import json_format

from sunmi.trade.v1 import refund_ledger_service_pb2 as ledger_pb
from sunmi.trade.v1 import refund_ledger_service_pb2_grpc as ledger_grpc
from sunmi.trade.v1 import trade_service_pb2 as pb
from sunmi.trade.v1 import trade_service_pb2_grpc as trade_grpc

from .details import Details, decode
from .expect import differences, known

CASES = Path(__file__).resolve().parents[2] / "conformance" / "cases.json"
CASE_KEYS = {"name", "why", "orders", "past_refunds", "faults", "steps", "executions"}
STEP_KEYS = {
    "rpc", "as", "request", "deadline_ms", "repeat_until", "concurrently_with", "expect",
}
AT_ONCE = 8
REPEAT_SECONDS = 20.0
PAUSE_SECONDS = 0.1


class Runner:
    """One connection to the server, and the sandbox beside it."""

    def __init__(self, channel: grpc.Channel, sandbox: str, tokens: dict[str, str]):
        trade = trade_grpc.TradeServiceStub(channel)
        ledger = ledger_grpc.RefundLedgerServiceStub(channel)
        self.calls = {
            "Query": (trade.Query, pb.QueryRequest),
            "SwipeQuery": (trade.SwipeQuery, pb.SwipeQueryRequest),
            "Refund": (trade.Refund, pb.RefundRequest),
            "GetRefund": (ledger.GetRefund, ledger_pb.GetRefundRequest),
        }
        self.sandbox, self.tokens = sandbox, tokens

    def run(self, case: dict) -> str | None:
        """What went wrong with a case, if something did."""
        case = json.loads(json.dumps(case).replace("${run}", uuid.uuid4().hex[:8]))
        try:
            known(case, CASE_KEYS)
            self.prepare(case)
            for at, step in enumerate(case["steps"], 1):
                if wrong := self.step(step):
                    return f"step {at}, {step['rpc']}: {wrong}"
            return self.executed(case.get("executions", {}))
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    def prepare(self, case: dict) -> None:
        for order in case.get("orders", []):
            self.ask_sandbox("orders", order)
        for refund in case.get("past_refunds", []):
            self.ask_sandbox("refunds", refund)
        for fault in case.get("faults", []):
            self.ask_sandbox("faults", fault)

    def step(self, step: dict) -> str | None:
        known(step, STEP_KEYS)
        until = time.monotonic() + (REPEAT_SECONDS if step.get("repeat_until") else 0)
        while True:
            answer = self.call(step)
            wrong = differences(step["expect"], answer)
            if not wrong or time.monotonic() >= until:
                return wrong
            delay = answer.retry_delay if isinstance(answer, Details) else None
            time.sleep(min(delay or PAUSE_SECONDS, max(0.0, until - time.monotonic())))

    def call(self, step: dict) -> Details | dict:
        """What a call failed with, or its response as proto3 JSON."""
        method, kind = self.calls[step["rpc"]]
        request = json_format.ParseDict(step["request"], kind())
        metadata = [("x-request-id", uuid.uuid4().hex)]
        if step["as"] != "nobody":
            metadata.append(("authorization", f"Bearer {self.tokens[step['as']]}"))
        seconds = step.get("deadline_ms", 10_000) / 1000
        try:
            response = method(request, timeout=seconds, metadata=metadata, wait_for_ready=True)
        except grpc.RpcError as error:
            return decode(error)
        return json_format.MessageToDict(response, always_print_fields_with_no_presence=True)

    def executed(self, expected: dict[str, int]) -> str | None:
        if not expected:
            return None
        books = self.ask_sandbox("books")
        counts = Counter(execution["order_id"] for execution in books["executions"])
        for number, times in expected.items():
            if counts[number] != times:
                return f"{number}: {times} executions expected, {counts[number]} came"
        return None

    def ask_sandbox(self, what: str, body: dict | None = None) -> dict:
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(f"{self.sandbox}/sandbox/{what}", data, 10) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"sandbox, {what}: {error.read().decode()}") from error


def main() -> int:
    table = json.loads((Path(sys.argv[1]) if sys.argv[1:] else CASES).read_text(encoding="utf-8"))
    known(table, {"tokens", "cases"})
    # What the table tells of a call is told of one call: gRPC must repeat none.
    options = [("grpc.enable_retries", 0)]
    failed = 0
    with grpc.insecure_channel(os.environ["SUNMI_TRADE_SERVER"], options) as channel:
        runner = Runner(channel, os.environ["SUNMI_TRADE_SANDBOX"], table["tokens"])
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for case, wrong in zip(table["cases"], pool.map(runner.run, table["cases"])):
                failed += wrong is not None
                print(f"FAILED  {case['name']}: {wrong}" if wrong else f"ok      {case['name']}")
    print(f"{len(table['cases']) - failed} passed, {failed} failed")
    return 1 if failed or not table["cases"] else 0


if __name__ == "__main__":
    sys.exit(main())
