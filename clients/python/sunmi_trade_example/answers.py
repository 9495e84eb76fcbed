"""What an answer proves of a refund, and what to do next. No calls here, and no clock."""

from dataclasses import dataclass

import grpc

from sunmi.trade.v1 import error_pb2, refund_ledger_service_pb2, trade_service_pb2

from .details import Details, enum_name
from .store import DECLINED, DONE

RECORD = refund_ledger_service_pb2.RefundRecordState
STATE = trade_service_pb2.TradeState

# Steps of which repeating the call is none: a person has to do something first.
FOR_A_PERSON = {
    error_pb2.NEXT_STEP_FIX_REQUEST,
    error_pb2.NEXT_STEP_FIX_MERCHANT_ACCOUNT,
    error_pb2.NEXT_STEP_FIX_DEPLOYMENT,
    error_pb2.NEXT_STEP_ASK_SUNMI,
    error_pb2.NEXT_STEP_RESOLVE_OPEN_REFUND,
}
REFUSED = {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}


@dataclass(frozen=True)
class Answer:
    """Of one call. Without `outcome` the refund is as open as before."""

    said: str
    outcome: str | None = None
    # Repeating the call is of no use until a person has done something.
    stop: bool = False
    # How long the server asks to wait, in seconds.
    delay: float | None = None


def of_state(state: int) -> str | None:
    """Of these two alone a refund is at its end; CREATED, UNPAID, PROCESSING and what a newer
    server may add are on the way."""
    return {STATE.TRADE_STATE_SUCCEEDED: DONE, STATE.TRADE_STATE_FAILED: DECLINED}.get(state)


def of_error(error: error_pb2.TradeError | None) -> str | None:
    """NOT_APPLIED is the only error that settles a refund. NOT_ATTEMPTED speaks of one call and
    not of those before it; UNKNOWN, no TradeError and a new number say nothing."""
    not_applied = error and error.refund_outcome == error_pb2.REFUND_OUTCOME_NOT_APPLIED
    return DECLINED if not_applied else None


def of_refund(response: trade_service_pb2.RefundResponse) -> Answer:
    """Refund was answered."""
    return Answer(enum_name(STATE, response.state), of_state(response.state))


def of_refusal(details: Details) -> Answer:
    """Refund failed."""
    error = details.trade_error
    stop = details.code in REFUSED or (error is not None and error.next_step in FOR_A_PERSON)
    said = str(details)
    if details.open_order_id:
        said += f"; first find out about {details.open_order_id}, which is open"
    return Answer(said, of_error(error), stop, details.retry_delay)


def of_record(request, record: refund_ledger_service_pb2.RefundRecord) -> Answer:
    """GetRefund was answered."""
    said = f"{enum_name(RECORD, record.state)}, {enum_name(STATE, record.outcome)}"
    if not speaks_of(request, record):
        return Answer(f"{said}, of other content or of none that is kept")
    if record.needs_person:
        said += f", needs a person at the server: {record.doubt_reason}"
    if record.HasField("dispute"):
        # Sunmi contradicts what the ledger says, and Refund would only say that again.
        return Answer(f"{said}, disputed, a person has to find out: {record.dispute}", stop=True)
    if record.state == RECORD.REFUND_RECORD_STATE_SETTLED:
        return Answer(said, of_state(record.outcome))
    if record.state == RECORD.REFUND_RECORD_STATE_NOT_APPLIED:
        return Answer(said, of_error(record.last_error))
    return Answer(said)


def of_failed_question(details: Details) -> Answer:
    """GetRefund failed. That speaks of the question, and Refund may still be called: the ledger
    does not know the number (NOT_FOUND), or this caller may not ask (PERMISSION_DENIED)."""
    stop = details.code == grpc.StatusCode.UNAUTHENTICATED
    return Answer(str(details), of_error(details.trade_error), stop, details.retry_delay)


def speaks_of(request, record: refund_ledger_service_pb2.RefundRecord) -> bool:
    """Whether a record is of this very content, and not of another use of its number. Retention
    empties old ones: then only Refund, with the content, can tell."""
    if record.emptied:
        return False
    original = request.WhichOneof("original")
    if record.WhichOneof("original") != original:
        return False
    content = ["order_id", "msn", "amount_minor", "business_id", *([original] if original else [])]
    return all(getattr(request, name) == getattr(record, name) for name in content)
