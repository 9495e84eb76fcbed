"""What an error of sunmi-trade says, typed: the details of docs/errors.md.

A status without TradeError comes from something in between, or from this client itself. Of a
refund it says nothing: the money may have moved.
"""

from dataclasses import dataclass

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2

from sunmi.trade.v1 import error_pb2 as pb

TRAILER = "grpc-status-details-bin"


@dataclass(frozen=True)
class Details:
    """A failed call. What the server did not send is None."""

    code: grpc.StatusCode
    message: str
    trade_error: pb.TradeError | None = None
    error_info: rpc.ErrorInfo | None = None
    request_info: rpc.RequestInfo | None = None
    retry_info: rpc.RetryInfo | None = None
    bad_request: rpc.BadRequest | None = None
    quota_failure: rpc.QuotaFailure | None = None
    localized_message: rpc.LocalizedMessage | None = None

    @property
    def retry_delay(self) -> float | None:
        """How long to wait before the next call, in seconds."""
        if self.retry_info is None:
            return None
        delay = self.retry_info.retry_delay
        seconds = delay.seconds + delay.nanos / 1e9
        # None or less is no delay to keep to: calls would follow each other without a pause.
        return seconds if seconds > 0 else None

    @property
    def open_order_id(self) -> str | None:
        """With REFUND_IN_FLIGHT, the number of the refund that is in the way."""
        return self.error_info.metadata.get("openOrderId") if self.error_info else None

    def __str__(self) -> str:
        said = [f"{self.code.name}: {self.message}"]
        if error := self.trade_error:
            said.append(enum_name(pb.ErrorReason, error.reason))
            said.append(enum_name(pb.RefundOutcome, error.refund_outcome))
            said.append(enum_name(pb.NextStep, error.next_step))
        else:
            said.append("no TradeError")
        if self.localized_message:
            said.append(f"Sunmi says: {self.localized_message.message}")
        if self.bad_request:
            said += [f"{it.field}: {it.description}" for it in self.bad_request.field_violations]
        if self.quota_failure:
            said += [f"{it.subject}: {it.description}" for it in self.quota_failure.violations]
        return ", ".join(said)


FIELDS: dict[str, type[Message]] = {
    "trade_error": pb.TradeError,
    "error_info": rpc.ErrorInfo,
    "request_info": rpc.RequestInfo,
    "retry_info": rpc.RetryInfo,
    "bad_request": rpc.BadRequest,
    "quota_failure": rpc.QuotaFailure,
    "localized_message": rpc.LocalizedMessage,
}


def decode(error: grpc.RpcError) -> Details:
    """All that is known of a failed call. Never raises: what cannot be read is not there."""
    found = {}
    for packed in _status(error).details:
        for field, kind in FIELDS.items():
            if packed.Is(kind.DESCRIPTOR) and field not in found:
                try:
                    found[field] = kind.FromString(packed.value)
                except DecodeError:
                    pass
    return Details(error.code(), error.details() or "", **found)


def _status(error: grpc.RpcError) -> status_pb2.Status:
    """The status in the trailer; an empty one if there is none that belongs to this error."""
    for key, value in error.trailing_metadata() or ():
        if key == TRAILER:
            try:
                status = status_pb2.Status.FromString(value)
            except DecodeError:
                continue
            # Of another code: something on the way replaced the status, and left the trailer.
            if status.code == error.code().value[0]:
                return status
    return status_pb2.Status()


def enum_name(enum, number: int) -> str:
    """An enum value's name. A server may be newer than this client: `Name()` raises on a number
    that it does not know, and this says ERROR_REASON_99."""
    if number in enum.values():
        return enum.Name(number)
    return enum.Name(0).removesuffix("UNSPECIFIED") + str(number)
