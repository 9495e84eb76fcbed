"""A server that answers what a case tells it to, and watches its caller."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc

from contract import errors, ledger, rpc, status_pb2, trade
from trial import Trial, Wrong, check

METHODS = {
    "Refund": ("sunmi.trade.v1.TradeService", trade.RefundRequest),
    "GetRefund": ("sunmi.trade.v1.RefundLedgerService", ledger.GetRefundRequest),
}
STATE = ledger.RefundRecordState


@dataclass(frozen=True)
class Failure:
    """A status, with whatever in its trailer."""

    code: grpc.StatusCode
    trailer: bytes | None = None


class Hold:
    """No answer, for as long as the caller waits."""


@dataclass(frozen=True)
class Call:
    """One that was seen."""

    rpc: str
    request: object
    metadata: dict[str, str]
    at: float


def bare(code: str) -> Failure:
    """A status without a trailer, as from something in between."""
    return Failure(grpc.StatusCode[code])


def failure(code: str, outcome=0, step=0, reason=1, delay=None, open_id=None) -> Failure:
    """An error as the server makes them: TradeError, ErrorInfo, and RetryInfo where there is
    a delay. The numbers may be ones that no version knows."""
    status = status_pb2.Status(code=grpc.StatusCode[code].value[0], message="scripted")
    error = errors.TradeError(reason=reason, next_step=step, refund_outcome=outcome)
    info = rpc.ErrorInfo(reason="SCRIPTED", domain="sunmi-trade")
    if open_id:
        info.metadata["openOrderId"] = open_id
    messages = [error, info, rpc.RequestInfo(request_id="scripted")]
    if delay is not None:
        retry = rpc.RetryInfo()
        retry.retry_delay.FromMilliseconds(round(delay * 1000))
        messages.append(retry)
    for message in messages:
        status.details.add().Pack(message)
    return Failure(grpc.StatusCode[code], status.SerializeToString())


def unknown(delay: float | None = None) -> Failure:
    return failure("UNKNOWN", errors.REFUND_OUTCOME_UNKNOWN,
                   errors.NEXT_STEP_REPEAT_SAME_REFUND, errors.ERROR_REASON_REFUND_OUTCOME_UNKNOWN,
                   delay)


def not_found() -> Failure:
    """The ledger does not have it."""
    return failure("NOT_FOUND", 0, errors.NEXT_STEP_FIX_REQUEST,
                   errors.ERROR_REASON_REFUND_NOT_FOUND)


def answered(state: int) -> trade.RefundResponse:
    return trade.RefundResponse(state=state, evidence=trade.REFUND_EVIDENCE_REPLY)


def recorded(trial: Trial, state: int, outcome: int = 0, **fields) -> ledger.GetRefundResponse:
    """The ledger's record of a trial's refund."""
    content = {"msn": "TL05D91940002", "amount_minor": trial.amount, "business_id": "B-1",
               "ori_order_id": trial.original, "epoch": 1, **fields}
    record = ledger.RefundRecord(
        app_id="sandbox", order_id=trial.number, state=state, outcome=outcome, **content
    )
    return ledger.GetRefundResponse(refund=record)


class Scripted:
    """Answers the calls of each method in turn; the last answer goes on for ever."""

    def __init__(self, trial: Trial, refund=(), get_refund=(), address="127.0.0.1:0",
                 called_before=False, besides=()):
        self.trial, self.besides = trial, list(besides)
        self.script = {"Refund": list(refund), "GetRefund": list(get_refund)}
        self.may_refund = not called_before
        self.calls: list[Call] = []
        self.problems: list[str] = []
        self.lock = threading.Lock()
        self.held, self.over = threading.Event(), threading.Event()
        # A case may have kept the port.
        shared = [("grpc.so_reuseport", int(not address.endswith(":0")))]
        self.server = grpc.server(ThreadPoolExecutor(4), options=shared)
        for name, (service, kind) in METHODS.items():
            handler = grpc.unary_unary_rpc_method_handler(
                self.handler(name), kind.FromString, lambda message: message.SerializeToString()
            )
            self.server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(service, {name: handler}),)
            )
        port = self.server.add_insecure_port(address)
        self.address = f"127.0.0.1:{port}"

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, kind, *_):
        self.over.set()
        self.server.stop(0).wait()
        if self.problems and kind in (None, Wrong):
            raise Wrong("; ".join(dict.fromkeys(self.problems)))

    def count(self, name: str) -> int:
        return sum(call.rpc == name for call in self.calls)

    def handler(self, name: str):
        def answer(request, context: grpc.ServicerContext):
            with self.lock:
                self.watch(name, request, context)
                script = self.script[name] or [bare("UNIMPLEMENTED")]
                said = script[min(self.count(name), len(script)) - 1]
            if isinstance(said, Hold):
                self.held.set()
                context.add_callback(self.over.set)
                self.over.wait(60)
                context.abort(grpc.StatusCode.CANCELLED, "nobody waits")
            if isinstance(said, Failure):
                if said.trailer is not None:
                    context.set_trailing_metadata((("grpc-status-details-bin", said.trailer),))
                context.abort(said.code, "scripted")
            return said

        return answer

    def watch(self, name: str, request, context: grpc.ServicerContext) -> None:
        """What holds of every call: its number and content, a deadline, an id, a record that is
        there before it; and a refund is asked about before it is repeated."""
        metadata = {it.key: it.value for it in context.invocation_metadata()}
        self.calls.append(Call(name, request, metadata, time.monotonic()))
        try:
            outcome = self.trial.outcome()
            check(outcome == "PENDING", f"{name} came when the record said {outcome}")
            left = context.time_remaining()
            check(left is not None and left < 60, f"{name} has no deadline, or a late one")
            check(bool(metadata.get("x-request-id")), f"{name} has no x-request-id")
            check(request.order_id == self.trial.number, f"{name} of {request.order_id}")
            if name == "Refund":
                wanted = self.trial.request
                wanted.acknowledged_open_order_ids.extend(self.besides)
                check(request == wanted, f"other content was sent: {request}")
                check(self.may_refund, "a refund was repeated before it was asked about")
        except Wrong as wrong:
            self.problems.append(str(wrong))
        self.may_refund = name == "GetRefund"
