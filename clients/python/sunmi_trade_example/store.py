"""The records of refunds, a file each, durable before the first call is made.

A program of yours keeps them in its own database, beside what the refund is for. What matters is
that number and content are committed *before* the call, and read again after a restart.
"""

import fcntl
import json
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import json_format

from sunmi.trade.v1 import trade_service_pb2 as pb

PENDING = "PENDING"
DONE = "DONE"
DECLINED = "DECLINED"


class Unusable(Exception):
    """A record that cannot be read, or stands for another refund. Nothing may be sent for it."""


class Busy(Exception):
    """Another process works on the refund."""


@dataclass
class Record:
    """A refund, and what is known of it. PENDING: the money may have moved."""

    outcome: str
    request: pb.RefundRequest


class Store:
    """A folder of records."""

    def __init__(self, folder: Path):
        self.folder = folder

    def file(self, number: str) -> Path:
        """Where the record of this number is."""
        escaped = re.sub(rb"[^A-Za-z0-9_-]", lambda it: b"%%%02X" % it[0][0], number.encode())
        return self.folder / f"{escaped.decode()}.json"

    @contextmanager
    def locked(self, number: str):
        """Keeps other processes off a record; raises Busy where one works on it. Of two, one could
        note that no money moved while the other sends it again. It ends with the process."""
        self.create()
        with open(self.file(number).with_suffix(".lock"), "w", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Busy(f"{number}: another process works on it") from error
            yield

    def load(self, number: str) -> Record | None:
        """The record of this number, if there is one."""
        file = self.file(number)
        return self._read(file) if file.exists() else None

    def pending(self) -> list[pb.RefundRequest]:
        """Every refund of which it is not known what became of it."""
        records = [self._read(file) for file in sorted(self.folder.glob("*.json"))]
        return [record.request for record in records if record.outcome == PENDING]

    def create(self) -> None:
        """Makes the folder, durably, too."""
        missing = [it for it in (self.folder, *self.folder.parents) if not it.exists()]
        self.folder.mkdir(parents=True, exist_ok=True)
        for folder in missing:
            _sync(folder.parent)

    def save(self, record: Record) -> None:
        """Writes a record, durably: it is whole, old or new, whenever the machine stops."""
        file = self.file(record.request.order_id)
        temporary = file.with_name(f".{os.getpid()}.tmp")
        request = json_format.MessageToDict(record.request)
        with open(temporary, "w", encoding="utf-8") as out:
            json.dump({"outcome": record.outcome, "request": request}, out, indent=2)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, file)
        _sync(self.folder)

    def _read(self, file: Path) -> Record:
        try:
            fields = json.loads(file.read_text(encoding="utf-8"))
            request = json_format.ParseDict(fields["request"], pb.RefundRequest())
            if fields["outcome"] not in (PENDING, DONE, DECLINED):
                raise ValueError("no such outcome")
            # A copy, say: the refund may have another record, which says something else.
            if file != self.file(request.order_id):
                raise ValueError(f"the name is not that of {request.order_id!r}")
            return Record(fields["outcome"], request)
        except (ValueError, KeyError, TypeError, json_format.ParseError) as error:
            raise Unusable(f"{file}: not a record of a refund: {error}") from error


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def same_content(one: pb.RefundRequest, other: pb.RefundRequest) -> bool:
    """Whether two requests are the same refund. What it acknowledges is no part of that."""
    contents = []
    for request in (one, other):
        content = pb.RefundRequest()
        content.CopyFrom(request)
        content.ClearField("acknowledged_open_order_ids")
        content.ClearField("operator")
        content.ClearField("reason")
        contents.append(content)
    return contents[0] == contents[1]
