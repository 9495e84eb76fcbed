"""Makes a refund, once, and finds out what became of it: done, declined, or pending.

    python -m sunmi_trade_example.refund --server 127.0.0.1:50051 --store records \\
        --number R-1 --original DEMO-1 --amount 100
    python -m sunmi_trade_example.refund --server 127.0.0.1:50051 --store records --resume

Pending means that the money may have moved. Such a refund is asked about and repeated with the same
number and content, by the next run if need be. It never gets a new number: that is another refund.
"""

import os
import sys
import time
import traceback

import grpc

from sunmi.trade.v1 import refund_ledger_service_pb2 as ledger_pb
from sunmi.trade.v1 import refund_ledger_service_pb2_grpc as ledger_grpc
from sunmi.trade.v1 import trade_service_pb2 as pb
from sunmi.trade.v1 import trade_service_pb2_grpc as trade_grpc

from . import answers
from .answers import Answer
from .channel import Access
from .details import decode
from .flags import BROKEN, WRONG_USAGE, parsed
from .store import DECLINED, DONE, PENDING, Busy, Record, Store, Unusable, same_content

# Python itself ends with 1, and argparse with 2: no outcome has those.
EXIT = {DONE: 0, DECLINED: 3, PENDING: 4}
# What is waited at most, whatever the server asks for.
LONGEST_DELAY = 30.0


class Refunder:
    """Works on refunds, one after the other, until they are settled or patience is over."""

    def __init__(self, access: Access, channel: grpc.Channel, timeout: float, patience: float):
        self.access, self.timeout, self.patience = access, timeout, patience
        self.trade = trade_grpc.TradeServiceStub(channel)
        self.ledger = ledger_grpc.RefundLedgerServiceStub(channel)

    def work_on(self, request: pb.RefundRequest, called_before: bool) -> str:
        """What became of the refund. Its record is durable, and says PENDING."""
        self.until = time.monotonic() + self.patience
        pause = 1.0
        # A call may have been made before: ask first, which moves nothing.
        answer = self.ask(request) if called_before else None
        while answer is None or not (answer.outcome or answer.stop or self.left() <= 0):
            answer = self.refund(request)
            if answer.outcome or answer.stop:
                break
            delay = pause if answer.delay is None else min(answer.delay, LONGEST_DELAY)
            time.sleep(max(0.0, min(delay, self.left())))
            pause = min(2 * pause, 10.0)
            answer = self.ask(request)
        return answer.outcome or PENDING

    def refund(self, request: pb.RefundRequest) -> Answer:
        """Makes the refund, or repeats it: always the same number and content."""
        try:
            answer = answers.of_refund(self.call(self.trade.Refund, request))
        except grpc.RpcError as error:
            answer = answers.of_refusal(decode(error))
        return self.told(request, "Refund", answer)

    def ask(self, request: pb.RefundRequest) -> Answer:
        """Asks what is recorded of the refund, and Sunmi where that is open."""
        question = ledger_pb.GetRefundRequest(
            app_id=request.app_id, order_id=request.order_id, ask_sunmi=True
        )
        try:
            response = self.call(self.ledger.GetRefund, question)
            answer = answers.of_record(request, response.refund)
        except grpc.RpcError as error:
            answer = answers.of_failed_question(decode(error))
        return self.told(request, "GetRefund", answer)

    def call(self, method, request):
        # The last call may take a second, however little patience is left.
        return self.access.call(method, request, min(self.timeout, max(self.left(), 1.0)))

    def left(self) -> float:
        return self.until - time.monotonic()

    def told(self, request: pb.RefundRequest, rpc: str, answer: Answer) -> Answer:
        log(f"{request.order_id}: {rpc}: {answer.said}")
        return answer


def settle(store: Store, refunder: Refunder, record: Record, called_before: bool) -> str:
    """What became of a recorded refund. Whatever goes wrong here, it was pending and stays so: a
    call may have been made."""
    if record.outcome == PENDING:
        try:
            outcome = refunder.work_on(record.request, called_before)
            if outcome != PENDING:
                store.save(Record(outcome, record.request))
            record.outcome = outcome
        except Exception:
            log(f"{record.request.order_id}: {traceback.format_exc()}")
    return record.outcome


def one(store: Store, refunder: Refunder, request: pb.RefundRequest) -> str:
    """Works on a refund that no other process works on, and tells what became of it."""
    try:
        with store.locked(request.order_id):
            outcome = settle(store, refunder, *recorded(store, request))
    except Busy as error:
        log(str(error))
        outcome = PENDING
    tell(f"{request.order_id} {outcome.lower()}")
    return outcome


def log(words: str) -> None:
    """Says something on stderr. That it cannot be said, on a full disk say, changes nothing of the
    refund: an exception would leave with 1, which says nothing of the refund."""
    try:
        print(words, file=sys.stderr, flush=True)
    except OSError:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")


def tell(words: str) -> None:
    """Says something on stdout, likewise. The exit status tells it, too."""
    try:
        print(words, flush=True)
    except OSError as error:
        log(f"{words}, which cannot be said: {error}")
        sys.stdout = open(os.devnull, "w", encoding="utf-8")


def recorded(store: Store, request: pb.RefundRequest) -> tuple[Record, bool]:
    """The record of a refund, durable from here on, and whether there was one before."""
    record = store.load(request.order_id)
    if record is None:
        record = Record(PENDING, request)
        store.save(record)
        return record, False
    if not same_content(record.request, request):
        raise Unusable(f"{store.file(request.order_id)}: this number stands for another refund")
    # What it acknowledges may be new since then.
    if record.outcome == PENDING and request.acknowledged_open_order_ids:
        del record.request.acknowledged_open_order_ids[:]
        record.request.acknowledged_open_order_ids.extend(request.acknowledged_open_order_ids)
        store.save(record)
    return record, True


def main() -> int:
    # A closed stream is None, which print() takes for stdout, and its number is the next file's.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")
    options = parsed()
    store = Store(options.store)
    try:
        access = options.access()
        channel = access.open()
        requests = [options.request] if options.request else store.pending()
    except (Unusable, OSError, ValueError) as error:
        log(str(error))
        return WRONG_USAGE
    with channel:
        refunder = Refunder(access, channel, options.timeout, options.patience)
        # Where others were worked on, it is wrong to say that nothing was sent.
        unusable = WRONG_USAGE if options.request else EXIT[PENDING]
        return max((work(store, refunder, it, unusable) for it in requests), default=0)


def work(store: Store, refunder: Refunder, request: pb.RefundRequest, unusable: int) -> int:
    """The exit status of one refund."""
    try:
        return EXIT[one(store, refunder, request)]
    except (Unusable, OSError) as error:
        # Of the record: settle() raises nothing, so nothing was sent.
        log(str(error))
        return unusable
    except Exception:
        log(traceback.format_exc())
        return BROKEN


if __name__ == "__main__":
    sys.exit(main())
